"""hftbacktest's half of the back-test benchmark. Imported only where that is installed."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from hftbacktest import BUY, FILLED, GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.types import event_dtype
from numba import njit

from bench.backtest_world import DELAY_NS, LOTS
from bench.feed_block import events
from bench.feeds import Rows
from engine.values.units import Ns

TICK_SIZE = 0.01


def data_of(rows: Rows, delay_ns: Ns) -> Any:
    """The caller keeps it while a world runs on it, which holds no more than its address."""
    return events(rows, event_dtype, delay_ns, TICK_SIZE)


def world(data: Any, model: str, delay_ns: Ns, lot_size: float = 1.0) -> Any:
    """One market with the same queue model, order latency and feed latency."""
    asset = (
        BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(delay_ns, delay_ns)
        .no_partial_fill_exchange()  # the other one stops with an error on this feed
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(TICK_SIZE)
        .lot_size(lot_size)
        .last_trades_capacity(0)
    )
    if model == "power":
        asset = asset.power_prob_queue_model(1.0)
    else:
        asset = asset.risk_adverse_queue_model()
    return HashMapMarketDepthBacktest([asset])


@njit  # type: ignore[untyped-decorator]
def idle(hbt: Any, until_ns: int) -> int:
    """To a moment, or from the beginning by one nanosecond."""
    return hbt.elapse(max(1, until_ns - hbt.current_timestamp))  # type: ignore[no-any-return]


@njit  # type: ignore[untyped-decorator]
def quote(hbt: Any, until_ns: int, every_ns: int, away: int, lots: float) -> int:
    """Two orders `away` from the best prices, moved where those have moved."""
    asked = 0
    while hbt.current_timestamp < until_ns and hbt.elapse(every_ns) == 0:
        asked += 1
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        bid, ask = depth.best_bid_tick - away, depth.best_ask_tick + away
        has_bid = has_ask = False
        values = hbt.orders(0).values()
        while values.has_next():
            order = values.get()
            is_right = order.price_tick == (bid if order.side == BUY else ask)
            has_bid |= is_right and order.side == BUY
            has_ask |= is_right and order.side != BUY
            if not is_right and order.cancellable:
                hbt.cancel(0, order.order_id, False)
        number = hbt.current_timestamp
        if not has_bid:
            hbt.submit_buy_order(0, number, bid * TICK_SIZE, lots, GTX, LIMIT, False)
        if not has_ask:
            hbt.submit_sell_order(0, number + 1, ask * TICK_SIZE, lots, GTX, LIMIT, False)
    return asked


def spans(rows: Rows, ends_ns: list[int], model: str, asks: tuple[Ns, Ns, int]) -> Iterator[int]:
    """Nanoseconds of each stretch up to a moment; `asks` is delay, period (0: idle), distance."""
    delay_ns, every_ns, away = asks
    data = data_of(rows, delay_ns)
    hbt = world(data, model, delay_ns)
    idle(hbt, 1)  # its clock has no time before its first step
    for end_ns in ends_ns:
        began_ns = time.thread_time_ns()
        if every_ns:
            quote(hbt, end_ns, every_ns, away, 100.0)
        else:
            idle(hbt, end_ns)
        yield time.thread_time_ns() - began_ns
    hbt.close()


def warm_up(rows: Rows) -> None:
    """Compile, so that nobody's first stretch pays for it."""
    small: Rows = np.ascontiguousarray(rows[:2_000])
    ends_ns = [int(small[-1, 1])]
    list(spans(small, ends_ns, "power", (1, 0, 0)))
    list(spans(small, ends_ns, "power", (1, 10**8, 5)))


@njit  # type: ignore[untyped-decorator]
def follow(hbt: Any, wishes: Any, rest_ns: int, lots: float, filled: Any) -> None:
    """Place each pair of wishes at its moment and cancel it later; note when one was filled."""
    for first in range(0, len(wishes), 2):
        if hbt.elapse(wishes[first, 0] - hbt.current_timestamp):
            return
        for n in (first, first + 1):
            price = wishes[n, 2] * TICK_SIZE
            if wishes[n, 1] == 0:
                hbt.submit_buy_order(0, n + 1, price, lots, GTX, LIMIT, False)
            else:
                hbt.submit_sell_order(0, n + 1, price, lots, GTX, LIMIT, False)
        for span_ns in (rest_ns, 50_000_000):
            if hbt.elapse(span_ns):
                return
            values = hbt.orders(0).values()
            while values.has_next():
                order = values.get()
                if order.status == FILLED:
                    filled[order.order_id - 1] = order.exch_timestamp
                if order.cancellable:
                    hbt.cancel(0, order.order_id, False)
        hbt.clear_inactive_orders(0)


def filled(rows: Rows, wishes: Rows, model: str, rest_ns: Ns, parts: int) -> list[int]:
    """The venue's moment at which each wish was filled, 0 for never; a lot has so many parts."""
    data = data_of(rows, DELAY_NS)
    hbt, found = world(data, model, DELAY_NS, 1 / parts), np.zeros(len(wishes), dtype=np.int64)
    idle(hbt, 1)
    follow(hbt, wishes, rest_ns, float(LOTS), found)
    hbt.close()
    return [int(at_ns) for at_ns in found]
