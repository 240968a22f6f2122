"""Facts wait in order, ours before the market's; those of the market may be merged."""

from random import Random
from typing import get_args

import pytest

from engine.market.book import Book
from engine.runtime import inbox as inboxes
from engine.runtime.inbox import OURS, Inbox, InboxFull
from engine.values.events import (
    AccountFact,
    BookDelta,
    BookLost,
    BookSnapshot,
    Disconnected,
    OrderFact,
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


def test_a_calm_inbox_keeps_every_public_fact_in_order():
    inbox, facts = Inbox(), [delta(1), top(1)]
    for fact in facts:
        inbox.put(fact)
    assert drained(inbox) == facts
    assert inbox.merged == 0


def test_what_the_venue_says_of_our_orders_does_not_wait_behind_the_market():
    inbox = Inbox()
    for fact in (delta(1), trade(2), ours(3), top(4), ours(5)):
        inbox.put(fact)
    assert drained(inbox) == [ours(3), ours(5), delta(1), trade(2), top(4)]


def test_every_fact_about_our_orders_and_account_goes_first():
    assert set(get_args(OrderFact)) | set(get_args(AccountFact)) == OURS


def test_deltas_that_wait_become_one_that_says_the_same():
    inbox = Inbox()
    inbox.put(delta(100, bids=[(5, 1), (6, 2)]))
    inbox.put(delta(101, bids=[(5, 0), (7, 3)]))
    assert inbox.merged == 1
    (last,) = drained(inbox)
    assert (last.sequence, last.at_ns) == (101, 101)
    assert last.bids == [(5, 1), (6, 2), (5, 0), (7, 3)]


@pytest.mark.parametrize(
    "between",
    [BookLost(market="m", at_ns=1, reason="gap"),
     BookSnapshot(market="m", at_ns=1, sequence=1, bids=[], asks=[])],
)  # fmt: skip
def test_nothing_is_merged_past_a_fact_that_matters(between):
    inbox = Inbox()
    for fact in (delta(100), between, delta(101)):
        inbox.put(fact)
    assert drained(inbox) == [delta(100), between, delta(101)]


def test_markets_and_kinds_are_merged_apart():
    inbox = Inbox()
    for fact in (delta(100, "m"), delta(101, "n"), top(102, "m"), delta(103, "n"), top(104, "m")):
        inbox.put(fact)
    left = drained(inbox)
    assert [(type(fact), fact.market, fact.sequence) for fact in left] == [
        (BookDelta, "m", 100),
        (BookDelta, "n", 103),
        (TopOfBook, "m", 104),
    ]


def test_a_partner_is_found_however_many_markets_send_in_between():
    inbox, markets = Inbox(), [f"m{n}" for n in range(200)]
    for n in range(1_000):
        inbox.put(delta(n, markets[n % 200]))
    assert [fact.sequence for fact in drained(inbox)] == list(range(800, 1_000))


def test_a_fact_about_one_book_does_not_keep_another_market_apart():
    inbox, lost = Inbox(), BookLost(market="m", at_ns=1, reason="gap")
    for fact in (delta(100, "n"), lost, delta(101, "n")):
        inbox.put(fact)
    assert drained(inbox) == [delta(101, "n"), lost]


def test_our_own_facts_keep_no_deltas_apart_since_they_go_before_both():
    inbox = Inbox()
    for fact in (delta(100), ours(1), delta(101)):
        inbox.put(fact)
    assert drained(inbox) == [ours(1), delta(101)]


def test_nothing_is_merged_past_a_fact_about_a_wire():
    inbox, gone = Inbox(), Disconnected(
        venue="v", stream=Stream.PUBLIC, at_ns=1, reason="reset"
    )  # fmt: skip
    for fact in (delta(100), gone, delta(101)):
        inbox.put(fact)
    assert drained(inbox) == [delta(100), gone, delta(101)]


def test_a_book_fact_that_was_taken_is_never_folded_into():
    inbox = Inbox()
    inbox.put(delta(100))
    drained(inbox)
    inbox.put(delta(101))
    assert [fact.sequence for fact in drained(inbox)] == [101]


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
    for kind in (Trade, OrderSent):
        assert [fact for fact in got if isinstance(fact, kind)] == [
            fact for fact in sent if isinstance(fact, kind)
        ]
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


def test_whoever_listens_hears_of_every_fact_that_was_put():
    inbox, depths = Inbox(), []
    inbox.on_put = lambda: depths.append(len(inbox))
    for fact in (delta(1), ours(2), top(3)):
        inbox.put(fact)
    assert depths == [1, 2, 3]
