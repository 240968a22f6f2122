"""Conversions through a whole engine: the gate, our own quotes, silence, restarts, switches."""

import msgspec

from engine.runtime.journal_chain import Head, decode, encode
from engine.trading.risk import Check
from engine.trading.strategy import Ladder, View, Wake
from engine.treasury.books import KINDS, Books, BooksSetup
from engine.treasury.chart import Reason as Code
from engine.treasury.chart import Source
from engine.treasury.execution_life import ChildState
from engine.treasury.lots import LotMethod
from engine.treasury.measures import measures_of
from engine.treasury.pricing import PriceHistory
from engine.values.action_words import Scope
from engine.values.events import Fill, Trade
from engine.values.execution_records import (
    ChildRefused,
    ChildSent,
    ParentMoved,
    ParentStarted,
    ParentState,
    Reviewed,
)
from engine.values.intents import Level, Reason
from engine.values.records import OrderIntent
from engine.values.units import BUY
from tests.execution_world import ExecutionWorld
from tests.hedge_world import BTC, BTT, TOKEN
from tests.trading_builders import row, rows

REASON = Reason(reference=6_299.0, skew=0.0, width=1.0, rounding=0.0, stance="test")
MILLION = 1_000_000


class Bids:
    """Quotes one bid of ours at the touch."""

    wake = Wake()

    def quote(self, view: View) -> Ladder:
        bid = Level(tick=6_299, lots=1_000, reason=REASON)
        return Ladder(bids=(bid,), asks_absent="only bids")


def test_a_conversion_leaves_as_children_through_the_gate_until_it_is_done():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    parent = world.sell(20 * MILLION)
    world.run(200)
    assert parent.state is ParentState.DONE
    assert world.gone == 20 * MILLION
    assert parent.done_atoms == 20 * MILLION * 10**8
    children = world.of(ChildSent)
    assert len(children) >= 5
    assert all(place.is_ioc for place in world.places)
    assert {child.tick_limit for child in children} == {6_299}
    intents = {record.order.client_id for record in world.of(OrderIntent)}
    assert {child.client_id for child in children} <= intents


class Hurried(ExecutionWorld):
    """Others are faster: of what a child was sent for, only a quarter is still there; and the venue
    tells the end first, before our quotes are looked at again."""

    def _place(self, place):
        was = self.depth[place.market]
        self.depth[place.market] = place.lots // 4
        super()._place(place)
        self.depth[place.market] = was
        later, self._later = sorted(self._later, reverse=True), []
        for _, _, event in later:
            self.feed(event)


def test_the_rest_of_a_child_that_expires_calls_nobody():
    world = Hurried()
    world.depth[TOKEN] = 10 * MILLION
    parent = world.sell(20 * MILLION)
    world.run(60)
    assert 0 < parent.done_atoms < parent.plan.atoms
    assert world.of(ChildSent)
    assert world.alerts == []


def test_a_lag_of_the_loop_that_settles_pauses_no_conversion_and_one_that_lasts_does():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    parent = world.sell(20 * MILLION)
    standing = world.engine.makers[TOKEN].standing
    for _ in range(4):
        standing.doubt("loop lag", "the loop was 212 ms late")
        world.run(2)
        assert "212 ms late" in world.desk.waits["p1"]
        standing.settle("loop lag")
        world.run(8)
    assert world.of(ParentMoved) == []
    world.run(300)
    assert [moved.after for moved in world.of(ParentMoved)] == [ParentState.DONE]
    assert parent.done_atoms == parent.plan.atoms
    other = ExecutionWorld()
    other.sell(20 * MILLION)
    other.engine.makers[TOKEN].standing.doubt("loop lag", "the loop was 212 ms late")
    other.run(8)
    assert [moved.after for moved in other.of(ParentMoved)] == [ParentState.PAUSED]


def test_the_counted_money_is_the_venues_own():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    before = world.usdt[TOKEN]
    parent = world.sell(20 * MILLION)
    world.run(200)
    fees = sum(fill.fee_atoms for fill in world.fills[TOKEN])
    assert parent.money_atoms == world.usdt[TOKEN] - before + fees


def test_a_purchase_goes_the_same_way():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    parent = world.sell(20 * MILLION, side=BUY)
    world.run(200)
    assert (parent.state, world.gone) == (ParentState.DONE, -20 * MILLION)
    assert {child.tick_limit for child in world.of(ChildSent)} == {6_301}


def test_a_review_follows_and_its_lesson_outlives_the_process():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    world.sell(20 * MILLION)
    world.run(200)
    (review,) = world.of(Reviewed)
    assert (review.left_atoms, review.venues[0].market) == (0, TOKEN)
    known = world.desk.lessons.ppm(TOKEN)
    world.start()
    assert world.desk.lessons.ppm(TOKEN) == known
    world.run(20)
    assert len(world.of(Reviewed)) == 1


def test_a_gate_that_refuses_is_recorded_once_and_nothing_goes_out():
    strict = rows(row(Check.ORDER_SIZE, threshold=10.0), row(Check.PRICE_COLLAR, threshold=500.0))
    world = ExecutionWorld(gate_rows=strict)
    world.sell(20 * MILLION)
    world.run(60)
    (refused,) = world.of(ChildRefused)
    assert refused.why.startswith("order size")
    assert (world.gone, world.of(ChildSent)) == (0, [])
    assert "order size" in world.desk.waits["p1"]


def test_our_own_bids_are_never_met_and_are_asked_to_leave():
    world = ExecutionWorld(strategy=Bids())
    world.run(5)
    assert world.engine.keepers[BTT.venue].orders.sums(TOKEN).bid_tick == 6_299
    world.sell(2 * MILLION)
    world.run(40)
    assert world.of(ChildSent) == []
    assert world.desk.own_quotes_barred(TOKEN, BUY, world.now)
    assert "our own quotes" in world.desk.waits["p1"]


def test_a_conversion_stops_short_of_a_lower_bid_of_ours():
    class Low(Bids):
        def quote(self, view: View) -> Ladder:
            bid = Level(tick=6_290, lots=1_000, reason=REASON)
            return Ladder(bids=(bid,), asks_absent="only bids")

    world = ExecutionWorld(strategy=Low())
    world.run(5)
    world.sell(2 * MILLION)
    world.run(60)
    assert world.gone == 2 * MILLION
    assert all(child.tick_limit > 6_290 for child in world.of(ChildSent))


def test_a_silent_venue_pauses_the_parent_and_what_happened_is_found_out():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    parent = world.sell(20 * MILLION)
    while not world.of(ChildSent):
        world.turn()
    world.mute = True
    while len(world.of(ChildSent)) < 2:
        world.turn()
    world.run(8)
    assert parent.state is ParentState.PAUSED
    assert "unanswered venue" in parent.why
    assert parent.out_atoms
    assert ChildState.DOUBTFUL in {child.state for child in parent.children.values()}
    sent = len(world.of(ChildSent))
    world.run(20)
    assert len(world.of(ChildSent)) == sent
    world.mute = False
    world.run(300)
    assert parent.done_atoms == world.gone * 10**8
    assert parent.done_atoms <= parent.plan.atoms
    assert parent.state in (ParentState.DONE, ParentState.HANDED_OVER)


def test_a_restart_at_any_moment_knows_what_was_sent_and_never_repeats_it():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    world.sell(20 * MILLION)
    for _ in range(12):
        world.run(7)
        if world.parent.state is ParentState.DONE:
            break
        before = (world.parent.done_atoms, world.parent.out_atoms, world.parent.state)
        world.mute = True
        world.start()
        assert (world.parent.done_atoms, world.parent.out_atoms) >= (before[0], 0)
        world.mute = False
    world.run(300)
    assert world.parent.done_atoms == world.gone * 10**8
    assert world.gone <= 20 * MILLION
    assert world.parent.state in (ParentState.DONE, ParentState.HANDED_OVER)


def test_a_kill_switch_stops_the_next_child_and_outlives_a_restart():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    world.sell(20 * MILLION)
    while not world.of(ChildSent):
        world.turn()
    world.switch(Scope.VENUE, BTT.venue)
    world.run(30)
    sent = len(world.of(ChildSent))
    assert world.parent.state is ParentState.KILLED
    assert any("no allowed venue is left" in text for text in world.alerts)
    world.start()
    world.run(30)
    assert len(world.of(ChildSent)) == sent
    assert world.desk.switches.stops_venue(BTT.venue)


def test_a_plan_is_begun_once():
    world = ExecutionWorld()
    made = world.plan(2 * MILLION)
    world.begin(made)
    world.begin(made)
    world.run(60)
    assert world.gone == 2 * MILLION


def test_a_start_that_is_told_again_forgets_nothing():
    world = ExecutionWorld()
    world.sell(2 * MILLION)
    world.run(60)
    done = world.parent.done_atoms
    world.desk.remember(world.of(ParentStarted)[0])
    assert world.parent.done_atoms == done > 0


def test_where_nobody_else_trades_neither_do_we():
    world = ExecutionWorld(others_lots=0)
    world.sell(2 * MILLION)
    world.run(60)
    assert (world.gone, world.desk.waits["p1"]) == (0, "our share of what others trade is used up")


def test_our_own_trades_are_no_volume_of_others():
    world = ExecutionWorld(others_lots=0)
    world.depth[TOKEN] = 10 * MILLION
    trade = Trade(
        market=TOKEN, at_ns=world.now, trade_id=1, tick=6_299, lots=MILLION, aggressor=BUY
    )  # fmt: skip
    world.feed(trade)
    world.sell(20 * MILLION)
    while not world.of(Fill):
        world.turn()
    lots = world.of(Fill)[-1].lots
    assert lots == MILLION
    world.feed(msgspec.structs.replace(trade, at_ns=world.now, lots=lots))
    world.run(100)
    assert world.gone == MILLION


def test_books_made_from_the_records_of_a_conversion_equal_the_venue():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    world.sell(20 * MILLION)
    world.run(200)
    setup = BooksSetup(
        measures=measures_of([BTT, BTC], "USDT"), prices=PriceHistory("USDT", 10**18),
        method=LotMethod.FIFO, lots={},
    )  # fmt: skip
    made, entries = Books(setup), []
    for number, record in enumerate(world.records):
        if type(record).__name__ in KINDS:
            told = made.remember(record, Source(number, ""))
            entries += told.entries
            assert told.alerts == []
    made.check()
    assert made.readings >= 2
    assert made.ledger.holdings(BTT.venue, "BTT") == world.position * 10**8
    assert made.ledger.holdings(BTT.venue, "USDT") == world.usdt[TOKEN]
    sold = [entry for entry in entries if entry.reason is Code.CONVERSION]
    assert len(sold) == len(world.of(ChildSent))
    assert {entry.people.proposal for entry in sold} == {"d" * 64}


def test_every_record_of_an_execution_survives_the_journal():
    world = ExecutionWorld()
    world.depth[TOKEN] = 10 * MILLION
    world.sell(20 * MILLION)
    world.switch(Scope.ASSET, "XYZ")
    world.run(200)
    kinds = set()
    for record in world.records:
        assert decode(encode(record, Head(), 1).row[4]) == record
        kinds.add(type(record))
    assert {ChildSent, ParentMoved, Reviewed} <= kinds
