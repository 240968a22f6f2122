"""The WS-API over time: connect, log on, subscribe to our own events; the next before the last.

The session's orders go over the connection that stands ready. While one follows another both carry
our events; whoever hears a fill twice knows it by its number.
"""

import asyncio

from adapters.codec.binance_user import BinanceUserCodec
from adapters.common.backoff import Backoff
from adapters.common.client_ids import ClientIds
from adapters.common.private_frames import PrivateFrames
from adapters.common.pulse import LinkLost, Pulse
from adapters.native.api_socket import ApiSocket
from adapters.native.lane import Lane
from adapters.native.link import Link
from adapters.native.session import Session
from engine.values.errors import VenueError
from engine.values.events import Stream
from engine.values.ports import Inbox

LOGON_S_MAX = 5.0
LAST_ANSWERS_LOOK_S = 0.02


class Sockets:
    def __init__(self, session: Session, client_ids: ClientIds) -> None:
        self._session = session
        self._client_ids = client_ids
        self._backoff = Backoff(session.clock, session.limits.connects)

    async def run(self, inbox: Inbox) -> None:
        """Stream our own facts until cancelled."""
        await self._backoff.repeat(lambda: self._live(inbox))

    async def _live(self, inbox: Inbox) -> None:
        """From one connection to the loss of sight, over as many as hand over to each other."""
        socket = self._made(inbox)
        try:
            await self._start(socket)
            self._session.socket = socket
            inbox.put(socket.lane.link.pulse.connected())
            while True:
                await socket.lane.until_due()
                successor = await socket.lane.followed_by(lambda: self._successor(inbox))
                self._session.socket, old, socket = successor, socket, successor
                await self._leave(old)
        except LinkLost:
            pass
        finally:
            self._session.socket = None
            socket.lane.link.pulse.fail("stopped")
            socket.lose()
            inbox.put(socket.lane.link.pulse.disconnected())
            await socket.lane.close()

    def _made(self, inbox: Inbox) -> ApiSocket:
        session, options = self._session, self._session.options
        pulse = Pulse(options.name, Stream.PRIVATE, session.clock)
        link = Link(options.url("ws.ws-api.spot"), pulse, session.clock)
        link.on_pong = lambda at_ns: inbox.put(pulse.alive(at_ns))
        lane = Lane(link, options.connection_life_s)
        socket = ApiSocket(lane, session.limits, options.request_timeout_ms / 1000)
        codec = BinanceUserCodec(list(session.instruments.values()))
        socket.on_event = PrivateFrames(codec, self._client_ids, inbox, pulse.fail).take
        return socket

    async def _successor(self, inbox: Inbox) -> ApiSocket:
        await self._backoff.ready()
        socket = self._made(inbox)
        try:
            await self._start(socket)
        finally:
            if not socket.is_ready:
                await socket.lane.close()
        return socket

    async def _start(self, socket: ApiSocket) -> None:
        """Until it stands ready. Raises LinkLost."""
        await socket.lane.open()
        session, link = self._session, socket.lane.link
        assert session.signer is not None
        try:
            async with asyncio.timeout(LOGON_S_MAX):
                if session.signer.can_log_on:
                    await session.ask_bare(socket, "session.logon", session.log_on())
                    socket.is_logged_on = True
                    await session.ask_bare(socket, "userDataStream.subscribe", {})
                else:
                    own = session.log_on()
                    await session.ask_bare(socket, "userDataStream.subscribe.signature", own)
        except TimeoutError:
            link.pulse.fail("logon not answered")
        except VenueError as error:
            link.pulse.fail(f"logon refused: {error.code}")
        if link.pulse.lost.is_set():
            raise LinkLost(link.pulse.reason)
        socket.is_ready = True

    async def _leave(self, old: ApiSocket) -> None:
        """Let go of a connection once it has answered what it was asked, or has had its time."""
        limit_s = self._session.options.request_timeout_ms / 1000
        while not old.is_idle and limit_s > 0 and old.lane.link.is_open:
            await asyncio.sleep(LAST_ANSWERS_LOOK_S)
            limit_s -= LAST_ANSWERS_LOOK_S
        await old.lane.close()
        old.lose()
