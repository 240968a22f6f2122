"""Tickers: best prices, last price and the last 24 hours, asked for or streamed each second."""

from adapters.loopback.config import MONEY_EXPONENT
from adapters.loopback.exchange import Exchange
from adapters.loopback.klines import DAY_MS, Candle
from adapters.loopback.market import Market
from adapters.loopback.scale import ms, text_of
from engine.values.units import NS_PER_S, Ns

Json = dict[str, object]
_STREAM_FIELDS = {
    "priceChange": "p",
    "priceChangePercent": "P",
    "weightedAvgPrice": "w",
    "prevClosePrice": "x",
    "lastPrice": "c",
    "lastQty": "Q",
    "bidPrice": "b",
    "bidQty": "B",
    "askPrice": "a",
    "askQty": "A",
    "openPrice": "o",
    "highPrice": "h",
    "lowPrice": "l",
    "volume": "v",
    "quoteVolume": "q",
    "openTime": "O",
    "closeTime": "C",
    "firstId": "F",
    "lastId": "L",
    "count": "n",
}

_MINI_FIELDS = ("E", "s", "c", "o", "h", "l", "v", "q")


class TickerStream:
    """`<symbol>@ticker` and `@miniTicker` once a second, for whoever listens."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._due_ns: Ns = 0

    def advance(self, now_ns: Ns) -> None:
        if now_ns < self._due_ns:
            return
        self._due_ns = now_ns + NS_PER_S
        for symbol, market in self._exchange.markets.items():
            for kind, message in (("ticker", full), ("miniTicker", mini)):
                stream = f"{symbol.lower()}@{kind}"
                if stream in self._exchange.outbox.wanted:
                    self._exchange.outbox.publish(symbol, stream, message(market, now_ns))


def full(market: Market, now_ns: Ns) -> Json:
    row = day_row(market, now_ns)
    shown = {short: row[name] for name, short in _STREAM_FIELDS.items()}
    return {"e": "24hrTicker", "E": ms(now_ns), "s": market.spec.symbol, **shown}


def mini(market: Market, now_ns: Ns) -> Json:
    """The few fields of `@miniTicker`."""
    shown = full(market, now_ns)
    return {"e": "24hrMiniTicker"} | {
        name: shown[name] for name in ["E", "s", "c", "o", "h", "l", "v", "q"]
    }


def price_row(market: Market) -> Json:
    last = market.trades[-1].tick if market.trades else 0
    return {"symbol": market.spec.symbol, "price": market.scale.price_text(last)}


def book_row(market: Market) -> Json:
    bid, bid_lots, ask, ask_lots = market.book.top()
    return {
        "symbol": market.spec.symbol,
        "bidPrice": market.scale.price_text(bid),
        "bidQty": market.scale.size_text(bid_lots),
        "askPrice": market.scale.price_text(ask),
        "askQty": market.scale.size_text(ask_lots),
    }


def day_row(market: Market, now_ns: Ns) -> Json:
    """The last 24 hours of the tape, from its minute candles."""
    now_ms, scale = market.tape_ms(now_ns), market.scale
    candles = [c for c in market.klines.until("1m", now_ms) if c.close_ms > now_ms - DAY_MS]
    first = candles[0].first if candles else 0
    last = candles[-1].last if candles else 0
    lots = sum(c.lots for c in candles)
    quote = sum(c.quote_atoms for c in candles)
    average = quote * 10**MONEY_EXPONENT // scale.base_atoms(lots) if lots else 0
    traded = [c for c in candles if c.count]
    book = book_row(market)
    return {
        "symbol": market.spec.symbol,
        "priceChange": scale.price_text(last - first),
        "priceChangePercent": f"{(last - first) / first * 100 if first else 0:.3f}",
        "weightedAvgPrice": text_of(average),
        "prevClosePrice": scale.price_text(first),
        "lastPrice": scale.price_text(last),
        "lastQty": scale.size_text(market.trades[-1].lots if market.trades else 0),
        **{name: book[name] for name in ("bidPrice", "bidQty", "askPrice", "askQty")},
        "openPrice": scale.price_text(first),
        "highPrice": scale.price_text(_highest(candles)),
        "lowPrice": scale.price_text(min((c.low for c in candles), default=0)),
        "volume": scale.size_text(lots),
        "quoteVolume": text_of(quote),
        "openTime": now_ms - DAY_MS,
        "closeTime": now_ms,
        "firstId": traded[0].first_id if traded else -1,
        "lastId": traded[-1].last_id if traded else -1,
        "count": sum(c.count for c in candles),
    }


def _highest(candles: list[Candle]) -> int:
    return max((c.high for c in candles), default=0)
