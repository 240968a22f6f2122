"""The public feed of verified grade: ccxt's connection, our codec on the raw frames (law 7)."""

import asyncio
from functools import partial
from typing import Any

import msgspec

from adapters.ccxt_pro.backoff import Backoff
from adapters.ccxt_pro.budget import Cost
from adapters.ccxt_pro.link import Link, LinkLost
from adapters.ccxt_pro.session import Session
from adapters.codec.binance import BinanceCodec
from engine.values.errors import VenueError
from engine.values.events import Event, Stream
from engine.values.instrument import Instrument
from engine.values.ports import Inbox
from engine.values.units import NS_PER_S, Ns

CHANNELS = ("depth@100ms", "trade", "bookTicker")
SUBSCRIBE_ID = 1
SUBSCRIBED_S_MAX = 5.0
LOOK_EVERY_S = 0.02
"""How soon after it is due a snapshot is asked for."""
SNAPSHOT_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))


class _Reply(msgspec.Struct, frozen=True):
    """The venue's answer to our SUBSCRIBE, among market messages that have no `id`."""

    id: int | str | None = None
    error: msgspec.Raw = msgspec.Raw()
    code: msgspec.Raw = msgspec.Raw()


class VerifiedFeed:
    """Binance spot. All markets share one connection, and so one life."""

    def __init__(self, session: Session, instruments: list[Instrument]) -> None:
        self._session = session
        self._instruments = {item.market: item for item in instruments}
        self._codec = BinanceCodec(instruments)
        self._is_subscribed = asyncio.Event()

    async def run(self, inbox: Inbox) -> None:
        backoff = Backoff(self._session.clock, self._session.connects)
        while True:
            await backoff.ready()
            await self._live(inbox)

    async def _live(self, inbox: Inbox) -> None:
        """One connection, from opening it to its loss."""
        session, exchange = self._session, self._session.exchange
        client = exchange.client(self._url())
        link = Link(client, session.options.name, Stream.PUBLIC, session.clock)
        self._is_subscribed.clear()
        try:
            link.listen(inbox, partial(self._take, link, inbox))
            await link.open(exchange.session)
            inbox.put(link.connected())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(link.watch(), name="public link")
                tasks.create_task(self._subscribe(link), name="subscribe")
                tasks.create_task(self._snapshots(inbox), name="snapshots")
        except* LinkLost:
            pass
        finally:
            link.fail("stopped")
            self._put(inbox, self._codec.disconnected(session.clock.now_ns()))
            inbox.put(link.disconnected())
            await link.close(exchange)

    def _take(self, link: Link, inbox: Inbox, message: Any, at_ns: Ns) -> None:
        frame = message.data
        raw = frame.encode() if isinstance(frame, str) else frame
        if not self._is_subscribed.is_set():
            self._hear_reply(link, raw)
        self._put(inbox, self._codec.decode(raw, at_ns))

    def _hear_reply(self, link: Link, raw: bytes) -> None:
        try:
            reply = msgspec.json.decode(raw, type=_Reply)
        except msgspec.DecodeError:
            return
        if reply.id != SUBSCRIBE_ID and not bytes(reply.code):
            return
        if bytes(reply.error) or bytes(reply.code):
            link.fail("subscription refused")
        self._is_subscribed.set()

    async def _subscribe(self, link: Link) -> None:
        """One message for everything; no answer in time counts as a loss."""
        names = [
            f"{item.venue_symbol.lower()}@{channel}"
            for item in self._instruments.values()
            for channel in CHANNELS
        ]
        request = {"method": "SUBSCRIBE", "params": names, "id": SUBSCRIBE_ID}
        try:
            async with asyncio.timeout(SUBSCRIBED_S_MAX):
                await link.client.send(request)
                await self._is_subscribed.wait()
        except (TimeoutError, OSError) as error:
            link.fail(f"could not subscribe: {type(error).__name__}")

    async def _snapshots(self, inbox: Inbox) -> None:
        """Fetch whatever snapshot the codec finds due; it doubles the wait after each."""
        await self._is_subscribed.wait()
        while True:
            for market in self._codec.snapshots_due(self._session.clock.now_ns()):
                await self._snapshot(inbox, market)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _snapshot(self, inbox: Inbox, market: str) -> None:
        session, limit = self._session, self._session.options.snapshot_limit
        request = {"symbol": self._instruments[market].venue_symbol, "limit": limit}
        self._codec.snapshot_asked(market, session.clock.now_ns())
        try:
            _, body = await session.ask_raw(
                lambda: session.exchange.public_get_depth(request), Cost(weight=_weight(limit))
            )
        except VenueError as error:
            # The codec will find it due again, later each time; a rate limit asks for more.
            await asyncio.sleep(min(error.retry_after_ns, 10 * NS_PER_S) / NS_PER_S)
            return
        self._put(inbox, self._codec.snapshot(market, body.encode(), session.clock.now_ns()))

    def _url(self) -> str:
        exchange = self._session.exchange
        base = exchange.urls["api"]["ws"]["spot"]
        return f"{base}/{exchange.stream('spot', 'ballast', len(self._instruments))}"

    @staticmethod
    def _put(inbox: Inbox, facts: list[Event]) -> None:
        for fact in facts:
            inbox.put(fact)


def _weight(limit: int) -> int:
    return next(weight for most, weight in SNAPSHOT_WEIGHTS if limit <= most)
