"""Faults by their ids, on the whole pure engine: a calm quoting world and one thing that breaks."""

import msgspec
import pytest

from engine.trading.orders import Status
from engine.trading.standing import MarketState
from engine.values.commands import Cancel, QueryOrder, Reconcile
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    ClockStep,
    Halt,
    JournalLag,
    LoopLag,
    OrderFailed,
    OrderReport,
    OrderState,
    Overrun,
    Quarantined,
    Resume,
    Side,
    Stream,
    TopOfBook,
)
from engine.values.records import RiskTripped, StateChanged
from engine.values.units import NS_PER_MS, NS_PER_S
from tests.sim import builders
from tests.sim.calm import places, pulls, quoting, since, until
from tests.sim.venue import BY_HAND, MARKET
from tests.sim.world import VENUE

S, MS = NS_PER_S, NS_PER_MS


def delta(world, **changes):
    fact = BookDelta(market=MARKET, at_ns=world.now, sequence=10**9, bids=[], asks=[])
    return msgspec.structs.replace(fact, **changes)


def one_order(world, side=None):
    return next(row for row in world.venue.open_rows() if side in (None, row.order.side))


# --- market data


@pytest.mark.parametrize("fault", ["F01 gap", "F03 reordered"])
def test_the_very_fact_of_a_lost_book_pulls(fault):
    world = quoting()
    assert world.venue.open_rows()
    began = world.now
    world.deliver(BookLost(market=MARKET, at_ns=world.now, reason=fault))
    assert [pull.at_ns for pull in pulls(world, began)] == [began]
    assert fault in world.maker.state[1]
    world.run(0.05)
    assert world.venue.open_rows() == []


def test_F01_nothing_is_applied_past_the_gap():
    world = quoting()
    world.deliver(BookLost(market=MARKET, at_ns=world.now, reason="gap"))
    world.deliver(delta(world, bids=[(61, 5)]))
    assert world.maker.quoter.book.bid_tick == 0
    assert world.state is MarketState.PULLED


def test_F02_a_repeated_delta_changes_nothing():
    world = quoting()
    book = world.maker.quoter.book
    fact = delta(world, bids=[(40, 77)])
    world.deliver(fact)
    before, began = book.levels(Side.BUY, 100), len(world.seen_commands)
    world.deliver(fact)
    assert book.levels(Side.BUY, 100) == before
    assert len(world.seen_commands) == began


def test_F05_a_snapshot_in_midstream_replaces_the_whole_book():
    world = quoting()
    world.deliver(
        BookSnapshot(market=MARKET, at_ns=world.now, sequence=10**9, bids=[(50, 1)], asks=[(70, 1)])
    )
    assert world.maker.quoter.book.levels(Side.BUY, 10) == [(50, 1)]


def test_F08_a_crossed_book_is_pulled_and_quoted_again_once_it_is_not():
    world = quoting()
    began, ask = world.now, world.maker.quoter.book.ask_tick
    world.deliver(delta(world, bids=[(ask + 1, 5)]))
    assert pulls(world, began)
    assert world.maker.state[1].startswith("crossed")
    world.deliver(delta(world, bids=[(ask + 1, 0)]))
    assert until(world, MarketState.QUOTING) < 2


def test_F09_a_book_that_stops_while_the_second_stream_moves_on_is_pulled():
    world = quoting()
    began = world.now
    world.stall(seconds=6)
    world.run_while(lambda: not pulls(world, began), 6)
    assert "stalled" in world.maker.standing.doubts
    tops = [r for r in world.records if isinstance(r, StateChanged) and "stalled" in r.reason]
    assert tops
    assert tops[0].at_ns - began < 3.5 * S
    assert until(world, MarketState.QUOTING, 10) >= 0


def test_F09_a_contradicting_top_at_the_same_update_pulls_until_one_agrees_or_a_snapshot_comes():
    """It once pulled for ever: nothing settled the doubt."""
    for heal in ("snapshot", "agreement"):
        world = quoting()
        quoter = world.maker.quoter
        book = quoter.book
        contradict(world, quoter.sequence + 5, book.bid_tick - 1)
        assert "second stream" in world.maker.standing.doubts
        if heal == "snapshot":
            world.deliver(world.venue.snapshot())
        else:
            contradict(world, quoter.sequence + 5, book.bid_tick)
        assert "second stream" not in world.maker.standing.doubts


def contradict(world, sequence, bid_tick):
    book = world.maker.quoter.book
    world.deliver(
        TopOfBook(
            market=MARKET,
            at_ns=world.now,
            sequence=sequence,
            bid_tick=bid_tick,
            bid_lots=book.bid_lots,
            ask_tick=book.ask_tick,
            ask_lots=book.ask_lots,
        )
    )
    world.deliver(delta(world, sequence=sequence))


@pytest.mark.parametrize("stream", list(Stream))
def test_F10_a_silent_link_is_doubted_at_two_and_a_half_seconds_and_pulled_within_three(stream):
    world = quoting()
    world.run_while(lambda: world.now % S > 100 * MS, 2)
    began = world.now
    world.silence(stream, noticed_s=60)
    world.run_while(lambda: not pulls(world, began), 6)
    first = pulls(world, began)[0].at_ns
    last_life = world.engine.links[VENUE][stream].last_ns
    assert 2.5 * S < first - last_life <= 2.6 * S
    assert first - began <= 3 * S
    world.run(0.05)
    assert world.venue.open_rows() == []


def test_F11_a_delayed_feed_trips_the_delay_row_and_lets_go_when_it_is_on_time_again():
    world = quoting()
    began = world.now
    world.faults.public_delay_ns = 1500 * MS
    world.run_while(lambda: not pulls(world, began), 10)
    trips = [r for r in world.records if isinstance(r, RiskTripped) and r.check == "book delay"]
    assert trips
    assert trips[0].value > 1
    world.faults.public_delay_ns = 0
    assert until(world, MarketState.QUOTING, 10) >= 0


@pytest.mark.parametrize("side", list(Side))
def test_F21_an_empty_side_pulls_the_market(side):
    world = quoting()
    began, quoter = world.now, world.maker.quoter
    gone = [(tick, 0) for tick, _ in quoter.book.best_first(side)]
    name = "bids" if side is Side.BUY else "asks"
    world.deliver(delta(world, **{name: gone}))
    world.run(0.25)
    assert pulls(world, began) or since(world, began, Cancel)
    assert not places(world, began)


def test_F13_a_flood_of_unreadable_frames_freezes_the_venue():
    world = quoting()
    bad = Quarantined(venue=VENUE, at_ns=world.now, reason="JSON", digest="0", excerpt="{")
    for _ in range(21):
        world.deliver(bad)
    assert world.state is MarketState.CANCEL_ONLY


# --- orders


def test_O02_an_order_whose_ack_was_lost_is_counted_until_the_venue_tells_of_it():
    world = quoting()
    world.faults.answer_lost = 1.0
    began = world.now
    row = one_order(world)
    world.venue.fill_ours(row.order.side)
    world.run_while(lambda: not places(world, began), 10)
    world._silent[Stream.PRIVATE] = True
    world.run(1.2)
    lost = places(world, began)[-1]
    order = world.keeper.orders.get(lost.client_id)
    assert order.status in (Status.UNKNOWN, Status.OPEN, Status.CANCEL_SENT)
    assert order.working_lots == order.left_lots
    world.faults.answer_lost = 0.0
    world.cut(Stream.PRIVATE, 0.1)
    until(world, MarketState.QUOTING)
    assert world.keeper.orders.unknown(MARKET) == []


@pytest.mark.parametrize("executed", [True, False])
def test_O04_a_server_error_is_unknown_and_never_sent_again(executed):
    world = quoting()
    if executed:
        world.faults.answer_lost = 1.0
    else:
        world.faults.request_lost = 1.0
    began = world.now
    world.venue.fill_ours()
    world.run_while(lambda: not places(world, began), 10)
    placed = places(world, began)[0]
    world.run(1.1)
    sent = [place for place in places(world) if place.client_id == placed.client_id]
    assert len(sent) == 1
    world.faults.answer_lost = world.faults.request_lost = 0.0
    assert world.run_while(lambda: world.keeper.orders.unknown(MARKET), 30) is not None
    end = world.keeper.orders.get(placed.client_id)
    if not executed:
        assert end.status is Status.REJECTED
        assert end.absent_ns >= end.intent_ns + world.keeper.orders.params.settle_ns, "the proof"


def test_O08_a_cancel_of_an_unknown_order_asks_what_became_of_it():
    world = quoting()
    row = one_order(world)
    world.keeper.orders.cancel_sent(row.client_id, world.now)
    world.deliver(
        world._failed(
            Cancel(market=MARKET, client_id=row.client_id, at_ns=world.now),
            Failure.REJECTED,
            "-2011",
        )
    )
    order = world.keeper.orders.get(row.client_id)
    assert order.status is Status.UNKNOWN
    assert order.working_lots
    began = world.now
    world.run(0.3)
    assert row.client_id in {query.client_id for query in since(world, began, QueryOrder)}


def test_O09_a_fill_that_comes_after_the_end_is_booked_and_marked_late():
    world = quoting()
    world.silence(Stream.PRIVATE, noticed_s=60)
    row = world.venue.fill_ours()
    fill = world.venue.fills[-1]
    gone = msgspec.structs.replace(row.report(world.now), state=OrderState.CANCELED, filled_lots=0)
    position = world.keeper.position_lots(MARKET)
    world.deliver(gone)
    world.deliver(fill)
    moved = world.keeper.position_lots(MARKET) - position
    assert moved == fill.lots if fill.side is Side.SELL else abs(moved) > 0
    order = world.keeper.orders.get(row.client_id)
    assert order.is_late or order.status is Status.FILLED


def test_O15_a_rate_limit_pulls_and_asks_nothing_until_the_venue_lets_us():
    world = quoting()
    began = world.now
    place = places(world)[-1]
    refused = OrderFailed(
        market=MARKET,
        client_id=place.client_id,
        at_ns=world.now,
        failure=Failure.TRANSIENT,
        code="-1003",
        text="",
        retry_after_ns=4 * S,
    )
    world.deliver(refused)
    assert pulls(world, began), "cancels still go"
    assert "rate limit" in world.maker.state[1]
    world.run(3.9)
    assert not places(world, began)
    assert not since(world, began, Reconcile)
    assert not since(world, began, QueryOrder)
    assert until(world, MarketState.QUOTING) < 3


def test_an_order_that_we_took_back_ourselves_is_no_reject_of_the_venue():
    world = quoting(setups=[builders.setup(risk=builders.rows(REJECTS=3))])
    order = world.keeper.orders.live(MARKET)[0]
    for _ in range(9):
        fact = world._failed(places(world)[-1], Failure.REJECTED, WITHDRAWN)
        world.deliver(msgspec.structs.replace(fact, client_id=order.client_id))
    world.run(0.3)
    assert not [r for r in world.records if isinstance(r, RiskTripped) and r.check == "rejects"]


def test_what_waited_for_the_place_of_a_canceled_order_is_quoted_as_soon_as_it_is_gone():
    world = quoting()
    world.venue.flow.next_ns = lambda now_ns: now_ns + 60 * S
    world.run(1.5)
    row = one_order(world)
    world.keeper.orders.cancel_sent(row.client_id, world.now)
    began = world.now
    world.venue.cancel(row.client_id)
    world.run(0.05)
    assert places(world, began)


# --- state


def test_P02_a_fill_on_three_paths_is_booked_once():
    world = quoting()
    world.venue.fill_ours()
    world.run(0.1)
    fill, before = world.venue.fills[-1], world.keeper.portfolio.balance("BTT")
    for _ in range(3):
        world.deliver(fill)
    assert world.keeper.portfolio.balance("BTT") == before == world.venue.base_atoms


def stranger(world):
    """An order that a person put in by hand, at a price where nobody trades."""
    template = places(world)[0]
    by_hand = msgspec.structs.replace(
        template, client_id="web_1", side=Side.BUY, tick=30, lots=3_000_000, post_only=False
    )
    assert world.venue.place(by_hand, owner=BY_HAND) == ""
    world.run(0.1)


def test_P03_a_strangers_order_freezes_until_a_person_claims_it():
    world = quoting()
    stranger(world)
    assert world.state is MarketState.CANCEL_ONLY
    world.run(3)
    assert not places(world, world.now - 2 * S)
    world.deliver(Resume(market=MARKET, at_ns=world.now, who="ann", reason="mine"))
    assert until(world, MarketState.QUOTING) < 5


def test_P03_a_freeze_outlives_the_process():
    """It was once forgotten by a restart, since the stranger was no news any more."""
    world = quoting()
    stranger(world)
    world.run(0.1)
    world.kill()
    world.run_while(lambda: not world.alive, 5)
    began = world.now
    world.run(8)
    assert world.state is MarketState.CANCEL_ONLY
    assert not places(world, began)


def test_a_stop_is_not_remembered_as_a_freeze():
    world = quoting()
    world.stop()
    world.run(1)
    world.kill()
    world.run_while(lambda: not world.alive, 5)
    assert until(world, MarketState.QUOTING) < 10


def test_the_cancel_of_a_revived_order_is_journaled():
    world = quoting()
    world.faults.request_lost = 1.0
    began = world.now
    world.venue.fill_ours()
    world.run_while(lambda: not places(world, began), 10)
    placed = places(world, began)[0]
    world.faults.request_lost = 0.0
    world.run_while(lambda: world.keeper.orders.get(placed.client_id).is_live, 30)
    world.deliver(_report(world, placed))
    kept = [r for r in world.records if isinstance(r, Cancel) and r.client_id == placed.client_id]
    assert kept
    world.checks.rebuilt_equals_live()


def _report(world, place):
    return OrderReport(
        market=MARKET,
        client_id=place.client_id,
        venue_id="late",
        at_ns=world.now,
        update_ns=world.now,
        state=OrderState.OPEN,
        side=place.side,
        tick=place.tick,
        lots=place.lots,
        filled_lots=0,
    )


# --- clock, loop, disk


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param(ClockStep(at_ns=0, step_ns=-3_600 * S), id="K01 back an hour"),
        pytest.param(ClockStep(at_ns=0, step_ns=251 * MS), id="K01 forward"),
        pytest.param(LoopLag(at_ns=0, lag_ns=51 * MS), id="K06"),
        pytest.param(JournalLag(at_ns=0, age_ns=251 * MS), id="D01"),
    ],
)
def test_a_shaken_host_pulls_until_it_was_calm_for_a_second(fact):
    world = quoting()
    began = world.now
    world.deliver(msgspec.structs.replace(fact, at_ns=world.now))
    assert pulls(world, began)
    assert 1 < until(world, MarketState.QUOTING) < 2


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param(ClockStep(at_ns=0, step_ns=249 * MS), id="K01"),
        pytest.param(LoopLag(at_ns=0, lag_ns=49 * MS), id="K06"),
        pytest.param(JournalLag(at_ns=0, age_ns=249 * MS), id="D01"),
    ],
)
def test_a_small_shake_is_nothing(fact):
    world = quoting()
    began = world.now
    world.deliver(msgspec.structs.replace(fact, at_ns=world.now))
    assert not pulls(world, began)
    assert world.state is MarketState.QUOTING


def test_D02_a_failed_journal_halts_until_a_person_resumes():
    """A final failure once passed like a slow disk, after a second of calm."""
    world = quoting()
    world.deliver(JournalLag(at_ns=world.now, age_ns=0, failure="fsync: EIO"))
    assert world.state is MarketState.HALTED
    world.run(5)
    assert world.state is MarketState.HALTED
    assert "EIO" in world.maker.state[1]


# --- strategies and people


class Bad:
    """A plugin that turns bad after a while."""

    def __init__(self, good, how):
        self.good, self.how, self.left = good, how, 10
        self.wake = good.wake

    def quote(self, view):
        self.left -= 1
        return self.good.quote(view) if self.left > 0 else self.how(view)


def _raise(view):
    raise RuntimeError("boom")


NONSENSE = [lambda view: None, lambda view: "buy", lambda view: msgspec.structs.replace(view)]


def test_R05_a_strategy_that_raises_loses_its_quotes_and_waits_for_a_person():
    world = quoting(setups=[builders.setup(strategy=Bad(builders.ladder(), _raise))])
    assert world.run_while(lambda: world.state is not MarketState.HALTED, 30) is not None
    world.run(0.1)
    assert world.venue.open_rows() == []
    assert "boom" in world.maker.state[1]
    began = world.now
    world.run(5)
    assert not places(world, began)


@pytest.mark.parametrize("how", NONSENSE)
def test_R05_a_strategy_that_returns_nonsense_loses_its_quotes_and_halts_after_five(how):
    world = quoting(setups=[builders.setup(strategy=Bad(builders.ladder(), how))])
    assert world.run_while(lambda: world.state is not MarketState.HALTED, 60) is not None
    world.run(0.2)
    assert world.venue.open_rows() == []


def test_R05_a_strategy_over_its_budget_again_and_again_halts():
    world = quoting()
    for _ in range(6):
        world.deliver(Overrun(market=MARKET, at_ns=world.now, spent_ns=S))
    assert world.state is MarketState.HALTED


def test_an_overrun_of_a_market_that_is_not_run_is_nobodys():
    world = quoting()
    world.deliver(Overrun(market="ETH/USDT@x", at_ns=world.now, spent_ns=S))
    assert world.state is MarketState.QUOTING


def test_U02_a_halt_is_at_once_latched_idempotent_and_outlives_the_process():
    world = quoting()
    began = world.now
    for _ in range(2):
        world.deliver(Halt(market="", at_ns=world.now, who="ann", reason="kill"))
    assert len(pulls(world, began)) == 1
    world.run(0.5)
    assert world.venue.open_rows() == []
    world.kill()
    world.run_while(lambda: not world.alive, 5)
    world.run(5)
    assert world.state is MarketState.HALTED
    assert not places(world, began)
    began = world.now
    world.resume()
    assert until(world, MarketState.QUOTING) < 5
    first = places(world, began)[0].at_ns
    assert any(ask.at_ns < first for ask in since(world, began, Reconcile)), "reads first"


def test_U02_a_halt_whose_cancels_get_lost_is_repeated_until_the_venue_shows_nothing():
    world = quoting()
    world.faults.request_lost = 1.0
    began = world.now
    world.deliver(Halt(market="", at_ns=world.now, who="ann", reason="kill"))
    world.run(3.5)
    assert len(pulls(world, began)) >= 3
    world.faults.request_lost = 0.0
    world.run(1.5)
    assert world.venue.open_rows() == []


def test_a_stop_ends_only_when_the_venue_shows_no_open_order():
    world = quoting()
    world.faults.request_lost = 1.0
    world.stop()
    world.run(4)
    assert not world.engine.is_finished
    assert world.engine.open_orders_at_stop != 0
    world.faults.request_lost = 0.0
    assert world.run_while(lambda: not world.engine.is_finished, 15) is not None
    assert world.venue.open_rows() == []


def test_a_stop_while_halted_and_without_private_stream_still_asks_the_venue():
    world = quoting()
    world.deliver(Halt(market="", at_ns=world.now, who="ann", reason="kill"))
    world.cut(Stream.PRIVATE, back_s=60)
    world.stop()
    assert world.run_while(lambda: not world.engine.is_finished, 10) is not None


def test_a_market_that_may_quote_again_asks_its_strategy_at_once():
    world = quoting()
    book = world.maker.quoter.book
    bids, asks = book.levels(Side.BUY, 20), book.levels(Side.SELL, 20)
    sequence = world.maker.quoter.sequence
    world.deliver(BookLost(market=MARKET, at_ns=world.now, reason="gap"))
    decided = world.maker.quoter.last.decision
    world.deliver(
        BookSnapshot(market=MARKET, at_ns=world.now, sequence=sequence + 1, bids=bids, asks=asks)
    )
    assert world.maker.quoter.last.cause == "may quote again" or (
        world.maker.quoter.last.decision > decided
    )
