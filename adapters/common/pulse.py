"""Is a connection alive? Its own pings, the silence after them, and why it was lost.

Half-open connections show only by our own pings: one a second, and silence for longer than
`SILENCE_NS` is a loss.
"""

import asyncio
from collections.abc import Awaitable, Callable

from engine.values.events import Alive, Connected, Disconnected, Stream
from engine.values.ports import Clock
from engine.values.units import NS_PER_S, Ns

PING_EVERY_S = 1.0
LOOK_EVERY_S = 0.2
SILENCE_NS = 5 * NS_PER_S // 2


class LinkLost(Exception):
    """The connection is gone; its text says why. Ends the tasks that lived on it."""


class Pulse:
    """`heard_ns` is set by whoever reads the connection, at every frame."""

    def __init__(self, venue: str, stream: Stream, clock: Clock) -> None:
        self.heard_ns = clock.now_ns()
        self.lost = asyncio.Event()
        self.reason = ""
        self._venue = venue
        self._stream = stream
        self._clock = clock

    async def watch(self, ping: Callable[[], Awaitable[None]]) -> None:
        """Ping and listen until the connection is lost; then raises LinkLost."""
        loop = asyncio.get_running_loop()
        ping_s = loop.time()
        while not self.lost.is_set():
            if self._clock.now_ns() - self.heard_ns > SILENCE_NS:
                self.fail("no pong")
                break
            if loop.time() >= ping_s:
                ping_s = loop.time() + PING_EVERY_S
                await ping()
            try:
                await asyncio.wait_for(self.lost.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue
        raise LinkLost(self.reason)

    def fail(self, reason: str) -> None:
        """Count this connection as lost; the first reason stays."""
        self.reason = self.reason or reason
        self.lost.set()

    def connected(self) -> Connected:
        return Connected(venue=self._venue, stream=self._stream, at_ns=self._clock.now_ns())

    def alive(self, at_ns: Ns) -> Alive:
        return Alive(venue=self._venue, stream=self._stream, at_ns=at_ns)

    def disconnected(self) -> Disconnected:
        return Disconnected(
            venue=self._venue,
            stream=self._stream,
            at_ns=self._clock.now_ns(),
            reason=self.reason,
        )
