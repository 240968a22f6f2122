"""What the active orders of one market amount to: counted in one walk, and again after a change."""

from collections.abc import Iterable

import msgspec

from engine.trading.order_table import LIVE, Order, Status
from engine.values.units import BUY, Lot, Tick

_STANDING = frozenset({Status.OPEN, Status.PARTIAL})


class OrderSums(msgspec.Struct, frozen=True, kw_only=True):
    """`active` are live orders and ended ones whose fills have not all arrived.

    `is_calm` says that all live ones stand in the book by the venue's own word: none is awaited.

    `working_*_lots` is what may still change the booked position (law 3). `bid_tick` is the highest
    and `ask_tick` the lowest of the orders that may be live, 0 for none. Shared by all who ask:
    read it only.
    """

    active: tuple[Order, ...]
    live: tuple[Order, ...]
    working_bid_lots: Lot
    working_ask_lots: Lot
    bid_tick: Tick
    ask_tick: Tick
    is_calm: bool


def sums_of(orders: Iterable[Order]) -> OrderSums:
    active = tuple(orders)
    live: list[Order] = []
    bid_lots = ask_lots = bid_tick = ask_tick = 0
    is_calm = True
    for order in active:
        # `left_lots`, `working_lots` and `is_live` of each order, without asking it for them: this
        # is walked after every fact about any of them.
        side, tick, status, filled_lots = order.side, order.tick, order.status, order.filled_lots
        left_lots = order.lots - filled_lots if order.lots > filled_lots else 0
        working_lots = filled_lots - order.booked_lots
        if status in LIVE:
            working_lots += left_lots
            live.append(order)
            is_calm = is_calm and status in _STANDING
            if side is BUY:
                bid_tick = tick if tick > bid_tick else bid_tick
            elif not ask_tick or tick < ask_tick:
                ask_tick = tick
        if side is BUY:
            bid_lots += working_lots
        else:
            ask_lots += working_lots
    return OrderSums(
        active=active,
        live=tuple(live),
        working_bid_lots=bid_lots,
        working_ask_lots=ask_lots,
        bid_tick=bid_tick,
        ask_tick=ask_tick,
        is_calm=is_calm,
    )
