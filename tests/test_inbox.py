"""Facts wait in order; market facts may be merged under load, our own never and never dropped."""

import asyncio
from random import Random

import pytest

from engine.market.book import Book
from engine.runtime import inbox as inboxes
from engine.runtime.inbox import MERGE_ABOVE, Inbox, InboxFull
from engine.values.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    Disconnected,
    OrderSent,
    Stream,
    TopOfBook,
    Trade,
)
from engine.values.units import Side


def delta(n, market="m", bids=()):
    return BookDelta(market=market, at_ns=n, sequence=n, bids=list(bids), asks=[])


def top(n, market="m"):
    return TopOfBook(
        market=market, at_ns=n, sequence=n, bid_tick=1, bid_lots=1, ask_tick=2, ask_lots=1
    )


def trade(n):
    return Trade(market="m", at_ns=n, trade_id=n, tick=1, lots=1, aggressor=Side.BUY)


def ours(n):
    return OrderSent(market="m", client_id=f"b{n}", at_ns=n)


def drained(inbox):
    return [inbox.take() for _ in range(len(inbox))]


def full(inbox):
    for n in range(MERGE_ABOVE):
        inbox.put(ours(n))
    return inbox


def test_a_calm_inbox_keeps_every_fact_in_order():
    inbox, facts = Inbox(), [delta(1), top(1), delta(2), ours(3), delta(4)]
    for fact in facts:
        inbox.put(fact)
    assert drained(inbox) == facts
    assert inbox.merged == 0


def test_under_load_deltas_become_one_that_says_the_same():
    inbox = full(Inbox())
    inbox.put(delta(100, bids=[(5, 1), (6, 2)]))
    inbox.put(delta(101, bids=[(5, 0), (7, 3)]))
    assert inbox.merged == 1
    (last,) = drained(inbox)[MERGE_ABOVE:]
    assert (last.sequence, last.at_ns) == (101, 101)
    assert last.bids == [(5, 1), (6, 2), (5, 0), (7, 3)]


@pytest.mark.parametrize(
    "between",
    [ours(1), BookLost(market="m", at_ns=1, reason="gap"),
     BookSnapshot(market="m", at_ns=1, sequence=1, bids=[], asks=[])],
)  # fmt: skip
def test_nothing_is_merged_past_a_fact_that_matters(between):
    inbox = full(Inbox())
    for fact in (delta(100), between, delta(101)):
        inbox.put(fact)
    assert drained(inbox)[MERGE_ABOVE:] == [delta(100), between, delta(101)]


def test_markets_and_kinds_are_merged_apart():
    inbox = full(Inbox())
    for fact in (delta(100, "m"), delta(101, "n"), top(102, "m"), delta(103, "n"), top(104, "m")):
        inbox.put(fact)
    left = drained(inbox)[MERGE_ABOVE:]
    assert [(type(fact), fact.market, fact.sequence) for fact in left] == [
        (BookDelta, "m", 100),
        (BookDelta, "n", 103),
        (TopOfBook, "m", 104),
    ]


def test_a_partner_is_found_however_many_markets_send_in_between():
    inbox, markets = full(Inbox()), [f"m{n}" for n in range(200)]
    for n in range(1_000):
        inbox.put(delta(n, markets[n % 200]))
    assert [fact.sequence for fact in drained(inbox)[MERGE_ABOVE:]] == list(range(800, 1_000))


def test_a_fact_of_ours_in_one_market_does_not_keep_another_market_apart():
    inbox = full(Inbox())
    for fact in (delta(100, "n"), ours(1), delta(101, "n")):
        inbox.put(fact)
    assert drained(inbox)[MERGE_ABOVE:] == [delta(101, "n"), ours(1)]


def test_nothing_is_merged_past_a_fact_about_a_wire():
    inbox, gone = full(Inbox()), Disconnected(
        venue="v", stream=Stream.PUBLIC, at_ns=1, reason="reset"
    )  # fmt: skip
    for fact in (delta(100), gone, delta(101)):
        inbox.put(fact)
    assert drained(inbox)[MERGE_ABOVE:] == [delta(100), gone, delta(101)]


def test_a_book_fact_that_was_taken_is_never_folded_into():
    inbox = full(Inbox())
    inbox.put(delta(100))
    drained(inbox)
    full(inbox).put(delta(101))
    assert [fact.sequence for fact in drained(inbox)[MERGE_ABOVE:]] == [101]


@pytest.mark.parametrize("seed", range(30))
def test_a_storm_loses_none_of_our_facts_and_ends_in_the_same_book(seed):
    dice, inbox = Random(seed), Inbox()
    plain, merged, sent, got = Book(), Book(), [], []
    for n in range(3_000):
        kind = dice.random()
        if kind < 0.8:
            fact = delta(n, bids=[(dice.randint(1, 30), dice.randint(0, 3)) for _ in range(3)])
            plain.apply_delta(fact.bids, fact.asks)
        else:
            fact = dice.choice((top(n), trade(n), ours(n)))
        if not isinstance(fact, BookDelta | TopOfBook):
            sent.append(fact)
        inbox.put(fact)
        if dice.random() < 0.3:
            got.append(inbox.take())
    got += drained(inbox)
    assert inbox.merged > 100
    assert [fact for fact in got if not isinstance(fact, BookDelta | TopOfBook)] == sent
    for fact in got:
        if isinstance(fact, BookDelta):
            merged.apply_delta(fact.bids, fact.asks)
    assert merged.levels(Side.BUY, 100) == plain.levels(Side.BUY, 100)
    deltas = [fact.sequence for fact in got if isinstance(fact, BookDelta)]
    assert deltas == sorted(deltas)


def test_more_waiting_than_the_bound_is_an_alarm_and_not_a_loss(monkeypatch):
    monkeypatch.setattr(inboxes, "WAITING_MAX", 100)
    inbox = Inbox()
    for n in range(100):
        inbox.put(ours(n))
    with pytest.raises(InboxFull):
        inbox.put(ours(100))
    assert len(inbox) == 100


async def test_a_waiting_consumer_is_woken_by_the_first_fact():
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.put(ours(1))
    inbox.put(ours(2))
    await waiting
    assert drained(inbox) == [ours(1), ours(2)]
    inbox.put(ours(3))
    await inbox.wait()
