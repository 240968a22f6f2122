"""The second witness: quiet or dead, right or wrong."""

from engine.market.second_stream import SecondStream, SecondStreamParams
from engine.values.events import TopOfBook
from engine.values.units import NS_PER_S

S = NS_PER_S
BID, ASK = (61, 5), (63, 7)


def top(sequence, at_s=0.0, bid=BID, ask=ASK):
    return TopOfBook(
        market="m", at_ns=int(at_s * S), sequence=sequence,
        bid_tick=bid[0], bid_lots=bid[1], ask_tick=ask[0], ask_lots=ask[1],
    )  # fmt: skip


def stream():
    return SecondStream(SecondStreamParams(behind_ns_max=S))


def test_equal_tops_at_an_equal_update_match():
    second = stream()
    second.on_top(top(5), 4)
    assert second.on_book(5, BID, ASK, S) == ""
    assert (second.compared, second.matched) == (1, 1)


def test_a_contradiction_stands_until_a_later_comparison_agrees():
    second = stream()
    second.on_top(top(5, bid=(60, 5)), 4)
    assert second.on_book(5, BID, ASK, S)
    assert second.on_book(6, BID, ASK, S), "nothing was compared at 6"
    second.on_top(top(7), 6)
    assert second.on_book(7, BID, ASK, S) == ""
    assert (second.compared, second.matched) == (2, 1)


def test_a_contradiction_goes_with_the_book_that_it_was_about():
    for forget in (SecondStream.reset, SecondStream.begin_anew):
        second = stream()
        second.on_top(top(5, bid=(60, 5)), 4)
        assert second.on_book(5, BID, ASK, S)
        forget(second)
        assert second.on_book(6, BID, ASK, S) == ""


def test_tops_between_two_depth_frames_are_not_compared():
    second = stream()
    second.on_top(top(5, bid=(60, 5)), 4)
    assert second.on_book(6, BID, ASK, S) == ""
    assert second.compared == 0


def test_a_quiet_market_is_not_a_stopped_book():
    second = stream()
    second.on_top(top(5), 5)
    assert second.doubt(3_600 * S) == ""


def test_a_book_that_stays_behind_the_second_stream_is_doubted_after_a_second():
    second = stream()
    second.on_top(top(6, at_s=10), 5)
    assert second.doubt(11 * S) == ""
    assert second.doubt(11 * S + 1)


def test_a_book_that_follows_late_is_not_stopped():
    second = stream()
    for i in range(20):
        second.on_top(top(10 + i, at_s=i), 8 + i)
        second.on_book(9 + i, BID, ASK, i * S)
        assert second.doubt(i * S + S // 2) == ""


def test_a_reset_forgets_that_the_book_was_behind():
    second = stream()
    second.on_top(top(6, at_s=1), 5)
    second.reset()
    assert second.doubt(100 * S) == ""


def test_waiting_tops_have_a_limit():
    second = stream()
    for i in range(5 * SecondStream.WAITING_MAX):
        second.on_top(top(i + 1), 0)
    assert len(second._waiting) == SecondStream.WAITING_MAX
