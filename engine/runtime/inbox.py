"""The one inbox: facts wait here in order; market facts may be merged under load, ours never.

What the venue says of our orders goes before what waits of the public market: the two come over
wires of their own and never had an order between them. A book fact is folded into the one of its
market that waits, unless a fact stands between them that is about that book, a wire, a clock or all
markets: whoever is late decides on the newest book, and nothing waits that is known to be old.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from engine.values.events import (
    AllCanceled,
    Balances,
    BookDelta,
    CancelFailed,
    Event,
    Fill,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderSent,
    QueryFailed,
    TopOfBook,
    Trade,
    VenueState,
)

MERGED_LEVELS_MAX = 4_096
WAITING_MAX = 100_000
"""More than this waiting means that the engine is not consuming: an alarm, not a queue."""


OURS = frozenset(
    (
        OrderSent,
        OrderReport,
        OrderFailed,
        CancelFailed,
        OrderAbsent,
        QueryFailed,
        Fill,
        AllCanceled,
        Balances,
        VenueState,
    )
)
"""Never behind the market, never merged, never dropped (law 10)."""


def nobody() -> None:
    """Whoever takes is not there yet: what is put waits."""


class InboxFull(Exception):
    """The bound was reached: the runtime stops rather than trade on a past it cannot catch up."""


class _Waiting:
    """A book fact that a newer one of its market may still be folded into."""

    __slots__ = ("fact",)

    def __init__(self, fact: BookDelta | TopOfBook) -> None:
        self.fact = fact


class Inbox:
    """Unblocking for producers. `on_put` is called after each fact that was put."""

    def __init__(self) -> None:
        self._ours: deque[Event] = deque()
        self._facts: deque[Event | _Waiting] = deque()
        self._open: dict[tuple[type, str], _Waiting] = {}
        self.on_put: Callable[[], None] = nobody
        self.accepted = 0
        self.merged = 0
        self.deepest = 0

    def __len__(self) -> int:
        return len(self._ours) + len(self._facts)

    def put(self, event: Event) -> None:
        depth = len(self._ours) + len(self._facts)
        if depth >= WAITING_MAX:
            raise InboxFull(f"{WAITING_MAX} facts are waiting")
        self.accepted += 1
        if type(event) in OURS:
            self._ours.append(event)
        elif not self._queue(event):
            return
        if depth >= self.deepest:
            self.deepest = depth + 1
        self.on_put()

    def take(self) -> Event:
        if self._ours:
            return self._ours.popleft()
        fact = self._facts.popleft()
        if not isinstance(fact, _Waiting):
            return fact
        key = type(fact.fact), fact.fact.market
        if self._open.get(key) is fact:
            del self._open[key]
        return fact.fact

    def _queue(self, event: Event) -> bool:
        """Put a fact behind the others; False where it was folded into one of them."""
        fact: Event | _Waiting = event
        if isinstance(event, BookDelta | TopOfBook):
            if self._merge(event):
                return False
            fact = self._open[type(event), event.market] = _Waiting(event)
        elif self._open and not isinstance(event, Trade):
            self._close(event)
        self._facts.append(fact)
        return True

    def _merge(self, event: BookDelta | TopOfBook) -> bool:
        """Fold a book fact into the waiting one of its kind and market, wherever that waits."""
        waiting = self._open.get((type(event), event.market))
        merged = _merged(waiting.fact, event) if waiting is not None else None
        if waiting is None or merged is None:
            return False
        waiting.fact = merged
        self.merged += 1
        return True

    def _close(self, event: Event) -> None:
        """Nothing moves past this fact: what waits for its market is complete as it is."""
        market = getattr(event, "market", "")
        if not market:
            self._open.clear()
            return
        for kind in (BookDelta, TopOfBook):
            self._open.pop((kind, market), None)


def _merged(old: Event, new: BookDelta | TopOfBook) -> BookDelta | TopOfBook | None:
    """`new` with all of `old` that it does not overwrite; None where it would grow too big."""
    if isinstance(new, TopOfBook) or not isinstance(old, BookDelta):
        return new
    if len(old.bids) + len(old.asks) > MERGED_LEVELS_MAX:
        return None
    return msgspec.structs.replace(new, bids=old.bids + new.bids, asks=old.asks + new.asks)
