"""Features of the top of the book, against worked examples and closed forms."""

import math
import random
from itertools import pairwise

import msgspec
import pytest

from engine.market.book import Book
from engine.market.features import Features, FeaturesParams, order_flow_of
from engine.market.liquidity import slippage_bps, spread_bps
from engine.market.microprice import Microprice
from engine.market.microprice_fit import fit_microprice
from engine.values.units import NS_PER_S, Side

PARAMS = FeaturesParams(
    volatility_half_life_ns=1_000 * NS_PER_S,
    volatility_sample_ns=NS_PER_S,
    volatility_warm_up_ns=30 * NS_PER_S,
    flow_half_life_ns=10 * NS_PER_S,
    microprice=None,
)


def book_of(bid: int, bid_lots: int, ask: int, ask_lots: int) -> Book:
    book = Book()
    book.apply_snapshot([(bid, bid_lots)] if bid else [], [(ask, ask_lots)] if ask else [])
    return book


def features_after(tops: list[tuple[int, int, int, int]], step_ns: int = 0) -> Features:
    features = Features(PARAMS)
    for i, top in enumerate(tops):
        features.on_book(book_of(*top), 1 + i * step_ns)
    return features


def test_order_flow_imbalance_is_that_of_the_worked_example():
    tops = list(
        zip(
            [100, 100, 101, 100, 100, 100],
            [5, 8, 3, 6, 6, 2],
            [102, 102, 102, 102, 101, 103],
            [7, 7, 4, 4, 9, 1],
            strict=True,
        )
    )
    steps = [order_flow_of(a, b) for a, b in pairwise(tops)]
    assert steps == [3, 6, -3, -9, 5]
    assert features_after(tops).order_flow(1) == 2
    assert features_after(tops).order_flow_last == 5


def test_fair_value_leans_to_the_thinner_side():
    features = features_after([(100, 30, 102, 10)])
    assert features.imbalance == 0.75
    assert features.mid == 101
    assert features.weighted_mid == 101.5
    assert features.microprice == 101.5


def test_flow_fades_by_half_each_half_life():
    features = Features(PARAMS)
    features.on_trade(Side.BUY, 80, 0)
    features.on_trade(Side.SELL, 10, 10 * NS_PER_S)
    assert features.trade_flow(10 * NS_PER_S) == 30
    assert features.trade_flow(20 * NS_PER_S) == 15
    assert features.trade_volume(20 * NS_PER_S) == 25


def test_volatility_is_unknown_before_warm_up():
    features = features_after([(100, 1, 102, 1), (101, 1, 103, 1)], NS_PER_S)
    assert features.volatility_ticks(29 * NS_PER_S) is None
    assert features.volatility_ticks(31 * NS_PER_S) is not None


def test_volatility_of_a_random_walk_is_its_step():
    rng = random.Random(7)
    features, mid = Features(PARAMS), 10_000
    for second in range(5_000):
        mid += rng.choice((-2, 2))
        features.on_book(book_of(mid - 1, 1, mid + 1, 1), 1 + second * NS_PER_S)
    assert features.volatility_ticks(5_000 * NS_PER_S) == pytest.approx(2.0, rel=0.02)
    bps = features.volatility_bps(5_000 * NS_PER_S)
    assert bps == pytest.approx(2.0 / mid * 10_000, rel=0.02)


def test_a_quote_that_flickers_within_a_sample_is_no_volatility():
    features = Features(PARAMS)
    for step in range(1_000):
        bid = 100 + step % 2 if step % 100 else 100
        features.on_book(book_of(bid, 1, bid + 2, 1), 1 + step * NS_PER_S // 100)
    assert features.volatility_ticks(60 * NS_PER_S) == 0


def test_quiet_time_lowers_volatility():
    features = features_after([(100, 1, 102, 1), (110, 1, 112, 1)], 10 * NS_PER_S)
    early = features.volatility_ticks(31 * NS_PER_S)
    late = features.volatility_ticks(500 * NS_PER_S)
    assert early is not None
    assert late is not None
    assert 0 < late < early


def test_a_move_across_a_lost_book_is_not_volatility():
    features = features_after([(100, 1, 102, 1)])
    features.pause()
    assert features.mid is None
    features.on_book(book_of(900, 1, 902, 1), 40 * NS_PER_S)
    assert features.volatility_ticks(80 * NS_PER_S) == 0
    assert features.order_flow(80 * NS_PER_S) == 0


def test_a_one_sided_book_has_no_fair_value():
    features = features_after([(100, 1, 102, 1), (100, 1, 0, 0)])
    assert features.mid is None
    assert features.microprice is None
    assert features.imbalance is None
    assert features.volatility_bps(99 * NS_PER_S) is None


def test_a_fitted_microprice_moves_the_price_by_its_table():
    table = Microprice(shifts=((-0.5, 0.0, 0.5), (-1.0, 0.0, 1.0)))
    assert table.shift(0.99, 1) == 0.5
    assert table.shift(0.5, 1) == 0.0
    assert table.shift(1.0, 7) == 1.0
    features = Features(msgspec.structs.replace(PARAMS, microprice=table))
    features.on_book(book_of(100, 9, 101, 1), 1)
    assert features.microprice == 101.0


def test_the_fit_finds_the_move_that_imbalance_foretells():
    """A heavy side always moves the mid by one tick its way, and a fresh top is a coin toss."""
    rng, mid, tops = random.Random(3), 1_000, []
    for _ in range(4_000):
        heavy = rng.choice((True, False))
        tops.append((mid, 90 if heavy else 10, mid + 1, 10 if heavy else 90))
        mid += 1 if heavy else -1
    table = fit_microprice(tops, buckets=2, spread_max=1)
    assert table.shift(0.9, 1) == pytest.approx(1.0, abs=0.15)
    assert table.shift(0.1, 1) == pytest.approx(-table.shift(0.9, 1))


def test_slippage_is_the_walked_average_against_mid():
    book = Book()
    book.apply_snapshot([(9_999, 10), (9_899, 10)], [(10_001, 10), (10_101, 10)])
    assert spread_bps(book) == 2.0
    assert slippage_bps(book, Side.BUY, 10) == pytest.approx(1.0)
    assert slippage_bps(book, Side.BUY, 20) == pytest.approx(51.0)
    assert slippage_bps(book, Side.SELL, 20) == pytest.approx(51.0)
    assert slippage_bps(book, Side.SELL, 21) is None
    assert spread_bps(Book()) is None


def test_decay_over_no_time_is_none():
    features = Features(PARAMS)
    features.on_trade(Side.BUY, 1, 5)
    assert math.isclose(features.trade_flow(5), 1.0)
