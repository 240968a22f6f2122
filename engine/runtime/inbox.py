"""The one inbox: facts wait here in order; market facts may be merged under load, ours never.

A merged book fact moves forward to its predecessor's place, but never past a fact about its own
market that is not about the public book, nor past one about a wire, a clock or all markets.
"""

import asyncio
from collections import deque

import msgspec

from engine.values.events import BookDelta, Event, TopOfBook, Trade

MERGE_ABOVE = 64
"""Facts waiting before market facts of one market are merged."""
MERGED_LEVELS_MAX = 4_096
WAITING_MAX = 100_000
"""More than this waiting means that the engine is not consuming: an alarm, not a queue."""


class InboxFull(Exception):
    """The bound was reached: the runtime stops rather than trade on a past it cannot catch up."""


class _Waiting:
    """A book fact that a newer one of its market may still be folded into."""

    __slots__ = ("fact",)

    def __init__(self, fact: BookDelta | TopOfBook) -> None:
        self.fact = fact


class Inbox:
    """Unblocking for producers, awaited by the single consumer."""

    def __init__(self) -> None:
        self._facts: deque[Event | _Waiting] = deque()
        self._open: dict[tuple[type, str], _Waiting] = {}
        self._waiter: asyncio.Future[None] | None = None
        self.accepted = 0
        self.merged = 0
        self.deepest = 0

    def __len__(self) -> int:
        return len(self._facts)

    def put(self, event: Event) -> None:
        self.accepted += 1
        fact: Event | _Waiting = event
        if len(self._facts) >= MERGE_ABOVE and isinstance(event, BookDelta | TopOfBook):
            if self._merge(event):
                return
            fact = self._open[type(event), event.market] = _Waiting(event)
        elif self._open and not isinstance(event, Trade):
            self._close(event)
        if len(self._facts) >= WAITING_MAX:
            raise InboxFull(f"{WAITING_MAX} facts are waiting")
        self._facts.append(fact)
        self.deepest = max(self.deepest, len(self._facts))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Return as soon as there is something to take. One caller only."""
        if self._facts:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter
        self._waiter = None

    def take(self) -> Event:
        fact = self._facts.popleft()
        if not isinstance(fact, _Waiting):
            return fact
        key = type(fact.fact), fact.fact.market
        if self._open.get(key) is fact:
            del self._open[key]
        return fact.fact

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
