"""The venue's public messages, field by field."""

from adapters.loopback.depth import DepthFrame
from adapters.loopback.klines import Candle, PublicTrade
from adapters.loopback.scale import Scale, text_of
from engine.values.units import Levels

Json = dict[str, object]


def rows(scale: Scale, levels: Levels) -> list[list[str]]:
    return [[scale.price_text(tick), scale.size_text(lots)] for tick, lots in levels]


def depth_update(symbol: str, scale: Scale, frame: DepthFrame, now_ms: int) -> Json:
    return {
        "e": "depthUpdate",
        "E": now_ms,
        "s": symbol,
        "U": frame.first_id,
        "u": frame.last_id,
        "b": rows(scale, frame.bids),
        "a": rows(scale, frame.asks),
    }


def book_ticker(symbol: str, scale: Scale, update_id: int, top: tuple[int, int, int, int]) -> Json:
    bid, bid_lots, ask, ask_lots = top
    return {
        "u": update_id,
        "s": symbol,
        "b": scale.price_text(bid),
        "B": scale.size_text(bid_lots),
        "a": scale.price_text(ask),
        "A": scale.size_text(ask_lots),
    }


def trade(symbol: str, scale: Scale, seen: PublicTrade, now_ms: int) -> Json:
    return {
        "e": "trade",
        "E": now_ms,
        "s": symbol,
        "t": seen.trade_id,
        "p": scale.price_text(seen.tick),
        "q": scale.size_text(seen.lots),
        "T": seen.at_ms,
        "m": seen.is_buyer_maker,
        "M": True,
    }


def aggregate_trade(symbol: str, scale: Scale, seen: "list[PublicTrade]", number: int) -> Json:
    """Fills of one taker at one price, as one."""
    return {
        "e": "aggTrade",
        "E": seen[-1].at_ms,
        "s": symbol,
        "a": number,
        "p": scale.price_text(seen[0].tick),
        "q": scale.size_text(sum(one.lots for one in seen)),
        "f": seen[0].trade_id,
        "l": seen[-1].trade_id,
        "T": seen[0].at_ms,
        "m": seen[0].is_buyer_maker,
        "M": True,
    }


def kline(symbol: str, scale: Scale, interval: str, candle: Candle, now_ms: int) -> Json:
    shown: Json = {
        "t": candle.open_ms,
        "T": candle.close_ms,
        "s": symbol,
        "i": interval,
        "f": candle.first_id,
        "L": candle.last_id,
        "o": scale.price_text(candle.first),
        "c": scale.price_text(candle.last),
        "h": scale.price_text(candle.high),
        "l": scale.price_text(candle.low),
        "v": scale.size_text(candle.lots),
        "n": candle.count,
        "x": now_ms > candle.close_ms,
        "q": text_of(candle.quote_atoms),
        "V": scale.size_text(candle.taker_lots),
        "Q": text_of(candle.taker_quote_atoms),
        "B": "0",
    }
    return {"e": "kline", "E": now_ms, "s": symbol, "k": shown}


def kline_row(scale: Scale, candle: Candle) -> list[object]:
    return [
        candle.open_ms,
        scale.price_text(candle.first),
        scale.price_text(candle.high),
        scale.price_text(candle.low),
        scale.price_text(candle.last),
        scale.size_text(candle.lots),
        candle.close_ms,
        text_of(candle.quote_atoms),
        candle.count,
        scale.size_text(candle.taker_lots),
        text_of(candle.taker_quote_atoms),
        "0",
    ]


def trade_row(scale: Scale, seen: PublicTrade) -> Json:
    return {
        "id": seen.trade_id,
        "price": scale.price_text(seen.tick),
        "qty": scale.size_text(seen.lots),
        "quoteQty": text_of(seen.quote_atoms),
        "time": seen.at_ms,
        "isBuyerMaker": seen.is_buyer_maker,
        "isBestMatch": True,
    }
