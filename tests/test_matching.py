"""The matching core: price, time, self-trade prevention, and a naive twin that must agree."""

from itertools import count
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.sim.matching.book import Kind, MatchingBook, NewOrder, Outcome, SelfTrade, TimeInForce
from engine.values.units import Side

BUY, SELL = Side.BUY, Side.SELL
IDS = count(1)


def order(side, tick, lots, *, owner="me", **rest):
    return NewOrder(order_id=next(IDS), owner=owner, side=side, tick=tick, lots=lots, **rest)


def book_of(*orders):
    book = MatchingBook()
    for each in orders:
        assert book.submit(each).matches == ()
    return book


def traded(outcome: Outcome):
    return [(match.maker_id, match.tick, match.lots) for match in outcome.matches]


def test_a_better_price_trades_before_an_earlier_order():
    early, better = order(SELL, 64, 5), order(SELL, 63, 5)
    taker = order(BUY, 64, 7, owner="you")
    assert traded(book_of(early, better).submit(taker)) == [
        (better.order_id, 63, 5),
        (early.order_id, 64, 2),
    ]


def test_at_one_price_the_earlier_order_trades_first():
    first, second = order(BUY, 62, 5), order(BUY, 62, 5)
    outcome = book_of(first, second).submit(order(SELL, 60, 6, owner="you"))
    assert traded(outcome) == [(first.order_id, 62, 5), (second.order_id, 62, 1)]
    assert outcome.matches[1].maker_left_lots == 4
    assert outcome.matches[1].aggressor is SELL


def test_the_remainder_of_a_limit_order_rests():
    book = book_of(order(SELL, 64, 5))
    outcome = book.submit(order(BUY, 64, 8, owner="you"))
    assert outcome.rested_lots == 3
    assert book.top() == (64, 3, 0, 0)


def test_an_order_that_may_only_make_is_refused_whole_when_it_would_cross():
    book = book_of(order(SELL, 64, 5))
    outcome = book.submit(order(BUY, 64, 8, kind=Kind.LIMIT_MAKER))
    assert outcome == Outcome(rejected="would_cross")
    assert book.top() == (0, 0, 64, 5)


def test_an_order_that_may_only_make_rests_beside_the_other_side():
    book = book_of(order(SELL, 64, 5))
    assert book.submit(order(BUY, 63, 8, kind=Kind.LIMIT_MAKER)).rested_lots == 8


def test_a_market_order_takes_all_there_is_and_expires():
    book = book_of(order(SELL, 64, 5), order(SELL, 900, 5))
    outcome = book.submit(order(BUY, 0, 12, owner="you", kind=Kind.MARKET))
    assert [match.lots for match in outcome.matches] == [5, 5]
    assert [(end.reason, end.lots_left) for end in outcome.ended] == [("market", 2)]
    assert book.top() == (0, 0, 0, 0)


def test_immediate_or_cancel_never_rests():
    book = book_of(order(SELL, 64, 5))
    outcome = book.submit(order(BUY, 64, 8, owner="you", tif=TimeInForce.IOC))
    assert [(end.reason, end.lots_left) for end in outcome.ended] == [("ioc", 3)]
    assert len(book) == 0


@pytest.mark.parametrize(("lots", "matches", "reasons"), [(8, 2, []), (9, 0, ["fok"])])
def test_fill_or_kill_is_all_or_nothing(lots, matches, reasons):
    book = book_of(order(SELL, 64, 5), order(SELL, 65, 3), order(SELL, 66, 9))
    outcome = book.submit(order(BUY, 65, lots, owner="you", tif=TimeInForce.FOK))
    assert len(outcome.matches) == matches
    assert [end.reason for end in outcome.ended] == reasons


@pytest.mark.parametrize(
    ("mode", "matched", "ended", "left"),
    [
        (SelfTrade.NONE, 8, 0, 0),
        (SelfTrade.EXPIRE_TAKER, 0, 1, 8),
        (SelfTrade.EXPIRE_MAKER, 3, 1, 0),
        (SelfTrade.EXPIRE_BOTH, 0, 2, 3),
        (SelfTrade.DECREMENT, 3, 1, 0),
    ],
)
def test_the_takers_mode_decides_what_meeting_oneself_does(mode, matched, ended, left):
    mine, yours = order(SELL, 64, 5, owner="me"), order(SELL, 64, 3, owner="you")
    book = book_of(mine, yours)
    outcome = book.submit(order(BUY, 64, 8, owner="me", self_trade=mode, tif=TimeInForce.IOC))
    assert sum(match.lots for match in outcome.matches) == matched
    assert sum(end.reason == "self_trade" for end in outcome.ended) == ended
    assert book.top()[3] == left


def test_a_decrement_takes_the_smaller_size_from_both():
    mine = order(SELL, 64, 5)
    book = book_of(mine)
    outcome = book.submit(order(BUY, 64, 3, self_trade=SelfTrade.DECREMENT))
    assert [(p.maker_lots, p.taker_lots) for p in outcome.prevented] == [(3, 3)]
    assert book.order(mine.order_id).lots_left == 2


def test_a_fill_or_kill_that_would_meet_itself_is_killed():
    book = book_of(order(SELL, 64, 5), order(SELL, 65, 5, owner="you"))
    taker = order(BUY, 65, 5, self_trade=SelfTrade.EXPIRE_TAKER, tif=TimeInForce.FOK)
    assert [end.reason for end in book.submit(taker).ended] == ["fok"]
    assert book.top() == (0, 0, 64, 5)


def test_a_reduced_order_keeps_its_place():
    first, second = order(BUY, 62, 5), order(BUY, 62, 5)
    book = book_of(first, second)
    assert book.reduce(first.order_id, 3).lots_left == 2
    outcome = book.submit(order(SELL, 62, 3, owner="you"))
    assert traded(outcome) == [(first.order_id, 62, 2), (second.order_id, 62, 1)]


@pytest.mark.parametrize("lots", [0, -1, 5, 6])
def test_a_reduction_leaves_a_smaller_order_or_raises(lots):
    first = order(BUY, 62, 5)
    book = book_of(first)
    with pytest.raises(ValueError):
        book.reduce(first.order_id, lots)
    assert book.order(first.order_id).lots_left == 5


def test_a_cancelled_order_is_handed_back_once():
    first = order(BUY, 62, 5)
    book = book_of(first)
    assert book.cancel(first.order_id).lots_left == 5
    assert book.cancel(first.order_id) is None
    assert book.orders_of("me") == []


def test_orders_of_an_owner_come_oldest_first():
    mine = [order(BUY, 62, 5), order(SELL, 70, 5), order(BUY, 61, 5)]
    book = book_of(*mine, order(BUY, 62, 5, owner="you"))
    assert [each.order_id for each in book.orders_of("me")] == [m.order_id for m in mine]


def test_changes_are_absolute_sizes_and_are_told_once():
    first = order(BUY, 62, 5)
    book = book_of(first, order(BUY, 61, 7), order(SELL, 64, 1))
    assert book.take_changes() == ([(62, 5), (61, 7)], [(64, 1)])
    book.cancel(first.order_id)
    book.submit(order(BUY, 61, 1))
    assert book.take_changes() == ([(62, 0), (61, 8)], [])
    assert book.take_changes() == ([], [])


@pytest.mark.parametrize("bad", [{"lots": 0}, {"lots": -1}, {"tick": 0}, {"order_id": 7}])
def test_what_the_venue_must_have_refused_is_our_own_fault(bad):
    book = MatchingBook()
    first = NewOrder(order_id=7, owner="me", side=BUY, tick=62, lots=5)
    book.submit(first)
    fields = {"order_id": 8, "owner": "me", "side": BUY, "tick": 62, "lots": 5} | bad
    with pytest.raises(AssertionError):
        book.submit(NewOrder(**fields))
    assert book.levels(BUY) == [(62, 5)]


def test_a_long_queue_at_one_price_is_served_in_order():
    book = MatchingBook()
    ids = [order(SELL, 64, 1) for _ in range(20_000)]
    for each in ids:
        book.submit(each)
    outcome = book.submit(order(BUY, 0, 20_000, owner="you", kind=Kind.MARKET))
    assert [match.maker_id for match in outcome.matches] == [each.order_id for each in ids]


class NaiveBook:
    """A plain list, sorted anew for every act."""

    def __init__(self):
        self.rows = []
        self.clock = 0

    def side(self, side):
        rows = [row for row in self.rows if row["side"] is side]
        return sorted(rows, key=lambda row: (-side.sign * row["tick"], row["clock"]))

    def reachable(self, new):
        reach = self.side(new.side.opposite)
        if new.kind is not Kind.MARKET:
            reach = [row for row in reach if (new.tick - row["tick"]) * new.side.sign >= 0]
        return reach

    def submit(self, new):
        """Returns (matches as (maker, lots), ended as {id: (reason, lots)}, rested, rejected)."""
        if new.kind is Kind.LIMIT_MAKER and self.reachable(new):
            return [], {}, 0, "would_cross"
        saved = [dict(row) for row in self.rows]
        matches, ended, left = self.walk(new)
        is_limit = new.kind is Kind.LIMIT
        filled = sum(lots for _, lots in matches)
        if is_limit and new.tif is TimeInForce.FOK and filled < new.lots:
            self.rows = saved
            return [], {new.order_id: ("fok", new.lots)}, 0, ""
        if left and new.kind is Kind.MARKET:
            ended[new.order_id], left = ("market", left), 0
        elif left and is_limit and new.tif is not TimeInForce.GTC:
            ended[new.order_id], left = ("ioc", left), 0
        if left:
            self.clock += 1
            row = {"id": new.order_id, "owner": new.owner, "side": new.side, "tick": new.tick}
            self.rows.append(row | {"lots": left, "clock": self.clock})
        return matches, ended, left, ""

    def walk(self, new):
        matches, ended, left = [], {}, new.lots
        for row in self.reachable(new):
            if not left:
                break
            both = min(left, row["lots"])
            if row["owner"] != new.owner or new.self_trade is SelfTrade.NONE:
                matches.append((row["id"], both))
                left -= both
                row["lots"] -= both
                continue
            kills_taker = new.self_trade in (SelfTrade.EXPIRE_TAKER, SelfTrade.EXPIRE_BOTH)
            kills_maker = new.self_trade in (SelfTrade.EXPIRE_MAKER, SelfTrade.EXPIRE_BOTH)
            if new.self_trade is SelfTrade.DECREMENT:
                kills_taker, kills_maker = both == left, both == row["lots"]
            if kills_maker:
                ended[row["id"]] = ("self_trade", row["lots"])
            if kills_taker:
                ended[new.order_id] = ("self_trade", left)
            if new.self_trade is SelfTrade.DECREMENT:
                left, row["lots"] = left - both, row["lots"] - both
            else:
                left = 0 if kills_taker else left
                row["lots"] = 0 if kills_maker else row["lots"]
        self.rows = [row for row in self.rows if row["lots"]]
        return matches, ended, left

    def levels(self, side):
        sizes = {}
        for row in self.side(side):
            sizes[row["tick"]] = sizes.get(row["tick"], 0) + row["lots"]
        return list(sizes.items())


class BookAndTwin(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.book, self.twin, self.ids = MatchingBook(), NaiveBook(), count(1)
        self.public = {BUY: {}, SELL: {}}
        self.lots_in = self.lots_out = 0

    @rule(
        side=st.sampled_from(Side),
        tick=st.integers(1, 6),
        lots=st.integers(1, 20),
        owner=st.sampled_from("ab"),
        kind=st.sampled_from(Kind),
        tif=st.sampled_from(TimeInForce),
        self_trade=st.sampled_from(SelfTrade),
    )
    def submit(self, kind, tick, **rest):
        tick = 0 if kind is Kind.MARKET else tick
        self.compare(NewOrder(order_id=next(self.ids), tick=tick, kind=kind, **rest))

    @rule(
        depth=st.integers(0, 2),
        lots=st.integers(1, 20),
        owner=st.sampled_from("ab"),
        side=st.sampled_from(Side),
    )
    def quote(self, depth, side, **rest):
        """Makers for the takers to meet."""
        tick = 3 - depth if side is BUY else 4 + depth
        self.compare(NewOrder(order_id=next(self.ids), tick=tick, side=side, **rest))

    def compare(self, new):
        outcome = self.book.submit(new)
        matches, ended, rested, rejected = self.twin.submit(new)
        assert [(match.maker_id, match.lots) for match in outcome.matches] == matches
        assert {end.order_id: (end.reason, end.lots_left) for end in outcome.ended} == ended
        assert len(outcome.ended) == len(ended)
        assert (outcome.rested_lots, outcome.rejected) == (rested, rejected)
        self.count(0 if rejected else new.lots, outcome)

    def count(self, lots, outcome):
        """Both sides of a match, what was prevented, and what expired otherwise, leave."""
        self.lots_in += lots
        self.lots_out += 2 * sum(match.lots for match in outcome.matches)
        self.lots_out += sum(p.maker_lots + p.taker_lots for p in outcome.prevented)
        expired = [end for end in outcome.ended if end.reason != "self_trade"]
        self.lots_out += sum(end.lots_left for end in expired)

    @precondition(lambda self: self.twin.rows)
    @rule(data=st.data())
    def cancel(self, data):
        row = data.draw(st.sampled_from(self.twin.rows))
        self.twin.rows.remove(row)
        assert self.book.cancel(row["id"]).lots_left == row["lots"]
        self.lots_out += row["lots"]

    @precondition(lambda self: any(row["lots"] > 1 for row in self.twin.rows))
    @rule(data=st.data())
    def reduce(self, data):
        row = data.draw(st.sampled_from([row for row in self.twin.rows if row["lots"] > 1]))
        lots = data.draw(st.integers(1, row["lots"] - 1))
        row["lots"] -= lots
        assert self.book.reduce(row["id"], lots).lots_left == row["lots"]
        self.lots_out += lots

    @rule()
    def cancel_what_is_not_there(self):
        assert self.book.cancel(-1) is None

    @rule()
    def publish(self):
        for side, changes in zip((BUY, SELL), self.book.take_changes(), strict=True):
            self.public[side].update(changes)
            shown = {tick: lots for tick, lots in self.public[side].items() if lots}
            assert shown == dict(self.twin.levels(side))

    @invariant()
    def they_agree(self):
        self.book.check()
        for side in Side:
            assert self.book.levels(side) == self.twin.levels(side)
            assert self.book.levels(side, 2) == self.twin.levels(side)[:2]
        open_now = {row["id"]: row["lots"] for row in self.twin.rows}
        owned = [each for owner in "ab" for each in self.book.orders_of(owner)]
        assert {each.order_id: each.lots_left for each in owned} == open_now

    @invariant()
    def no_lot_is_lost(self):
        resting = sum(row["lots"] for row in self.twin.rows)
        assert self.lots_in == self.lots_out + resting


TestBookAndTwin = BookAndTwin.TestCase
TestBookAndTwin.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", range(12))
def test_a_long_seeded_run_agrees_with_the_twin(seed):
    machine, dice = BookAndTwin(), Random(seed)
    for _ in range(200):
        side, owner, lots = dice.choice(list(Side)), dice.choice("ab"), dice.randint(1, 20)
        if dice.random() < 0.5:
            machine.quote(depth=dice.randint(0, 2), side=side, owner=owner, lots=lots)
        else:
            machine.submit(
                kind=dice.choice(list(Kind)),
                tick=dice.randint(1, 6),
                side=side,
                owner=owner,
                lots=lots,
                tif=dice.choice(list(TimeInForce)),
                self_trade=dice.choice(list(SelfTrade)),
            )
        if dice.random() < 0.1:
            machine.publish()
        machine.they_agree()
        machine.no_lot_is_lost()
