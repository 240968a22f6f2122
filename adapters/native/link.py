"""One websocket over picows: frames go to a tap with the moment at which they came."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from adapters.common.pulse import LinkLost, Pulse
from engine.values.ports import Clock
from engine.values.units import Ns

CONNECT_S = 5.0
FRAME_BYTES_MAX = 8_000_000
PING = b"ballast"
_TEXT, _CONTINUATION = WSMsgType.TEXT, WSMsgType.CONTINUATION
_PONG, _CLOSE = WSMsgType.PONG, WSMsgType.CLOSE
_MUTE = logging.Logger("mute", logging.CRITICAL + 1)
"""picows prints urls and frames; ours are told as facts, and without secrets."""

_CORK: int | None = getattr(socket, "TCP_CORK", None)
"""Linux only; elsewhere each frame is a write of its own."""

Tap: TypeAlias = Callable[[bytes, Ns], None]


def ignore(frame: bytes, at_ns: Ns) -> None:
    """The tap of a connection that nobody listens to."""


class Link(WSListener):
    """Opened by `open`, watched by `watch` until LinkLost. The venue's pings answer themselves.

    `on_pong` hears each answer to a ping of ours. What our own code raises inside a tap is raised
    again by `watch`: it is no fault of the line.
    """

    def __init__(self, url: str, pulse: Pulse, clock: Clock) -> None:
        self.pulse = pulse
        self.tap: Tap = ignore
        self.on_pong: Callable[[Ns], None] | None = None
        self._url = url
        self._now_ns = clock.now_ns
        self._transport: WSTransport | None = None
        self._socket: socket.socket | None = None
        self._parts = bytearray()

    async def open(self) -> None:
        """Connect. Raises LinkLost where that cannot be done."""
        try:
            async with asyncio.timeout(CONNECT_S):
                self._transport, _ = await ws_connect(
                    lambda: self,
                    self._url,
                    websocket_handshake_timeout=CONNECT_S,
                    logger_name=_MUTE,
                    max_frame_size=FRAME_BYTES_MAX,
                    max_redirects=0,
                )
        except (TimeoutError, OSError, WSError) as error:
            self.pulse.fail(f"could not connect: {type(error).__name__}")
        if self.pulse.lost.is_set():
            raise LinkLost(self.pulse.reason)
        assert self._transport is not None
        self._socket = self._transport.underlying_transport.get_extra_info("socket")
        self.pulse.heard_ns = self._now_ns()

    @property
    def is_open(self) -> bool:
        transport = self._transport
        return transport is not None and not (transport.is_disconnected or self.pulse.lost.is_set())

    def send(self, payload: bytes) -> None:
        """Only while `is_open`. The kernel has the bytes when this returns, if it takes them."""
        assert self._transport is not None
        self._transport.send(_TEXT, payload)

    def cork(self) -> None:
        """What is sent from here on waits for `uncork`, and leaves as one segment where it fits."""
        self._set_cork(1)

    def uncork(self) -> None:
        self._set_cork(0)

    async def watch(self) -> None:
        try:
            await self.pulse.watch(self._ping)
        except LinkLost:
            await self._raise_own_fault()
            raise

    async def close(self) -> None:
        """End it without a farewell. Never hangs."""
        self.pulse.fail("stopped")
        self.tap, self.on_pong = ignore, None
        if self._transport is not None:
            self._transport.disconnect(False)
            await asyncio.sleep(0)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        now_ns = self._now_ns()
        self.pulse.heard_ns = now_ns
        kind = frame.msg_type
        if kind == _TEXT and frame.fin:
            self.tap(frame.get_payload_as_bytes(), now_ns)
        elif kind == _PONG:
            if self.on_pong is not None:
                self.on_pong(now_ns)
        elif kind == _CLOSE:
            self.pulse.fail(f"closed by the venue, code {frame.get_close_code():d}")
            transport.disconnect(False)
        else:
            self._collect(frame, kind == _CONTINUATION, now_ns)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.pulse.fail("connection lost")

    def _set_cork(self, value: int) -> None:
        if self._socket is not None and _CORK is not None and self.is_open:
            self._socket.setsockopt(socket.IPPROTO_TCP, _CORK, value)

    async def _ping(self) -> None:
        assert self._transport is not None
        self._transport.send_ping(PING)

    def _collect(self, frame: WSFrame, is_more: bool, now_ns: Ns) -> None:
        """Binary messages, and those in several frames, which venues seldom send."""
        if not is_more:
            self._parts.clear()
        self._parts += frame.get_payload_as_memoryview()
        if len(self._parts) > FRAME_BYTES_MAX:
            self.pulse.fail("a message without end")
        elif frame.fin:
            self.tap(bytes(self._parts), now_ns)
            self._parts.clear()

    async def _raise_own_fault(self) -> None:
        """picows ends the connection on what a tap raises, and keeps it for whoever asks."""
        if self._transport is not None and self._transport.is_disconnected:
            with suppress(WSError):
                await self._transport.wait_disconnected()
