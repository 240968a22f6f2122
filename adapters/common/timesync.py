"""Measures the venue's clock against ours: the offset of the quickest of the last few answers."""

import asyncio
from collections import deque
from typing import Protocol

from engine.values.errors import Transient, Unknown, VenueError
from engine.values.events import ClockOffset
from engine.values.ports import Clock, Inbox
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

EVERY_S = 30.0
SAMPLES = 8
"""Old samples must go in the end, or a drift would never show."""
_HALF_STEP_NS = NS_PER_MS // 2
"""Venues cut their time to whole milliseconds: on average it is half of one later."""


class Session(Protocol):
    """Whoever signs requests: asks the venue for the time and keeps what it is ahead of us."""

    offset_ns: Ns

    @property
    def venue(self) -> str: ...

    @property
    def clock(self) -> Clock: ...

    async def tell_time(self) -> int:
        """The venue's clock in ms. Raises VenueError."""
        ...


class TimeSync:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._samples: deque[tuple[Ns, Ns]] = deque(maxlen=SAMPLES)

    async def run(self, inbox: Inbox) -> None:
        """A ClockOffset fact every half minute; a venue that does not answer is tried again."""
        while True:
            try:
                inbox.put(await self.measure())
            except VenueError as error:
                await asyncio.sleep(min(EVERY_S, error.retry_after_ns / NS_PER_S))
            await asyncio.sleep(EVERY_S if self._samples else 1.0)

    async def start(self) -> ClockOffset:
        """Several samples at once, for a first offset that is good. Raises VenueError."""
        for _ in range(SAMPLES // 2):
            offset = await self.measure()
        return offset

    async def measure(self) -> ClockOffset:
        """One more sample; sets the session's offset. Raises VenueError."""
        session = self._session
        asked_ns = session.clock.now_ns()
        venue_ms = await session.tell_time()
        at_ns = session.clock.now_ns()
        middle_ns = (asked_ns + at_ns) // 2
        offset_ns = venue_ms * NS_PER_MS + _HALF_STEP_NS - middle_ns
        self._samples.append((at_ns - asked_ns, offset_ns))
        round_trip_ns, session.offset_ns = min(self._samples)
        return ClockOffset(
            venue=session.venue,
            at_ns=at_ns,
            offset_ns=session.offset_ns,
            round_trip_ns=round_trip_ns,
        )

    async def resync(self) -> list[ClockOffset]:
        """After a refusal for a bad timestamp: forget the past and measure anew, once."""
        self._samples.clear()
        try:
            return [await self.start()]
        except (Transient, Unknown):
            return []
