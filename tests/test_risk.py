"""The gate: what each row does, what it lets stand, and what no wish can make it do."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trading.risk import MANDATORY, Action, Approved, Check, Gate, Reading, RiskRow
from engine.treasury.bands import Bands
from engine.values.events import Grade
from engine.values.intents import Ladder
from engine.values.units import NS_PER_S, Side
from tests.trading_builders import BANDS, BTT, NOW_NS, gate, level, reading, reason, row, rows, wish

WISH = wish([(62, 4_000_000), (61, 4_000_000)], [(64, 4_000_000), (65, 4_000_000)])
CENT = 10**6
"""A cent in quote atoms of eight decimals."""


def lots(approved: Approved, side: Side) -> list[int]:
    return [one.lots for one in approved.ladder.side(side)]


def after(seconds: float, **changes: Any) -> Reading:
    return reading(now_ns=NOW_NS + round(seconds * NS_PER_S), **changes)


def is_empty(approved: Approved) -> bool:
    ladder = approved.ladder
    return not (ladder.bids or ladder.asks) and bool(ladder.bids_absent and ladder.asks_absent)


# --- rows ---------------------------------------------------------------------------------------


def test_a_calm_market_lets_the_whole_wish_stand() -> None:
    approved = gate().approve(WISH, reading())
    assert approved.ladder == msgspec.structs.replace(WISH)
    assert approved.refused == ()
    assert (approved.room_bid_lots, approved.room_ask_lots) == (20_000_000, 20_000_000)


def test_a_gate_without_a_mandatory_row_cannot_be_built() -> None:
    for check in MANDATORY:
        left = [one for one in rows() if one.check is not check]
        with pytest.raises(ValueError, match=check.value):
            Gate(BTT, BANDS, left, 500_000)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": math.nan},
        {"threshold": -1.0},
        {"threshold": 1.0, "release": 2.0},
        {"cool_down_s": -1.0},
        {"check": Check.FILLS, "window_s": 0.0},
        {"check": Check.PRICE_COLLAR, "window_s": 0.0},
        {"check": Check.BOOK_VALID, "threshold": 1.0},
        {"check": Check.BOOK_VALID, "action": Action.PULL_SIDE},
        {"check": Check.BOOK_DELAY, "action": Action.REFUSE},
        {"check": Check.WORST_POSITION, "threshold": 1.5},
        {"check": Check.ORDER_SIZE, "action": Action.HEDGE},
        {"check": Check.SPREAD_THIN, "threshold": 5.0, "release": 4.0},
    ],
)
def test_a_row_that_could_not_guard_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        row(**({"check": Check.VOLATILITY} | wrong))


def test_a_row_is_read_from_a_config_table_and_unknown_keys_are_refused() -> None:
    table = {
        "check": "loss",
        "threshold": 25,
        "release": 10,
        "cool_down_s": 60,
        "action": "halt",
    }
    assert msgspec.convert(table, RiskRow).action is Action.HALT
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table | {"treshold": 1}, RiskRow)


# --- single quotes ------------------------------------------------------------------------------


def test_a_quote_outside_the_collar_is_refused_and_the_rest_stands() -> None:
    special = row(Check.PRICE_COLLAR, threshold=200.0)
    approved = gate(special).approve(WISH, reading())
    assert [one.tick for one in approved.ladder.bids] == [62]
    assert [one.tick for one in approved.ladder.asks] == [64]
    assert len(approved.refused) == 2
    assert all("price collar" in text for text in approved.refused)


@pytest.mark.parametrize(
    "missing",
    [
        {"reference_tick": None},
        {"reference_tick": math.nan},
        {"reference_age_ns": None},
        {"reference_age_ns": 11 * NS_PER_S},
    ],
)
def test_without_a_fresh_reference_nothing_passes_the_collar(missing: dict[str, Any]) -> None:
    approved = gate().approve(WISH, reading(**missing))
    assert is_empty(approved)


def test_a_quote_above_the_largest_size_is_refused_not_shrunk() -> None:
    approved = gate().approve(wish([(62, 10_000_001), (61, 1_000_000)], []), reading())
    assert lots(approved, Side.BUY) == [1_000_000]
    assert "order size" in approved.refused[0]


def test_a_quote_above_the_largest_value_is_refused_exactly() -> None:
    # 62 ticks x 4,000,000 lots is 2.48 USDT.
    two = wish([(62, 4_000_000)], [])
    assert gate(row(Check.ORDER_VALUE, threshold=2.48)).approve(two, reading()).ladder.bids
    low = gate(row(Check.ORDER_VALUE, threshold=2.4799)).approve(two, reading())
    assert "order value: 2.48, limit 2.4799" in low.ladder.bids_absent


def test_a_quote_that_would_take_is_refused() -> None:
    approved = gate().approve(wish([(64, 1_000_000), (62, 1_000_000)], []), reading())
    assert [one.tick for one in approved.ladder.bids] == [62]
    assert "would take" in approved.refused[0]


def test_a_quote_that_would_meet_our_own_order_is_refused_until_that_is_gone() -> None:
    one = wish([(63, 1_000_000)], [(65, 1_000_000)])
    held = gate().approve(one, reading(own_ask_tick=63))
    assert "self cross" in held.ladder.bids_absent
    assert held.ladder.asks
    assert gate().approve(one, reading(own_ask_tick=64)).ladder.bids


def test_a_wish_that_crosses_itself_is_refused_whole_and_counted() -> None:
    guard = gate()
    approved = guard.approve(wish([(63, 1000)], [(63, 1000)]), reading())
    assert is_empty(approved)
    assert "crosses itself" in approved.refused[0]
    assert guard.nonsense_count == 1


def test_a_quote_row_with_a_stronger_action_stops_the_market_and_is_reported() -> None:
    guard = gate(row(Check.PRICE_COLLAR, threshold=200.0, action=Action.HALT))
    approved = guard.approve(WISH, reading())
    assert is_empty(approved)
    assert guard.posture() is Action.HALT
    (record,) = guard.observe(after(1))
    assert (record.check, record.action, record.released) == ("price collar", "halt", False)


def test_a_quote_below_the_venues_smallest_size_is_refused() -> None:
    small = msgspec.structs.replace(BTT, lots_min=1000)
    guard = Gate(small, BANDS, rows(), 500_000)
    approved = guard.approve(wish([(62, 999)], [(64, 1000)]), reading())
    assert "smallest size" in approved.ladder.bids_absent
    assert approved.ladder.asks


# --- caps ---------------------------------------------------------------------------------------


def test_the_last_quotes_are_shrunk_to_the_room_below_the_cap() -> None:
    approved = gate().approve(WISH, reading(position_lots=35_000_000))
    assert lots(approved, Side.BUY) == [4_000_000, 1_000_000]
    assert approved.ladder.bids[1].reason.clamp == "room to worst position"
    assert approved.room_bid_lots == 5_000_000


def test_at_the_cap_there_is_no_bid_and_asks_stand() -> None:
    approved = gate().approve(WISH, reading(position_lots=40_000_000))
    assert "room to worst position" in approved.ladder.bids_absent
    assert lots(approved, Side.SELL) == [4_000_000, 4_000_000]


def test_a_cap_lowered_below_the_position_leaves_only_reductions() -> None:
    bands = Bands(
        floor_lots=0,
        lower_lots=0,
        target_lots=1_000_000,
        upper_lots=2_000_000,
        cap_lots=3_000_000,
    )
    guard = gate(row(Check.WORST_POSITION, action=Action.PULL_SIDE), bands=bands)
    approved = guard.approve(WISH, reading(position_lots=8_000_000))
    assert approved.ladder.bids == ()
    assert sum(lots(approved, Side.SELL)) == 8_000_000


def test_a_value_cap_bounds_the_position_that_can_come_about() -> None:
    # At 63 ticks 25,000,000 lots are worth 15.75 USDT.
    guard = gate(row(Check.WORST_VALUE, threshold=15.75, release=15.0))
    approved = guard.approve(WISH, reading())
    assert approved.room_bid_lots == 5_000_000
    assert lots(approved, Side.BUY) == [4_000_000, 1_000_000]
    assert lots(approved, Side.SELL) == [4_000_000, 4_000_000]


def test_a_snapshot_grade_market_gets_its_share_of_every_cap() -> None:
    guard = gate(row(Check.ORDER_SIZE, threshold=5_000_000.0))
    approved = guard.approve(WISH, reading(grade=Grade.SNAPSHOT))
    assert approved.room_bid_lots == 10_000_000
    assert lots(approved, Side.BUY) == [2_500_000, 2_500_000]
    assert "snapshot-grade" in approved.ladder.bids[0].reason.clamp


def test_the_orders_nearest_to_the_market_stay_when_there_may_be_only_few() -> None:
    guard = gate(row(Check.OPEN_ORDERS, threshold=3.0))
    approved = guard.approve(WISH, reading())
    assert [one.tick for one in approved.ladder.bids] == [62, 61]
    assert [one.tick for one in approved.ladder.asks] == [64]
    assert "open orders" in approved.refused[0]


# --- the market ---------------------------------------------------------------------------------

BREACHES: list[tuple[RiskRow, dict[str, Any]]] = [
    (row(Check.WORST_POSITION), {"working_bid_lots": 20_000_001}),
    (row(Check.WORST_POSITION), {"working_ask_lots": 20_000_001}),
    (row(Check.WORST_VALUE, threshold=15.0), {"working_bid_lots": 4_000_000}),
    (row(Check.OPEN_ORDERS, threshold=4.0), {"open_orders": 5}),
    (row(Check.TURNOVER, threshold=0.5), {"turnover_atoms": 50 * CENT + 1}),
    (row(Check.LOSS, threshold=0.5), {"drawdown_atoms": 50 * CENT + 1}),
    (row(Check.LOSS), {"pnl_atoms": None}),
    (row(Check.LOSS), {"drawdown_atoms": None}),
    (row(Check.VOLATILITY, threshold=100.0), {"volatility": 0.7}),
    (row(Check.VOLATILITY), {"volatility": None}),
    (row(Check.VOLATILITY), {"volatility": math.nan}),
    (row(Check.IMBALANCE, threshold=0.8), {"imbalance": -0.9}),
    (row(Check.IMBALANCE, threshold=0.8), {"imbalance": None}),
    (row(Check.INVENTORY, threshold=0.5), {"position_lots": 31_000_000}),
    (row(Check.SPREAD_WIDE, threshold=500.0), {"ask_tick": 70}),
    (row(Check.SPREAD_WIDE), {"ask_tick": 0}),
    (row(Check.SPREAD_THIN, threshold=200.0), {"ask_tick": 63}),
    (row(Check.BOOK_VALID), {"book_valid": False}),
    (row(Check.BOOK_VALID), {"bid_tick": 64}),
    (row(Check.BOOK_DELAY, threshold=2.0), {"delay_ns": 2 * NS_PER_S + 1}),
    (row(Check.BOOK_DELAY), {"delay_ns": None}),
]


@pytest.mark.parametrize(("special", "breach"), BREACHES)
def test_each_check_of_the_market_trips_on_its_breach_and_pulls(
    special: RiskRow, breach: dict[str, Any]
) -> None:
    special = msgspec.structs.replace(special, action=Action.PULL_MARKET)
    guard = gate(special)
    assert guard.observe(reading()) == []
    records = {record.check: record for record in guard.observe(reading(**breach))}
    assert not records[special.check].released
    assert math.isfinite(records[special.check].value)
    approved = guard.approve(WISH, reading(**breach))
    assert is_empty(approved)
    assert special.check.value in approved.ladder.bids_absent
    assert special.check in [check for check, _ in guard.tripped()]


def test_a_check_that_refuses_lets_no_new_order_out_and_standing_ones_stay() -> None:
    guard = gate(row(Check.VOLATILITY, threshold=100.0))
    approved = guard.approve(WISH, reading(volatility=0.7))
    assert approved.places_max == 0
    assert approved.ladder.bids == WISH.bids


def test_pulling_a_side_takes_the_one_that_adds_and_keeps_what_reduces() -> None:
    guard = gate(row(Check.LOSS, threshold=1.0, action=Action.PULL_SIDE))
    approved = guard.approve(WISH, reading(position_lots=25_000_000, drawdown_atoms=101 * CENT))
    assert "pull side: loss" in approved.ladder.bids_absent
    assert sum(lots(approved, Side.SELL)) == 5_000_000
    assert "reduce only" in approved.ladder.asks[1].reason.clamp


def test_pulling_a_side_at_the_target_takes_both_for_both_add() -> None:
    guard = gate(row(Check.LOSS, threshold=1.0, action=Action.PULL_SIDE))
    assert is_empty(guard.approve(WISH, reading(drawdown_atoms=101 * CENT)))


def test_a_market_that_leans_on_one_side_costs_only_that_side() -> None:
    guard = gate(row(Check.IMBALANCE, threshold=0.8, action=Action.PULL_SIDE))
    approved = guard.approve(WISH, reading(imbalance=0.9))
    assert approved.ladder.asks == ()
    assert lots(approved, Side.BUY) == [4_000_000, 4_000_000]


def test_r01_repeated_fills_on_one_side_pull_that_side_until_they_are_past() -> None:
    special = row(Check.FILLS, threshold=2.0, window_s=5.0, action=Action.PULL_SIDE)
    guard = gate(special)
    for second in range(3):
        guard.note("fill", Side.BUY, NOW_NS + second * NS_PER_S)
    approved = guard.approve(WISH, after(2))
    assert "pull side: fills: 3, limit 2" in approved.ladder.bids_absent
    assert approved.ladder.asks == WISH.asks
    assert guard.approve(WISH, after(5.5)).ladder.bids == WISH.bids


def test_r02_one_way_fills_stop_exactly_at_the_cap_with_everything_in_flight() -> None:
    guard, position = gate(), 20_000_000
    for _ in range(20):
        approved = guard.approve(WISH, reading(position_lots=position))
        position += sum(lots(approved, Side.BUY))
    assert position == BANDS.cap_lots


def test_o20_repeated_rejects_halt_until_a_person_resumes() -> None:
    guard = gate(row(Check.REJECTS, threshold=3.0, window_s=5.0, action=Action.HALT))
    for number in range(4):
        guard.note("reject", Side.SELL, NOW_NS + number)
    guard.observe(reading(now_ns=NOW_NS + 10))
    assert guard.posture() is Action.HALT
    guard.observe(after(3600))
    assert guard.posture() is Action.HALT
    guard.resume(after(3600).now_ns)
    assert guard.observe(after(3601)) == []
    assert guard.posture() is None


def test_above_the_message_rate_only_cancels_pass() -> None:
    guard = gate(row(Check.MESSAGE_RATE, threshold=3.0, window_s=1.0))
    for number in range(4):
        left = guard.approve(WISH, reading(now_ns=NOW_NS + number)).places_max
        assert left == max(0, 3 - number)
        guard.note("message", Side.BUY, NOW_NS + number)
    assert guard.approve(WISH, reading(now_ns=NOW_NS + 4)).places_max == 0
    assert guard.approve(WISH, after(1.1)).places_max == 3


def test_the_memory_of_happenings_is_bounded() -> None:
    guard = gate(row(Check.MESSAGE_RATE, threshold=3.0, window_s=1000.0))
    for number in range(10_000):
        guard.note("message", Side.BUY, NOW_NS + number)
    guard.observe(after(1))
    (tripped,) = guard.tripped()
    assert tripped[1] == "message rate: 4, limit 3"


# --- trips over time ----------------------------------------------------------------------------


def volatile(ticks: float, at_s: float) -> Reading:
    return after(at_s, volatility=ticks)


def test_a_row_holds_between_threshold_and_release() -> None:
    # 0.63 ticks of 63 are 100 bp.
    guard = gate(row(Check.VOLATILITY, threshold=100.0, release=50.0, action=Action.PULL_MARKET))
    seen = [bool(guard.observe(volatile(0.63 * x, x)) or guard.posture()) for x in (1.5, 0.8, 0.51)]
    assert seen == [True, True, True]
    (record,) = guard.observe(volatile(0.63 * 0.4, 4))
    assert record.released
    assert guard.observe(volatile(0.63 * 0.9, 5)) == []
    assert guard.posture() is None


def test_a_row_lets_go_only_after_a_whole_cool_down_of_calm() -> None:
    guard = gate(row(Check.VOLATILITY, threshold=100.0, cool_down_s=10, action=Action.PULL_MARKET))
    guard.observe(volatile(1.0, 0))
    guard.observe(volatile(0.1, 9))
    guard.observe(volatile(1.0, 9.5))
    assert guard.observe(volatile(0.1, 19)) == []
    assert guard.posture() is Action.PULL_MARKET
    (record,) = guard.observe(volatile(0.1, 19.5))
    assert record.released


def test_a_halt_trips_again_at_once_when_resumed_in_the_breach() -> None:
    guard = gate(row(Check.LOSS, threshold=1.0, action=Action.HALT))
    bad = {"drawdown_atoms": 200 * CENT}
    guard.observe(reading(**bad))
    guard.resume(NOW_NS + 1)
    assert len(guard.observe(after(1, **bad))) == 1
    assert guard.posture() is Action.HALT


def test_r07_an_unknown_loss_pulls_but_only_a_known_one_halts() -> None:
    guard = gate(row(Check.LOSS, threshold=1.0, action=Action.HALT))
    guard.observe(reading(pnl_atoms=None))
    assert guard.posture() is Action.PULL_MARKET
    assert is_empty(guard.approve(WISH, reading(pnl_atoms=None)))
    (record,) = guard.observe(after(1, drawdown_atoms=200 * CENT))
    assert record.action == "halt"
    assert guard.posture() is Action.HALT


def test_a_gate_that_was_not_shown_this_moment_looks_for_itself() -> None:
    guard = gate()
    guard.observe(reading())
    approved = guard.approve(WISH, after(1, book_valid=False))
    assert is_empty(approved)
    (record,) = guard.observe(after(2, book_valid=False))
    assert record.check == "book valid"


def test_the_strongest_action_is_the_posture() -> None:
    guard = gate(
        row(Check.VOLATILITY, threshold=100.0, action=Action.CANCEL_ONLY),
        row(Check.INVENTORY, threshold=0.1, action=Action.PULL_SIDE),
    )
    guard.observe(reading(volatility=1.0, position_lots=30_000_000))
    assert guard.posture() is Action.CANCEL_ONLY
    assert [check for check, _ in guard.tripped()] == [Check.VOLATILITY, Check.INVENTORY]


# --- hedges -------------------------------------------------------------------------------------


def test_a_hedge_sheds_what_stands_off_the_target_once_a_trip() -> None:
    guard = gate(
        row(Check.INVENTORY, threshold=0.8, release=0.5, cool_down_s=60, action=Action.HEDGE)
    )
    long = {"position_lots": 38_000_000}
    guard.observe(reading(**long))
    (hedge,) = guard.hedges(reading(**long))
    assert (hedge.side, hedge.lots) == (Side.SELL, 18_000_000)
    assert "inventory: 0.9, limit 0.8" in hedge.reason
    assert guard.hedges(after(59, **long)) == []
    assert len(guard.hedges(after(60, **long))) == 1
    approved = guard.approve(WISH, reading(**long))
    assert approved.ladder.bids == ()
    assert approved.ladder.asks


def test_a_missing_fact_never_hedges() -> None:
    guard = gate(row(Check.VOLATILITY, action=Action.HEDGE))
    blind = reading(volatility=None, position_lots=30_000_000)
    guard.observe(blind)
    assert guard.hedges(blind) == []


# --- wishes that are none -----------------------------------------------------------------------

NONSENSE: list[Any] = [
    None,
    "bids",
    {"bids": []},
    Ladder(bids=[level(62)]),  # type: ignore[arg-type]
    Ladder(bids=(None,)),  # type: ignore[arg-type]
    Ladder(bids_absent=None),  # type: ignore[arg-type]
    Ladder(bids_absent="x" * 501),
    Ladder(bids=(level(62.0),)),
    Ladder(bids=(level(math.nan),)),
    Ladder(bids=(level(True),)),
    Ladder(bids=(level(0),)),
    Ladder(bids=(level(-62),)),
    Ladder(bids=(level(10**4000),)),
    Ladder(bids=(level(62, 0),)),
    Ladder(bids=(level(62, -5),)),
    Ladder(bids=(level(62, math.inf),)),
    Ladder(bids=(level(62, 10**13),)),
    Ladder(bids=(level(62, 10**5000),)),
    Ladder(bids=(level(62, 5, width=math.nan),)),
    Ladder(bids=(level(62, 5, skew=10**400),)),
    Ladder(bids=(level(62, 5, stance=b"x"),)),
    Ladder(bids=(level(61, 5), level(62, 5))),
    Ladder(asks=(level(65, 5), level(64, 5))),
    Ladder(bids=(level(62, 5), level(62, 5))),
    Ladder(asks=tuple(level(64 + i, 5) for i in range(51))),
    wish([(64, 5)], [(64, 5)]),
]


@pytest.mark.parametrize("thing", NONSENSE, ids=range(len(NONSENSE)))
def test_r04_nonsense_is_refused_whole_counted_and_raises_nothing(thing: Any) -> None:
    guard = gate()
    approved = guard.approve(thing, reading())
    assert is_empty(approved)
    assert approved.refused
    assert guard.nonsense_count == 1
    assert (approved.room_bid_lots, approved.orders_max, approved.places_max) == (0, 0, 0)


def test_an_empty_side_without_a_reason_gets_one() -> None:
    approved = gate().approve(Ladder(bids=(level(62),)), reading())
    assert approved.ladder.asks_absent


# --- whatever comes -----------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=3)
)
anything = st.builds(
    lambda bids, asks: Ladder(bids=tuple(bids), asks=tuple(asks)),
    st.lists(st.builds(level, scalars, scalars, width=scalars), max_size=3),
    st.lists(st.builds(level, scalars, scalars, skew=scalars), max_size=3),
)


@st.composite
def wishes(draw: st.DrawFn) -> Ladder:
    """A wish with each side sorted, around, across or far from the market."""

    def side(sign: int) -> list[tuple[int, int]]:
        start = draw(st.integers(55, 70))
        steps = draw(st.lists(st.integers(1, 6), max_size=4))
        ticks = [start - sign * sum(steps[:index]) for index in range(len(steps))]
        return [(tick, draw(st.integers(1, 12_000_000))) for tick in ticks]

    return wish(side(1), side(-1))


@st.composite
def moments(draw: st.DrawFn) -> Reading:
    bid = draw(st.integers(58, 64))
    return reading(
        grade=draw(st.sampled_from(Grade)),
        bid_tick=bid,
        ask_tick=bid + draw(st.integers(1, 4)),
        volatility=draw(st.floats(0, 2)),
        imbalance=draw(st.floats(-1, 1)),
        position_lots=draw(st.integers(-5_000_000, 45_000_000)),
        working_bid_lots=draw(st.integers(0, 10_000_000)),
        working_ask_lots=draw(st.integers(0, 10_000_000)),
        own_bid_tick=draw(st.sampled_from([0, 60, 62])),
        own_ask_tick=draw(st.sampled_from([0, 63, 66])),
        open_orders=draw(st.integers(0, 12)),
        drawdown_atoms=draw(st.integers(0, 200 * CENT)),
        turnover_atoms=draw(st.integers(0, 200 * CENT)),
        delay_ns=draw(st.integers(0, 3 * NS_PER_S)),
    )


TIGHT = {
    Check.PRICE_COLLAR: 800.0,
    Check.ORDER_SIZE: 8_000_000.0,
    Check.ORDER_VALUE: 6.0,
    Check.WORST_POSITION: 0.9,
    Check.WORST_VALUE: 24.0,
    Check.OPEN_ORDERS: 10.0,
    Check.MESSAGE_RATE: 8.0,
    Check.TURNOVER: 1.5,
    Check.LOSS: 1.5,
    Check.VOLATILITY: 200.0,
    Check.IMBALANCE: 0.8,
    Check.INVENTORY: 0.9,
    Check.SPREAD_WIDE: 500.0,
    Check.BOOK_DELAY: 2.0,
}


@st.composite
def tables(draw: st.DrawFn) -> list[RiskRow]:
    """Rows with limits that the moments above now and then breach, under any action."""
    strong = [Action.PULL_MARKET, Action.CANCEL_ONLY, Action.HALT]
    mild = [Action.REFUSE, Action.PULL_SIDE, *strong]
    made = []
    for check, threshold in TIGHT.items():
        actions = strong if check is Check.BOOK_DELAY else mild
        made.append(row(check, threshold=threshold, action=draw(st.sampled_from(actions))))
    return rows(*made)


def stands(approved: Approved) -> dict[tuple[Side, int], int]:
    return {(side, one.tick): one.lots for side in Side for one in approved.ladder.side(side)}


def is_no_more(less: Approved, more: Approved) -> bool:
    """Nothing stands in `less` that does not stand in `more`, at least as large."""
    rest = stands(more)
    return (
        all(lots <= rest.get(key, 0) for key, lots in stands(less).items())
        and less.room_bid_lots <= more.room_bid_lots
        and less.room_ask_lots <= more.room_ask_lots
        and less.orders_max <= more.orders_max
        and less.places_max <= more.places_max
    )


@given(anything)
def test_whatever_the_wish_nothing_is_raised_and_every_absence_says_why(thing: Ladder) -> None:
    approved = gate().approve(thing, reading())
    assert bool(approved.ladder.bids) != bool(approved.ladder.bids_absent)
    assert bool(approved.ladder.asks) != bool(approved.ladder.asks_absent)


@given(wishes(), moments(), tables())
def test_what_stands_keeps_the_worst_case_within_the_bands(
    wished: Ladder, now: Reading, table: list[RiskRow]
) -> None:
    approved = Gate(BTT, BANDS, table, 500_000).approve(wished, now)
    bought, sold = sum(lots(approved, Side.BUY)), sum(lots(approved, Side.SELL))
    assert bought <= approved.room_bid_lots <= max(0, BANDS.cap_lots - now.position_lots)
    assert sold <= approved.room_ask_lots <= max(0, now.position_lots - BANDS.floor_lots)
    assert len(approved.ladder.bids) + len(approved.ladder.asks) <= approved.orders_max


@given(wishes(), moments(), tables())
def test_what_stands_never_takes_never_crosses_and_each_refusal_has_its_reason(
    wished: Ladder, now: Reading, table: list[RiskRow]
) -> None:
    guard = Gate(BTT, BANDS, table, 500_000)
    approved = guard.approve(wished, now)
    ladder = approved.ladder
    assert all(bid.tick < now.ask_tick for bid in ladder.bids)
    assert all(ask.tick > now.bid_tick for ask in ladder.asks)
    assert not now.own_ask_tick or all(bid.tick < now.own_ask_tick for bid in ladder.bids)
    assert all(ask.tick > now.own_bid_tick for ask in ladder.asks)
    assert not (ladder.bids and ladder.asks) or ladder.bids[0].tick < ladder.asks[0].tick
    for side in Side:
        assert bool(ladder.side(side)) != bool(ladder.absent(side))
    missing = len(wished.bids) + len(wished.asks) - len(ladder.bids) - len(ladder.asks)
    assert guard.nonsense_count or len(approved.refused) == missing
    assert all(approved.refused)


@settings(max_examples=200)
@given(wishes(), moments(), tables(), st.sampled_from(sorted(TIGHT)), st.floats(0, 1))
def test_a_tighter_threshold_never_approves_more(
    wished: Ladder, now: Reading, table: list[RiskRow], check: Check, share: float
) -> None:
    tighter = [
        msgspec.structs.replace(one, threshold=one.threshold * share, release=0.0)
        if one.check is check
        else one
        for one in table
    ]
    before = Gate(BTT, BANDS, table, 500_000).approve(wished, now)
    after_it = Gate(BTT, BANDS, tighter, 500_000).approve(wished, now)
    assert is_no_more(after_it, before)


@given(wishes(), moments(), tables())
def test_a_snapshot_grade_book_never_approves_more_than_a_verified_one(
    wished: Ladder, now: Reading, table: list[RiskRow]
) -> None:
    graded = [msgspec.structs.replace(now, grade=grade) for grade in (Grade.SNAPSHOT, now.grade)]
    less, more = (Gate(BTT, BANDS, table, 300_000).approve(wished, one) for one in graded)
    assert is_no_more(less, more)


MISSING: dict[str, Any] = {
    "book_valid": False,
    "delay_ns": None,
    "imbalance": None,
    "volatility": None,
    "reference_tick": None,
    "reference_age_ns": None,
    "pnl_atoms": None,
    "drawdown_atoms": None,
    "turnover_atoms": None,
}


@given(wishes(), moments(), tables(), st.sampled_from(sorted(MISSING)))
def test_a_missing_fact_never_approves_more_than_a_known_one(
    wished: Ladder, now: Reading, table: list[RiskRow], name: str
) -> None:
    blind = msgspec.structs.replace(now, **{name: MISSING[name]})
    more = Gate(BTT, BANDS, table, 500_000).approve(wished, now)
    less = Gate(BTT, BANDS, table, 500_000).approve(wished, blind)
    assert is_no_more(less, more)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 20)), max_size=40))
def test_a_row_never_lets_go_before_its_cool_down_or_above_its_release(
    steps: list[tuple[float, int]],
) -> None:
    special = row(
        Check.VOLATILITY, threshold=100.0, release=60.0, cool_down_s=10, action=Action.PULL_MARKET
    )
    guard, at_s, beyond_s, is_pulled = gate(special), 0, 0, False
    for ticks, gap_s in steps:
        at_s += gap_s
        bps = ticks / 63 * 10_000
        records = guard.observe(volatile(ticks, at_s))
        if bps > 100 or (is_pulled and bps > 60):
            beyond_s, is_pulled = at_s, True
        elif is_pulled and at_s - beyond_s >= 10:
            is_pulled = False
        assert (guard.posture() is Action.PULL_MARKET) == is_pulled
        assert len(records) <= 1
        assert all(record.released != is_pulled for record in records)


def test_the_reason_of_a_level_keeps_its_own_clamp_beside_the_gates() -> None:
    one = Ladder(bids=(msgspec.structs.replace(level(62, 4), reason=reason(clamp="kept passive")),))
    approved = gate().approve(one, reading(position_lots=39_999_998))
    assert approved.ladder.bids[0].lots == 2
    assert approved.ladder.bids[0].reason.clamp == "kept passive, room to worst position"
