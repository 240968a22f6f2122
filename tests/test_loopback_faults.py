"""Each scripted fault really happens on the wire, and nothing else does."""

import asyncio
import json
from contextlib import suppress

import aiohttp
import pytest

from adapters.loopback.faults import OPTIONS, read_script
from adapters.loopback.shaping import KINDS
from engine.values.errors import UserError
from tests.loopback_builders import (
    SYMBOL,
    Restless,
    asked,
    heard,
    hears_nothing,
    http,
    live_venue,
    received,
    signed,
    socket,
)
from tests.patience import RanOut, until

DEPTH = "/ws/bttusdt@depth@100ms"
DEPTH_PATH = f"/api/v3/depth?symbol={SYMBOL}"


async def chain(ws, count):
    frames = [await received(ws) for _ in range(count)]
    return [(frame["U"], frame["u"]) for frame in frames]


async def silence(ws):
    """Take what had left before the silence began."""
    with suppress(asyncio.TimeoutError):
        while True:
            await ws.receive(0.4)


async def test_f01_leaves_one_depth_frame_out():
    async with live_venue(Restless) as (venue, _), socket(venue, DEPTH) as ws:
        ((_, before),) = await chain(ws, 1)
        venue.faults.inject("F01", symbol=SYMBOL)
        (first, last), (following, _) = await chain(ws, 2)
        assert first > before + 1
        assert following == last + 1
        assert [row[1] for row in venue.faults.log] == ["F01"]


async def test_f02_sends_one_depth_frame_twice():
    async with live_venue(Restless) as (venue, _), socket(venue, DEPTH) as ws:
        await chain(ws, 1)
        venue.faults.inject("F02")
        one, two, three = await chain(ws, 3)
        assert one == two
        assert three[0] == two[1] + 1


async def test_f03_swaps_two_depth_frames():
    async with live_venue(Restless) as (venue, _), socket(venue, DEPTH) as ws:
        ((_, before),) = await chain(ws, 1)
        venue.faults.inject("F03")
        later, earlier, third = await chain(ws, 3)
        assert earlier[0] == before + 1
        assert later[0] == earlier[1] + 1
        assert third[0] == later[1] + 1


async def test_f04_serves_an_old_book_as_often_as_asked():
    async with (
        live_venue(Restless) as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, DEPTH) as ws,
    ):
        venue.faults.inject("F04", count=2)
        (_, last), (following, _) = await chain(ws, 2)
        books = [(await rest.bare("GET", DEPTH_PATH))[2]["lastUpdateId"] for _ in range(3)]
        assert books[0] == books[1] < following
        assert books[2] >= last


async def test_f08_leaves_the_deletes_out_of_a_frame():
    async with live_venue() as (venue, pair), http(venue, pair) as rest, socket(venue, DEPTH) as ws:
        await received(ws)
        venue.faults.inject("F08")
        await rest.ask("POST", "/api/v3/order", symbol=SYMBOL, side="BUY", type="MARKET",
                       quantity=50_000_000)  # fmt: skip
        assert (await received(ws))["a"] == []
        await rest.place(price="0.00000063")
        assert (await received(ws))["b"][0][0] == "0.00000063"


async def test_f09_silences_depth_while_trades_and_pings_go_on():
    async with (
        live_venue(Restless) as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, "/stream?streams=bttusdt@depth@100ms/bttusdt@trade") as ws,
    ):
        await received(ws)
        venue.faults.inject("F09")
        await asyncio.sleep(0.2)
        await rest.ask("POST", "/api/v3/order", symbol=SYMBOL, side="BUY", type="MARKET",
                       quantity=10_000_000)  # fmt: skip
        await ws.ping(b"alive")
        streams, is_alive = [], False
        while not (is_alive and "bttusdt@trade" in streams):
            message = await heard(ws)
            is_alive |= message.type is aiohttp.WSMsgType.PONG
            if message.type is aiohttp.WSMsgType.TEXT:
                streams.append(json.loads(message.data)["stream"])
        seen = len(venue.faults.log)
        await until(lambda: len(venue.faults.log) >= seen + 2)
        venue.faults.heal("F09")
        frame = await received(ws)
        assert frame["stream"] == "bttusdt@depth@100ms"


async def test_f10_is_silent_on_every_socket_and_answers_no_ping():
    async with (
        live_venue(Restless) as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, DEPTH) as ws,
    ):
        await received(ws)
        venue.faults.inject("F10")
        await silence(ws)
        await ws.ping(b"anybody?")
        with pytest.raises(asyncio.TimeoutError):
            await ws.receive(0.5)
        with pytest.raises(asyncio.TimeoutError):
            await rest.bare("GET", "/api/v3/ping", timeout_s=0.3)
        assert not ws.closed
        venue.faults.heal("F10")
        message = await heard(ws)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PONG)


async def test_f10_ends_by_itself_after_its_time():
    async with live_venue(Restless) as (venue, pair), http(venue, pair) as rest:
        venue.faults.inject("F10", for_s=0.3)
        assert (await rest.bare("GET", "/api/v3/ping"))[0] == 200


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"utf8"}))
async def test_f13_sends_malformed_frames_of_each_kind(kind):
    async with live_venue(Restless) as (venue, _), socket(venue, DEPTH) as ws:
        ((_, before),) = await chain(ws, 1)
        venue.faults.inject("F13", kind=kind)
        message = await heard(ws)
        if kind == "binary":
            assert message.type is aiohttp.WSMsgType.BINARY
        elif kind in ("truncated", "not_json", "empty"):
            with pytest.raises(ValueError):
                json.loads(message.data)
        else:
            shown = json.loads(message.data)
            assert kind in ("huge", "no_id") or "U" in shown
            sane = {"e", "E", "s", "U", "u", "b", "a"}
            is_sane = set(shown) == sane and shown["s"] == SYMBOL and shown["u"] != "x"
            rows = shown["b"] if is_sane else []
            assert not is_sane or rows[0][0] != "0.00000050"
        following = await received(ws)
        assert following["U"] > before + 1


async def test_f13_can_send_text_that_is_not_utf8():
    async with live_venue(Restless) as (venue, _), socket(venue, DEPTH) as ws:
        await chain(ws, 1)
        venue.faults.inject("F13", kind="utf8")
        message = await heard(ws)
        assert message.type is aiohttp.WSMsgType.ERROR


async def hangs(asking):
    """No answer comes."""
    await asyncio.sleep(0.3)
    assert not asking.done()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize(("fault_id", "is_executed"), [("O02", True), ("O03", False)])
@pytest.mark.parametrize("how", ["hang", "cut"])
async def test_o02_and_o03_lose_the_reply_or_the_request(fault_id, is_executed, how):
    async with live_venue() as (venue, pair), http(venue, pair) as rest:
        venue.faults.inject(fault_id, how=how)
        asking = asyncio.create_task(rest.place())
        await until(lambda: venue.faults.log, "the strike")
        if how == "cut":
            with pytest.raises(aiohttp.ClientError):
                await asking
        else:
            await hangs(asking)
        assert len(venue.state().open_orders) == is_executed
        assert (await rest.place())[0] == 200


async def test_o02_loses_the_reply_of_the_websocket_api_too():
    async with live_venue() as (venue, pair), socket(venue, "/ws-api/v3") as ws:
        venue.faults.inject("O02")
        ticket = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "price": "0.00000060",
                  "quantity": "10000000"}  # fmt: skip
        asking = asyncio.create_task(asked(ws, "order.place", params=signed(pair, **ticket)))
        await until(lambda: venue.faults.log, "the strike")
        await hangs(asking)
        assert len(venue.state().open_orders) == 1


@pytest.mark.parametrize("is_executed", [True, False])
@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [("-1006", 500, -1006), ("-1007", 504, -1007), ("503", 503, -1000)],
)
async def test_o04_answers_with_an_error_and_may_have_executed(is_executed, answer, status, code):
    async with live_venue() as (venue, pair), http(venue, pair) as rest:
        venue.faults.inject("O04", answer=answer, execute=str(is_executed).lower())
        seen, _, body = await rest.place()
        assert (seen, body["code"]) == (status, code)
        assert len(venue.state().open_orders) == is_executed


async def test_o08_fills_the_order_just_before_its_cancel():
    async with live_venue() as (venue, pair), http(venue, pair) as rest:
        await rest.place(newClientOrderId="a")
        venue.faults.inject("O08")
        named = {"symbol": SYMBOL, "origClientOrderId": "a"}
        status, _, body = await rest.ask("DELETE", "/api/v3/order", **named)
        assert (status, body["code"]) == (400, -2011)
        assert (await rest.ask("GET", "/api/v3/order", **named))[2]["status"] == "FILLED"
        assert [fill.lots for fill in venue.state().fills] == [10_000_000]


async def test_o15_limits_with_retry_after_and_bans_who_goes_on():
    async with live_venue() as (venue, pair), http(venue, pair) as rest:
        venue.faults.inject("O15", retry=30, before_ban=1, ban=60)
        first, second = await rest.place(), await rest.place()
        assert first[0] == 429
        assert 20 <= int(first[1]["Retry-After"]) <= 30
        assert (second[0], second[2]["code"]) == (418, -1003)
        assert int(second[1]["Retry-After"]) in (59, 60)
        assert venue.state().orders == []


async def test_p01_cuts_the_private_stream_and_replays_nothing_of_what_happened():
    async with live_venue() as (venue, pair), http(venue, pair) as rest:
        async with socket(venue, "/ws-api/v3") as ws:
            await asked(ws, "userDataStream.subscribe.signature", params=signed(pair))
            await rest.place(newClientOrderId="a")
            await received(ws)
            await received(ws)
            venue.faults.inject("P01", for_s=0.5)
            message = await heard(ws)
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert [fill.lots for fill in venue.state().fills] == [10_000_000]
        await until(lambda: not venue.faults.is_on("P01"))
        async with socket(venue, "/ws-api/v3") as ws:
            await asked(ws, "userDataStream.subscribe.signature", params=signed(pair))
            await hears_nothing(ws, 0.3)
        trades = await rest.ask("GET", "/api/v3/myTrades", symbol=SYMBOL)
        assert [row["qty"] for row in trades[2]] == ["10000000.00000000"]


async def test_p01_refuses_new_private_connections_while_it_lasts():
    async with live_venue() as (venue, _):
        venue.faults.inject("P01")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with socket(venue, "/ws-api/v3"):
                pass


async def test_p02_sends_each_execution_report_three_times():
    async with (
        live_venue() as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, "/ws-api/v3") as ws,
    ):
        await asked(ws, "userDataStream.subscribe.signature", params=signed(pair))
        venue.faults.inject("P02", count=0)
        await rest.place(price="0.00000063", type="LIMIT", timeInForce="GTC")
        events = [(await received(ws))["event"] for _ in range(8)]
        assert [e.get("x") for e in events] == ["NEW"] * 3 + [None] + ["TRADE"] * 3 + [None]
        assert len({e["t"] for e in events if e.get("x") == "TRADE"}) == 1
        assert len(venue.state().fills) == 1


async def test_a_script_begins_each_fault_at_its_moment():
    script = read_script("F02@1s:count=2,symbol=BTTUSDT;F01@100s")
    async with live_venue(Restless, script=script) as (venue, _), socket(venue, DEPTH) as ws:
        seen = await chain(ws, 1)
        if venue.faults.log:
            raise RanOut("the script began before anybody listened")
        while len(venue.faults.log) < 2:
            seen += await chain(ws, 1)
        seen += await chain(ws, 4)
        assert len(seen) - len(set(seen)) == 2
        assert {row[1] for row in venue.faults.log} == {"F02"}


@pytest.mark.parametrize(
    "text",
    ["F99", "F01@soon", "F01:count=x", "F01:nonsense=1", "F01:count", "F02@5s;;O02:symbol", "@5s"],
)
def test_a_script_that_cannot_be_read_is_refused_by_name(text):
    with pytest.raises(UserError, match="--fault"):
        read_script(text)


def test_every_fault_that_the_venue_must_have_is_known():
    wanted = ["F01", "F02", "F03", "F09", "F10", "F13", "O02", "O04", "O08", "O15", "P01", "P02"]
    assert set(wanted) <= set(OPTIONS)
