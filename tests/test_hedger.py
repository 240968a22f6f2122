"""The whole hedge beside a whole engine: two makers, one venue, and everything that goes wrong."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.trading.hedge_desk import STRATEGY
from engine.trading.hedge_venue import Health
from engine.trading.posture import HedgeStance, Signal
from engine.trading.risk import Check
from engine.values.events import Halt, Resume
from engine.values.intents import Hedge, Ladder
from engine.values.records import HedgeRefused, HedgeSent, HedgeVenue, OrderIntent
from engine.values.units import NS_PER_S, SELL
from strategies.fixed import FixedParams, FixedStrategy
from tests.hedge_builders import hedge_params
from tests.hedge_world import BETA, COIN, CONVERSION, TOKEN, WAY, HedgeWorld
from tests.trading_builders import BANDS, row, rows

LEAST = 0.02  # the smallest change of cover, as a share of the way
EXCESS: dict[str, Any] = {"stance": HedgeStance.EXCESS, "signal": Signal.SELL}


def params(**changes: Any) -> Any:
    fields = {"child_value": "100", "slippage_bps_max": 20.0, "day_cost_max": "20"}
    return hedge_params(**(fields | changes))


def children(world: HedgeWorld) -> list[Any]:
    return [place for place in world.places if place.is_ioc]


# --- a calm day ---------------------------------------------------------------------------------


def test_stage_one_is_covered_by_immediate_orders_that_the_journal_calls_hedge():
    world = HedgeWorld()
    world.to(0.5)
    world.run(60)
    assert 0.15 - LEAST <= world.covered <= 0.15
    assert world.sold == world.hedger.desk.sweeps[0].sold_lots > 0
    intents = [record for record in world.of(OrderIntent) if record.strategy == STRATEGY]
    assert [record.order for record in intents] == children(world)
    assert all(not place.post_only for place in children(world))


def test_records_of_an_order_stand_before_its_command():
    world = HedgeWorld()
    world.to(0.5)
    world.run(10)
    sent, intents = world.of(HedgeSent), world.of(OrderIntent)
    assert {record.client_id for record in sent} <= {each.order.client_id for each in intents}
    assert "fee 10" in sent[0].candidates[COIN]


def test_nothing_counts_as_covered_before_the_venue_has_told_the_fill():
    world = HedgeWorld()
    world.slow_s = 1.5
    world.to(0.5)
    world.run(1)
    assert len(children(world)) == 1
    assert world.sold > 0
    assert world.hedger.cover_lots == 0
    assert world.hedger.unhedged_lots == WAY // 2
    world.run(2)
    assert world.hedger.cover_lots > 0


def test_one_order_at_a_time_and_a_pause_between_two():
    world = HedgeWorld()
    world.to(1.0)
    world.run(30)
    times = [place.at_ns / NS_PER_S for place in children(world)]
    assert min(b - a for a, b in pairwise(times)) >= 5.0


def test_cover_is_let_go_when_inventory_falls_below_its_target():
    world = HedgeWorld()
    world.see(**EXCESS)
    world.to(0.3)
    world.run(60)
    assert world.covered > 0.28
    world.to(-0.1)
    world.run(500)
    assert world.covered > 0.28, "turning round waits for the cool-down"
    world.run(300)
    assert (world.hedger.cover_lots, world.sold) == (0, 0)


def test_a_row_of_the_gate_that_asks_for_a_hedge_gets_it():
    world = HedgeWorld()
    world.to(0.2)
    world.run(5)
    assert children(world) == []
    lots = world.position - BANDS.target_lots
    world.hedger.demand(Hedge(market=TOKEN, side=SELL, lots=lots, reason="inventory"))
    world.run(30)
    assert world.covered >= 0.2 - LEAST


# --- conversion and choice ----------------------------------------------------------------------


def test_a_conversion_shrinks_the_position_once_and_not_again_and_again():
    world = HedgeWorld(ways=(CONVERSION,))
    world.to(0.5)
    world.run(120)
    sold = BANDS.target_lots + WAY // 2 - world.position
    assert 0.15 - LEAST <= sold / WAY <= 0.15
    assert world.hedger.converted_lots == sold
    assert world.hedger.cover_lots == 0
    world.run(120)
    assert BANDS.target_lots + WAY // 2 - world.position == sold


def test_the_cheaper_way_is_chosen_and_the_others_numbers_are_told():
    world = HedgeWorld(ways=(CONVERSION, BETA))
    world.see(**EXCESS)
    world.to(0.5)
    world.run(5)
    first = world.of(HedgeSent)[0]
    assert first.hedge_market == TOKEN, first.candidates  # 11.6 bp against 20 with what remains
    assert set(first.candidates) == {TOKEN, COIN}
    world.books[TOKEN] = (6_280, 6_320)
    world.run(10)
    assert world.of(HedgeSent)[-1].hedge_market == COIN


def test_where_no_cost_is_known_nothing_is_bought_and_it_is_said_once():
    world = HedgeWorld()
    world.see(ratios={})
    world.to(0.5)
    world.run(60)
    assert children(world) == []
    (refused,) = world.of(HedgeRefused)
    assert "hedge ratio not known" in refused.why


def test_a_book_with_too_little_within_the_ceiling_gets_what_it_can_take():
    world = HedgeWorld()
    world.depth[COIN] = 100
    world.publish()
    world.to(0.5)
    world.run(30)
    assert children(world)
    assert all(place.lots == 200 for place in children(world))


class Held(FixedStrategy):
    """Quotes as core would let it: without the side that the hedger holds back."""

    hedger: Any = None
    now: Any = None

    def quote(self, view: Any) -> Ladder:
        wish = super().quote(view)
        return self.hedger.hold_back(wish, view.now_ns) if self.hedger else wish


def test_our_own_bids_leave_for_a_conversion_that_would_meet_them():
    strategy = Held(FixedParams(half_spread_ticks=0.5, step_ticks=0.0, lots=1_000))
    world = HedgeWorld(ways=(CONVERSION,), strategy=strategy)
    strategy.hedger = world.hedger
    world.books[TOKEN] = (6_298, 6_302)
    world.to(0.5)
    world.run(5)
    own = world.engine.makers[TOKEN].keeper.orders.sums(TOKEN)
    assert own.bid_tick == 0, "the bids went"
    assert own.ask_tick > 0, "the asks stayed"
    world.run(60)
    assert all(place.is_ioc for place in world.places if place.side is SELL and place.lots > 1_000)
    assert world.hedger.converted_lots > 0.1 * WAY


# --- a venue that fails -------------------------------------------------------------------------


def test_an_order_without_an_answer_fails_the_venue_and_stops_the_adding_side():
    world = HedgeWorld()
    world.mute = True
    world.to(0.5)
    world.run(20)
    assert len(children(world)) == 1, "what may have happened is never sent again"
    assert world.hedger.desk.health[COIN].state is Health.FAILED
    why = world.hedger.adding_stopped(world.now)
    assert COIN in why
    assert "no end after 2 s" in why
    wish = Ladder(bids=(), bids_absent="none", asks_absent="none")
    assert world.hedger.hold_back(wish, world.now).bids_absent == why
    assert any("failed" in text for text in world.alerts)
    assert world.hedger.unhedged_lots == WAY // 2


def test_a_failed_venue_is_well_again_once_it_has_answered_and_taken_an_order():
    world = HedgeWorld()
    world.mute = True
    world.to(0.5)
    world.run(20)
    world.mute = False
    world.run(10)
    assert world.hedger.desk.health[COIN].state is Health.FAILED, "it rests first"
    world.run(60)
    states = [record.state for record in world.of(HedgeVenue)]
    assert states == [Health.FAILED, Health.TRIAL, Health.WELL]
    assert world.hedger.adding_stopped(world.now) == ""
    assert world.sold == world.hedger.desk.sweeps[0].sold_lots
    assert 0.15 - LEAST <= world.covered <= 0.15


def test_a_slow_venue_has_failed():
    world = HedgeWorld()
    world.slow_s = 4.0
    world.to(0.5)
    world.run(4)
    assert "no end after" in world.hedger.adding_stopped(world.now)


def test_a_venue_that_refuses_an_order_has_failed():
    world = HedgeWorld()
    world.refuse = True
    world.to(0.5)
    world.run(5)
    assert "refused by the venue" in world.hedger.adding_stopped(world.now)
    assert len(children(world)) == 1


def test_below_the_target_a_failed_venue_stops_nothing():
    world = HedgeWorld()
    world.refuse = True
    world.to(0.5)
    world.run(5)
    world.to(-0.1)
    assert world.hedger.adding_stopped(world.now) == ""


# --- the gate and the budget --------------------------------------------------------------------


def test_what_the_gate_refuses_does_not_go_out_and_stays_counted():
    tight = rows(row(Check.ORDER_SIZE, threshold=10.0))
    world = HedgeWorld(gate_rows=tight)
    world.to(0.5)
    world.run(60)
    assert children(world) == []
    (refused,) = world.of(HedgeRefused)
    assert refused.why.startswith("order size:")
    assert world.hedger.unhedged_lots == WAY // 2


@pytest.mark.parametrize("market", [TOKEN, COIN])
def test_a_halt_of_either_market_stops_hedging(market):
    world = HedgeWorld()
    world.feed(Halt(market=market, at_ns=world.now, who="desk", reason="test"))
    world.to(0.5)
    world.run(10)
    assert children(world) == []
    assert world.of(HedgeRefused) or world.of(HedgeVenue)
    world.feed(Resume(market=market, at_ns=world.now, who="desk", reason="test"))
    world.run(120)
    assert children(world)


def test_the_days_budget_is_never_passed_and_its_end_is_told_once():
    world = HedgeWorld(params=params(day_cost_max="0.5"))
    world.see(**EXCESS)
    world.to(0.9)
    world.run(300)
    assert 0.2 < world.spent <= 0.35, "the rest is kept for letting go"
    (refused,) = world.of(HedgeRefused)
    assert refused.why.startswith("budget")
    covered = world.covered
    assert covered < 0.5
    world.to(-0.1)
    world.run(1_000)
    assert world.hedger.cover_lots == 0 or world.spent > 0.4
    assert world.spent <= 0.5


def test_a_new_day_brings_a_new_budget():
    world = HedgeWorld(params=params(day_cost_max="0.3"))
    world.see(**EXCESS)
    world.now += (86_400 - 400) * NS_PER_S
    world.start()
    world.to(0.9)
    world.run(200)
    before = world.covered
    world.run(400)
    assert world.covered > before


# --- restart ------------------------------------------------------------------------------------


def test_a_restart_in_the_middle_of_a_hedge_neither_doubles_nor_forgets():
    world = HedgeWorld()
    world.see(**EXCESS)
    world.to(0.5)
    world.run(12)
    covered, spent, sold = world.hedger.cover_lots, world.spent, world.sold
    assert 0 < covered < WAY // 2
    world.start()
    assert world.hedger.cover_lots >= covered
    assert world.spent >= spent
    assert world.hedger.stages.stage == 1
    world.run(60)
    assert 0.5 - LEAST <= world.covered <= 0.5
    assert world.sold == world.hedger.desk.sweeps[0].sold_lots > sold


def test_a_fill_that_nobody_told_before_the_crash_is_found_and_not_bought_again():
    world = HedgeWorld()
    world.see(**EXCESS)
    world.mute = True
    world.to(0.3)
    world.run(1)
    assert (len(children(world)), world.hedger.cover_lots) == (1, 0)
    world.mute = False
    world.start()
    world.run(120)
    assert world.sold == world.hedger.desk.sweeps[0].sold_lots
    assert 0.3 - LEAST <= world.covered <= 0.3


def test_a_second_start_from_the_same_journal_knows_the_same():
    world = HedgeWorld(ways=(CONVERSION, BETA))
    world.to(0.6)
    world.run(40)
    world.books[TOKEN] = (6_280, 6_320)
    world.see(**EXCESS)
    world.run(40)
    before = (world.hedger.cover_lots, world.hedger.converted_lots, world.spent)
    assert min(before) > 0
    world.start()
    assert world.remembered == before


def test_people_see_what_stands_what_is_spent_and_what_each_way_costs():
    world = HedgeWorld(ways=(CONVERSION, BETA))
    world.to(0.5)
    world.run(60)
    status = world.hedger.status(world.now)
    assert status["stage"] == 1
    assert float(status["spent_today"]) == pytest.approx(world.spent)
    assert [way["kind"] for way in status["ways"]] == ["conversion", "beta"]
    assert "bp (half spread" in status["ways"][1]["cost"]


# --- whatever happens ---------------------------------------------------------------------------

ACTS = st.lists(
    st.tuples(
        st.floats(-0.2, 1.0),
        st.sampled_from(HedgeStance),
        st.sampled_from([Signal.BUY, Signal.SELL, Signal.NEUTRAL]),
        st.sampled_from(["calm", "calm", "calm", "mute", "refuse", "slow", "thin", "restart"]),
        st.sampled_from([1, 7, 40]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTS)
def test_no_weather_sells_twice_covers_too_much_or_passes_the_budget(acts):
    world = HedgeWorld(ways=(BETA,), params=params(day_cost_max="0.8"))
    for gone, stance, signal, fault, turns in acts:
        world.mute, world.refuse = fault == "mute", fault == "refuse"
        world.slow_s = 3.0 if fault == "slow" else 0.0
        world.depth[COIN] = 50 if fault == "thin" else 10**6
        if fault == "restart":
            world.start()
        world.see(
            stance=stance, signal=signal, signal_held_ns=2_000 * NS_PER_S,
            trend_sigmas=-3.0, turnover_ratio=3.0,
        )  # fmt: skip
        world.to(gone)
        for _ in range(turns):
            excess, before = world.position - BANDS.target_lots, len(world.of(HedgeSent))
            world.turn()
            for sent in world.of(HedgeSent)[before:]:
                most, _ = world.hedger.desk.sweeps[0].working_lots()
                assert sent.token_lots < 0 or world.hedger.cover_lots + most <= max(0, excess)
            assert world.spent <= 0.8
            assert world.sold >= 0
    world.mute = world.refuse = False
    world.slow_s = 0.0
    world.run(60)
    while world.hedger.desk.sweeps[0].is_waiting:
        world.turn()
    assert world.sold == world.hedger.desk.sweeps[0].sold_lots
