"""The one inbox: facts wait here in order; market facts may be merged under load, ours never."""

import asyncio
from collections import deque

import msgspec

from engine.values.events import BookDelta, Event, TopOfBook, Trade

MERGE_ABOVE = 64
"""Facts waiting before market facts of one market are merged."""
MERGE_REACH = 8
"""How far back from the newest fact a partner is looked for."""
MERGED_LEVELS_MAX = 4_096
WAITING_MAX = 100_000
"""More than this waiting means that the engine is not consuming: an alarm, not a queue."""


class InboxFull(Exception):
    """The bound was reached: the runtime stops rather than trade on a past it cannot catch up."""


class Inbox:
    """Unblocking for producers, awaited by the single consumer."""

    def __init__(self) -> None:
        self._facts: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self.accepted = 0
        self.merged = 0
        self.deepest = 0

    def __len__(self) -> int:
        return len(self._facts)

    def put(self, event: Event) -> None:
        self.accepted += 1
        if len(self._facts) >= MERGE_ABOVE and self._merge(event):
            return
        if len(self._facts) >= WAITING_MAX:
            raise InboxFull(f"{WAITING_MAX} facts are waiting")
        self._facts.append(event)
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
        return self._facts.popleft()

    def _merge(self, event: Event) -> bool:
        """Fold a book fact into the last waiting one of its kind, past other book facts only."""
        if not isinstance(event, BookDelta | TopOfBook):
            return False
        for back in range(1, MERGE_REACH + 1):
            waiting = self._facts[-back]
            if type(waiting) is type(event) and waiting.market == event.market:
                merged = _merged(waiting, event)
                if merged is not None:
                    self._facts[-back] = merged
                    self.merged += 1
                return merged is not None
            if not isinstance(waiting, BookDelta | TopOfBook | Trade):
                return False
        return False


def _merged(old: Event, new: BookDelta | TopOfBook) -> BookDelta | TopOfBook | None:
    """`new` with all of `old` that it does not overwrite; None where it would grow too big."""
    if isinstance(new, TopOfBook) or not isinstance(old, BookDelta):
        return new
    if len(old.bids) + len(old.asks) > MERGED_LEVELS_MAX:
        return None
    return msgspec.structs.replace(new, bids=old.bids + new.bids, asks=old.asks + new.asks)
