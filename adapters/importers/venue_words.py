"""What the JSONL captures say, venue by venue: rows become books and prints in the venue's texts.

Sources: the venues' public documentation (Bybit v5, OKX v5, Kraken v1, KuCoin, Gate v4). Each
function takes one row and gives all that it says of books and trades; other rows say nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

from adapters.transport.capture import Row
from engine.values.units import BUY, NS_PER_MS, NS_PER_S, SELL, Ns, Side

Pairs: TypeAlias = list[tuple[str, str]]


class BookWord(msgspec.Struct, frozen=True, kw_only=True):
    """Levels of one market. `first` and `last` are the ids of the changes in it, 0 where none.

    `checksum` is the venue's own of the book after this, None where there is none.
    """

    symbol: str
    bids: Pairs
    asks: Pairs
    is_whole: bool
    venue_ns: Ns = 0
    first: int = 0
    last: int = 0
    checksum: int | None = None


class TradeWord(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    price: str
    size: str
    side: Side
    venue_ns: Ns
    trade_id: str = ""


Word: TypeAlias = BookWord | TradeWord
SIDES = {"buy": BUY, "sell": SELL, "Buy": BUY, "Sell": SELL, "b": BUY, "s": SELL}


def bybit(row: Row, body: Any) -> Iterator[Word]:
    """Spot and linear carry the same symbols on two connections: the address tells which."""
    topic = body.get("topic", "") if row.t == "recv" else ""
    suffix = "" if row.addr.endswith("/spot") else ":" + row.addr.rpartition("/")[2]
    if topic.startswith("orderbook."):
        data = body["data"]
        yield BookWord(
            symbol=data["s"] + suffix,
            bids=pairs(data["b"]),
            asks=pairs(data["a"]),
            is_whole=body["type"] == "snapshot",
            venue_ns=body.get("cts", body["ts"]) * NS_PER_MS,
            first=data["u"],
            last=data["u"],
        )
    elif topic.startswith("publicTrade."):
        for each in body["data"]:
            yield TradeWord(
                symbol=each["s"] + suffix,
                price=each["p"],
                size=each["v"],
                side=SIDES[each["S"]],
                venue_ns=each["T"] * NS_PER_MS,
            )


def okx(row: Row, body: Any) -> Iterator[Word]:
    if row.t != "recv" or "data" not in body:
        return
    channel, symbol = body["arg"]["channel"], body["arg"]["instId"]
    for each in body["data"]:
        if channel == "books":
            yield BookWord(
                symbol=symbol,
                bids=pairs(each["bids"]),
                asks=pairs(each["asks"]),
                is_whole=body["action"] == "snapshot",
                venue_ns=int(each["ts"]) * NS_PER_MS,
                checksum=each["checksum"] & 0xFFFFFFFF,
            )
        elif channel == "trades":
            yield TradeWord(
                symbol=symbol,
                price=each["px"],
                size=each["sz"],
                side=SIDES[each["side"]],
                venue_ns=int(each["ts"]) * NS_PER_MS,
                trade_id=each["tradeId"],
            )


def kraken(row: Row, body: Any) -> Iterator[Word]:
    if row.t != "recv" or not isinstance(body, list):
        return
    channel, symbol = body[-2], body[-1]
    if channel == "trade":
        for price, size, stamp, side, *_ in body[1]:
            yield TradeWord(
                symbol=symbol, price=price, size=size, side=SIDES[side], venue_ns=seconds_ns(stamp)
            )
    elif channel.startswith("book"):
        said = {name: value for part in body[1:-2] for name, value in part.items()}
        bids, asks = said.get("bs", said.get("b", [])), said.get("as", said.get("a", []))
        yield BookWord(
            symbol=symbol,
            bids=pairs(bids),
            asks=pairs(asks),
            is_whole="as" in said or "bs" in said,
            # A whole book tells when each level last changed, which is not when it was sent.
            venue_ns=0 if "as" in said else max(seconds_ns(each[2]) for each in bids + asks),
            checksum=int(said["c"]) if "c" in said else None,
        )


def kucoin(row: Row, body: Any) -> Iterator[Word]:
    """A change at price 0 changes nothing; its number counts."""
    if row.t == "http" and "/orderbook/level2" in row.url:
        data = body["data"]
        last = int(data["sequence"])
        yield BookWord(
            symbol=asked(row.url, "symbol"),
            bids=pairs(data["bids"]),
            asks=pairs(data["asks"]),
            is_whole=True,
            venue_ns=int(data["time"]) * NS_PER_MS,
            first=last,
            last=last,
        )
    elif row.t == "recv" and body.get("subject") == "trade.l2update":
        data, changes = body["data"], body["data"]["changes"]
        yield BookWord(
            symbol=data["symbol"],
            bids=[pair for pair in pairs(changes["bids"]) if pair[0] != "0"],
            asks=[pair for pair in pairs(changes["asks"]) if pair[0] != "0"],
            is_whole=False,
            first=int(data["sequenceStart"]),
            last=int(data["sequenceEnd"]),
        )
    elif row.t == "recv" and body.get("subject") == "trade.l3match":
        data = body["data"]
        yield TradeWord(
            symbol=data["symbol"],
            price=data["price"],
            size=data["size"],
            side=SIDES[data["side"]],
            venue_ns=int(data["time"]),
        )


def gate(row: Row, body: Any) -> Iterator[Word]:
    if row.t == "http" and "/spot/order_book?" in row.url:
        yield BookWord(
            symbol=asked(row.url, "currency_pair"),
            bids=pairs(body["bids"]),
            asks=pairs(body["asks"]),
            is_whole=True,
            first=body["id"],
            last=body["id"],
        )
    elif row.t == "recv" and body.get("event") == "update":
        data = body["result"]
        if body["channel"] == "spot.order_book_update":
            yield BookWord(
                symbol=data["s"],
                bids=pairs(data["b"]),
                asks=pairs(data["a"]),
                is_whole=False,
                venue_ns=data["t"] * NS_PER_MS,
                first=data["U"],
                last=data["u"],
            )
        elif body["channel"] == "spot.trades":
            yield TradeWord(
                symbol=data["currency_pair"],
                price=data["price"],
                size=data["amount"],
                side=SIDES[data["side"]],
                venue_ns=seconds_ns(data["create_time_ms"]) // 1_000,
                trade_id=str(data["id"]),
            )


WORDS: dict[str, Callable[[Row, Any], Iterator[Word]]] = {
    "BYBIT": bybit,
    "OKX": okx,
    "KRAKEN": kraken,
    "KUCOIN": kucoin,
    "GATEIO": gate,
}


def pairs(rows: list[list[str]]) -> Pairs:
    """Price and size of each level; what else the row holds is the venue's own business."""
    return [(row[0], row[1]) for row in rows]


def asked(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query)[name][0]


def seconds_ns(text: str) -> Ns:
    """Decimal seconds to ns, without a float."""
    whole, _, fraction = text.partition(".")
    return int(whole) * NS_PER_S + int(fraction[:9].ljust(9, "0"))
