"""Our orders beside a recorded market: places in the queue, crossings, and nothing used twice."""

from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.sim.matching.queue import Log, Power, RiskAverse
from engine.sim.matching.shadow import ShadowBook
from engine.sim.matching.terms import Kind, NewOrder, SelfTrade, TimeInForce
from engine.values.units import Side

BUY, SELL = Side.BUY, Side.SELL
IDS = count(1)


def recorded(bids=((62, 100), (61, 500)), asks=((64, 80), (65, 300)), model=None):
    book = ShadowBook(model or RiskAverse())
    assert book.apply_public(list(bids), list(asks), replace=True) == ()
    return book


def order(side, tick, lots, *, owner="me", **rest):
    return NewOrder(order_id=next(IDS), owner=owner, side=side, tick=tick, lots=lots, **rest)


def rest_in(book, side, tick, lots, **rest):
    new = order(side, tick, lots, **rest)
    assert book.submit(new).rested_lots == lots
    return new.order_id


def fills(matches):
    return [(match.maker_id, match.tick, match.lots) for match in matches]


def test_an_order_waits_behind_what_was_shown():
    book = recorded()
    mine = rest_in(book, BUY, 62, 10)
    assert book.public_trade(62, 95, SELL) == ()
    assert fills(book.public_trade(62, 8, SELL)) == [(mine, 62, 3)]
    assert fills(book.public_trade(62, 50, SELL)) == [(mine, 62, 7)]
    assert book.order(mine) is None


def test_a_fill_names_the_market_as_nobody():
    book = recorded()
    rest_in(book, BUY, 63, 10)
    (match,) = book.public_trade(63, 4, SELL)
    assert (match.maker_owner, match.taker_owner, match.taker_id) == ("me", "", 0)
    assert (match.aggressor, match.maker_left_lots) == (SELL, 6)


def test_our_orders_never_show_in_the_public_market():
    book = recorded()
    rest_in(book, BUY, 63, 10)
    rest_in(book, BUY, 62, 10)
    assert book.levels(BUY) == [(62, 100), (61, 500)]
    assert book.top() == (62, 100, 64, 80)


def test_a_trade_of_the_other_direction_does_not_move_the_queue():
    book = recorded()
    rest_in(book, BUY, 62, 10)
    assert book.public_trade(62, 500, BUY) == ()


def test_cancels_before_us_move_the_queue_by_the_model():
    book = recorded(model=Power(1))
    mine = rest_in(book, BUY, 62, 10)
    book.apply_public([(62, 120)], [], replace=False)
    book.apply_public([(62, 60)], [], replace=False)
    # 100 in front and 20 behind: a cancel of 60 takes 50 from the front.
    assert book.public_trade(62, 50, SELL) == ()
    assert fills(book.public_trade(62, 1, SELL)) == [(mine, 62, 1)]


def test_a_trade_through_our_price_fills_no_more_than_it_traded():
    book = recorded()
    mine = rest_in(book, BUY, 62, 10)
    assert fills(book.public_trade(61, 4, SELL)) == [(mine, 62, 4)]


def test_two_of_our_orders_at_one_price_share_one_queue():
    book = recorded()
    first = rest_in(book, BUY, 62, 10)
    second = rest_in(book, BUY, 62, 10, owner="you")
    assert fills(book.public_trade(62, 115, SELL)) == [(first, 62, 10), (second, 62, 5)]


def test_volume_that_filled_a_better_order_does_not_fill_a_worse_one():
    book = recorded()
    best = rest_in(book, BUY, 63, 10)
    worse = rest_in(book, BUY, 62, 10)
    assert fills(book.public_trade(62, 105, SELL)) == [(best, 63, 10)]
    assert fills(book.public_trade(62, 6, SELL)) == [(worse, 62, 1)]


def test_what_traded_is_not_taken_for_cancelled_by_the_next_depth():
    book = recorded(model=Power(1))
    rest_in(book, BUY, 63, 10)
    worse = rest_in(book, BUY, 62, 10)
    book.public_trade(62, 30, SELL)
    book.apply_public([(62, 70)], [], replace=False)
    # 10 of the 30 went to our better bid, so 80 were in front; the level now shows only 70.
    assert book.public_trade(62, 70, SELL) == ()
    assert fills(book.public_trade(62, 1, SELL)) == [(worse, 62, 1)]


def test_an_order_that_the_public_market_crosses_is_filled_at_its_own_price():
    book = recorded()
    mine = rest_in(book, BUY, 63, 10)
    matches = book.apply_public([], [(62, 4), (63, 4)], replace=False)
    assert fills(matches) == [(mine, 63, 4), (mine, 63, 4)]
    assert book.order(mine).lots_left == 2


def test_liquidity_that_crossed_us_is_used_until_the_recording_changes_it():
    book = recorded()
    mine = rest_in(book, BUY, 63, 10)
    assert fills(book.apply_public([], [(63, 4)], replace=False)) == [(mine, 63, 4)]
    assert book.apply_public([], [(63, 4), (70, 1)], replace=False) == ()
    assert fills(book.apply_public([], [(63, 3)], replace=False)) == [(mine, 63, 3)]


def test_a_taker_walks_what_is_shown_and_never_takes_it_twice():
    book = recorded()
    first = book.submit(order(BUY, 65, 100))
    assert [(m.tick, m.lots, m.maker_owner) for m in first.matches] == [(64, 80, ""), (65, 20, "")]
    second = book.submit(order(BUY, 65, 300, tif=TimeInForce.IOC))
    assert [(m.tick, m.lots) for m in second.matches] == [(65, 280)]
    assert book.levels(SELL) == [(64, 80), (65, 300)]
    book.apply_public([], [(64, 90)], replace=False)
    assert book.submit(order(BUY, 64, 90)).matches[0].lots == 90


def test_a_snapshot_that_repeats_a_level_does_not_renew_it():
    book = recorded()
    book.submit(order(BUY, 64, 80))
    book.apply_public([(62, 100)], [(64, 80), (65, 1)], replace=True)
    assert book.levels(SELL) == [(64, 80), (65, 1)]
    outcome = book.submit(order(BUY, 65, 81, tif=TimeInForce.IOC))
    assert [(m.tick, m.lots) for m in outcome.matches] == [(65, 1)]


def test_a_maker_only_order_is_refused_where_the_recording_would_take_it():
    book = recorded()
    assert book.submit(order(BUY, 64, 1, kind=Kind.LIMIT_MAKER)).rejected == "would_cross"
    assert book.submit(order(BUY, 63, 1, kind=Kind.LIMIT_MAKER)).rested_lots == 1


def test_two_accounts_meet_each_other_between_public_levels():
    book = recorded()
    mine = rest_in(book, SELL, 63, 5)
    outcome = book.submit(order(BUY, 64, 10, owner="you"))
    assert fills(outcome.matches) == [(mine, 63, 5), (0, 64, 5)]


def test_a_taker_passes_the_public_lots_that_stand_before_our_order():
    book = recorded()
    mine = rest_in(book, SELL, 64, 5)
    book.apply_public([], [(64, 100)], replace=False)
    outcome = book.submit(order(BUY, 64, 200, owner="you", tif=TimeInForce.IOC))
    assert fills(outcome.matches) == [(0, 64, 80), (mine, 64, 5), (0, 64, 20)]


def test_meeting_oneself_is_prevented_here_too():
    book = recorded()
    mine = rest_in(book, SELL, 63, 5)
    outcome = book.submit(order(BUY, 63, 3, self_trade=SelfTrade.EXPIRE_TAKER))
    assert outcome.matches == ()
    assert [end.reason for end in outcome.ended] == ["self_trade"]
    assert book.order(mine).lots_left == 5


@pytest.mark.parametrize(("lots", "filled"), [(380, 380), (381, 0)])
def test_fill_or_kill_counts_what_is_left_of_the_recording(lots, filled):
    book = recorded()
    outcome = book.submit(order(BUY, 65, lots, tif=TimeInForce.FOK))
    assert sum(match.lots for match in outcome.matches) == filled


def test_a_cancelled_order_leaves_and_is_handed_back():
    book = recorded()
    mine = rest_in(book, BUY, 62, 10)
    assert book.cancel(mine).lots_left == 10
    assert book.cancel(mine) is None
    assert book.orders_of("me") == []
    assert book.public_trade(62, 1000, SELL) == ()


def test_a_reduced_order_keeps_its_place_in_the_recording():
    book = recorded()
    mine = rest_in(book, BUY, 62, 10)
    book.public_trade(62, 100, SELL)
    assert book.reduce(mine, 4).lots_left == 6
    assert fills(book.public_trade(62, 10, SELL)) == [(mine, 62, 6)]


class Replay(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.book = ShadowBook(RiskAverse())
        self.ids = count(1)
        self.shown = {BUY: {}, SELL: {}}
        self.taken = {BUY: {}, SELL: {}}
        self.lots_in = self.lots_out = 0

    @rule(model=st.sampled_from([RiskAverse(), Power(1), Power(3), Log()]))
    def start_again(self, model):
        self.__init__()
        self.book = ShadowBook(model)

    @rule(
        middle=st.integers(3, 9),
        sizes=st.lists(st.integers(0, 40), min_size=6, max_size=6),
        replace=st.booleans(),
    )
    def depth(self, middle, sizes, replace):
        """A book around a middle, whose old levels on the wrong side are gone."""
        bids = [(middle - 1 - i, lots) for i, lots in enumerate(sizes[:3]) if middle - 1 - i > 0]
        asks = [(middle + i, lots) for i, lots in enumerate(sizes[3:])]
        for side, levels in ((BUY, bids), (SELL, asks)):
            named = {tick for tick, _ in levels}
            is_gone = (lambda tick: tick >= middle) if side is BUY else (lambda tick: tick < middle)
            levels += [(t, 0) for t in self.shown[side] if t not in named and is_gone(t)]
        if replace:
            bids, asks = ([row for row in rows if row[1]] for rows in (bids, asks))
        before = {side: dict(self.shown[side]) for side in Side}
        for side, levels in ((BUY, bids), (SELL, asks)):
            merged = dict(levels) if replace else self.shown[side] | dict(levels)
            self.shown[side] = {tick: lots for tick, lots in merged.items() if lots}
            same = {t for t, n in self.shown[side].items() if before[side].get(t) == n}
            self.taken[side] = {t: n for t, n in self.taken[side].items() if t in same}
        matches = self.book.apply_public(bids, asks, replace=replace)
        self.lots_out += sum(match.lots for match in matches)
        self.crossed(matches)

    def crossed(self, matches):
        """Crossing fills come out of the free public lots of the other side within reach."""
        for side in Side:
            own = [match for match in matches if match.aggressor is side]
            reach = [
                (tick, lots - self.taken[side].get(tick, 0))
                for tick, lots in self.shown[side].items()
                if own and any((match.tick - tick) * -side.sign >= 0 for match in own)
            ]
            left = sum(match.lots for match in own)
            assert left <= sum(free for _, free in reach)
            for tick, free in sorted(reach, key=lambda row: -side.sign * row[0]):
                used = min(free, left)
                left -= used
                self.taken[side][tick] = self.taken[side].get(tick, 0) + used

    @rule(tick=st.integers(1, 12), lots=st.integers(1, 60), aggressor=st.sampled_from(Side))
    def trade(self, tick, lots, aggressor):
        ours = {o.order_id: o for owner in "ab" for o in self.book.orders_of(owner)}
        matches = self.book.public_trade(tick, lots, aggressor)
        assert sum(match.lots for match in matches) <= lots
        for match in matches:
            mine = ours[match.maker_id]
            assert mine.side is aggressor.opposite
            assert match.tick == mine.tick
            assert (mine.tick - tick) * mine.side.sign >= 0
        self.lots_out += sum(match.lots for match in matches)

    @rule(
        side=st.sampled_from(Side),
        tick=st.integers(1, 12),
        lots=st.integers(1, 60),
        owner=st.sampled_from("ab"),
        kind=st.sampled_from([Kind.LIMIT, Kind.LIMIT, Kind.LIMIT_MAKER, Kind.MARKET]),
        tif=st.sampled_from(TimeInForce),
        self_trade=st.sampled_from(SelfTrade),
    )
    def submit(self, kind, tick, lots, side, **rest):
        tick = 0 if kind is Kind.MARKET else tick
        new = NewOrder(order_id=next(self.ids), tick=tick, lots=lots, side=side, kind=kind, **rest)
        outcome = self.book.submit(new)
        self.lots_in += 0 if outcome.rejected else lots
        for match in outcome.matches:
            self.lots_out += match.lots if match.maker_owner == "" else 2 * match.lots
            if match.maker_owner == "":
                taken = self.taken[side.opposite]
                taken[match.tick] = taken.get(match.tick, 0) + match.lots
        self.lots_out += sum(p.maker_lots + p.taker_lots for p in outcome.prevented)
        ended = [end.lots_left for end in outcome.ended if end.reason != "self_trade"]
        self.lots_out += sum(ended)

    @rule(data=st.data(), owner=st.sampled_from("ab"))
    def cancel(self, data, owner):
        mine = self.book.orders_of(owner)
        if mine:
            chosen = data.draw(st.sampled_from(mine))
            self.lots_out += self.book.cancel(chosen.order_id).lots_left

    @invariant()
    def the_book_is_whole(self):
        self.book.check()

    @invariant()
    def the_public_market_is_the_recording(self):
        for side in Side:
            best_first = sorted(self.shown[side].items(), key=lambda row: -side.sign * row[0])
            assert self.book.levels(side) == best_first

    @invariant()
    def no_liquidity_is_used_twice(self):
        for side in Side:
            for tick, lots in self.taken[side].items():
                assert lots <= self.shown[side].get(tick, 0)

    @invariant()
    def no_lot_of_ours_is_lost(self):
        resting = sum(o.lots_left for owner in "ab" for o in self.book.orders_of(owner))
        assert self.lots_in == self.lots_out + resting


TestReplay = Replay.TestCase
TestReplay.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
