"""One websocket client of ccxt's, tapped before ccxt parses anything, and watched for its life.

ccxt opens the connection and reads the socket; each frame comes here first.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import aiohttp

from adapters.common.pulse import PING_EVERY_S, LinkLost, Pulse
from engine.values.events import Stream
from engine.values.ports import Clock, Inbox
from engine.values.units import Ns

CLOSE_S = 0.2

Tap: TypeAlias = Callable[[Any, Ns], None]
"""Takes aiohttp's message and its moment; must not raise for what a venue sends."""


class Link:
    """One connection: opened by `open`, or by ccxt itself; then `watch` until LinkLost."""

    def __init__(self, client: Any, venue: str, stream: Stream, clock: Clock) -> None:
        self.client = client
        self.pulse = Pulse(venue, stream, clock)
        self._clock = clock
        self._tap: Tap | None = None
        self._inbox: Inbox | None = None
        self._parse = client.handle_message
        self._on_error = client.on_error_callback
        self._on_close = client.on_close_callback
        client.handle_message = self._handle
        client.on_error_callback = self._error
        client.on_close_callback = self._close

    def listen(self, inbox: Inbox, tap: Tap) -> None:
        """From now on frames go to `tap` and pongs into the inbox."""
        self._inbox, self._tap = inbox, tap

    async def open(self, session: Any) -> None:
        """Connect. Raises LinkLost where that cannot be done."""
        await self.client.open(session)
        if not self.client.isConnected:
            self.fail("could not connect")
        if self.pulse.lost.is_set():
            raise LinkLost(self.pulse.reason)
        self.pulse.heard_ns = self._clock.now_ns()

    async def watch(self) -> None:
        """Ping and listen until the connection is lost; then raises LinkLost."""
        await self.pulse.watch(self._ping)

    def fail(self, reason: str) -> None:
        """Count this connection as lost; the first reason stays."""
        self.pulse.fail(reason)

    async def close(self, exchange: Any) -> None:
        """Take the client away from ccxt, so that the next one starts fresh. Never hangs."""
        self._tap = None
        if exchange.clients.get(self.client.url) is self.client:
            del exchange.clients[self.client.url]
        for waiting in self.client.futures.values():
            # Nobody may be left to hear of the refusal; asyncio would print it on the floor.
            waiting.add_done_callback(_heard)
        self.client.reset(ConnectionError(self.pulse.reason))
        try:
            await asyncio.wait_for(self.client.close(), CLOSE_S)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return

    def parse(self, message: Any) -> None:
        """Let ccxt parse a message after all."""
        self._parse(message)

    async def _ping(self) -> None:
        try:
            async with asyncio.timeout(PING_EVERY_S):
                await self.client.connection.ping()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            self.fail(f"could not ping: {type(error).__name__}")

    def _handle(self, message: Any) -> None:
        now_ns = self.pulse.heard_ns = self._clock.now_ns()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            if self._tap is not None:
                self._tap(message, now_ns)
            return
        if message.type is aiohttp.WSMsgType.PONG and self._inbox is not None:
            self._inbox.put(self.pulse.alive(now_ns))
        self._parse(message)

    def _error(self, client: Any, error: Exception) -> None:
        self.fail(f"connection error: {type(error).__name__}")
        self._on_error(client, error)

    def _close(self, client: Any, code: object) -> None:
        self.fail(f"closed by the venue, code {code}")
        self._on_close(client, code)


def _heard(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
