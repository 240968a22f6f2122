"""The market's book, held against a naive twin."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.market.book import Book
from engine.values.units import Side

BIDS = [(62, 400), (61, 300), (60, 100)]
ASKS = [(64, 500), (65, 10), (70, 1_000)]
TICKS = st.one_of(st.integers(1, 40), st.integers(6_000_000, 6_000_020))
REACHES = (1, 100, 500, 5_000)
LEVELS = st.lists(st.tuples(TICKS, st.integers(0, 3)), max_size=12)


def a_book() -> Book:
    book = Book()
    book.apply_snapshot(BIDS, ASKS)
    return book


class BookMatchesATwin(RuleBasedStateMachine):
    """The twin is two dictionaries, read by sorting them."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    @rule(bids=LEVELS, asks=LEVELS)
    def snapshot(self, bids, asks):
        self.book.apply_snapshot(list(dict(bids).items()), list(dict(asks).items()))
        self.bids = {tick: lots for tick, lots in dict(bids).items() if lots}
        self.asks = {tick: lots for tick, lots in dict(asks).items() if lots}

    @rule(bids=LEVELS, asks=LEVELS)
    def delta(self, bids, asks):
        self.book.apply_delta(bids, asks)
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            side.update(changes)
            for tick in [tick for tick, lots in side.items() if not lots]:
                del side[tick]

    @rule()
    def clear(self):
        self.book.clear()
        self.bids, self.asks = {}, {}

    @rule(own=st.dictionaries(st.tuples(st.sampled_from(Side), TICKS), st.integers(1, 4)))
    def look_without_our_own(self, own):
        view = self.book.without(own)
        for side, shown in self.sides():
            left = {t: max(0, lots - own.get((side, t), 0)) for t, lots in shown.items()}
            expected = ordered(side, {t: lots for t, lots in left.items() if lots})
            assert view.levels(side, 100) == expected
            best = expected[0] if expected else (0, 0)
            is_bid = side is Side.BUY
            assert best == (
                (view.bid_tick, view.bid_lots) if is_bid else (view.ask_tick, view.ask_lots)
            )
            assert all(view.lots_at(side, tick) == lots for tick, lots in left.items())
        for shown in (view, self.book):
            each = [tuple(shown.depth_within(side, bps) for side in Side) for bps in REACHES]
            assert shown.depths(REACHES) == each

    @rule(side=st.sampled_from(Side), lots=st.integers(0, 30))
    def walk(self, side, lots):
        units = [t for t, n in ordered(side, dict(self.sides())[side]) for _ in range(n)][:lots]
        worst = units[-1] if units else 0
        assert self.book.walk(side, lots) == (len(units), sum(units), worst)

    @rule(side=st.sampled_from(Side), bps=st.sampled_from([100, 200, 500, 9_000]))
    def measure_depth(self, side, bps):
        expected = 0
        if self.bids and self.asks:
            double_mid = max(self.bids) + min(self.asks)
            for tick, lots in dict(self.sides())[side].items():
                # A bid above mid (a crossed book) is within any distance below it.
                worse_by = (double_mid - 2 * tick) * side.sign
                expected += lots if worse_by * 10_000 <= double_mid * bps else 0
        assert self.book.depth_within(side, bps) == expected

    @invariant()
    def the_book_is_the_twin(self):
        self.book.check()
        for side, shown in self.sides():
            assert self.book.levels(side, 100) == ordered(side, shown)
        crossed = bool(self.bids and self.asks and max(self.bids) >= min(self.asks))
        assert self.book.is_crossed() is crossed

    def sides(self):
        return ((Side.BUY, self.bids), (Side.SELL, self.asks))


def ordered(side: Side, shown: dict[int, int]) -> list[tuple[int, int]]:
    return sorted(shown.items(), reverse=side is Side.BUY)


BookMatchesATwin.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None
)
TestBookMatchesATwin = BookMatchesATwin.TestCase


def test_the_best_prices_are_there_at_once():
    book = a_book()
    assert (book.bid_tick, book.bid_lots, book.ask_tick, book.ask_lots) == (62, 400, 64, 500)


def test_removing_an_absent_level_is_normal():
    book = a_book()
    book.apply_delta([(1, 0)], [(99, 0)])
    assert (book.levels(Side.BUY, 9), book.levels(Side.SELL, 9)) == (BIDS, ASKS)


def test_f05_a_snapshot_in_mid_stream_replaces_and_does_not_merge():
    book = a_book()
    book.apply_snapshot([(61, 1)], [(70, 2)])
    assert book.levels(Side.BUY, 9) == [(61, 1)]
    assert book.levels(Side.SELL, 9) == [(70, 2)]


def test_f08_a_missing_delete_shows_as_a_crossed_book():
    book = a_book()
    book.apply_delta([(64, 7)], [])
    assert book.is_crossed()
    book.apply_delta([], [(64, 0)])
    assert not book.is_crossed()


def test_an_empty_side_has_no_price_and_no_depth():
    book = Book()
    book.apply_snapshot(BIDS, [])
    assert (book.ask_tick, book.ask_lots) == (0, 0)
    assert not book.is_crossed()
    assert book.depth_within(Side.BUY, 500) == 0


def test_depth_counts_levels_within_the_distance_from_mid():
    book = Book()
    book.apply_snapshot([(9_950, 1), (9_900, 2), (9_899, 4)], [(10_050, 8), (10_100, 16)])
    assert book.depth_within(Side.BUY, 100) == 3
    assert book.depth_within(Side.SELL, 100) == 24
    assert book.depth_within(Side.SELL, 50) == 8


def test_a_walk_names_what_it_filled_paid_and_reached():
    assert a_book().walk(Side.SELL, 505) == (505, 500 * 64 + 5 * 65, 65)
    assert a_book().walk(Side.BUY, 10_000) == (800, 400 * 62 + 300 * 61 + 100 * 60, 60)


def test_our_own_best_order_does_not_count_as_the_market():
    view = a_book().without({(Side.BUY, 62): 400, (Side.SELL, 64): 100})
    assert (view.bid_tick, view.bid_lots, view.ask_tick, view.ask_lots) == (61, 300, 64, 400)
    assert view.depth_within(Side.SELL, 500) == 410


def test_an_order_larger_than_what_is_shown_empties_its_level():
    assert a_book().without({(Side.BUY, 62): 999}).bid_tick == 61


def test_levels_beyond_the_limit_are_forgotten_from_the_far_end():
    book = Book(levels_max=3)
    book.apply_delta([(tick, 1) for tick in range(1, 9)], [(tick, 1) for tick in range(10, 19)])
    book.check()
    assert book.levels(Side.BUY, 9) == [(8, 1), (7, 1), (6, 1)]
    assert book.levels(Side.SELL, 9) == [(10, 1), (11, 1), (12, 1)]


def test_check_notices_a_damaged_book():
    book = a_book()
    book.bid_tick = 61
    with pytest.raises(AssertionError):
        book.check()


def test_a_book_reads_well():
    assert repr(a_book()) == "<Book bid 62x400 ask 64x500 depth 3/3>"


@given(st.lists(st.tuples(LEVELS, LEVELS), max_size=20))
@settings(max_examples=50, deadline=None)
def test_the_same_message_twice_changes_nothing(messages):
    book = Book()
    for bids, asks in messages:
        book.apply_delta(bids, asks)
        before = (book.levels(Side.BUY, 99), book.levels(Side.SELL, 99))
        book.apply_delta(bids, asks)
        assert (book.levels(Side.BUY, 99), book.levels(Side.SELL, 99)) == before
