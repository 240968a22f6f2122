"""The verified feed over ccxt's connection, against a small server that misbehaves on demand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic, monotonic_ns
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.ccxt_pro.options import VenueOptions
from adapters.ccxt_pro.session import Session
from adapters.ccxt_pro.snapshot_feed import SnapshotFeed
from adapters.ccxt_pro.verified_feed import VerifiedFeed
from engine.values.events import (
    Alive,
    BookDelta,
    BookLost,
    BookSnapshot,
    Connected,
    Disconnected,
    Event,
    Grade,
    Quarantined,
    Trade,
)
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S
from tests.patience import Bystander, in_time, until

BTT = Instrument(
    symbol="BTT/USDT",
    venue="small",
    venue_symbol="BTTUSDT",
    base="BTT",
    quote="USDT",
    price_exponent=8,
    tick=1,
    size_exponent=0,
    lot=1,
    maker_fee_ppm=1000,
    taker_fee_ppm=1000,
)


class Ticking:
    def now_ns(self) -> int:
        return monotonic_ns()


class Facts:
    """An inbox that a test can wait on."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._news = asyncio.Event()

    def put(self, event: Event) -> None:
        self.all.append(event)
        self._news.set()

    async def first(self, kind: type[Any], skip: int = 0) -> Any:
        async with in_time(kind.__name__):
            while True:
                found = [event for event in self.all if isinstance(event, kind)]
                if len(found) > skip:
                    return found[skip]
                self._news.clear()
                await self._news.wait()


class Server:
    """Speaks just enough of Binance's public protocol to be misread."""

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.requests: list[dict[str, Any]] = []
        self.pings = 0
        self._asked = asyncio.Event()
        self.answers_pings = True
        self.answers_subscribe = True
        self.refuses_depth = 0
        self.url = ""

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/api/v3/depth", self._depth)
        app.router.add_get("/api/v3/exchangeInfo", self._info)
        app.router.add_get("/ws/{stream}", self._stream)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"127.0.0.1:{port}"
        return runner

    async def send(self, message: object) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.sockets[-1].send_str(text)

    async def subscribed(self, count: int) -> None:
        """Return when so many subscriptions have come in."""
        async with in_time(f"subscription {count}"):
            while len(self.requests) < count:
                self._asked.clear()
                await self._asked.wait()

    async def send_depth(self, first: int, last: int, bid: str = "0.00000062") -> None:
        await self.send(
            {
                "e": "depthUpdate",
                "E": 1,
                "s": "BTTUSDT",
                "U": first,
                "u": last,
                "b": [[bid, "7"]],
                "a": [],
            }
        )

    async def _depth(self, _request: web.Request) -> web.Response:
        if self.refuses_depth:
            self.refuses_depth -= 1
            return web.json_response({"code": -1001, "msg": "Internal error"}, status=500)
        book = {
            "lastUpdateId": 100,
            "bids": [["0.00000062", "4000000"]],
            "asks": [["0.00000064", "5000000"]],
        }
        return web.json_response(book)

    async def _info(self, _request: web.Request) -> web.Response:
        symbol = {
            "symbol": "BTTUSDT",
            "status": "TRADING",
            "baseAsset": "BTT",
            "quoteAsset": "USDT",
            "orderTypes": ["LIMIT", "LIMIT_MAKER"],
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.00000001", "minPrice": "0"},
                {"filterType": "LOT_SIZE", "stepSize": "1.00", "minQty": "1.00"},
            ],
        }
        return web.json_response({"rateLimits": [], "symbols": [symbol]})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.PING:
                self.pings += 1
                if self.answers_pings:
                    await socket.pong(message.data)
            elif message.type is aiohttp.WSMsgType.TEXT:
                self.requests.append(json.loads(message.data))
                self._asked.set()
                if self.answers_subscribe:
                    reply = {"result": None, "id": self.requests[-1]["id"]}
                    await socket.send_str(json.dumps(reply))
        return socket


def options(server: Server, **changes: Any) -> VenueOptions:
    urls = {
        "public": f"http://{server.url}/api/v3",
        "private": f"http://{server.url}/api/v3",
        "ws.spot": f"ws://{server.url}/ws",
    }
    return VenueOptions(name="small", exchange="binance", urls=urls, **changes)


@asynccontextmanager
async def running(
    make: Callable[[Session, list[Instrument]], Any], server: Server
) -> AsyncIterator[Facts]:
    runner = await server.start()
    session = Session(options(server), Ticking(), None)
    facts = Facts()
    task = asyncio.create_task(make(session, [BTT]).run(facts))
    try:
        yield facts
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await session.close()
        await runner.cleanup()


async def synced(server: Server, facts: Facts) -> None:
    await server.subscribed(1)
    await server.send_depth(99, 101)
    await facts.first(BookSnapshot)


async def test_a_snapshot_and_deltas_come_as_proved_facts() -> None:
    server = Server()
    async with running(VerifiedFeed, server) as facts:
        await synced(server, facts)
        await server.send_depth(102, 103, "0.00000061")
        last = await facts.first(BookDelta, skip=1)
        snapshot = await facts.first(BookSnapshot)
        assert snapshot.grade is Grade.VERIFIED
        assert snapshot.bids == [(62, 4_000_000)]
        assert (last.sequence, last.bids) == (103, [(61, 7)])
        names = ["bttusdt@depth@100ms", "bttusdt@trade", "bttusdt@bookTicker"]
        assert [request["params"] for request in server.requests] == [names]


async def test_f01_a_gap_loses_the_book_at_that_message() -> None:
    server = Server()
    async with running(VerifiedFeed, server) as facts:
        await synced(server, facts)
        await server.send_depth(105, 106)
        lost = await facts.first(BookLost)
        assert lost.market == "BTT/USDT@small"
        deltas = [fact.sequence for fact in facts.all if isinstance(fact, BookDelta)]
        assert deltas == [101]


async def test_f10_a_half_open_connection_is_lost_within_three_seconds() -> None:
    server = Server()
    async with running(VerifiedFeed, server) as facts:
        await synced(server, facts)
        await facts.first(Alive)
        server.answers_pings = False
        with Bystander() as bystander:
            lost = await facts.first(Disconnected)
            last_alive = [fact for fact in facts.all if isinstance(fact, Alive)][-1]
            alive_s, lost_s = last_alive.at_ns / NS_PER_S, lost.at_ns / NS_PER_S
            assert bystander.ran_s(alive_s, lost_s) < 3.5
        assert lost.reason == "no pong"
        kinds = [type(fact) for fact in facts.all]
        assert kinds.index(BookLost) < kinds.index(Disconnected)
        server.answers_pings = True
        await facts.first(Connected, skip=1)


async def test_f10_a_half_open_connection_of_a_parsed_feed_is_lost_too() -> None:
    server = Server()
    async with running(SnapshotFeed, server) as facts:
        await facts.first(BookSnapshot)
        server.answers_pings = False
        lost = await facts.first(Disconnected)
        assert lost.reason == "no pong"
        assert facts.all.index(await facts.first(BookLost)) < facts.all.index(lost)
        server.answers_pings = True
        known = len([fact for fact in facts.all if isinstance(fact, BookSnapshot)])
        await facts.first(BookSnapshot, skip=known)


async def test_own_pings_leave_room_for_subscriptions() -> None:
    server = Server()
    async with running(VerifiedFeed, server) as facts:
        await synced(server, facts)
        began_s, before = monotonic(), server.pings
        await until(lambda: server.pings >= before + 2, "two pings")
        await asyncio.sleep(0.5)
        assert server.pings - before <= monotonic() - began_s + 1


async def test_a_closed_connection_comes_back_and_the_book_with_it() -> None:
    server = Server()
    async with running(VerifiedFeed, server) as facts:
        await synced(server, facts)
        await server.sockets[-1].close()
        await facts.first(BookLost)
        await facts.first(Connected, skip=1)
        await server.subscribed(2)
        await server.send_depth(99, 101)
        await facts.first(BookSnapshot, skip=1)


@pytest.mark.parametrize(
    "frame", ['{"e":"depthUpdate","E":', "[" * 5000, '{"e":"depthUpdate","E":1e999}', "\x00rubbish"]
)
async def test_f13_a_malformed_frame_is_quarantined_and_the_loop_lives_on(frame: str) -> None:
    server = Server()
    async with running(VerifiedFeed, server) as facts:
        await synced(server, facts)
        await server.send(frame)
        await facts.first(Quarantined)
        await facts.first(BookLost)
        await server.send_depth(99, 101)
        await facts.first(BookSnapshot, skip=1)


async def test_a_snapshot_that_cannot_be_had_is_asked_for_again() -> None:
    server = Server()
    server.refuses_depth = 2
    async with running(VerifiedFeed, server) as facts:
        await synced(server, facts)
        assert server.refuses_depth == 0


async def test_f16_a_subscription_without_an_answer_counts_as_a_loss() -> None:
    server = Server()
    server.answers_subscribe = False
    async with running(VerifiedFeed, server) as facts:
        lost = await facts.first(Disconnected)
        assert lost.reason == "could not subscribe: TimeoutError"


async def test_parsed_books_and_trades_are_taken_without_loss() -> None:
    server = Server()
    async with running(SnapshotFeed, server) as facts:
        await facts.first(BookSnapshot)
        count = 300
        for number in range(count):
            trade = {"e": "trade", "E": 5, "s": "BTTUSDT", "t": 1000 + number}
            await server.sockets[-1].send_str(
                json.dumps(trade | {"p": "0.00000063", "q": "9", "T": 4, "m": True, "M": True})
            )
        await facts.first(Trade, skip=count - 1)
        trades = [fact for fact in facts.all if isinstance(fact, Trade)]
        assert [fact.trade_id for fact in trades] == list(range(1000, 1000 + count))
        assert {(fact.tick, fact.lots, fact.aggressor.value) for fact in trades} == {
            (63, 9, "sell")
        }
        first = await facts.first(BookSnapshot)
        assert (first.grade, first.bids) == (Grade.SNAPSHOT, [(62, 4_000_000)])


async def test_f01_a_gap_that_ccxt_finds_loses_a_parsed_book_and_starts_afresh() -> None:
    server = Server()
    async with running(SnapshotFeed, server) as facts:
        await facts.first(BookSnapshot)
        for first, last in ((99, 101), (102, 103), (110, 111)):
            row = {"e": "depthUpdate", "E": 1, "s": "BTTUSDT", "U": first, "u": last}
            for each in server.sockets:
                with suppress(ConnectionError):
                    await each.send_str(json.dumps(row | {"b": [["0.00000062", "7"]], "a": []}))
        await facts.first(BookLost)
        await facts.first(BookSnapshot, skip=3)
