"""Public streams and the WS-API as they are on the wire."""

import time
from contextlib import suppress
from itertools import pairwise

import aiohttp

from adapters.loopback.config import Limits
from tests.loopback_builders import (
    SYMBOL,
    QuietFlow,
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
from tests.patience import Bystander, until


async def test_depth_frames_form_an_unbroken_chain_that_a_snapshot_fits_into():
    async with (
        live_venue(Restless) as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, "/ws/bttusdt@depth@100ms") as ws,
    ):
        frames = [await received(ws)]
        _, _, book = await rest.bare("GET", f"/api/v3/depth?symbol={SYMBOL}&limit=5000")
        while frames[-1]["u"] <= book["lastUpdateId"] + 3:
            frames.append(await received(ws))
        chain = [(f["U"], f["u"]) for f in frames]
        assert all(b[0] == a[1] + 1 for a, b in pairwise(chain))
        bids = dict(book["bids"])
        for frame in frames:
            if frame["u"] > book["lastUpdateId"]:
                assert frame["U"] <= book["lastUpdateId"] + 1 or frame is not frames[0]
                bids |= dict(frame["b"])
        _, _, later = await rest.bare("GET", f"/api/v3/depth?symbol={SYMBOL}&limit=5000")
        assert set(bids) == set(dict(later["bids"]))


async def test_no_depth_frame_comes_while_nothing_changes():
    async with (
        live_venue() as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, "/ws/bttusdt@depth@100ms") as ws,
    ):
        await received(ws)
        await hears_nothing(ws, 0.5)
        await rest.place()
        frame = await received(ws)
        assert frame["b"] == [["0.00000060", "60000000.00000000"]]


async def test_the_ticker_follows_the_best_prices_with_the_books_update_id():
    async with (
        live_venue() as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, "/stream?streams=bttusdt@bookTicker/bttusdt@trade/bttusdt@aggTrade") as ws,
    ):
        await rest.place(price="0.00000062")
        ticker = await received(ws)
        assert ticker["stream"] == "bttusdt@bookTicker"
        assert ticker["data"]["b"] == "0.00000062"
        assert ticker["data"]["u"] == venue.exchange.market(SYMBOL).update_id
        await rest.ask("POST", "/api/v3/order", symbol=SYMBOL, side="BUY", type="MARKET",
                       quantity=60_000_000)  # fmt: skip
        kinds = [(await received(ws))["data"].get("e") for _ in range(5)]
        assert kinds == ["trade", "trade", "aggTrade", "aggTrade", None]


async def test_streams_are_subscribed_listed_and_left():
    async with live_venue() as (venue, _), socket(venue, "/ws/0") as ws:
        assert (await asked(ws, "SUBSCRIBE", params=["bttusdt@trade"]))["result"] is None
        assert (await asked(ws, "LIST_SUBSCRIPTIONS"))["result"] == ["bttusdt@trade"]
        assert (await asked(ws, "UNSUBSCRIBE", params=["bttusdt@trade"]))["result"] is None
        assert (await asked(ws, "LIST_SUBSCRIPTIONS"))["result"] == []
        assert (await asked(ws, "DANCE"))["error"]["code"] == 2


async def test_a_talkative_connection_is_closed():
    async with live_venue() as (venue, _), socket(venue, "/ws/0") as ws:
        with suppress(ConnectionError):  # it may be closed before the last of them
            for _ in range(20):
                await ws.send_str('{"method":"LIST_SUBSCRIPTIONS","id":1}')
                await ws.ping(b"x")
        while (await heard(ws)).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
            pass
        assert ws.close_code == 1008


async def test_the_venue_pings_and_cuts_off_who_does_not_answer():
    limits = Limits(ping_every_s=0.1, pong_within_s=0.3)
    async with live_venue(limits=limits) as (venue, _), socket(venue, "/ws/0") as ws:
        assert (await heard(ws)).type is aiohttp.WSMsgType.PING
        while (last := (await heard(ws)).type) is aiohttp.WSMsgType.PING:
            pass
        assert last in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_who_answers_pings_stays():
    limits = Limits(ping_every_s=0.4, pong_within_s=1.2)
    with Bystander() as bystander:
        async with live_venue(limits=limits) as (venue, _), socket(venue, "/ws/0") as ws:
            began_s = time.monotonic()
            for _ in range(6):
                message = await heard(ws)
                with bystander.undisturbed(began_s):
                    assert message.type is aiohttp.WSMsgType.PING
                await ws.pong(message.data)


async def test_a_session_logs_on_with_an_ed25519_key_and_then_needs_no_signature():
    async with live_venue(ed25519=True) as (venue, pair), socket(venue, "/ws-api/v3") as ws:
        on = await asked(ws, "session.logon", params=signed(pair))
        assert on["result"]["apiKey"] == pair.key.api_key
        stamp = {"timestamp": signed(pair)["timestamp"]}
        status = await asked(ws, "account.status", params=stamp)
        assert [b["asset"] for b in status["result"]["balances"]] == ["BTT", "USDT"]
        subscribed = await asked(ws, "userDataStream.subscribe")
        assert subscribed["result"] == {"subscriptionId": 0}
        assert (await asked(ws, "userDataStream.subscribe"))["error"]["code"] == -2035
        off = await asked(ws, "session.logout")
        assert off["result"]["apiKey"] is None
        assert (await asked(ws, "account.status", params=stamp))["status"] == 401


async def test_an_hmac_key_cannot_log_a_session_on():
    async with live_venue() as (venue, pair), socket(venue, "/ws-api/v3") as ws:
        assert (await asked(ws, "session.logon", params=signed(pair)))["error"]["code"] == -4056
        bad = signed(pair) | {"signature": "0" * 64}
        refused = await asked(ws, "userDataStream.subscribe.signature", params=bad)
        assert refused["error"]["code"] == -1022


async def test_user_events_come_wrapped_and_end_with_the_subscription():
    async with (
        live_venue() as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, "/ws-api/v3") as ws,
    ):
        await asked(ws, "userDataStream.subscribe.signature", params=signed(pair))
        await rest.place(newClientOrderId="mine")
        report, position = await received(ws), await received(ws)
        assert (report["subscriptionId"], report["event"]["c"]) == (0, "mine")
        assert position["event"]["e"] == "outboundAccountPosition"
        ended = await asked(ws, "userDataStream.unsubscribe", params={"subscriptionId": 0})
        assert ended["status"] == 200
        await rest.place(newClientOrderId="other")
        await hears_nothing(ws, 0.3)


async def test_orders_live_and_die_over_the_websocket_api():
    async with live_venue() as (venue, pair), socket(venue, "/ws-api/v3") as ws:
        ticket = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "price": "0.00000060",
                  "quantity": "10000000", "newClientOrderId": "w"}  # fmt: skip
        placed = await asked(ws, "order.place", params=signed(pair, **ticket))
        assert placed["result"]["clientOrderId"] == "w"
        assert placed["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"
        named = {"symbol": SYMBOL, "origClientOrderId": "w"}
        status = await asked(ws, "order.status", params=signed(pair, **named))
        assert status["result"]["status"] == "NEW"
        gone = await asked(ws, "order.cancel", params=signed(pair, **named))
        assert gone["result"]["status"] == "CANCELED"
        again = await asked(ws, "order.cancel", params=signed(pair, **named))
        assert (again["status"], again["error"]["code"]) == (400, -2011)
        assert (await asked(ws, "teleport"))["error"]["code"] == -1020


async def test_a_request_that_is_no_json_is_answered():
    async with live_venue() as (venue, _), socket(venue, "/ws-api/v3") as ws:
        await ws.send_str("{]")
        assert (await received(ws))["error"]["code"] == -1135


async def test_rest_answers_carry_the_weight_and_order_counts():
    async with live_venue() as (venue, pair), http(venue, pair) as rest:
        status, headers, _ = await rest.place()
        assert status == 200
        assert headers["X-MBX-USED-WEIGHT-1M"] == "1"
        assert headers["X-MBX-ORDER-COUNT-10S"] == "1"
        status, _, body = await rest.bare("GET", "/api/v3/nonesuch")
        assert status == 404
        assert body["code"] == -1


async def test_several_connections_see_the_same_frames():
    async with (
        live_venue(QuietFlow) as (venue, pair),
        http(venue, pair) as rest,
        socket(venue, "/ws/bttusdt@trade") as one,
        socket(venue, "/ws/bttusdt@trade") as two,
    ):
        await until(lambda: len(venue.delivery.market_wires) == 2)
        await rest.place(side="SELL", price="0.00000061", type="LIMIT", timeInForce="GTC")
        assert await received(one) == await received(two)
