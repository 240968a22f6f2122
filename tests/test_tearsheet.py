"""What a tear sheet says: parts that add up, identities that hold, times that are known."""

import itertools
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sim.execution import at_horizons, judge
from engine.sim.profit_parts import PARTS, Funding, Parts, bucket_edges, parts_at
from engine.sim.quoting import Obligation, inventory_of, quoting_of, time_in_zones
from engine.sim.tally import Point
from engine.sim.tearsheet import drawdown_of
from engine.treasury.bands import Bands, Zone
from engine.values.events import OrderState
from engine.values.units import Side
from tests.sim.venue import BTT
from tests.tearsheet_builders import COIN, S, fill, order, trail

NAMES = ("quote", "base", "third")


@st.composite
def lived(draw):
    """An instrument, fills with their mids, funding, and edges at whose last one all is over."""
    item = draw(st.sampled_from([BTT, COIN]))
    moments = sorted(draw(st.lists(st.integers(1, 1_000), max_size=25)))
    fills = []
    for at_ns in moments:
        asset = {"quote": item.quote, "base": item.base, "third": "BNB"}[
            draw(st.sampled_from(NAMES))
        ]
        each = fill(
            item, at_ns, draw(st.sampled_from(Side)), draw(st.integers(50, 500)),
            draw(st.integers(1, 10**6)), fee_asset=asset, is_maker=draw(st.booleans()),
            fee_atoms=draw(st.integers(-(10**7), 10**7)),
        )  # fmt: skip
        fills.append((each, draw(st.integers(100, 1_000))))
    paid = draw(
        st.lists(st.tuples(st.integers(1, 1_000), st.integers(-(10**9), 10**9)), max_size=4)
    )
    funding = [Funding(at_ns, atoms) for at_ns, atoms in sorted(paid)]
    edges = [(at_ns, draw(st.integers(100, 1_000))) for _, at_ns in bucket_edges(1, 1_000, 250)]
    return item, fills, funding, edges


def exact_worth(item, fills, funding, mid):
    """Cash, and the position at mid, straight from the fills; nothing is rounded."""
    cash = held = Fraction()
    for each, _ in fills:
        base, quote = item.flows(each.side, each.tick, each.lots)
        cash += quote - each.fee_atoms * (each.fee_asset == item.quote)
        held += base - each.fee_atoms * (each.fee_asset == item.base)
    cash += sum(each.atoms for each in funding)
    return cash + held * mid * item.tick_lot_atoms / (2 * item.lot_base_atoms)


def exact_parts(item, fills, funding, mid):
    """Each part by its own definition, in fractions."""
    found, unit = (
        dict.fromkeys(PARTS, Fraction()),
        Fraction(item.tick_lot_atoms, item.lot_base_atoms),
    )
    for each, then in fills:
        part = "spread_earned" if each.is_maker else "spread_paid"
        distance = each.side.sign * (Fraction(then, 2) - each.tick)
        found[part] += distance * item.quote_atoms(1, each.lots)
        base, _ = item.flows(each.side, each.tick, each.lots)
        worth = 1 if each.fee_asset == item.quote else Fraction(then, 2) * unit
        cost = worth * each.fee_atoms * (each.fee_asset in (item.quote, item.base))
        found["fees" if each.fee_atoms > 0 else "rebates"] -= cost
        base -= each.fee_atoms * (each.fee_asset == item.base)
        found["inventory"] += base * Fraction(mid - then, 2) * unit
    found["funding"] = Fraction(sum(each.atoms for each in funding))
    return found


@given(lived())
def test_the_parts_add_up_to_the_profit_to_the_atom(world):
    item, fills, funding, edges = world
    for (at_ns, mid), parts in zip(edges, parts_at(item, fills, edges, funding), strict=True):
        done = [each for each in fills if each[0].at_ns <= at_ns]
        paid = [each for each in funding if each.at_ns <= at_ns]
        assert parts.total == floor(exact_worth(item, done, paid, mid))
        assert sum(getattr(parts, name) for name in PARTS) == parts.total


@given(lived())
def test_each_part_is_within_an_atom_of_its_own_definition(world):
    item, fills, funding, edges = world
    *_, parts = parts_at(item, fills, edges, funding)
    for name, exact in exact_parts(item, fills, funding, edges[-1][1]).items():
        assert abs(getattr(parts, name) - exact) <= 1, name


@given(lived())
def test_what_came_in_each_step_adds_up_to_the_whole(world):
    item, fills, funding, edges = world
    so_far = [Parts(), *parts_at(item, fills, edges, funding)]
    steps = [now.less(then) for then, now in itertools.pairwise(so_far)]
    for name in PARTS:
        assert sum(getattr(each, name) for each in steps) == getattr(so_far[-1], name)


def test_steps_meet_and_leave_nothing_out():
    found = bucket_edges(12, 37, 10)
    assert found == [(1, 19), (2, 29), (3, 37)]


# --- fills and what came after --------------------------------------------------------------------


def test_a_maker_sold_to_an_aggressor_and_the_mid_went_half_way_after_him():
    """Price 101, mid 100, then 100.5: in ticks, effective 2, realised 1, impact 1, markout -1."""
    sold = fill(COIN, 1 * S, Side.SELL, 101, 3)
    [told] = judge(COIN, [(sold, 200)], lambda _: 201, 9 * S, (1 * S, 60 * S))
    assert (told.effective_ticks, told.impact_ticks) == (2, (1, None))
    unit = 3 * COIN.tick_lot_atoms
    assert told.markout_atoms == (-unit, None)
    row, late = at_horizons(COIN, [told], (1 * S, 60 * S))
    sums = (row.effective_atoms, row.realised_atoms, row.impact_atoms, row.markout_atoms)
    assert sums == (2 * unit, unit, unit, -unit)
    assert (late.fills, late.unjudged) == (0, 1)


def test_of_a_fill_that_took_the_impact_is_our_gain():
    bought = fill(COIN, 1 * S, Side.BUY, 101, 1, is_maker=False)
    [told] = judge(COIN, [(bought, 200)], lambda _: 204, 9 * S, (1 * S,))
    assert told.markout_atoms == (4 * COIN.tick_lot_atoms,)
    assert at_horizons(COIN, [told], (1 * S,))[0].fills == 0


@given(lived(), st.lists(st.integers(100, 1_000), min_size=1, max_size=9))
def test_effective_is_realised_and_impact_for_any_fills(world, mids):
    item, fills, *_ = world
    judged = judge(item, fills, lambda at_ns: mids[at_ns % len(mids)], 900, (0, 50, 500))
    for row in at_horizons(item, judged, (0, 50, 500)):
        assert row.effective_atoms == row.realised_atoms + row.impact_atoms
        assert row.fills + row.unjudged == sum(each.is_maker for each, _ in fills)


# --- quotes -------------------------------------------------------------------------------------


def quoted():
    """Best prices 99 to 101 for 10 s, then 98 to 102; a bid from 1 s, an ask from 3 s to 8 s."""
    orders = [
        order(1 * S, "b", Side.BUY, 98, 5),
        order(3 * S, "a", Side.SELL, 101, 5),
        order(8 * S, "a", Side.SELL, 101, 5, state=OrderState.CANCELED),
    ]
    return trail([(0 + 1, 99, 101), (10 * S, 98, 102)], orders)


def test_time_at_the_touch_is_the_time_at_the_best_price_or_better():
    told = quoting_of(quoted(), 12 * S, None)
    assert told.known_ns == 12 * S - 1
    assert (told.bid_ns, told.ask_ns, told.both_ns) == (11 * S, 5 * S, 5 * S)
    assert (told.bid_touch_ns, told.ask_touch_ns, told.both_touch_ns) == (2 * S, 5 * S, 0)
    assert told.spread_bps == pytest.approx(300)
    assert told.obliged_ns is None


@pytest.mark.parametrize(
    ("distance_bps", "lots", "met_s"), [(200, 5, 5), (199, 5, 0), (200, 6, 0), (900, 1, 5)]
)
def test_an_obligation_is_met_by_size_within_its_distance_on_both_sides(distance_bps, lots, met_s):
    duty = Obligation(distance_bps=distance_bps, lots_min=lots)
    assert quoting_of(quoted(), 12 * S, duty).obliged_ns == met_s * S


def test_levels_are_summed_by_price_and_what_was_filled_is_gone():
    orders = [
        order(1, "x", Side.BUY, 98, 5),
        order(2, "y", Side.BUY, 98, 5, filled_lots=2, state=OrderState.PARTIAL),
        order(3, "z", Side.BUY, 99, 1),
        order(4, "x", Side.BUY, 98, 5, filled_lots=5, state=OrderState.FILLED),
    ]
    quotes = trail([], orders).quoted
    assert [each.bids for each in quotes] == [
        [(98, 5)], [(98, 8)], [(99, 1), (98, 8)], [(99, 1), (98, 3)]
    ]  # fmt: skip


def test_the_inventory_moves_by_fills_and_by_fees_in_the_token():
    unit = COIN.lot_base_atoms
    fills = [
        fill(COIN, 5, Side.BUY, lots=4, fee_asset="COIN", fee_atoms=1),
        fill(COIN, 7, Side.SELL, lots=2),
    ]
    held = inventory_of(COIN, fills, 10 * unit, 0)
    assert [(each.at_ns, each.position_lots) for each in held] == [(0, 10), (5, 13), (7, 11)]
    bands = Bands(floor_lots=0, lower_lots=9, target_lots=10, upper_lots=11, cap_lots=20)
    zones = time_in_zones(held, bands, 10)
    assert zones[Zone.INSIDE] == 5 + 3
    assert zones[Zone.ABOVE] == 2
    assert sum(zones.values()) == 10


# --- drawdown -----------------------------------------------------------------------------------


def curve(*profits):
    return [Point(at_ns, profit, 0, 200) for at_ns, profit in enumerate(profits, 1)]


def test_a_drawdown_lasts_until_the_profit_is_at_its_high_again():
    told = drawdown_of(curve(5, 9, 2, 6, 9, 8, 3, 7))
    assert (told.depth_atoms, told.high_ns, told.low_ns) == (7, 2, 3)
    assert (told.has_recovered, told.length_ns, told.longest_ns) == (True, 3, 3)


def test_a_drawdown_that_is_never_made_up_lasts_until_the_end():
    told = drawdown_of(curve(-1, -4, -2))
    assert (told.depth_atoms, told.has_recovered, told.length_ns) == (4, False, 2)


@given(st.lists(st.integers(-50, 50), max_size=40))
def test_the_depth_is_the_greatest_fall_from_any_earlier_high(profits):
    highs = [max([0, *profits[: place + 1]]) for place in range(len(profits))]
    worst = max((high - now for high, now in zip(highs, profits, strict=True)), default=0)
    assert drawdown_of(curve(*profits)).depth_atoms == worst
