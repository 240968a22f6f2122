"""Small makers for tests of the loopback venue: quiet markets, signed requests, live venues."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from contextlib import asynccontextmanager
from itertools import count
from urllib.parse import urlencode

import aiohttp
import ccxt.pro
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.loopback.api import Api, Request
from adapters.loopback.config import Limits, VenueConfig, atoms, btt_usdt
from adapters.loopback.exchange import Exchange
from adapters.loopback.keys import new_ed25519, new_hmac
from adapters.loopback.venue import LoopbackVenue
from engine.sim.matching.terms import NewOrder
from engine.values.units import NS_PER_S, Side
from tests.patience import PATIENCE_S, in_time

NOW_NS = 1_800_000_000 * NS_PER_S
SYMBOL = "BTTUSDT"


class QuietFlow:
    """A market that opens with one bid at 61 and one ask at 63, and then only does as told."""

    def __init__(self, ids, lots=50_000_000):
        self.ids = ids
        self.lots = lots
        self.acts = []

    def opening(self):
        return [
            self.order(Side.BUY, 61, self.lots),
            self.order(Side.BUY, 60, self.lots),
            self.order(Side.SELL, 63, self.lots),
            self.order(Side.SELL, 64, self.lots),
        ]

    def order(self, side, tick, lots, **more):
        return NewOrder(
            order_id=self.ids(), owner="~other", side=side, tick=tick, lots=lots, **more
        )

    def step(self, now_ns, book):
        acts, self.acts = self.acts, []
        return acts

    def next_ns(self, now_ns):
        return now_ns + NS_PER_S // 50


class Restless(QuietFlow):
    """Changes a deep level twenty times a second, so that depth frames keep coming."""

    def step(self, now_ns, book):
        return [*super().step(now_ns, book), self.order(Side.BUY, 50, 1_000)]


def config(keys, *, limits=None, **more):
    accounts = {key.account for key in keys} or {"alice"}
    return VenueConfig(
        symbols=[btt_usdt()],
        keys=keys,
        balances={
            name: {"BTT": atoms("1000000000"), "USDT": atoms("1000")} for name in sorted(accounts)
        },
        limits=limits or Limits(),
        **more,
    )


class Desk:
    """A venue without a wire, asked as a REST client would ask it."""

    def __init__(self, *accounts, limits=None, **more):
        self.pairs = {name: new_hmac(name) for name in accounts or ("alice",)}
        keys = [pair.key for pair in self.pairs.values()]
        ids = count(1).__next__
        self.exchange = Exchange(config(keys, limits=limits, **more), ids)
        self.api = Api(self.exchange)
        self.flow = QuietFlow(ids)
        self.now_ns = NOW_NS
        self.exchange.open_market(SYMBOL, self.flow, self.now_ns)
        self.exchange.outbox.take()

    def call(self, call, who="alice", **values):
        """Signed now, with the right key."""
        pair = self.pairs[who]
        texts = {k: str(v) for k, v in values.items()}
        texts["timestamp"] = str(self.now_ns // 1_000_000)
        payload = urlencode(texts)
        request = Request(
            call=call,
            values=texts,
            payload=payload,
            signature=hmac_of(pair.secret, payload),
            api_key=pair.key.api_key,
        )
        return self.api.answer(request, self.now_ns)

    def public(self, call, **values):
        texts = {k: str(v) for k, v in values.items()}
        return self.api.answer(Request(call=call, values=texts), self.now_ns)

    def limit(self, side, price, lots, who="alice", **more):
        values = {"type": "LIMIT", "timeInForce": "GTC", **more}
        if values["type"] != "LIMIT":
            del values["timeInForce"]
        return self.call(
            "place", who, symbol=SYMBOL, side=side, price=price, quantity=lots, **values
        )

    def balance(self, asset, who="alice"):
        account = self.exchange.accounts[who]
        return account.free[asset], account.locked[asset]

    def told(self, kind=None):
        """Private messages since the last call."""
        events = [e.message for e in self.exchange.outbox.take() if hasattr(e, "account")]
        return [m for m in events if kind is None or m["e"] == kind]


def hmac_of(secret, payload):
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def ed25519_of(pem, payload):
    key = load_pem_private_key(pem.encode(), None)
    return base64.b64encode(key.sign(payload.encode())).decode()


def refusal(answer):
    """(code, text) of an answer that must be an error."""
    assert answer.status != 200, answer.body
    return answer.body["code"], answer.body["msg"]


@asynccontextmanager
async def live_venue(flow=QuietFlow, script=None, limits=None, ed25519=False):
    """A listening venue with one account, `alice`; proves the conservation of money at its end."""
    pair = (new_ed25519 if ed25519 else new_hmac)("alice")
    ids = count(1).__next__
    venue = LoopbackVenue(
        config([pair.key], limits=limits), {SYMBOL: flow(ids)}, ids=ids, script=script
    )
    await venue.start()
    try:
        yield venue, pair
        venue.exchange.check()
    finally:
        await venue.stop()


@asynccontextmanager
async def unmodified_ccxt(venue, pair, **options):
    """ccxt.pro.binance as it comes, with nothing but other URLs."""
    client = ccxt.pro.binance({"apiKey": pair.key.api_key, "secret": pair.secret, **options})
    client.urls["api"] = client.deep_extend(client.urls["api"], venue.urls())
    try:
        yield client
    finally:
        await client.close()


class Http:
    """A bare signed REST client."""

    def __init__(self, session, venue, pair):
        self.session = session
        self.base = f"http://127.0.0.1:{venue.port}"
        self.pair = pair

    async def ask(self, method, path, timeout_s=0, **values):
        """(status, headers, body), signed. TimeoutError after `timeout_s`, if one is given."""
        texts = {k: str(v) for k, v in values.items()}
        texts.setdefault("timestamp", str(time.time_ns() // 1_000_000))
        query = urlencode(texts)
        query += f"&signature={hmac_of(self.pair.secret, query)}"
        return await self.bare(method, f"{path}?{query}", timeout_s)

    async def bare(self, method, path, timeout_s=0):
        headers = {"X-MBX-APIKEY": self.pair.key.api_key}
        limit = aiohttp.ClientTimeout(total=timeout_s or 2 * PATIENCE_S)
        async with (
            in_time(f"an answer to {path.partition('?')[0]}"),
            self.session.request(
                method, self.base + path, headers=headers, timeout=limit
            ) as response,
        ):
            return response.status, response.headers, json.loads(await response.read())

    async def place(self, side="BUY", price="0.00000060", lots=10_000_000, **more):
        values = {"type": "LIMIT_MAKER", "symbol": SYMBOL, "side": side, **more}
        return await self.ask("POST", "/api/v3/order", price=price, quantity=lots, **values)


@asynccontextmanager
async def http(venue, pair):
    async with aiohttp.ClientSession() as session:
        yield Http(session, venue, pair)


@asynccontextmanager
async def socket(venue, path):
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"ws://127.0.0.1:{venue.port}{path}", max_msg_size=0, autoping=False
        ) as ws,
    ):
        yield ws


async def heard(ws):
    """The next frame of any kind."""
    async with in_time("a frame"):
        return await ws.receive()


async def received(ws):
    """The next text as JSON; frames of the protocol itself are passed over."""
    while True:
        message = await heard(ws)
        if message.type is aiohttp.WSMsgType.TEXT:
            return json.loads(message.data)
        assert message.type in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG), message


async def hears_nothing(ws, for_s):
    """No text comes for so long."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(for_s):
            raise AssertionError(await received(ws))


async def asked(ws, method, **params):
    """The reply of a WS-API or SUBSCRIBE request; events in between are passed over."""
    number = f"n{time.perf_counter_ns()}"
    await ws.send_str(msgspec.json.encode({"id": number, "method": method, **params}).decode())
    while True:
        message = await received(ws)
        if message.get("id") == number:
            return message


def signed(pair, **values):
    """WS-API parameters with key, time and signature."""
    params = {"apiKey": pair.key.api_key, "timestamp": time.time_ns() // 1_000_000, **values}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    signer = ed25519_of if pair.key.ed25519_public else hmac_of
    return params | {"signature": signer(pair.secret, payload)}
