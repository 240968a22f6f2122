"""A recorded market without us: our own orders of then are no liquidity of a back-test."""

import pytest

from engine.market.book import Book
from engine.sim.recorded import PublicHalf, own_reports
from engine.values.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    Connected,
    Halt,
    OrderReport,
    OrderState,
    Stream,
    Timer,
    TopOfBook,
    Trade,
)
from engine.values.units import Side
from tests.sim.venue import MARKET
from tests.sim.world import World


def snapshot(bids, asks):
    return BookSnapshot(market=MARKET, at_ns=1, sequence=1, bids=bids, asks=asks)


def delta(bids=(), asks=()):
    return BookDelta(market=MARKET, at_ns=2, sequence=2, bids=list(bids), asks=list(asks))


def report(state=OrderState.OPEN, filled=0, update_ns=10, name="a", tick=62, lots=5):
    return OrderReport(
        market=MARKET, client_id=name, venue_id=name, at_ns=3, update_ns=update_ns, state=state,
        side=Side.BUY, tick=tick, lots=lots, filled_lots=filled,
    )  # fmt: skip


def cleaned(*facts, shows=True):
    return list(PublicHalf({MARKET: shows}).facts(facts))


def bids_of(facts):
    book = Book()
    for fact in facts:
        if isinstance(fact, BookSnapshot):
            book.apply_snapshot(fact.bids, fact.asks)
        elif isinstance(fact, BookDelta):
            book.apply_delta(fact.bids, fact.asks)
    return book.levels(Side.BUY, 10)


WHOLE = snapshot([(62, 9), (61, 4)], [(64, 9)])


def test_our_lots_are_taken_out_of_a_level():
    assert bids_of(cleaned(WHOLE, report())) == [(62, 4), (61, 4)]
    assert bids_of(cleaned(WHOLE, delta([(62, 14)]), report())) == [(62, 9), (61, 4)]
    assert bids_of(cleaned(WHOLE, report(), delta([(62, 14)]))) == [(62, 9), (61, 4)]


def test_a_level_that_was_ours_alone_is_not_there():
    assert bids_of(cleaned(snapshot([(62, 5), (61, 4)], []), report())) == [(61, 4)]
    assert bids_of(cleaned(report(), snapshot([(62, 5), (61, 4)], []))) == [(61, 4)]


def test_a_partial_fill_and_an_end_give_the_lots_back():
    part = report(OrderState.PARTIAL, filled=3, update_ns=11)
    assert bids_of(cleaned(WHOLE, report(), part)) == [(62, 7), (61, 4)]
    gone = report(OrderState.CANCELED, update_ns=12)
    assert bids_of(cleaned(WHOLE, report(), part, gone)) == [(62, 9), (61, 4)]


@pytest.mark.parametrize("update_ns", [9, 12])
def test_a_word_that_comes_after_the_end_changes_nothing(update_ns):
    gone = report(OrderState.FILLED, filled=5, update_ns=12)
    late = report(update_ns=update_ns)
    assert bids_of(cleaned(WHOLE, gone, late)) == [(62, 9), (61, 4)]


def test_what_is_not_the_market_s_is_left_out():
    words = (Timer(at_ns=1), Halt(market="", at_ns=1, who="a", reason="b"))
    private = Connected(venue="loopback", stream=Stream.PRIVATE, at_ns=1)
    public = Connected(venue="loopback", stream=Stream.PUBLIC, at_ns=1)
    trade = Trade(market=MARKET, at_ns=1, trade_id=1, tick=62, lots=1, aggressor=Side.BUY)
    assert cleaned(*words, private, public, trade) == [public, trade]


def test_best_prices_pass_only_where_we_never_showed():
    top = TopOfBook(
        market=MARKET, at_ns=1, sequence=1, bid_tick=1, bid_lots=1, ask_tick=2, ask_lots=1
    )
    assert cleaned(top) == []
    assert cleaned(top, shows=False) == [top]


def test_a_lost_book_is_not_repaired_by_our_own_orders():
    lost = BookLost(market=MARKET, at_ns=2, reason="gap")
    assert cleaned(WHOLE, lost, report()) == [WHOLE, lost]


@pytest.mark.parametrize("seed", range(4))
def test_the_book_of_a_lived_session_is_the_crowd_s_own(seed):
    world, facts = World(seed), []
    process = world.engine.process
    world.engine.process = lambda event: (facts.append(event), process(event))[1]
    assert world.run_while(lambda: not world.venue.open_rows(), 10) is not None
    world.run(20)
    assert world.venue.fills
    world._market_turn = lambda: None  # the crowd sleeps, and what is on its way arrives
    world.run(2)
    for fact in cleaned(*facts):
        if isinstance(fact, BookSnapshot):
            ours = {Side.BUY: dict(fact.bids), Side.SELL: dict(fact.asks)}
        elif isinstance(fact, BookDelta):
            for side, levels in ((Side.BUY, fact.bids), (Side.SELL, fact.asks)):
                ours[side] |= dict(levels)
    for side in Side:
        assert {tick: lots for tick, lots in ours[side].items() if lots} == strangers(
            world.venue, side
        )


# --- books that the venue stamps ------------------------------------------------------------------


def stamped(venue_ns, bids=()):
    return BookDelta(
        market=MARKET, at_ns=3, venue_ns=venue_ns, sequence=2, bids=list(bids), asks=[]
    )  # fmt: skip


FIRST = stamped(5, [(60, 1)])
"""From the first stamp on, changes of ours go by the venue's clock."""


def ahead(*facts):
    """As `cleaned`, where all words of the session are known beforehand."""
    return list(PublicHalf({MARKET: True}, list(own_reports(facts))).facts(facts))


@pytest.mark.parametrize("clean", [cleaned, ahead])
def test_a_word_that_comes_before_its_book_moves_no_stranger(clean):
    facts = (WHOLE, FIRST, report(update_ns=10), stamped(9, [(60, 2)]), stamped(11, [(62, 14)]))
    books = [bids_of(clean(*facts)[: count + 1]) for count in range(4)]
    assert books[1:] == [
        [(62, 9), (61, 4), (60, 1)], [(62, 9), (61, 4), (60, 2)], [(62, 9), (61, 4), (60, 2)]
    ]  # fmt: skip


def test_a_word_that_comes_after_its_book_is_taken_from_that_book():
    facts = (WHOLE, FIRST, stamped(11, [(62, 14)]), report(update_ns=10))
    assert bids_of(ahead(*facts)) == [(62, 9), (61, 4), (60, 1)]
    assert bids_of(ahead(*facts)[:3]) == [(62, 9), (61, 4), (60, 1)]


def test_a_stranger_who_left_as_we_came_is_gone_though_the_level_is_not_told():
    """The level shows 5 before and after: the stranger's 5 went, ours came."""
    facts = (snapshot([(62, 5)], []), FIRST, report(update_ns=10), stamped(11, [(60, 2)]))
    assert bids_of(ahead(*facts)) == [(60, 2)]


def test_of_the_very_moment_only_a_book_that_tells_the_level_shows_us():
    facts = (WHOLE, FIRST, report(update_ns=10), stamped(10, [(60, 2)]))
    assert bids_of(ahead(*facts)) == [(62, 9), (61, 4), (60, 2)]
    assert bids_of(ahead(*facts, stamped(10, [(62, 14)]))) == [(62, 9), (61, 4), (60, 2)]


@pytest.mark.parametrize("seed", range(3))
def test_the_crowd_s_own_book_is_known_at_every_moment_of_a_session(seed):
    world, facts, truth = World(seed), [], {}
    process, tell = world.engine.process, world.venue.tell_public
    world.engine.process = lambda event: (facts.append(event), process(event))[1]

    def told(fact):
        if isinstance(fact, BookDelta):
            truth[fact.venue_ns] = {side: strangers(world.venue, side) for side in Side}
        tell(fact)

    world.venue.tell_public = told
    world.run(20)
    assert len(world.venue.fills) > 5
    ours, shown = {}, {}
    for fact in ahead(*facts):
        if isinstance(fact, BookSnapshot):
            ours = {Side.BUY: dict(fact.bids), Side.SELL: dict(fact.asks)}
        elif isinstance(fact, BookDelta):
            for side, levels in ((Side.BUY, fact.bids), (Side.SELL, fact.asks)):
                ours[side] |= dict(levels)
            shown[fact.venue_ns] = {
                side: {tick: lots for tick, lots in ours[side].items() if lots} for side in Side
            }
    assert len(shown) > 100
    assert shown == {venue_ns: truth[venue_ns] for venue_ns in shown}


def strangers(venue, side):
    theirs = dict(venue.book.levels(side))
    for row in venue.open_rows():
        if row.order.side is side:
            theirs[row.order.tick] -= row.left
    return {tick: lots for tick, lots in theirs.items() if lots}
