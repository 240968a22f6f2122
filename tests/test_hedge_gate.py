"""An order that takes passes the same gate: no row is spared (law 2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.trading.risk import Action, Check, Gate
from engine.trading.risk_sweep import ApprovedSweep, SweepRefused
from engine.values.events import Grade
from engine.values.intents import Sweep
from engine.values.units import Side
from tests.trading_builders import BANDS, BTT, NOW_NS, gate, reading, row


def sweep(side: Side = Side.SELL, lots: int = 1_000_000, tick: int = 62) -> Sweep:
    return Sweep(market=BTT.market, side=side, lots=lots, tick_limit=tick, reason="test")


def refusal(by: Gate, wish: Sweep | None = None, **changes: object) -> str:
    answer = by.approve_sweep(wish or sweep(), reading(**changes))
    assert isinstance(answer, SweepRefused), answer
    return answer.why


def lots_of(by: Gate, wish: Sweep | None = None, **changes: object) -> int:
    answer = by.approve_sweep(wish or sweep(), reading(**changes))
    assert isinstance(answer, ApprovedSweep), answer
    return answer.lots


def test_an_order_that_breaks_no_row_passes_whole_although_it_takes():
    answer = gate().approve_sweep(sweep(tick=62), reading(bid_tick=62))
    expected = ApprovedSweep(market=BTT.market, side=Side.SELL, lots=1_000_000, tick_limit=62)
    assert answer == expected


@pytest.mark.parametrize(
    ("check", "threshold"),
    [
        (Check.ORDER_SIZE, 999_999.0),
        (Check.ORDER_VALUE, 0.6199),
        (Check.PRICE_COLLAR, 158.0),  # 62 is 158.7 bp below the reference of 63
    ],
)
def test_a_row_of_single_orders_refuses_it_by_name(check, threshold):
    assert refusal(gate(row(check, threshold=threshold))).startswith(f"{check}:")


def test_a_reference_that_is_not_known_refuses_it():
    assert refusal(gate(), reference_tick=None).startswith("price collar: not known")


def test_it_never_meets_an_order_of_ours():
    assert refusal(gate(), own_bid_tick=62).startswith("self cross")
    assert lots_of(gate(), own_bid_tick=61) == 1_000_000


def test_the_worst_position_bounds_it_after_everything_that_may_fill():
    by = gate(row(Check.ORDER_SIZE, threshold=1e9))
    assert lots_of(by, sweep(lots=30_000_000), working_ask_lots=5_000_000) == 15_000_000
    assert refusal(by, working_ask_lots=20_000_000).startswith("room to worst position")
    buy = sweep(Side.BUY, 30_000_000, 64)
    assert lots_of(by, buy, working_bid_lots=1) == 19_999_999


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        (Check.BOOK_VALID, {"book_valid": False}),
        (Check.LOSS, {"drawdown_atoms": 10**14}),
        (Check.BOOK_DELAY, {"delay_ns": None}),
        (Check.VOLATILITY, {"volatility": None}),
    ],
)
def test_what_pulls_the_market_pulls_the_hedge(check, changes):
    by = gate(row(check, action=Action.PULL_MARKET))
    assert f"pull market: {check}" in refusal(by, **changes)


def test_a_halt_refuses_until_a_person_resumes():
    by = gate(row(Check.LOSS, action=Action.HALT))
    assert refusal(by, drawdown_atoms=10**14).startswith("halt: loss")
    assert refusal(by).startswith("halt: loss")
    by.resume(NOW_NS)
    assert lots_of(by) == 1_000_000


def test_the_message_rate_refuses_it():
    by = gate(row(Check.MESSAGE_RATE, threshold=1.0))
    by.note("message", Side.SELL, NOW_NS)
    assert refusal(by).startswith("message rate")


def test_as_many_orders_as_may_be_leave_no_room_for_it():
    assert refusal(gate(row(Check.OPEN_ORDERS, threshold=2.0)), open_orders=2).startswith("open")


def test_a_side_that_is_pulled_stays_pulled_and_the_other_may_reduce():
    by = gate(row(Check.INVENTORY, threshold=0.5, release=0.5, action=Action.PULL_SIDE))
    assert refusal(by, sweep(Side.BUY, 100, 64), position_lots=35_000_000).startswith("pull side")
    assert lots_of(by, position_lots=35_000_000) == 1_000_000


def test_a_snapshot_grade_book_cuts_it():
    by = gate(row(Check.ORDER_SIZE, threshold=1_000_000.0))
    assert lots_of(by, grade=Grade.SNAPSHOT) == 500_000


@pytest.mark.parametrize("lots", [0, -5, 10**19])
def test_a_size_that_is_none_is_refused(lots):
    assert "nonsense" in refusal(gate(), sweep(lots=lots))


def test_another_markets_order_is_refused():
    wish = Sweep(market="BTC/USDT@x", side=Side.SELL, lots=1, tick_limit=62, reason="")
    assert refusal(gate(), wish).startswith("wrong market")


@given(
    side=st.sampled_from(Side),
    lots=st.integers(-1, 60_000_000),
    tick=st.integers(-1, 200),
    position=st.integers(-10_000_000, 60_000_000),
    working=st.tuples(st.integers(0, 20_000_000), st.integers(0, 20_000_000)),
)
def test_whatever_passes_stays_within_floor_and_cap_in_the_worst_case(
    side, lots, tick, position, working
):
    answer = gate(row(Check.ORDER_SIZE, threshold=1e9)).approve_sweep(
        sweep(side, lots, tick),
        reading(position_lots=position, working_bid_lots=working[0], working_ask_lots=working[1]),
    )
    if isinstance(answer, ApprovedSweep):
        assert 0 < answer.lots <= lots
        if side is Side.SELL:
            assert position - working[1] - answer.lots >= BANDS.floor_lots
        else:
            assert position + working[0] + answer.lots <= BANDS.cap_lots
