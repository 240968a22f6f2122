"""Time's share of the work: whose turn it is, and how much of it one timer may bring."""

from typing import get_args

from bench.obliging import Stage
from engine.trading.turns import BUSY_MAX, Turns, next_turn_ns
from engine.values.events import Event, Timer
from engine.values.units import NS_PER_MS, PPM
from tests.sim import builders

MARKETS = [f"M{n}" for n in range(50)]


def taken(turns: Turns, busy: bool) -> list[str]:
    found = []
    for market in turns.begin(MARKETS):
        found.append(market)
        turns.took(busy)
    return found


def test_a_round_of_idle_markets_is_one_turn():
    turns = Turns()
    assert taken(turns, busy=False) == MARKETS
    assert not turns.is_left


def test_a_turn_ends_after_so_many_busy_markets_and_the_next_goes_on_from_there():
    turns, found = Turns(), []
    while len(found) < len(MARKETS):
        turn = taken(turns, busy=True)
        assert len(turn) <= BUSY_MAX
        found += turn
        assert turns.is_left == (len(found) < len(MARKETS))
    assert found == MARKETS


def test_a_new_round_begins_with_the_first_market_again():
    turns = Turns()
    assert taken(turns, busy=False) == taken(turns, busy=False) == MARKETS


def test_the_next_turn_lies_in_the_markets_own_phase_and_never_now():
    for now_ns in range(0, 3_000, 7):
        due_ns = next_turn_ns(now_ns, 1_000, PPM // 4)
        assert now_ns < due_ns <= now_ns + 1_000
        assert due_ns % 1_000 == 250


def test_an_engine_with_many_markets_asks_for_a_timer_at_once_while_a_round_is_not_done():
    """Each market is looked at as often as before; no timer looks at all of them."""
    stage = Stage(3 * BUSY_MAX)
    makers = stage.engine.makers.values()
    for maker in makers:
        maker._observe_due_ns = 0
    stage.alive()
    at_ns, turns = stage.timer().at_ns, 0
    step = stage.engine.process(Timer(at_ns=at_ns))
    while step.wake_ns <= at_ns:
        turns += 1
        looked = [maker for maker in makers if maker._observe_due_ns > at_ns]
        assert len(looked) == turns * BUSY_MAX
        step = stage.engine.process(Timer(at_ns=at_ns))
    assert turns in (2, 3)
    assert step.wake_ns == at_ns + 50 * NS_PER_MS
    assert all(maker._observe_due_ns > at_ns for maker in makers)


def test_the_engine_has_a_door_for_every_kind_of_fact_and_for_nothing_else():
    facts = set(get_args(Event))
    assert set(builders.engine()._joins) == facts
