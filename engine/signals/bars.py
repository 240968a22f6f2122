"""Bars of one market and one span as a venue tells them, joined in order.

They come twice (history, then a stream), late, corrected, or not at all; a series holds what is
known and says what is missing. `trade_bars` builds the same from trades, to compare.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import pairwise

import msgspec

from engine.signals.candles import Candle
from engine.signals.spans import SPANS
from engine.values.facts import Bar
from engine.values.units import NS_PER_S, Ns

MISSING_MAX = 1_000
"""So many missing bars are named one by one; a longer list would tell nobody more."""
_MONDAY_NS = 4 * SPANS["1d"]


def open_of(at_ns: Ns, span_ns: Ns) -> Ns:
    """The opening of the bar that holds this moment. Weeks open on Mondays, UTC."""
    offset_ns = _MONDAY_NS if span_ns == SPANS["1w"] else 0
    return at_ns - (at_ns - offset_ns) % span_ns


def candle_of(bar: Bar) -> Candle:
    """The bar as a model takes it: floats of ticks and lots, since no vote hangs on the unit."""
    return Candle(
        at_ns=bar.open_ns,
        open=float(bar.open),
        high=float(bar.high),
        low=float(bar.low),
        close=float(bar.close),
        volume=float(bar.lots),
    )


class Joined(msgspec.Struct, frozen=True):
    """What a series took: `appended` follow its newest bars, oldest first.

    Where `is_restart`, something earlier has changed too: begin again from `tail()`.
    """

    appended: list[Bar]
    is_restart: bool = False


class BarSeries:
    """Closed bars by their opening, whatever the order in which they came; the newest are kept.

    The last word on a bar wins. `repeats` counts bars told again unchanged, `replaced` those told
    again with other numbers. Venues have holes in their own history (hours of maintenance): up to
    `gap_bars_max` bars that lack in a row do not part what is before them from what is after.
    """

    def __init__(self, span_ns: Ns, kept: int, gap_bars_max: int = 0) -> None:
        if span_ns <= 0 or kept <= 0 or gap_bars_max < 0:
            raise ValueError("a series needs a span and a length")
        self.span_ns = span_ns
        self.repeats = 0
        self.replaced = 0
        self._kept = kept
        self._reach_ns = (1 + gap_bars_max) * span_ns
        self._opens: list[Ns] = []
        self._bars: dict[Ns, Bar] = {}
        self._tail_start = 0
        """Index of the first bar after the last gap that parts."""

    def __len__(self) -> int:
        return len(self._opens)

    def __repr__(self) -> str:
        return f"<{len(self)} bars of {self.span_ns / NS_PER_S:g} s, {len(self.missing())} missing>"

    def push(self, bars: Iterable[Bar]) -> Joined:
        """Take closed bars. Raises ValueError, changing nothing, for one off the span's grid."""
        told = list(bars)
        for bar in told:
            if open_of(bar.open_ns, self.span_ns) != bar.open_ns:
                raise ValueError(f"a bar that opens at {bar.open_ns} is off its grid")
        appended: list[Bar] = []
        tail_ns = self._opens[self._tail_start] if self._opens else 0
        is_amended = is_restart = False
        for bar in told:
            if not self._opens or self.is_next(bar):
                self._append(bar)
                appended.append(bar)
            elif self._amend(bar):
                is_amended = True
                is_restart |= bar.open_ns >= tail_ns - self._reach_ns
        if is_amended:
            self._find_tail()
        self._forget()
        return Joined([] if is_restart else appended, is_restart)

    def is_next(self, bar: Bar) -> bool:
        """Whether it follows the newest bar, with no gap between that parts."""
        return bool(self._opens) and 0 < bar.open_ns - self._opens[-1] <= self._reach_ns

    def tail(self) -> list[Bar]:
        """The newest bars that no gap parts, oldest first."""
        return [self._bars[open_ns] for open_ns in self._opens[self._tail_start :]]

    @property
    def tail_bars(self) -> int:
        return len(self._opens) - self._tail_start

    @property
    def last(self) -> Bar | None:
        return self._bars[self._opens[-1]] if self._opens else None

    def bars(self) -> list[Bar]:
        """All that are kept, oldest first, gaps or not."""
        return [self._bars[open_ns] for open_ns in self._opens]

    def missing(self) -> list[Ns]:
        """Openings of the bars that lack between those that are kept; the latest of them."""
        found: list[Ns] = []
        for earlier_ns, later_ns in pairwise(self._opens):
            found += range(earlier_ns + self.span_ns, later_ns, self.span_ns)[-MISSING_MAX:]
        return found[-MISSING_MAX:]

    def check(self) -> None:
        """Raises AssertionError where the series contradicts itself."""
        assert self._opens == sorted(self._bars), "order"
        assert len(self._opens) <= self._kept, "length"
        assert 0 <= self._tail_start <= max(0, len(self._opens) - 1), "tail"
        steps = [later - earlier for earlier, later in pairwise(self._opens)]
        assert all(step <= self._reach_ns for step in steps[self._tail_start :]), "a parted tail"
        if self._tail_start:
            assert steps[self._tail_start - 1] > self._reach_ns, "the tail is longer"

    def _append(self, bar: Bar) -> None:
        self._opens.append(bar.open_ns)
        self._bars[bar.open_ns] = bar

    def _amend(self, bar: Bar) -> bool:
        """A bar that is no successor of the newest: whether anything is different now."""
        known = self._bars.get(bar.open_ns)
        if known == bar:
            self.repeats += 1
            return False
        if bar.open_ns < self._opens[0] and len(self) >= self._kept:
            return False
        self._bars[bar.open_ns] = bar
        if known is not None:
            self.replaced += 1
            return True
        insort(self._opens, bar.open_ns)
        return True

    def _find_tail(self) -> None:
        start = max(0, len(self._opens) - 1)
        while start > 0 and self._opens[start] - self._opens[start - 1] <= self._reach_ns:
            start -= 1
        self._tail_start = start

    def _forget(self) -> None:
        """Drop what is older than the newest `kept`."""
        excess = len(self._opens) - self._kept
        if excess <= 0:
            return
        for open_ns in self._opens[:excess]:
            del self._bars[open_ns]
        del self._opens[:excess]
        self._tail_start = max(0, self._tail_start - excess)

    def __contains__(self, open_ns: Ns) -> bool:
        index = bisect_left(self._opens, open_ns)
        return index < len(self._opens) and self._opens[index] == open_ns
