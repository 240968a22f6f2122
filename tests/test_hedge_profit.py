"""A run's profit holds what its hedges earned elsewhere."""

import msgspec

from engine.sim.hedge_profit import Leg, with_hedges
from engine.sim.tally import Point
from tests.review_builders import fill
from tests.sim.venue import BTT

OTHER = msgspec.structs.replace(BTT, symbol="BTC/USDT", base="BTC", price_exponent=10)
"""Its money is finer by two digits."""


def curve(*points):
    return [Point(at_ns, profit, 7, mid) for at_ns, profit, mid in points]


def sold(at_s, tick, lots, **more):
    return fill(at_s, "sell", tick, lots, 1, market=OTHER.market, is_maker=False, **more)


def profits(fills, item=BTT, mids=((0, 0, 200), (5 * 10**9, 0, 180))):
    own = curve((0, 5, 124), (10 * 10**9, 6, 124))
    found = with_hedges(own, BTT, [Leg(item, fills, curve(*mids))])
    assert [point.position_lots for point in found] == [7, 7]
    return [point.profit_atoms for point in found]


def test_a_short_that_fell_adds_what_it_fell_by():
    assert profits([sold(1, 100, 3)]) == [5, 6 + 30]


def test_a_hedge_counts_from_its_fill_on():
    assert profits([sold(11, 100, 3)]) == [5, 6]


def test_fees_of_a_hedge_are_a_cost_of_it():
    assert profits([sold(1, 100, 3, fee_atoms=4)]) == [5, 6 + 30 - 4]


def test_finer_money_is_told_in_the_money_of_the_quoted_market():
    assert OTHER.quote_exponent == BTT.quote_exponent + 2
    assert profits([sold(1, 100, 300)], OTHER) == [5, 6 + 30]


def test_without_a_hedge_the_curve_is_as_it_was():
    assert profits([]) == [5, 6]
