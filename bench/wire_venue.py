"""The venue of the wire benchmark: as much of Binance as an engine needs, and two stamps.

It sends depth frames of twenty levels a side on a fixed beat, whatever the client does, and notes
when each left. Every frame moves the market up, so that the best bid is always a new order, and
every LEG frames it falls back; no price of the best bid comes again within seconds, so the price
of an order names the frame that caused it. Everything that one read of a socket brings is stamped
before any of it is looked at: what the venue does with a cancel is no part of the way of the order
behind it. It matches nothing, tells no reports and enforces nothing: `ballast venue` does that, and
costs too much to be a ruler.
"""

import asyncio
import time
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

HOST, SYMBOL = "127.0.0.1", "BTCUSDT"
BASE_TICK, STEP_TICKS, LEG = 10_000_000, 3, 500
SPREAD_TICKS, LEVELS = 2, 20
BUY_BELOW = 149
"""An order to buy stands so many ticks below the best bid that caused it: far enough that a quote
after a hundred missed frames crosses none of the client's own on the other side."""
LIMITS = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 10**9},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 10**9},
]
REST = {
    "GET /api/v3/time": "time",
    "GET /api/v3/exchangeInfo": "exchangeInfo",
    "GET /api/v3/account": "account.status",
    "GET /api/v3/depth": "depth",
    "GET /api/v3/openOrders": "openOrders.status",
    "GET /api/v3/myTrades": "myTrades",
    "GET /api/v3/order": "order.status",
    "POST /api/v3/order": "order.place",
    "DELETE /api/v3/order": "order.cancel",
    "DELETE /api/v3/openOrders": "openOrders.cancelAll",
}


def bid_tick(number: int) -> int:
    """Up in steps, then back and up again one tick beside: a price comes again after 3 x LEG."""
    turn, place = divmod(number, LEG)
    return BASE_TICK + STEP_TICKS * place + turn % STEP_TICKS


def price(tick: int) -> str:
    return f"{tick // 100}.{tick % 100:02d}"


def levels(number: int) -> tuple[list[list[str]], list[list[str]]]:
    bid = bid_tick(number)
    size = f"{1 + number % 7}.00000"
    bids = [[price(bid - i), size] for i in range(LEVELS)]
    return bids, [[price(bid + SPREAD_TICKS + i), size] for i in range(LEVELS)]


def depth_frame(number: int) -> bytes:
    """The whole of both sides, and every level of the last frame that is no longer there."""
    bids, asks = levels(number)
    old_bids, old_asks = levels(number - 1)
    for new, old in ((bids, old_bids), (asks, old_asks)):
        here = {level[0] for level in new}
        new += [[text, "0.00000"] for text, _ in old if text not in here]
    row = {"e": "depthUpdate", "E": time.time_ns() // 1_000_000, "s": SYMBOL,
           "U": number, "u": number, "b": bids, "a": asks}  # fmt: skip
    return msgspec.json.encode(row)


class WireVenue:
    """`beat` sends frames; `arrived` holds when the first order for each frame was there."""

    def __init__(self) -> None:
        self.number = 1
        self.sent_ns: dict[int, int] = {}
        self.arrived_ns: dict[int, int] = {}
        self.orders = 0
        self.open: dict[str, dict[str, Any]] = {}
        self.listeners: set[WSTransport] = set()
        self.urls: dict[str, str] = {}
        self._by_tick: dict[int, int] = {}
        self._servers: list[Any] = []

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._servers.append(await ws_create_server(self._listener, HOST, 0))
        self._servers.append(await loop.create_server(lambda: _Http(self), HOST, 0))
        ws, http = (server.sockets[0].getsockname()[1] for server in self._servers)
        rest = f"http://{HOST}:{http}/api/v3"
        self.urls = {
            "public": rest,
            "private": rest,
            "ws.spot": f"ws://{HOST}:{ws}/ws",
            "ws.ws-api.spot": f"ws://{HOST}:{ws}/ws-api/v3",
        }

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
            await server.wait_closed()

    def begin(self) -> None:
        """Forget the last client."""
        self.sent_ns, self.arrived_ns, self.orders, self.open = {}, {}, 0, {}
        self._by_tick = {}

    async def beat(self, rate: int, seconds: float) -> None:
        """A frame each 1/rate s, on a schedule that waits for nobody."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        ends_s = due_s + seconds
        while due_s < ends_s:
            self.number += 1
            frame = depth_frame(self.number)
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            self._by_tick[bid_tick(self.number)] = self.number
            self.sent_ns[self.number] = time.perf_counter_ns()
            for listener in list(self.listeners):
                listener.send(WSMsgType.TEXT, frame)
            due_s += 1 / rate

    def answer(self, call: str, params: dict[str, Any], at_ns: int) -> Any:
        match call:
            case "order.place":
                return self._place(params, at_ns)
            case "order.cancel":
                return self._cancel(str(params["origClientOrderId"]))
            case "openOrders.cancelAll":
                return [self._cancel(name) for name in list(self.open)]
            case "openOrders.status":
                return list(self.open.values())
            case "order.status":
                return self.open.get(str(params.get("origClientOrderId")))
            case "myTrades":
                return []
            case "depth":
                bids, asks = levels(self.number)
                return {"lastUpdateId": self.number, "bids": bids, "asks": asks}
            case "time":
                return {"serverTime": time.time_ns() // 1_000_000}
            case "exchangeInfo":
                return {"rateLimits": LIMITS, "symbols": [_SYMBOL_ROW]}
            case "account.status":
                return _ACCOUNT
            case _:
                return {"subscriptionId": 0}

    def _place(self, params: dict[str, Any], at_ns: int) -> dict[str, Any]:
        self.orders += 1
        tick = _tick(params)
        if params["side"] == "BUY":
            number = self._by_tick.get(tick + BUY_BELOW)
            if number is not None:
                self.arrived_ns.setdefault(number, at_ns)
        row = {
            "symbol": SYMBOL, "orderId": self.orders, "clientOrderId": params["newClientOrderId"],
            "price": params["price"], "origQty": params["quantity"], "executedQty": "0.00000",
            "cummulativeQuoteQty": "0", "status": "NEW", "timeInForce": "GTC",
            "type": params["type"], "side": params["side"],
            "transactTime": time.time_ns() // 1_000_000,
        }  # fmt: skip
        self.open[str(params["newClientOrderId"])] = row
        return row

    def _cancel(self, name: str) -> dict[str, Any] | None:
        row = self.open.pop(name, None)
        if row is None:
            return None
        now_ms = time.time_ns() // 1_000_000
        return row | {"origClientOrderId": name, "status": "CANCELED", "transactTime": now_ms}

    def _listener(self, request: Any) -> WSListener:
        return _Orders(self) if request.path.startswith(b"/ws-api") else _Market(self)


def _tick(params: dict[str, Any]) -> int:
    whole, _, cents = str(params["price"]).partition(".")
    return int(whole) * 100 + int(cents.ljust(2, "0")[:2])


class _Market(WSListener):
    def __init__(self, venue: WireVenue) -> None:
        self._venue = venue

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            asked = msgspec.json.decode(frame.get_payload_as_bytes())
            transport.send(WSMsgType.TEXT, msgspec.json.encode({"result": None, "id": asked["id"]}))
            self._venue.listeners.add(transport)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect(False)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._venue.listeners.discard(transport)


class _Orders(WSListener):
    def __init__(self, venue: WireVenue) -> None:
        self._venue = venue
        self._came: list[tuple[bytes, int]] = []

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        at_ns = time.perf_counter_ns()
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect(False)
        if frame.msg_type != WSMsgType.TEXT:
            return
        if not self._came:
            asyncio.get_running_loop().call_soon(self._answer_all, transport)
        self._came.append((frame.get_payload_as_bytes(), at_ns))

    def _answer_all(self, transport: WSTransport) -> None:
        came, self._came = self._came, []
        for body, at_ns in came:
            if not transport.is_disconnected:
                self._answer(transport, body, at_ns)

    def _answer(self, transport: WSTransport, body: bytes, at_ns: int) -> None:
        asked = msgspec.json.decode(body)
        result = self._venue.answer(asked["method"], asked.get("params") or {}, at_ns)
        reply = {"id": asked["id"], "status": 200, "result": result}
        if result is None:
            error = {"code": -2011, "msg": "Unknown order sent."}
            reply = {"id": asked["id"], "status": 400, "error": error}
        transport.send(WSMsgType.TEXT, msgspec.json.encode(reply))


class _Http(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, read no further than needed, so that REST pays no more for its
    server than the websocket does."""

    def __init__(self, venue: WireVenue) -> None:
        self._venue = venue
        self._data = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        at_ns = time.perf_counter_ns()
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].decode()
            length = 0
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(":")
                length = int(value) if name.lower() == "content-length" else length
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length].decode()
            self._data = self._data[end + 4 + length :]
            self._answer(head, body, at_ns)

    def _answer(self, head: str, body: str, at_ns: int) -> None:
        verb, target, _ = head.split("\r\n", 1)[0].split(" ")
        path, _, query = target.partition("?")
        params = dict(parse_qsl(query)) | dict(parse_qsl(body))
        result = self._venue.answer(REST.get(f"{verb} {path}", ""), params, at_ns)
        error = {"code": -2011, "msg": "Unknown order sent."}
        text = msgspec.json.encode(error if result is None else result)
        status = b"400 Bad Request" if result is None else b"200 OK"
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(text), text)
        )


_ACCOUNT = {
    "makerCommission": 10, "takerCommission": 10, "buyerCommission": 0, "sellerCommission": 0,
    "commissionRates": {"maker": "0.00100000", "taker": "0.00100000",
                        "buyer": "0.00000000", "seller": "0.00000000"},
    "canTrade": True, "accountType": "SPOT", "updateTime": 1, "permissions": ["SPOT"],
    "balances": [
        {"asset": "BTC", "free": "500.00000000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "100000000.00000000", "locked": "0.00000000"},
    ],
}  # fmt: skip
_SYMBOL_ROW = {
    "symbol": SYMBOL, "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT",
    "baseAssetPrecision": 8, "quotePrecision": 8, "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER"], "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False, "permissions": [], "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00",
         "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00000",
         "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ],
}  # fmt: skip
