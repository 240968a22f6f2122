"""A series of bars, whatever the order in which they came; and bars built from trades beside it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.signals.bars import BarSeries, Joined, open_of
from engine.signals.spans import SPANS
from engine.signals.trade_bars import TradeBars, compare
from engine.values.facts import Bar, Trade
from engine.values.units import NS_PER_S, Side

SPAN_NS = 60 * NS_PER_S


def bar(number: int, close: int = 62, lots: int = 5) -> Bar:
    return Bar(number * SPAN_NS, 62, max(62, close), min(62, close), close, lots)


def series(*numbers: int, kept: int = 100) -> BarSeries:
    made = BarSeries(SPAN_NS, kept)
    made.push(bar(number) for number in numbers)
    return made


def opens(found) -> list[int]:
    return [each.open_ns // SPAN_NS for each in found]


def test_the_next_bar_is_appended_and_nothing_starts_again() -> None:
    made = series(1, 2)
    assert made.push([bar(3), bar(4)]) == Joined([bar(3), bar(4)])
    assert opens(made.tail()) == [1, 2, 3, 4]


def test_a_bar_told_twice_is_one_bar() -> None:
    made = series(1, 2)
    assert made.push([bar(2), bar(1)]) == Joined([])
    assert (len(made), made.repeats, made.replaced) == (2, 2, 0)


def test_a_corrected_bar_replaces_the_first_and_starts_the_rating_again() -> None:
    made = series(1, 2, 3)
    assert made.push([bar(2, close=65)]).is_restart
    assert [each.close for each in made.tail()] == [62, 65, 62]
    assert made.replaced == 1


def test_a_gap_is_named_bar_by_bar_and_only_what_follows_it_counts() -> None:
    made = series(1, 2)
    assert made.push([bar(6)]).is_restart
    assert [ns // SPAN_NS for ns in made.missing()] == [3, 4, 5]
    assert opens(made.tail()) == [6]
    assert made.push([bar(7)]) == Joined([bar(7)])


def test_a_filled_gap_joins_both_sides() -> None:
    made = series(1, 2, 6)
    assert made.push([bar(3), bar(4), bar(5)]).is_restart
    assert made.missing() == []
    assert made.tail_bars == 6


def test_a_correction_before_the_last_gap_does_not_disturb_what_is_rated() -> None:
    made = series(1, 2, 6)
    assert made.push([bar(1, close=70)]) == Joined([])
    assert made.bars()[0].close == 70


def test_only_the_newest_bars_are_kept_and_an_older_one_changes_nothing() -> None:
    made = series(*range(10), kept=4)
    assert opens(made.bars()) == [6, 7, 8, 9]
    assert made.push([bar(3)]) == Joined([])
    assert opens(made.bars()) == [6, 7, 8, 9]


def test_a_bar_off_the_grid_is_refused_and_changes_nothing() -> None:
    made = series(1)
    with pytest.raises(ValueError, match="off its grid"):
        made.push([bar(2), Bar(3 * SPAN_NS + 1, 1, 1, 1, 1, 0)])
    assert len(made) == 1


def test_weeks_open_on_mondays() -> None:
    monday_ns = 1_704_067_200 * NS_PER_S  # 2024-01-01, a Monday
    assert open_of(monday_ns + 6 * SPANS["1d"], SPANS["1w"]) == monday_ns


def test_a_hole_of_the_venues_own_does_not_part_what_is_around_it() -> None:
    made = BarSeries(SPAN_NS, 100, gap_bars_max=2)
    assert made.push([bar(1), bar(4), bar(7)]).appended == [bar(1), bar(4), bar(7)]
    assert made.push([bar(11)]).is_restart
    assert opens(made.tail()) == [11]
    assert made.push([bar(8)]).is_restart
    assert opens(made.tail()) == [1, 4, 7, 8, 11]
    assert [ns // SPAN_NS for ns in made.missing()] == [2, 3, 5, 6, 9, 10]


TOLD = st.lists(st.tuples(st.integers(0, 30), st.integers(60, 64)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(TOLD, st.lists(st.integers(1, 7), min_size=1, max_size=60), st.sampled_from([0, 1, 3]))
def test_whatever_comes_the_series_is_the_last_word_on_every_bar(told, sizes, gap_max) -> None:
    made, stream = BarSeries(SPAN_NS, 50, gap_max), []
    truth: dict[int, Bar] = {}
    rest = [bar(number, close) for number, close in told]
    for size in sizes:
        batch, rest = rest[:size], rest[size:]
        joined = made.push(batch)
        truth |= {each.open_ns: each for each in batch}
        stream = made.tail() if joined.is_restart else [*stream, *joined.appended]
        made.check()
        known = sorted(truth)
        assert made.bars() == [truth[open_ns] for open_ns in known]
        whole = range(known[0], known[-1] + 1, SPAN_NS) if known else ()
        assert made.missing() == [open_ns for open_ns in whole if open_ns not in truth]
        # Who follows `appended` and begins again where told has heard exactly the tail.
        assert stream == made.tail()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=80), st.integers(1, 8), st.integers(0, 3))
def test_a_bounded_series_keeps_the_newest_and_holds_together(numbers, kept, gap_max) -> None:
    made = BarSeries(SPAN_NS, kept, gap_max)
    for number in numbers:
        made.push([bar(number)])
        made.check()
    assert made.last is not None
    assert made.last.open_ns == max(numbers) * SPAN_NS


# --- bars from trades ---------------------------------------------------------------------------


def trade(number: int, at_s: float, tick: int, lots: int = 1) -> Trade:
    at_ns = int(at_s * NS_PER_S)
    return Trade(
        market="m", at_ns=at_ns + 7, venue_ns=at_ns, trade_id=number, tick=tick, lots=lots,
        aggressor=Side.BUY,
    )  # fmt: skip


def built(*trades: Trade, kept: int = 10) -> TradeBars:
    made = TradeBars(SPAN_NS, kept)
    for each in trades:
        made.on_trade(each)
    return made


def test_the_bar_in_which_sight_began_is_not_vouched_for() -> None:
    made = built(trade(1, 30, 62), trade(2, 61, 63), trade(3, 119, 61, lots=4))
    assert made.bar(0) is None
    assert made.bar(SPAN_NS) == Bar(SPAN_NS, 63, 63, 61, 61, 5)


def test_quiet_bars_are_flat_at_the_last_price() -> None:
    made = built(trade(1, 30, 62), trade(2, 61, 63))
    assert made.bar(3 * SPAN_NS) == Bar(3 * SPAN_NS, 63, 63, 63, 63, 0)


def test_a_late_trade_belongs_to_its_own_bar() -> None:
    made = built(trade(1, 1, 60), trade(2, 61, 62), trade(4, 121, 70), trade(3, 119, 65))
    assert made.bar(SPAN_NS) == Bar(SPAN_NS, 62, 65, 62, 65, 2)
    assert made.bar(2 * SPAN_NS) == Bar(2 * SPAN_NS, 70, 70, 70, 70, 1)


def test_a_bar_through_which_sight_was_lost_is_not_vouched_for() -> None:
    made = built(trade(1, 1, 60), trade(2, 61, 62))
    made.on_sight_lost()
    made.on_trade(trade(9, 100, 63))
    made.on_trade(trade(10, 121, 64))
    assert made.bar(SPAN_NS) is None
    assert made.bar(2 * SPAN_NS) == Bar(2 * SPAN_NS, 64, 64, 64, 64, 1)


def test_bars_that_nobody_watched_are_not_invented() -> None:
    made = built(trade(1, 1, 60), trade(2, 61, 62))
    made.on_sight_lost()
    assert made.bar(2 * SPAN_NS) is None
    made.on_trade(trade(9, 301, 63))
    assert [made.bar(number * SPAN_NS) for number in (2, 3, 4, 5)] == [None] * 4


def test_a_trade_told_twice_counts_once() -> None:
    made = built(trade(1, 1, 60), trade(2, 61, 62, lots=3), trade(2, 61, 62, lots=3))
    found = made.bar(SPAN_NS)
    assert found is not None
    assert found.lots == 3


def test_only_so_many_built_bars_are_kept() -> None:
    made = built(trade(1, 1, 60), trade(2, 61, 62), trade(3, 60_000, 63), kept=3)
    assert made.bar(SPAN_NS) is None
    assert made.bar(999 * SPAN_NS) == Bar(999 * SPAN_NS, 62, 62, 62, 62, 0)


def test_a_difference_is_told_in_ticks_and_lots() -> None:
    found = compare(Bar(0, 62, 64, 61, 63, 900), Bar(0, 62, 64, 62, 63, 890))
    assert (found.open, found.high, found.low, found.close, found.lots) == (0, 0, -1, 0, 10)
    assert not found.is_nothing
    assert compare(bar(1), bar(1)).is_nothing


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(55, 70), st.integers(1, 9)),
        min_size=2,
        max_size=80,
    )
)
def test_built_bars_are_those_of_a_whole_tape(rows) -> None:
    """Against a plain grouping of the whole tape by minute."""
    at_s, tape = 0, []
    for number, (wait_s, tick, lots) in enumerate(rows):
        at_s += wait_s
        tape.append(trade(number, at_s, tick, lots))
    made = built(*tape, kept=1_000)
    first_ns = open_of(tape[0].venue_ns, SPAN_NS)
    close = tape[0].tick
    for open_ns in range(first_ns, open_of(tape[-1].venue_ns, SPAN_NS) + 1, SPAN_NS):
        inside = [each for each in tape if open_of(each.venue_ns, SPAN_NS) == open_ns]
        ticks = [each.tick for each in inside] or [close]
        close = ticks[-1]
        lots = sum(each.lots for each in inside)
        told = Bar(open_ns, ticks[0], max(ticks), min(ticks), close, lots)
        assert made.bar(open_ns) == (None if open_ns == first_ns else told)
