"""Serves a recording in real or accelerated time, from the moment when somebody listens."""

import asyncio
from collections.abc import Callable

from adapters.loopback.delivery import Delivery
from adapters.loopback.recorded import RecordedMarket, Recording
from adapters.loopback.streams import Hub
from engine.values.units import NS_PER_S, Ns

_FIRST_LINES = 10
_SNAPSHOT_WAIT_S = 5.0
_BREATHE_EVERY = 200


class Replay:
    """Drops nothing: with a client that is slower than the recording, the recording waits."""

    def __init__(self, market: RecordedMarket, recording: Recording, symbol: str) -> None:
        self._market = market
        self._recording = recording
        self._symbol = symbol
        self.done = asyncio.Event()
        self.lines = 0

    async def run(
        self, hub: Hub, delivery: Delivery, depth_asked: asyncio.Event, clock: Callable[[], Ns]
    ) -> None:
        """Ends with the capture; the streams are silent after that."""
        await hub.depth_heard(self._symbol).wait()
        pace = _Pace(self._recording.speed, clock)
        for at_ns, frame in self._recording.lines():
            self.lines += 1
            await pace.wait(at_ns)
            shown = self._market.apply(frame, clock())
            wires = []
            if shown is not None:
                wires = delivery.broadcast(self._symbol, shown.stream, shown.payload)
            delivery.deliver()
            for wire in wires:
                await wire.room()
            if self.lines == _FIRST_LINES and self._recording.speed != 1.0:
                await _asked(depth_asked)
                pace = _Pace(self._recording.speed, clock)
            if self.lines % _BREATHE_EVERY == 0:
                await asyncio.sleep(0)
        self.done.set()


class _Pace:
    """Sleeps until a line is due; speed 0 never waits."""

    def __init__(self, speed: float, clock: Callable[[], Ns]) -> None:
        self._speed = speed
        self._clock = clock
        self._start_ns: Ns = 0
        self._first_ns: Ns = 0

    async def wait(self, at_ns: Ns) -> None:
        if not self._speed:
            return
        if not self._start_ns:
            self._start_ns, self._first_ns = self._clock(), at_ns
        due_ns = self._start_ns + int((at_ns - self._first_ns) / self._speed)
        ahead_ns = due_ns - self._clock()
        if ahead_ns > NS_PER_S // 1000:
            await asyncio.sleep(ahead_ns / NS_PER_S)


async def _asked(depth_asked: asyncio.Event) -> None:
    """A fast recording lets its client fetch a snapshot first, if it wants one."""
    try:
        await asyncio.wait_for(depth_asked.wait(), _SNAPSHOT_WAIT_S)
    except TimeoutError:
        return
