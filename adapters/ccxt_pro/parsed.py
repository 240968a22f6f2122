"""Streams of a venue without a codec of ours: what ccxt parsed, taken without loss.

ccxt wakes a `watch_*` call once and drops what comes before the next, so a watch is called once,
to subscribe, and what it would have told is taken where ccxt hands it on: at `client.resolve`, and
at `append` of the caches that it keeps. When anything breaks, the whole set starts afresh.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from adapters.ccxt_pro.link import Link
from adapters.ccxt_pro.session import Session
from adapters.common.backoff import Backoff
from adapters.common.pulse import LinkLost
from engine.values.errors import VenueError
from engine.values.events import Event, Quarantined, Stream
from engine.values.ports import Inbox
from engine.values.units import Ns

EXCERPT_CHARS = 64
SETTLE_S = 2.0

Watch: TypeAlias = Callable[[], Awaitable[Any]]


class Takes(Protocol):
    """Turns what ccxt hands on into facts."""

    def results(self, result: Any, at_ns: Ns) -> list[Event]: ...

    def losses(self, reason: str) -> list[Event]:
        """What it means that the streams have ended."""
        ...


class ParsedStream:
    def __init__(self, session: Session, stream: Stream, takes: Takes) -> None:
        self._session = session
        self._stream = stream
        self._takes = takes
        self._make_client = session.exchange.client
        session.exchange.client = self._client
        self._links: dict[str, Link] = {}
        self._opened: asyncio.Queue[Link] = asyncio.Queue()
        self._inbox: Inbox | None = None
        self._broken = asyncio.Event()
        self._reason = ""

    async def run(self, inbox: Inbox, watches: list[Watch]) -> None:
        self._inbox = inbox
        backoff = Backoff(self._session.clock, self._session.limits.connects)
        while True:
            await backoff.ready()
            self._broken, self._reason, self._opened = asyncio.Event(), "", asyncio.Queue()
            try:
                await self._load()
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._break(), name="parsed stream")
                    tasks.create_task(self._watch_links(tasks), name="links")
                    for watch in watches:
                        tasks.create_task(self._subscribe(watch), name="subscribe")
            except* LinkLost as losses:
                self._reason = self._reason or str(losses.exceptions[0])
            finally:
                await self._end(inbox)

    async def _load(self) -> None:
        try:
            if not self._session.exchange.markets:
                await self._session.load_markets()
        except VenueError as error:
            raise LinkLost(f"no markets: {error.code}") from None

    async def _watch_links(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            link = await self._opened.get()
            tasks.create_task(link.watch(), name="link")
            tasks.create_task(self._announce(link), name="announce")

    async def _announce(self, link: Link) -> None:
        """Whoever hears Connected of a private stream reconciles: not before it is subscribed.

        ccxt does not tell when it is, so this waits a while; what comes later comes as a fact.
        """
        assert self._inbox is not None
        if self._stream is Stream.PRIVATE:
            await asyncio.sleep(SETTLE_S)
        self._inbox.put(link.pulse.connected())

    async def _break(self) -> None:
        await self._broken.wait()
        raise LinkLost(self._reason)

    async def _subscribe(self, watch: Watch) -> None:
        try:
            await watch()
        except self._session.caught as error:
            raise LinkLost(f"could not subscribe: {type(error).__name__}") from None

    async def _end(self, inbox: Inbox) -> None:
        links, self._links = list(self._links.values()), {}
        for fact in self._takes.losses(self._reason or "stopped"):
            inbox.put(fact)
        for link in links:
            link.fail(self._reason or "stopped")
        if links:
            inbox.put(links[0].pulse.disconnected())
        for link in links:
            await link.close(self._session.exchange)
        self._forget()

    def _forget(self) -> None:
        """Caches of the last connection must not be taken for news of the next."""
        exchange = self._session.exchange
        exchange.orderbooks, exchange.trades, exchange.balance = {}, {}, {}
        exchange.orders = exchange.myTrades = None

    def _client(self, url: str) -> Any:
        client = self._make_client(url)
        if url in self._links and self._links[url].client is client:
            return client
        session = self._session
        link = Link(client, session.options.name, self._stream, session.clock)
        self._links[url] = link
        on_connected, resolve, reject = client.on_connected_callback, client.resolve, client.reject

        def connected(opened: Any, message: Any = None) -> None:
            on_connected(opened, message)
            self._start(link)

        def resolved(result: Any, message_hash: Any = None) -> Any:
            if self._links.get(url) is link:
                self._take(result)
            return resolve(result, message_hash)

        def rejected(error: Any, message_hash: Any = None) -> Any:
            if self._links.get(url) is link:
                self._fail(f"refused: {type(error).__name__}")
            return reject(error, message_hash)

        client.on_connected_callback = connected
        client.resolve, client.reject = resolved, rejected
        return client

    def _start(self, link: Link) -> None:
        assert self._inbox is not None
        link.listen(self._inbox, lambda message, _: self._parse(link, message))
        self._opened.put_nowait(link)

    def _parse(self, link: Link, message: Any) -> None:
        try:
            link.parse(message)
        except self._session.caught as error:
            self._quarantine(message.data, type(error).__name__)
            self._fail("unreadable frame")

    def _take(self, result: Any) -> None:
        assert self._inbox is not None
        try:
            facts = self._takes.results(result, self._session.clock.now_ns())
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            self._quarantine(str(type(result)), type(error).__name__)
            self._fail("unreadable structure")
            return
        for fact in facts:
            self._inbox.put(fact)

    def _quarantine(self, data: str | bytes, reason: str) -> None:
        assert self._inbox is not None
        raw = data.encode() if isinstance(data, str) else data
        self._inbox.put(
            Quarantined(
                venue=self._session.options.name,
                at_ns=self._session.clock.now_ns(),
                reason=reason,
                digest=hashlib.sha256(raw).hexdigest(),
                excerpt=raw[:EXCERPT_CHARS].decode("ascii", "replace"),
            )
        )

    def _fail(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._broken.set()


class CacheTap:
    """Calls `on_row` for each row of a cache of ccxt's: those there at first sight, then all."""

    def __init__(self, on_row: Callable[[Any], None]) -> None:
        self._on_row = on_row

    def see(self, cache: Any) -> None:
        if "append" in vars(cache):
            return
        append = cache.append

        def tapped(row: Any) -> None:
            append(row)
            self._on_row(row)

        cache.append = tapped
        for row in cache:
            self._on_row(row)
