"""What the engine may conclude after it lost sight of the venue, and from which answers."""

from itertools import pairwise

import msgspec
import pytest

from engine.trading.standing import MarketState
from engine.values.commands import Reconcile
from engine.values.events import (
    BookDelta,
    Connected,
    Disconnected,
    Fill,
    Halt,
    Resume,
    Stream,
    VenueState,
)
from engine.values.records import Adjusted, Difference, OrderIntent, StateChanged
from engine.values.units import NS_PER_MS, NS_PER_S
from tests.sim.calm import places, pulls, quoting, since, until
from tests.sim.venue import MARKET

S, MS = NS_PER_S, NS_PER_MS


def answer(world, asked_ns, **changes):
    """What the venue would answer now to a question that left then."""
    state = VenueState(
        market=MARKET,
        asked_ns=asked_ns,
        at_ns=world.now,
        open_orders=[row.report(world.now) for row in world.venue.open_rows()],
        fills=list(world.venue.fills),
        balances=world.venue.balances(),
    )
    return msgspec.structs.replace(state, **changes)


def test_P01_an_answer_asked_before_the_private_stream_was_lost_proves_nothing():
    world = quoting()
    asked_ns = world.now
    world.run(0.2)
    world.cut(Stream.PRIVATE, back_s=0.05)
    world.deliver(answer(world, asked_ns))
    assert not world.maker.standing.may_quote, "the link is still down"
    world.run(0.06)
    world.deliver(answer(world, asked_ns))
    assert world.state is MarketState.RECONCILING
    assert until(world, MarketState.QUOTING) < 2


def test_P01_fills_that_the_stream_missed_are_booked_before_the_first_new_quote():
    world = quoting()
    world.silence(Stream.PRIVATE, noticed_s=2.4)
    world.run(0.1)
    world.venue.fill_ours()
    world.run(2.5)
    cut_ns = pulls(world)[-1].at_ns
    assert world.run_while(lambda: not places(world, cut_ns), 5) is not None
    first = min(place.at_ns for place in places(world, cut_ns))
    missed = {fill.trade_id for fill in world.venue.fills if fill.venue_ns < cut_ns}
    heard = {r.trade_id for r in world.records if isinstance(r, Fill) and r.at_ns <= first}
    assert missed <= heard


def test_an_answer_that_got_lost_with_the_stream_is_asked_again_at_once():
    world = quoting()
    world.faults.answer_lost = 1.0
    world.run_while(lambda: not since(world, world.now - 50 * MS, Reconcile), 6)
    world.faults.answer_lost = 0.0
    world.cut(Stream.PRIVATE, back_s=0.1)
    assert until(world, MarketState.QUOTING) < 1.5


def test_a_book_whose_wire_broke_is_not_valid_again_before_a_snapshot():
    world = quoting()
    began = world.now
    world.deliver(Disconnected(venue="loopback", stream=Stream.PUBLIC, at_ns=world.now, reason="x"))
    world.deliver(Connected(venue="loopback", stream=Stream.PUBLIC, at_ns=world.now))
    delta = BookDelta(market=MARKET, at_ns=world.now, sequence=10**6, bids=[(50, 1)], asks=[])
    world.deliver(delta)
    assert world.state is MarketState.PULLED
    assert "book" in world.maker.standing.doubts
    assert pulls(world, began)
    world.deliver(world.venue.snapshot())
    assert "book" not in world.maker.standing.doubts


def test_P09_resume_claims_only_what_a_reading_could_not_explain():
    """A fill after the last reading is no gap: it was once taken for one and booked twice."""
    world = quoting()
    began = world.now
    world.run_while(lambda: not since(world, began, Reconcile), 10)
    world.run(0.2)
    world.venue.fill_ours()
    world.run(0.2)
    world.halt_and_resume()
    world.run(6)
    assert not [r for r in world.records if isinstance(r, Adjusted)]
    until(world, MarketState.QUOTING)


def test_P09_money_that_moved_without_a_trade_freezes_until_a_person_claims_it():
    world = quoting()
    world.venue.usdt_atoms += 12_345
    assert until(world, MarketState.CANCEL_ONLY) < 10
    world.run(3)
    assert not world.venue.open_rows()
    world.deliver(Resume(market=MARKET, at_ns=world.now, who="ann", reason="a deposit of mine"))
    adjusted = [r for r in world.records if isinstance(r, Adjusted)]
    assert [(r.asset, r.atoms, r.who) for r in adjusted] == [("USDT", 12_345, "ann")]
    until(world, MarketState.QUOTING)
    world.run(12)
    world.stop()
    assert world.run_while(lambda: not world.engine.is_finished, 5) is not None
    world.checks.agrees()


def test_a_frozen_market_reads_the_venue_no_oftener_than_a_calm_one():
    world = quoting()
    world.venue.usdt_atoms += 1
    until(world, MarketState.CANCEL_ONLY)
    began = world.now
    world.run(20)
    assert len(since(world, began, Reconcile)) <= 5


def test_a_reading_that_settles_nothing_is_followed_by_ever_later_ones():
    """Two readings in a row once came within a round trip, faster than the venue's lists agree."""
    world = quoting()
    world.venue.usdt_atoms += 1
    until(world, MarketState.CANCEL_ONLY)
    asked = [command.at_ns for command in since(world, 0, Reconcile)]
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert min(gaps) >= 500 * MS
    notes = [r for r in world.records if isinstance(r, Difference)]
    assert len(notes) < 10


def test_what_was_doubted_when_sight_was_lost_is_doubted_after_a_restart_too():
    """I21: an order that nobody answered, then a refusal, then a kill."""
    world = quoting()
    world.faults.answer_lost = 1.0
    world.faults.request_lost = 1.0
    began = world.now
    world.run_while(lambda: not places(world, began), 10)
    world.cut(Stream.PRIVATE, back_s=0.2)
    world.run(0.5)
    doubted = [o for o in world.keeper.orders.live(MARKET) if o.is_doubted]
    assert doubted
    world.checks.rebuilt_equals_live()
    assert {o.client_id for o in doubted} <= {getattr(r, "client_id", "") for r in world.records}


def test_nothing_is_asked_for_while_the_private_link_is_down():
    world = quoting()
    world.cut(Stream.PRIVATE, back_s=3)
    began = world.now
    world.run(2.9)
    assert not since(world, began, Reconcile)
    assert not places(world, began)


def test_I20_the_journal_says_that_we_may_quote_before_it_says_what():
    world = quoting()
    world.deliver(Halt(market=MARKET, at_ns=world.now, who="alice", reason="lunch"))
    world.run(2)
    world.deliver(Resume(market=MARKET, at_ns=world.now, who="alice", reason="back"))
    asked = len(world.records)
    until(world, MarketState.QUOTING)
    kinds = [type(record) for record in world.records[asked:]]
    moves = [r for r in world.records[asked:] if isinstance(r, StateChanged)]
    assert moves[0].before == MarketState.RECONCILING
    assert kinds.index(StateChanged) < kinds.index(OrderIntent)


@pytest.mark.parametrize("seed", range(12))
def test_I20_a_start_says_that_it_reconciles_before_it_has(seed):
    """However the wires come up: the first asks the venue, or the last, or a timer does."""
    world = quoting(seed)
    moves = [r for r in world.records if isinstance(r, StateChanged)]
    seen = [move.before for move in moves] + [moves[-1].after]
    assert MarketState.RECONCILING in seen
    for move in moves:
        if move.before == MarketState.INIT and move.after != MarketState.INIT:
            assert move.after == MarketState.RECONCILING
