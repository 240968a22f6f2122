"""Answers about the market that need no key."""

from collections.abc import Callable

from adapters.loopback import filters, messages, refusals, tickers
from adapters.loopback.config import MONEY_EXPONENT
from adapters.loopback.exchange import Exchange
from adapters.loopback.klines import INTERVALS_MS
from adapters.loopback.limits import Limiter
from adapters.loopback.market import Market
from adapters.loopback.params import Params
from adapters.loopback.scale import ms
from engine.values.units import Ns

Json = dict[str, object]
RowOf = Callable[[Market], Json]


def depth(exchange: Exchange, params: Params, now_ns: Ns) -> Json:
    market = exchange.market(params.text("symbol"))
    return market.snapshot(params.count(100, 5_000))


def depth_weight(params: Params) -> int:
    limit = params.integer("limit", 100)
    for highest, weight in ((100, 5), (500, 25), (1_000, 50)):
        if limit <= highest:
            return weight
    return 250


def trades(exchange: Exchange, params: Params, now_ns: Ns) -> list[Json]:
    market = exchange.market(params.text("symbol"))
    kept = list(market.trades)[-params.count(500, 1_000) :]
    return [messages.trade_row(market.scale, one) for one in kept]


def aggregate_trades(exchange: Exchange, params: Params, now_ns: Ns) -> list[Json]:
    """One row a trade: the tape does not remember which of them one taker made."""
    market = exchange.market(params.text("symbol"))
    rows: list[Json] = []
    for one in list(market.trades)[-params.count(500, 1_000) :]:
        message = messages.aggregate_trade(market.spec.symbol, market.scale, [one], one.trade_id)
        rows.append({k: v for k, v in message.items() if k not in ("e", "E", "s")})
    return rows


def klines(exchange: Exchange, params: Params, now_ns: Ns) -> list[list[object]]:
    market = exchange.market(params.text("symbol"))
    interval = params.text("interval")
    if interval not in INTERVALS_MS:
        raise refusals.bad_interval()
    first_ms = params.integer("startTime", 0)
    tape_ms = market.tape_ms(now_ns)
    last_ms = params.integer("endTime", tape_ms)
    candles = [
        candle
        for candle in market.klines.until(interval, tape_ms)
        if first_ms <= candle.open_ms <= last_ms
    ]
    count = params.count(500, 1_000)
    chosen = candles[:count] if "startTime" in params else candles[-count:]
    return [messages.kline_row(market.scale, candle) for candle in chosen]


def ticker_price(exchange: Exchange, params: Params, now_ns: Ns) -> object:
    return _one_or_all(exchange, params, tickers.price_row)


def ticker_book(exchange: Exchange, params: Params, now_ns: Ns) -> object:
    return _one_or_all(exchange, params, tickers.book_row)


def ticker_24h(exchange: Exchange, params: Params, now_ns: Ns) -> object:
    return _one_or_all(exchange, params, lambda market: tickers.day_row(market, now_ns))


def average_price(exchange: Exchange, params: Params, now_ns: Ns) -> Json:
    market = exchange.market(params.text("symbol"))
    price = market.scale.price_text(market.reference())
    return {"mins": 0, "price": price, "closeTime": market.tape_ms(now_ns)}


def system_status(exchange: Exchange, params: Params, now_ns: Ns) -> Json:
    return {"status": 0, "msg": "normal"}


def exchange_info(exchange: Exchange, limiter: Limiter, params: Params, now_ns: Ns) -> Json:
    wanted = params.optional("symbol")
    specs = [exchange.market(wanted).spec] if wanted else exchange.config.symbols
    return {
        "timezone": "UTC",
        "serverTime": ms(now_ns),
        "rateLimits": limiter.described(),
        "exchangeFilters": [],
        "symbols": [_symbol_row(exchange, exchange.market(spec.symbol)) for spec in specs],
    }


def _symbol_row(exchange: Exchange, market: Market) -> Json:
    spec, config = market.spec, exchange.config
    return {
        "symbol": spec.symbol,
        "status": "TRADING",
        "baseAsset": spec.base,
        "baseAssetPrecision": MONEY_EXPONENT,
        "quoteAsset": spec.quote,
        "quotePrecision": MONEY_EXPONENT,
        "quoteAssetPrecision": MONEY_EXPONENT,
        "baseCommissionPrecision": MONEY_EXPONENT,
        "quoteCommissionPrecision": MONEY_EXPONENT,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters.described(spec),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": config.self_trade_default,
        "allowedSelfTradePreventionModes": list(config.self_trade_allowed),
    }


def _one_or_all(exchange: Exchange, params: Params, row: RowOf) -> object:
    if "symbol" in params:
        return row(exchange.market(params.text("symbol")))
    return [row(market) for market in exchange.markets.values()]
