"""One websocket of the server: a bounded queue out, a reader, pings, and a gate for silence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import WSMsgType, web

from adapters.loopback.config import Limits
from adapters.loopback.shaping import Frame
from adapters.loopback.streams import MessageRule
from engine.values.units import NS_PER_S, Ns

_QUEUE_MAX = 100_000
_SMALL_ENOUGH = 1_000
_POLICY_VIOLATION = 1008


class Wire:
    """Bytes of one connection. A client too slow for the queue is cut off, as by the venue."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, limits: Limits) -> None:
        self._socket = socket
        self._request = request
        self._limits = limits
        self._out: asyncio.Queue[Frame] = asyncio.Queue(_QUEUE_MAX)
        self._rule = MessageRule(limits.messages_per_s)
        self._pong_ns: Ns = 0
        self._is_over = False
        self._has_room = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def push(self, frame: Frame) -> None:
        try:
            self._out.put_nowait(frame)
        except asyncio.QueueFull:
            self.cut()

    async def room(self) -> None:
        """Wait until the client has taken most of what is queued: a fast replay drops nothing."""
        if self._out.qsize() > _SMALL_ENOUGH and not self._is_over:
            self._has_room.clear()
            await self._has_room.wait()

    def cut(self) -> None:
        """End the connection without a goodbye."""
        transport = self._request.transport
        if transport is not None:
            transport.abort()

    def finish(self) -> None:
        """Nobody is there any more: whoever waits for room goes on."""
        self._is_over = True
        self._has_room.set()

    def freeze(self) -> None:
        """Read and write nothing more; the connection itself stays."""
        self.gate.clear()
        if self._request.transport is not None:
            self._request.transport.pause_reading()

    def thaw(self) -> None:
        self.gate.set()
        if self._request.transport is not None:
            self._request.transport.resume_reading()

    async def send_queued(self) -> None:
        with suppress(ConnectionError, RuntimeError):
            while not self._is_over:
                frame = await self._out.get()
                if self._out.empty():
                    self._has_room.set()
                await self.gate.wait()
                kind = WSMsgType.BINARY if frame.is_binary else WSMsgType.TEXT
                await self._socket.send_frame(frame.payload, kind)

    async def send_pings(self) -> None:
        """The venue's own pings; a client that does not answer in time is cut off."""
        every_s = self._limits.ping_every_s
        silent_s = 0.0
        with suppress(ConnectionError, RuntimeError):
            while silent_s < self._limits.pong_within_s:
                pongs = self._pong_ns
                await asyncio.sleep(every_s)
                await self.gate.wait()
                await self._socket.ping(b"ballast")
                silent_s = silent_s + every_s if self._pong_ns == pongs else 0.0
        self.cut()

    async def messages(self, *, counts_texts: bool) -> AsyncIterator[bytes]:
        """Texts of the client. Pings are answered here; too many messages end the connection."""
        loop = asyncio.get_running_loop()
        async for message in self._socket:
            await self.gate.wait()
            is_text = message.type in (WSMsgType.TEXT, WSMsgType.BINARY)
            now_ns = int(loop.time() * NS_PER_S)
            if message.type is WSMsgType.PONG:
                self._pong_ns = now_ns
            is_counted = counts_texts or not is_text
            if is_counted and not self._rule.allows(now_ns):
                await self._socket.close(code=_POLICY_VIOLATION, message=b"Too many requests")
                return
            if message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif is_text:
                data = message.data
                yield data.encode() if isinstance(data, str) else data
