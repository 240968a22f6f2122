"""Commands through ccxt against a scripted server: what leaves, and what each answer becomes."""

import asyncio
import json
import logging
import traceback
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from time import time_ns
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from adapters.ccxt_pro.gateway import CcxtGateway
from adapters.ccxt_pro.options import VenueOptions
from adapters.ccxt_pro.session import Session
from adapters.common.client_ids import ClientIds
from engine.values.commands import Amend, Cancel, CancelAll, Place, QueryOrder, Reconcile
from engine.values.errors import Failure, UserError, VenueError
from engine.values.events import (
    AllCanceled,
    CancelFailed,
    ClockOffset,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderState,
    QueryFailed,
    VenueState,
)
from engine.values.ports import Inbox
from engine.values.units import NS_PER_MS, NS_PER_S, Side

KEY, SECRET = "CANARYKEY0123456789", "CANARYSECRET0123456789"
MARKET = "BTT/USDT@small"
DROP = "drop"
"""An answer that is none: the connection is cut after the request was read."""
LATE = "late"
"""An answer that comes after the client has given up."""


class Hidden:
    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text


class TestKeys:
    __test__ = False
    api_key = Hidden(KEY)
    secret = Hidden(SECRET)
    password = None


class NoStream:
    async def run(self, inbox: Inbox) -> None:
        await asyncio.Event().wait()


class WallClock:
    def now_ns(self) -> int:
        return time_ns()


class Server:
    """Answers by (method, path) from a script, in turn; the last answer of a script stays."""

    def __init__(self) -> None:
        self.scripts: dict[tuple[str, str], deque[Any]] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.skew_ms = 0
        self.port = 0
        self.runner: web.AppRunner | None = None
        info = {"rateLimits": LIMITS, "symbols": [SYMBOL]}
        self.say("GET", "exchangeInfo", info)
        self.say("GET", "account", {"commissionRates": RATES, "balances": [], "updateTime": 1})

    def say(self, method: str, path: str, *answers: Any) -> None:
        self.scripts[method, path] = deque(answers)

    def asked(self, method: str, path: str) -> list[dict[str, str]]:
        return [values for *key, values in self.seen if key == [method, path]]

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/v3/{path:.*}", self._answer)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        assert self.runner is not None
        await self.runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        if path == "time":
            return web.json_response({"serverTime": time_ns() // NS_PER_MS + self.skew_ms})
        text = request.query_string or await request.text()
        self.seen.append((request.method, path, dict(parse_qsl(text))))
        script = self.scripts[request.method, path]
        answer = script.popleft() if len(script) > 1 else script[0]
        status, headers = 200, {}
        if isinstance(answer, tuple):
            status, answer, *rest = answer
            headers = rest[0] if rest else {}
        if answer == DROP:
            assert request.transport is not None
            request.transport.abort()
        if answer == LATE:
            await asyncio.sleep(2.0)
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return web.Response(status=status, text=text, headers=headers)


RATES = {"maker": "0.00075000", "taker": "0.00100000"}
LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 10},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
]
SYMBOL = {
    "symbol": "BTTUSDT",
    "status": "TRADING",
    "baseAsset": "BTT",
    "quoteAsset": "USDT",
    "orderTypes": ["LIMIT", "LIMIT_MAKER"],
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.00000001",
            "maxPrice": "0.10000000",
            "tickSize": "0.00000001",
        },
        {"filterType": "LOT_SIZE", "minQty": "1.00", "maxQty": "9000000000.00", "stepSize": "1.00"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ],
}
ORDER = {
    "symbol": "BTTUSDT",
    "orderId": 77,
    "clientOrderId": "b1-7",
    "transactTime": 1700000000123,
    "price": "0.00000062",
    "origQty": "8100000.00",
    "executedQty": "0.00",
    "cummulativeQuoteQty": "0.00000000",
    "status": "NEW",
    "timeInForce": "GTC",
    "type": "LIMIT_MAKER",
    "side": "BUY",
}
PLACE = Place(
    market=MARKET,
    client_id="b1-7",
    side=Side.BUY,
    tick=62,
    lots=8_100_000,
    post_only=True,
    at_ns=0,
)
CANCEL = Cancel(market=MARKET, client_id="b1-7", at_ns=0)
QUERY = QueryOrder(market=MARKET, client_id="b1-7", at_ns=0)


def refusal(code: int, msg: str = "no") -> dict[str, object]:
    return {"code": code, "msg": msg}


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[CcxtGateway]:
    await server.start()
    session = Session(options(server), WallClock(), TestKeys())
    gateway = CcxtGateway(session, ClientIds(), NoStream())
    await gateway.instruments(["BTT/USDT"])
    server.seen.clear()
    try:
        yield gateway
    finally:
        await gateway.close()
        await server.stop()


def options(server: Server) -> VenueOptions:
    url = f"http://127.0.0.1:{server.port}/api/v3"
    urls = {"public": url, "private": url}
    return VenueOptions(name="small", exchange="binance", urls=urls, request_timeout_ms=1000)


async def outcome(server: Server, command: Any) -> Any:
    async with opened(server) as gateway:
        return (await gateway.execute(command))[0]


async def test_instruments_come_with_the_filters_and_the_accounts_own_fees() -> None:
    server = Server()
    await server.start()
    gateway = CcxtGateway(
        Session(options(server), WallClock(), TestKeys()), ClientIds(), NoStream()
    )
    (item,) = await gateway.instruments(["BTT/USDT"])
    with pytest.raises(UserError, match="small has no market BTT/EUR"):
        await gateway.instruments(["BTT/EUR"])
    await gateway.close()
    await server.stop()
    assert (item.price_exponent, item.tick, item.size_exponent, item.lot) == (8, 1, 0, 1)
    assert (item.maker_fee_ppm, item.taker_fee_ppm) == (750, 1000)
    assert (item.notional_min, item.lots_max) == (500_000_000, 9_000_000_000)


async def test_an_order_leaves_as_exact_text_post_only_and_soon_void() -> None:
    server = Server()
    server.say("POST", "order", ORDER)
    report = await outcome(server, PLACE)
    (sent,) = server.asked("POST", "order")
    assert Decimal(sent["price"]) == Decimal("0.00000062")
    assert (sent["price"], sent["quantity"]) == ("0.00000062", "8100000")
    assert (sent["type"], sent["side"]) == ("LIMIT_MAKER", "BUY")
    assert sent["newClientOrderId"] == "b1-7"
    assert int(sent["recvWindow"]) <= 1000
    assert isinstance(report, OrderReport)
    assert (report.client_id, report.venue_id, report.state) == ("b1-7", "77", OrderState.OPEN)
    assert report.update_ns == 1_700_000_000_123 * NS_PER_MS


@pytest.mark.parametrize("lots", [1, 123_456_789, 8_999_999_999])
@pytest.mark.parametrize("tick", [1, 62, 9_999_999])
async def test_no_price_or_size_is_rounded_on_its_way(tick: int, lots: int) -> None:
    server = Server()
    server.say("POST", "order", (400, refusal(-2010)))
    async with opened(server) as gateway:
        place = Place(
            market=MARKET,
            client_id="b1-8",
            side=Side.SELL,
            tick=tick,
            lots=lots,
            post_only=False,
            at_ns=0,
        )
        await gateway.execute(place)
    (sent,) = server.asked("POST", "order")
    assert Decimal(sent["price"]) == Decimal(tick).scaleb(-8)
    assert Decimal(sent["quantity"]) == lots
    assert (sent["type"], sent["timeInForce"]) == ("LIMIT", "GTC")


async def test_o13_a_crossing_limit_maker_is_rejected_with_the_venues_words() -> None:
    server = Server()
    text = "Order would immediately match and take."
    server.say("POST", "order", (400, refusal(-2010, text)))
    failed = await outcome(server, PLACE)
    assert isinstance(failed, OrderFailed)
    assert (failed.failure, failed.code, failed.text) == (Failure.REJECTED, "-2010", text)


@pytest.mark.parametrize(
    "answer", [DROP, LATE, (500, "oops"), (503, refusal(-1007)), (400, refusal(-1006)), "not json"]
)
async def test_o02_o04_an_order_without_a_clear_answer_is_unknown(answer: Any) -> None:
    server = Server()
    server.say("POST", "order", answer)
    failed = await outcome(server, PLACE)
    assert isinstance(failed, OrderFailed)
    assert failed.failure is Failure.UNKNOWN
    assert len(server.asked("POST", "order")) == 1


async def test_o01_an_order_that_provably_never_left_is_transient() -> None:
    server = Server()
    async with opened(server) as gateway:
        await server.stop()
        # Time for the client to see that its idle connections are closed.
        await asyncio.sleep(0.5)
        (failed,) = await gateway.execute(PLACE)
        await server.start()
    assert isinstance(failed, OrderFailed)
    assert failed.failure is Failure.TRANSIENT


async def test_o15_after_429_only_cancels_are_sent() -> None:
    server = Server()
    server.say("POST", "order", (429, refusal(-1003), {"Retry-After": "30"}))
    server.say("DELETE", "order", ORDER | {"status": "CANCELED", "clientOrderId": "x"})
    async with opened(server) as gateway:
        (first,) = await gateway.execute(PLACE)
        (second,) = await gateway.execute(PLACE)
        (third,) = await gateway.execute(CANCEL)
    assert isinstance(first, OrderFailed)
    assert (first.failure, first.retry_after_ns) == (Failure.TRANSIENT, 30 * NS_PER_S)
    assert isinstance(second, OrderFailed)
    assert (second.failure, second.text) == (Failure.TRANSIENT, "rate budget")
    assert 20 * NS_PER_S < second.retry_after_ns <= 30 * NS_PER_S
    assert len(server.asked("POST", "order")) == 1
    assert isinstance(third, OrderReport)
    assert (third.client_id, third.state) == ("b1-7", OrderState.CANCELED)


async def test_o15_after_418_nothing_is_sent() -> None:
    server = Server()
    server.say("POST", "order", (418, refusal(-1003, "banned"), {"Retry-After": "60"}))
    async with opened(server) as gateway:
        (first,) = await gateway.execute(PLACE)
        (second,) = await gateway.execute(CANCEL)
    assert isinstance(first, OrderFailed)
    assert first.failure is Failure.FATAL
    assert isinstance(second, CancelFailed)
    assert second.failure is Failure.TRANSIENT
    assert server.asked("DELETE", "order") == []


async def test_o16_orders_stop_before_the_venues_own_limit() -> None:
    server = Server()
    server.say("POST", "order", ORDER)
    server.say("DELETE", "order", ORDER | {"status": "CANCELED"})
    async with opened(server) as gateway:
        facts = [(await gateway.execute(PLACE))[0] for _ in range(10)]
        (canceled,) = await gateway.execute(CANCEL)
    assert [isinstance(fact, OrderReport) for fact in facts] == [True] * 8 + [False] * 2
    assert len(server.asked("POST", "order")) == 8
    assert isinstance(canceled, OrderReport)


async def test_a_venues_own_count_is_heeded() -> None:
    server = Server()
    server.say("POST", "order", (200, ORDER, {"X-MBX-ORDER-COUNT-10S": "8"}))
    async with opened(server) as gateway:
        await gateway.execute(PLACE)
        (second,) = await gateway.execute(PLACE)
    assert isinstance(second, OrderFailed)
    assert second.text == "rate budget"


async def test_o08_a_cancel_of_an_unknown_order_proves_nothing() -> None:
    server = Server()
    server.say("DELETE", "order", (400, refusal(-2011, "Unknown order sent.")))
    failed = await outcome(server, CANCEL)
    assert isinstance(failed, CancelFailed)
    assert (failed.failure, failed.code) == (Failure.REJECTED, "-2011")
    assert server.asked("DELETE", "order")[0]["origClientOrderId"] == "b1-7"


async def test_a_query_tells_the_orders_state() -> None:
    server = Server()
    row = ORDER | {"status": "PARTIALLY_FILLED", "executedQty": "100000.00", "updateTime": 5}
    server.say("GET", "order", row)
    report = await outcome(server, QUERY)
    assert isinstance(report, OrderReport)
    assert (report.state, report.filled_lots) == (OrderState.PARTIAL, 100_000)


async def test_a_query_for_an_order_that_is_not_there_says_when_it_asked() -> None:
    server = Server()
    server.say("GET", "order", (400, refusal(-2013, "Order does not exist.")))
    absent = await outcome(server, QUERY)
    assert isinstance(absent, OrderAbsent)
    assert absent.asked_ns <= absent.at_ns


async def test_a_query_without_an_answer_is_no_proof_of_absence() -> None:
    server = Server()
    server.say("GET", "order", (500, "oops"))
    failed = await outcome(server, QUERY)
    assert isinstance(failed, QueryFailed)
    assert failed.failure is Failure.UNKNOWN


async def test_cancel_all_reports_every_order_and_is_content_with_none() -> None:
    server = Server()
    row = ORDER | {"status": "CANCELED", "clientOrderId": "x", "origClientOrderId": "b1-7"}
    server.say("DELETE", "openOrders", [row], (400, refusal(-2011)), (400, refusal(-1007)))
    async with opened(server) as gateway:
        command = CancelAll(market=MARKET, at_ns=0)
        report, done = await gateway.execute(command)
        (none,) = await gateway.execute(command)
        (failed,) = await gateway.execute(command)
    assert isinstance(report, OrderReport)
    assert (report.client_id, report.state) == ("b1-7", OrderState.CANCELED)
    assert isinstance(done, AllCanceled)
    assert isinstance(none, AllCanceled)
    assert (done.count, none.count) == (1, 0)
    assert isinstance(failed, QueryFailed)


async def test_a_clock_refusal_measures_time_anew_once() -> None:
    server = Server()
    server.say("POST", "order", (400, refusal(-1021, "Timestamp outside of recvWindow.")))
    async with opened(server) as gateway:
        server.skew_ms = 5000
        failed, offset = await gateway.execute(PLACE)
        await gateway.execute(PLACE)
    assert isinstance(failed, OrderFailed)
    assert failed.failure is Failure.TRANSIENT
    assert isinstance(offset, ClockOffset)
    assert 4000 * NS_PER_MS < offset.offset_ns < 6000 * NS_PER_MS
    first, second = (int(values["timestamp"]) for values in server.asked("POST", "order"))
    assert second - first > 4000


def amend() -> Amend:
    place = Place(
        market=MARKET,
        client_id="b1-9",
        side=Side.BUY,
        tick=61,
        lots=9_000_000,
        post_only=True,
        at_ns=0,
    )
    return Amend(market=MARKET, client_id="b1-7", replacement=place, at_ns=0)


async def test_an_amend_reports_both_legs() -> None:
    server = Server()
    old = ORDER | {"status": "CANCELED", "origClientOrderId": "b1-7", "clientOrderId": "x"}
    new = ORDER | {"clientOrderId": "b1-9", "price": "0.00000061", "origQty": "9000000.00"}
    server.say("POST", "order/cancelReplace", {"cancelResponse": old, "newOrderResponse": new})
    async with opened(server) as gateway:
        first, second = await gateway.execute(amend())
    assert isinstance(first, OrderReport)
    assert isinstance(second, OrderReport)
    assert (first.client_id, first.state) == ("b1-7", OrderState.CANCELED)
    assert (second.client_id, second.state, second.tick) == ("b1-9", OrderState.OPEN, 61)


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ((409, refusal(-2021)), Failure.UNKNOWN),
        ((400, refusal(-2022)), Failure.REJECTED),
        (DROP, Failure.UNKNOWN),
    ],
)
async def test_o11_a_half_done_amend_leaves_both_legs_in_doubt(
    answer: Any, failure: Failure
) -> None:
    server = Server()
    server.say("POST", "order/cancelReplace", answer)
    async with opened(server) as gateway:
        old, new = await gateway.execute(amend())
    assert isinstance(old, CancelFailed)
    assert isinstance(new, OrderFailed)
    assert (old.client_id, old.failure) == ("b1-7", failure)
    assert (new.client_id, new.failure) == ("b1-9", failure)


def own_trade(trade_id: int, order_id: int = 77) -> dict[str, object]:
    return {
        "symbol": "BTTUSDT",
        "id": trade_id,
        "orderId": order_id,
        "price": "0.00000062",
        "qty": "1000.00",
        "commission": "0.75000000",
        "commissionAsset": "BTT",
        "time": 1700000000000,
        "isBuyer": True,
        "isMaker": True,
    }


async def test_p01_reconcile_reads_orders_then_fills_then_balances() -> None:
    server = Server()
    server.say("GET", "openOrders", [ORDER | {"updateTime": 3}])
    server.say("GET", "myTrades", [own_trade(11), own_trade(12, 78)])
    server.say("GET", "order", ORDER | {"orderId": 78, "clientOrderId": "b1-6"})
    money = [{"asset": "BTT", "free": "12.00000001", "locked": "3.00000000"}]
    server.say("GET", "account", {"balances": money, "updateTime": 1, "commissionRates": RATES})
    state = await outcome(server, Reconcile(market=MARKET, trade_id_from=10, at_ns=0))
    assert isinstance(state, VenueState)
    assert [path for _, path, _ in server.seen] == ["openOrders", "myTrades", "order", "account"]
    assert server.asked("GET", "myTrades")[0]["fromId"] == "11"
    assert [order.client_id for order in state.open_orders] == ["b1-7"]
    fills = [(fill.trade_id, fill.client_id, fill.lots, fill.fee_atoms) for fill in state.fills]
    assert fills == [(11, "b1-7", 1000, 75_000_000), (12, "b1-6", 1000, 75_000_000)]
    (balance,) = (row for row in state.balances if row.asset == "BTT")
    assert (balance.free_atoms, balance.locked_atoms) == (1_200_000_001, 300_000_000)


async def test_p13_fills_are_read_page_after_page() -> None:
    server = Server()
    pages = [[own_trade(number) for number in range(1, 1001)], [own_trade(1001)]]
    server.say("GET", "openOrders", [ORDER | {"updateTime": 3}])
    server.say("GET", "myTrades", *pages)
    state = await outcome(server, Reconcile(market=MARKET, trade_id_from=0, at_ns=0))
    assert isinstance(state, VenueState)
    assert [fill.trade_id for fill in state.fills] == list(range(1, 1002))
    assert [values["fromId"] for values in server.asked("GET", "myTrades")] == ["1", "1001"]


async def test_a_reconcile_with_an_unreadable_row_fails_whole() -> None:
    server = Server()
    server.say("GET", "openOrders", [ORDER | {"price": "0.000000625"}])
    failed = await outcome(server, Reconcile(market=MARKET, trade_id_from=0, at_ns=0))
    assert isinstance(failed, QueryFailed)
    assert failed.failure is Failure.UNKNOWN


async def test_i27_no_secret_shows_in_facts_errors_tracebacks_or_logs(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server()
    texts = []
    for answer in (DROP, LATE, (500, "oops"), (400, refusal(-1022)), (401, refusal(-2015))):
        server.say("POST", "order", answer)
        async with opened(server) as gateway:
            texts.append(repr(await gateway.execute(PLACE)))
            server.say("GET", "account", answer)
            with pytest.raises(VenueError) as caught:
                await gateway.instruments(["BTT/USDT"])
            error = caught.value
            texts.append("".join(traceback.format_exception(error)) + repr(error.__context__))
            server.say("GET", "account", {"commissionRates": RATES, "balances": []})
    texts += [caplog.text, *capfd.readouterr()]
    signatures = [values["signature"] for *_, values in server.seen if "signature" in values]
    assert signatures
    for text in texts:
        assert KEY not in text
        assert SECRET not in text
        assert not any(signature in text for signature in signatures)
