"""A recorded market without us: our own orders of then are no liquidity of a back-test."""

import pytest

from engine.market.book import Book
from engine.sim.recorded import PublicHalf
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
    book = world.venue.book
    for fact in cleaned(*facts):
        if isinstance(fact, BookSnapshot):
            ours = {Side.BUY: dict(fact.bids), Side.SELL: dict(fact.asks)}
        elif isinstance(fact, BookDelta):
            for side, levels in ((Side.BUY, fact.bids), (Side.SELL, fact.asks)):
                ours[side] |= dict(levels)
    for side in Side:
        theirs = dict(book.levels(side))
        for row in world.venue.open_rows():
            if row.order.side is side:
                theirs[row.order.tick] -= row.left
        shown = {tick: lots for tick, lots in ours[side].items() if lots}
        assert shown == {tick: lots for tick, lots in theirs.items() if lots}
