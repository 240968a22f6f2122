"""What one stream of bars has told, and what it lacks: history at first, later what was missed.

A pure structure: the caller brings bars, pages and the time. While a lane is in doubt it holds what
the stream brings, and lets it go once a page of history has closed the gap before it.
"""

from engine.values.facts import Bar
from engine.values.units import NS_PER_S, Ns

PENDING_MAX = 100
TRIES_MAX = 3
"""A venue that still does not tell a bar after so many pages has none: there are such holes."""
RETRY_NS, RETRY_NS_MAX = NS_PER_S, 60 * NS_PER_S
MARGIN_ROWS = 2


class BarLane:
    """`newest_ns` is the opening of the newest closed bar that was told, 0 before the first."""

    def __init__(self, span_ns: Ns, history: int) -> None:
        self.span_ns = span_ns
        self.history = history
        self.newest_ns: Ns = 0
        self.is_doubtful = True
        self._last: Bar | None = None
        self._pending: dict[Ns, Bar] = {}
        self._due_ns: Ns = 0
        self._failures = 0
        self._tries = 0

    def __repr__(self) -> str:
        doubt = "in doubt" if self.is_doubtful else "sound"
        return f"<bars of {self.span_ns / NS_PER_S:g} s to {self.newest_ns}, {doubt}>"

    # --- the stream -----------------------------------------------------------------------------

    def closed(self, bar: Bar) -> list[Bar]:
        """A bar that the stream says has closed: what may be told of it by now."""
        if not self.is_doubtful and self._is_told_or_next(bar):
            is_repeat = bar == self._last
            self._told([bar])
            return [] if is_repeat else [bar]
        self._hold(bar)
        if not self.is_doubtful:
            self.doubt()
        return []

    def is_next(self, bar: Bar) -> bool:
        """Whether a forming bar follows the newest that closed; a later one shows a gap."""
        if self.is_doubtful or bar.open_ns <= self.newest_ns:
            return False
        if not self._is_told_or_next(bar):
            self.doubt()
            return False
        return True

    def doubt(self) -> None:
        """Bars may have been missed: a page is wanted at once."""
        self.is_doubtful = True
        self._due_ns = 0
        self._tries = 0

    # --- pages ----------------------------------------------------------------------------------

    def wants_page(self, now_ns: Ns) -> bool:
        return self.is_doubtful and now_ns >= self._due_ns

    def rows_missing(self, now_ns: Ns) -> int:
        """So many rows should reach back to what is known; never more than a whole history."""
        most = self.history + 1
        if not self.newest_ns:
            return most
        passed = (now_ns - self.newest_ns) // self.span_ns
        return max(MARGIN_ROWS, min(most, passed + MARGIN_ROWS))

    def is_met_by(self, oldest: Bar) -> bool:
        """Whether a page that begins so leaves nothing out."""
        return bool(self.newest_ns) and self._is_told_or_next(oldest)

    def failed(self, now_ns: Ns, retry_after_ns: Ns) -> None:
        """No page could be had: ask later, each time later."""
        wait_ns = min(RETRY_NS << min(self._failures, 16), RETRY_NS_MAX)
        self._due_ns = now_ns + max(wait_ns, retry_after_ns)
        self._failures += 1

    def join(self, bars: list[Bar]) -> list[Bar]:
        """All bars of the pages, oldest first: those that closed and were not told yet.

        The newest may still be forming, whatever our clock says: it does not count as closed, but
        what the venue leaves out before it does not exist.
        """
        self._failures = 0
        fresh = [bar for bar in bars[:-1] if bar.open_ns > self.newest_ns][-self.history :]
        self._told(fresh)
        if bars:
            self.newest_ns = max(self.newest_ns, bars[-1].open_ns - self.span_ns)
        return fresh

    def settle(self, now_ns: Ns) -> list[Bar]:
        """After `join`: what the stream brought meanwhile and follows on; the rest waits.

        The doubt ends where nothing has to wait, or where the venue has been asked enough.
        """
        told: list[Bar] = []
        for open_ns in sorted(self._pending):
            bar = self._pending[open_ns]
            if not self._is_told_or_next(bar) and self._tries < TRIES_MAX:
                break
            del self._pending[open_ns]
            if open_ns > self.newest_ns:
                self._told([bar])
                told.append(bar)
        self.is_doubtful = bool(self._pending)
        if self.is_doubtful:
            self._due_ns = now_ns + (RETRY_NS << self._tries)
            self._tries += 1
        return told

    def _told(self, bars: list[Bar]) -> None:
        for bar in bars[-1:]:
            if bar.open_ns >= self.newest_ns:
                self.newest_ns, self._last = bar.open_ns, bar

    def _is_told_or_next(self, bar: Bar) -> bool:
        return not self.newest_ns or bar.open_ns <= self.newest_ns + self.span_ns

    def _hold(self, bar: Bar) -> None:
        """What falls out of a full store is missed later, and asked for."""
        self._pending[bar.open_ns] = bar
        if len(self._pending) > PENDING_MAX:
            del self._pending[min(self._pending)]
