# cython: language_level=3, annotation_typing=False
"""The second witness: the venue's own best bid and ask against the book that we built."""

import msgspec

from engine.values.events import TopOfBook
from engine.values.units import NS_PER_S, Lot, Ns, Tick


class SecondStreamParams(msgspec.Struct, frozen=True, kw_only=True):
    behind_ns_max: Ns = NS_PER_S
    """How long the book may lag behind an update id that the second stream has already shown."""


class SecondStream:
    """Compares at equal update ids, and tells a quiet book from one that stopped.

    `matched` of `compared` is what `status` shows. A bookTicker arrives before the depth frame that
    holds its update, so the newest few are kept until the book reaches their id.
    """

    WAITING_MAX = 256

    def __init__(self, params: SecondStreamParams) -> None:
        self._behind_ns_max = params.behind_ns_max
        self._waiting: dict[int, TopOfBook] = {}
        self._newest = 0
        self._behind_since_ns: Ns = 0
        self._wrong = ""
        self.compared = self.matched = 0

    def on_top(self, top: TopOfBook, book_sequence: int) -> None:
        if top.sequence > book_sequence:
            self._behind_since_ns = self._behind_since_ns or top.at_ns
        if len(self._waiting) >= self.WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[top.sequence] = top
        self._newest = max(self._newest, top.sequence)

    def on_book(
        self, sequence: int, bid: tuple[Tick, Lot], ask: tuple[Tick, Lot], at_ns: Ns
    ) -> str:
        """The book has reached `sequence`. Returns what contradicts it, "" for nothing.

        A contradiction stands until a later comparison agrees, or the book is begun anew.
        """
        self._behind_since_ns = at_ns if self._newest > sequence else 0
        if not self._waiting:
            return self._wrong
        top = self._waiting.get(sequence)
        self._waiting = {key: held for key, held in self._waiting.items() if key > sequence}
        if top is None:
            return self._wrong
        self.compared += 1
        theirs = (top.bid_tick, top.bid_lots), (top.ask_tick, top.ask_lots)
        self._wrong = ""
        if theirs == (bid, ask):
            self.matched += 1
        else:
            self._wrong = f"book {bid} {ask} but the venue says {theirs[0]} {theirs[1]}"
            self._wrong += f" at {sequence}"
        return self._wrong

    def begin_anew(self) -> None:
        """A snapshot replaced the book: what was wrong with the old one is gone with it."""
        self._wrong = ""

    def doubt(self, now_ns: Ns) -> str:
        """Why the book looks stopped while the second stream moves on; "" when it does not."""
        behind_ns = now_ns - self._behind_since_ns if self._behind_since_ns else 0
        if behind_ns > self._behind_ns_max:
            return f"best bid and ask moved on {behind_ns / NS_PER_S:.1f} s ago, the book did not"
        return ""

    def reset(self) -> None:
        self._waiting.clear()
        self._newest = 0
        self._behind_since_ns = 0
        self.begin_anew()
