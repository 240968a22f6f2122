"""The public feed of verified grade: ccxt's connection, our codec on the raw frames (law 7)."""

import asyncio
from functools import partial
from typing import Any

from adapters.ccxt_pro.bars import bar_feed
from adapters.ccxt_pro.link import Link
from adapters.ccxt_pro.session import Session
from adapters.codec.binance import BinanceCodec
from adapters.codec.binance_bars import is_kline
from adapters.common.backoff import Backoff
from adapters.common.bars import NO_BARS, Spans
from adapters.common.market_streams import (
    LOOK_EVERY_S,
    SUBSCRIBED_S_MAX,
    Heard,
    hear_reply,
    snapshot_cost,
    stream_names,
    subscribe_request,
)
from adapters.common.pulse import LinkLost
from adapters.common.wire import DEPTH, LOST, PUBLIC, Wire, stream
from engine.values.errors import VenueError
from engine.values.events import Event, Stream
from engine.values.instrument import Instrument
from engine.values.ports import Inbox
from engine.values.units import NS_PER_S, Ns

BOOKS_ID, BARS_ID = 1, 2
"""Numbers of the two subscriptions: books must not wait for bars."""


class VerifiedFeed:
    """Binance spot. All markets share one connection, and so one life.

    `wire` hears every frame that the codec is given, where it was set before `run`.
    Raises UserError for bars that the venue does not have.
    """

    def __init__(
        self, session: Session, instruments: list[Instrument], bars: Spans = NO_BARS
    ) -> None:
        self._session = session
        self._instruments = {item.market: item for item in instruments}
        self._codec = BinanceCodec(instruments)
        self._bars = bar_feed(session, instruments, bars)
        self._has_bars = bool(self._bars.names)
        self._asked = BOOKS_ID
        self.wire: Wire | None = None
        self._stream = stream(PUBLIC, session.options.name)
        self._is_subscribed = asyncio.Event()

    async def run(self, inbox: Inbox) -> None:
        backoff = Backoff(self._session.clock, self._session.limits.connects)
        await backoff.repeat(lambda: self._live(inbox))

    async def _live(self, inbox: Inbox) -> None:
        """One connection, from opening it to its loss."""
        session, exchange = self._session, self._session.exchange
        client = exchange.client(self._url())
        link = Link(client, session.options.name, Stream.PUBLIC, session.clock)
        self._is_subscribed.clear()
        try:
            link.listen(inbox, partial(self._take, link, inbox))
            await link.open(exchange.session)
            inbox.put(link.pulse.connected())
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(link.watch(), name="public link")
                tasks.create_task(self._books(link, inbox), name="snapshots")
                tasks.create_task(self._history(link, inbox), name="bars")
        except* LinkLost:
            pass
        finally:
            link.fail("stopped")
            self._bars.disconnected()
            now_ns = session.clock.now_ns()
            self._tell(now_ns, LOST, session.options.name, link.pulse.reason.encode())
            self._put(inbox, self._codec.disconnected(now_ns))
            inbox.put(link.pulse.disconnected())
            await link.close(exchange)

    def _take(self, link: Link, inbox: Inbox, message: Any, at_ns: Ns) -> None:
        frame = message.data
        raw = frame.encode() if isinstance(frame, str) else frame
        if self.wire is not None:
            self.wire(at_ns, self._stream, raw)
        if self._has_bars and is_kline(raw):
            self._bars.hear(raw, at_ns, inbox)
            return
        if not self._is_subscribed.is_set():
            self._hear_reply(link, raw)
        self._put(inbox, self._codec.decode(raw, at_ns))

    def _hear_reply(self, link: Link, raw: bytes) -> None:
        heard = hear_reply(raw, self._asked)
        if heard is Heard.REFUSED:
            link.fail("subscription refused")
        if heard is not Heard.NOTHING:
            self._is_subscribed.set()

    async def _subscribe(self, link: Link, names: list[str], number: int) -> None:
        """One message for all names; no answer in time counts as a loss."""
        request = subscribe_request(names, number)
        self._asked = number
        self._is_subscribed.clear()
        try:
            async with asyncio.timeout(SUBSCRIBED_S_MAX):
                await link.client.send(request)
                await self._is_subscribed.wait()
        except (TimeoutError, OSError) as error:
            link.fail(f"could not subscribe: {type(error).__name__}")

    async def _books(self, link: Link, inbox: Inbox) -> None:
        """Fetch whatever snapshot the codec finds due; it doubles the wait after each."""
        await self._subscribe(link, stream_names(self._instruments.values()), BOOKS_ID)
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
                lambda: session.exchange.public_get_depth(request), snapshot_cost(limit)
            )
        except VenueError as error:
            # The codec will find it due again, later each time; a rate limit asks for more.
            await asyncio.sleep(min(error.retry_after_ns, 10 * NS_PER_S) / NS_PER_S)
            return
        raw, now_ns = body.encode(), session.clock.now_ns()
        self._tell(now_ns, DEPTH, market, raw)
        self._put(inbox, self._codec.snapshot(market, raw, now_ns))

    async def _history(self, link: Link, inbox: Inbox) -> None:
        books = self._codec.books.values()
        await self._bars.run(
            inbox,
            lambda: all(book.is_synced for book in books),
            lambda: self._subscribe(link, self._bars.names, BARS_ID),
        )

    def _tell(self, at_ns: Ns, kind: str, whose: str, data: bytes) -> None:
        if self.wire is not None:
            self.wire(at_ns, stream(kind, whose), data)

    def _url(self) -> str:
        exchange = self._session.exchange
        base = exchange.urls["api"]["ws"]["spot"]
        return f"{base}/{exchange.stream('spot', 'ballast', len(self._instruments))}"

    @staticmethod
    def _put(inbox: Inbox, facts: list[Event]) -> None:
        for fact in facts:
            inbox.put(fact)
