"""Binance's continuity rules, spot and futures, one fault at a time."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.codec.binance_messages import DepthSnapshot, DepthUpdate
from adapters.codec.continuity import BinanceBook, ContinuityParams, Dialect
from engine.market.book import Book
from engine.values.events import BookDelta, BookLost, BookSnapshot, Event
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Side

BTT = Instrument(
    symbol="BTT/USDT", venue="binance", venue_symbol="BTTUSDT", base="BTT", quote="USDT",
    price_exponent=8, tick=1, size_exponent=0, lot=1, maker_fee_ppm=1_000, taker_fee_ppm=1_000,
)  # fmt: skip


def depth(first: int, last: int, before: int = -1, bids=(("0.00000062", "5"),)) -> DepthUpdate:
    return DepthUpdate(
        event="depthUpdate", venue_ms=1, symbol="BTTUSDT", first_id=first, last_id=last,
        previous_id=before, bids=list(bids), asks=[],
    )  # fmt: skip


def whole(last: int) -> DepthSnapshot:
    return DepthSnapshot(
        last_id=last, bids=[("0.00000062", "1"), ("0.00000061", "9")], asks=[("0.00000064", "3")]
    )


def spot(**limits: int) -> BinanceBook:
    return BinanceBook(BTT, Dialect.SPOT, ContinuityParams(**limits))


def futures() -> BinanceBook:
    return BinanceBook(BTT, Dialect.FUTURES)


def synced_spot(at: int = 10) -> BinanceBook:
    book = spot()
    book.on_depth(depth(at - 1, at), 1)
    book.on_snapshot(whole(at), 2)
    assert book.is_synced
    return book


def synced_futures() -> BinanceBook:
    book = futures()
    book.on_depth(depth(5, 10, 3), 1)
    book.on_snapshot(whole(10), 2)
    assert book.is_synced
    return book


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_messages_wait_for_the_snapshot_and_those_within_it_are_dropped():
    book = spot()
    for first, last in ((1, 4), (5, 8), (9, 12), (13, 13)):
        assert book.on_depth(depth(first, last), 1) == []
    events = book.on_snapshot(whole(10), 2)
    assert kinds(events) == ["BookSnapshot", "BookDelta", "BookDelta"]
    assert [event.sequence for event in events] == [10, 12, 13]
    assert all(event.at_ns == 2 for event in events)


def test_f04_a_snapshot_older_than_the_stream_is_discarded_and_wanted_again():
    book = spot()
    book.snapshot_asked(0)
    book.on_depth(depth(20, 25), 1)
    assert book.on_snapshot(whole(18), 2) == []
    assert book.wants_snapshot
    assert not book.is_synced
    assert kinds(book.on_snapshot(whole(22), 3)) == ["BookSnapshot", "BookDelta"]


def test_a_snapshot_that_comes_first_waits_for_a_message_to_prove_it():
    book = spot()
    assert book.on_snapshot(whole(10), 1) == []
    assert not book.wants_snapshot
    assert kinds(book.on_depth(depth(11, 12), 2)) == ["BookSnapshot", "BookDelta"]


def test_a_waiting_snapshot_that_proves_stale_is_wanted_again():
    book = spot()
    book.on_snapshot(whole(10), 1)
    assert book.on_depth(depth(15, 16), 2) == []
    assert book.wants_snapshot


def test_f01_a_gap_loses_the_book_at_that_very_message():
    book = synced_spot(10)
    events = book.on_depth(depth(12, 13), 5)
    assert kinds(events) == ["BookLost"]
    assert events[0].at_ns == 5
    assert book.on_depth(depth(14, 15), 6) == []
    assert book.wants_snapshot
    assert book.gaps == 1


def test_f01_the_message_after_the_gap_is_kept_for_the_next_snapshot():
    book = synced_spot(10)
    book.on_depth(depth(12, 13), 5)
    book.on_depth(depth(14, 15), 6)
    events = book.on_snapshot(whole(13), 7)
    assert [event.sequence for event in events] == [13, 15]


@pytest.mark.parametrize("book", [synced_spot(10), synced_futures()])
def test_f02_a_repeated_message_changes_nothing(book):
    before = 10 if book.on_depth(depth(11, 12, 10), 3) else -1
    assert before == 10
    assert book.on_depth(depth(11, 12, 10), 4) == []
    assert book.on_depth(depth(5, 10, 3), 5) == []
    assert kinds(book.on_depth(depth(13, 14, 12), 6)) == ["BookDelta"]


@pytest.mark.parametrize("book", [synced_spot(10), synced_futures()])
def test_f03_two_swapped_messages_are_a_gap(book):
    assert kinds(book.on_depth(depth(13, 14, 12), 3)) == ["BookLost"]
    assert book.on_depth(depth(11, 12, 10), 4) == []
    assert book.gaps == 1


def test_f06_ids_that_go_back_for_good_lose_the_book():
    book = spot(repeats_max=3)
    book.on_depth(depth(100, 101), 1)
    book.on_snapshot(whole(101), 2)
    events = [book.on_depth(depth(i, i), 3) for i in range(1, 6)]
    assert [kinds(each) for each in events] == [[], [], [], ["BookLost"], []]
    assert kinds(book.on_snapshot(whole(5), 4)) == ["BookSnapshot"]
    assert kinds(book.on_depth(depth(6, 6), 5)) == ["BookDelta"]


def test_a_stream_that_still_trails_the_snapshot_is_no_fault():
    book = spot(repeats_max=3)
    book.on_depth(depth(1, 1), 1)
    book.on_snapshot(whole(50), 2)
    assert all(book.on_depth(depth(i, i), 3) == [] for i in range(2, 51))
    assert kinds(book.on_depth(depth(51, 51), 4)) == ["BookDelta"]


def test_a_spot_message_may_overlap_what_is_known():
    assert kinds(synced_spot(10).on_depth(depth(8, 12), 3)) == ["BookDelta"]


def test_a_futures_message_must_name_the_one_before_it():
    assert kinds(synced_futures().on_depth(depth(14, 15, 10), 3)) == ["BookDelta"]
    assert kinds(synced_futures().on_depth(depth(14, 15, 9), 3)) == ["BookLost"]
    assert kinds(synced_futures().on_depth(depth(14, 15, 11), 3)) == ["BookLost"]


def test_a_futures_snapshot_may_fall_between_two_messages_that_are_still_to_come():
    book = futures()
    book.on_depth(depth(5, 10, 3), 1)
    assert kinds(book.on_snapshot(whole(13), 2)) == ["BookSnapshot"]
    assert book.on_depth(depth(11, 12, 10), 3) == []
    assert kinds(book.on_depth(depth(14, 16, 12), 4)) == ["BookDelta"]
    assert kinds(book.on_depth(depth(19, 20, 15), 5)) == ["BookLost"]


def test_a_futures_message_without_a_predecessor_is_refused():
    with pytest.raises(ValueError, match="predecessor"):
        futures().on_depth(depth(1, 2), 1)


def test_a_break_among_waiting_messages_starts_the_buffer_afresh():
    book = spot()
    book.on_depth(depth(1, 2), 1)
    book.on_depth(depth(9, 9), 1)
    assert book.on_snapshot(whole(5), 2) == []
    assert book.gaps == 1
    assert kinds(book.on_snapshot(whole(9), 3)) == ["BookSnapshot"]


@pytest.mark.parametrize("book", [spot(), futures()])
def test_f02_a_message_repeated_among_waiting_ones_is_no_break(book):
    for _ in range(2):
        assert book.on_depth(depth(5, 10, 3), 1) == []
    assert book.gaps == 0
    assert kinds(book.on_snapshot(whole(6), 2)) == ["BookSnapshot", "BookDelta"]


def test_a_full_buffer_forgets_its_oldest():
    book = spot(buffer_max=2)
    for i in (1, 2, 3):
        book.on_depth(depth(i, i), 1)
    assert book.on_snapshot(whole(0), 2) == []
    assert [event.sequence for event in book.on_snapshot(whole(1), 3)] == [1, 2, 3]


def test_a_disconnect_loses_the_book_once():
    book = synced_spot()
    assert kinds(book.on_disconnect(3)) == ["BookLost"]
    assert book.on_disconnect(4) == []


def test_a_snapshot_in_mid_stream_is_ignored_while_the_stream_is_whole():
    assert synced_spot(10).on_snapshot(whole(99), 3) == []


def test_each_request_doubles_the_wait_until_its_limit():
    book = spot(backoff_ns_min=100, backoff_ns_max=500)
    waits = []
    for _ in range(5):
        book.snapshot_asked(1_000)
        waits.append(book.snapshot_due_ns - 1_000)
    assert waits == [100, 200, 400, 500, 500]


def test_a_book_that_lived_long_gets_its_next_snapshot_at_once():
    book = spot()
    book.snapshot_asked(0)
    book.on_depth(depth(1, 1), 1)
    book.on_snapshot(whole(1), 2)
    book.on_depth(depth(9, 9), 61 * NS_PER_S)
    assert book.snapshot_due_ns == 61 * NS_PER_S
    book.snapshot_asked(61 * NS_PER_S)
    book.on_snapshot(whole(9), 61 * NS_PER_S + 1)
    book.on_depth(depth(20, 20), 61 * NS_PER_S + 2)
    assert book.snapshot_due_ns > 61 * NS_PER_S + 2


def test_f15_a_price_off_the_tick_grid_changes_nothing():
    book = synced_spot(10)
    with pytest.raises(ValueError, match="off the tick grid"):
        book.on_depth(depth(11, 12, bids=[("0.000000625", "5")]), 3)
    assert (book.sequence, book.is_synced) == (10, True)


def test_a_size_finer_than_the_lot_is_at_least_one_lot():
    """BTC/USDT really shows sizes finer than its step; they must not read as removals."""
    bids = [("0.00000062", "0.4"), ("0.00000061", "2.9"), ("0.00000060", "0.000")]
    (event,) = synced_spot(10).on_depth(depth(11, 12, bids=bids), 3)
    assert event.bids == [(62, 1), (61, 2), (60, 0)]


def test_a_snapshot_out_of_order_or_crossed_is_refused():
    book = spot()
    rows = [("0.00000061", "1"), ("0.00000062", "1")]
    for bids, asks in (
        (rows, []),
        ([], rows[::-1]),
        (rows[1:], rows[:1]),
        ([(rows[0][0], "0")], []),
    ):
        with pytest.raises(ValueError, match="snapshot"):
            book.on_snapshot(DepthSnapshot(last_id=5, bids=bids, asks=asks), 1)


@given(
    seed=st.integers(0, 10_000),
    lost=st.sets(st.integers(0, 60), max_size=4),
    dialect=st.sampled_from(Dialect),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_lost_a_book_that_is_called_synced_is_right(seed, lost, dialect):
    """A venue with a true book; messages vanish, snapshots are served late, nothing is wrong."""
    rng = random.Random(seed)
    truth: dict[str, int] = {}
    machine, book = BinanceBook(BTT, dialect), Book()
    update_id = 100
    before = update_id
    shown: dict[int, dict[str, int]] = {}
    for step in range(60):
        first = update_id + 1 + (rng.randrange(3) if dialect is Dialect.FUTURES else 0)
        update_id = first + rng.randrange(3)
        price = f"0.000000{rng.randrange(10, 20)}"
        truth[price] = rng.randrange(4)
        shown[update_id] = dict(truth)
        message = depth(first, update_id, before, bids=[(price, str(truth[price]))])
        before = update_id
        if step not in lost:
            follow(book, machine.on_depth(message, step))
        if machine.wants_snapshot and rng.random() < 0.4:
            age = rng.choice(list(shown)[-4:])
            rows = sorted(((p, str(n)) for p, n in shown[age].items() if n), reverse=True)
            answer = DepthSnapshot(last_id=age, bids=rows, asks=[])
            follow(book, machine.on_snapshot(answer, step))
        if machine.is_synced and machine.sequence in shown:
            expected = {BTT.ticks(p): n for p, n in shown[machine.sequence].items() if n}
            assert dict(book.levels(Side.BUY, 99)) == expected


def follow(book: Book, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, BookSnapshot):
            book.apply_snapshot(event.bids, event.asks)
        elif isinstance(event, BookDelta):
            book.apply_delta(event.bids, event.asks)
        else:
            assert isinstance(event, BookLost)
