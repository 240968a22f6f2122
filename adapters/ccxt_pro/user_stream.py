"""Binance's user data stream over ccxt's own authenticated connection, taken as raw frames."""

import asyncio
from collections.abc import Callable
from typing import Any

from adapters.ccxt_pro.link import Link
from adapters.ccxt_pro.session import Session
from adapters.common.backoff import Backoff
from adapters.common.client_ids import ClientIds
from adapters.common.private_frames import PrivateFrames, UserCodec
from adapters.common.pulse import LinkLost
from engine.values.errors import VenueError
from engine.values.events import Stream
from engine.values.instrument import Instrument
from engine.values.ports import Inbox
from engine.values.units import Ns

LOGON_S_MAX = 5.0


class UserStream:
    """`codec_for` makes the codec once the instruments are known."""

    def __init__(
        self,
        session: Session,
        client_ids: ClientIds,
        codec_for: Callable[[list[Instrument]], UserCodec],
    ) -> None:
        self._session = session
        self._client_ids = client_ids
        self._codec_for = codec_for

    async def run(self, inbox: Inbox) -> None:
        backoff = Backoff(self._session.clock, self._session.limits.connects)
        await backoff.repeat(lambda: self._live(inbox))

    async def _live(self, inbox: Inbox) -> None:
        """One connection, from opening it to its loss."""
        session, exchange = self._session, self._session.exchange
        url = exchange.urls["api"]["ws"]["ws-api"]["spot"]
        link = Link(exchange.client(url), session.options.name, Stream.PRIVATE, session.clock)
        codec = self._codec_for(list(session.instruments.values()))
        frames = _Frames(link, PrivateFrames(codec, self._client_ids, inbox, link.fail))
        try:
            link.listen(inbox, frames.take)
            await link.open(exchange.session)
            frames.is_open = True
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(link.watch(), name="private link")
                tasks.create_task(self._log_on(link, frames, inbox), name="private logon")
        except* LinkLost:
            pass
        finally:
            link.fail("stopped")
            inbox.put(link.pulse.disconnected())
            await link.close(exchange)

    async def _log_on(self, link: Link, frames: "_Frames", inbox: Inbox) -> None:
        session = self._session
        try:
            async with asyncio.timeout(LOGON_S_MAX):
                await session.exchange.authenticate({"type": "spot"})
        except (*session.caught, TimeoutError, VenueError) as error:
            # The text of the error may hold the signed request: only its kind is told.
            link.fail(f"logon refused: {type(error).__name__}")
            return
        frames.is_logged_on = True
        inbox.put(link.pulse.connected())


class _Frames:
    """Until logged on, ccxt sees the frames too, to find the answer to its request."""

    def __init__(self, link: Link, frames: PrivateFrames) -> None:
        self.is_open = False
        self.is_logged_on = False
        self._link = link
        self._frames = frames

    def take(self, message: Any, at_ns: Ns) -> None:
        if not self.is_open:
            return
        frame = message.data.encode() if isinstance(message.data, str) else message.data
        if not self.is_logged_on and b'"id"' in frame[:200]:
            self._answer(message)
            return
        self._frames.take(frame, at_ns)

    def _answer(self, message: Any) -> None:
        try:
            self._link.parse(message)
        except (LookupError, TypeError, ValueError) as error:
            self._link.fail(f"unreadable answer to the logon: {type(error).__name__}")
