"""Every call that the venue answers, as rows: weight, security, parameters, who answers."""

from collections.abc import Callable

import msgspec

from adapters.loopback import market_calls
from adapters.loopback.account_calls import Desk
from adapters.loopback.exchange import Exchange
from adapters.loopback.params import Params
from engine.values.units import Ns

Weight = int | Callable[[Params], int]
PublicCall = Callable[[Exchange, Params, Ns], object]
SignedCall = Callable[[Desk, Params], object]
_SIGNED_NAMES = "timestamp recvWindow signature apiKey returnRateLimits"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One of `public` and `signed` answers. `names` are the parameters that the call reads."""

    weight: Weight
    names: frozenset[str]
    public: PublicCall | None = None
    signed: SignedCall | None = None
    orders: int = 0


def _public(weight: Weight, names: str, call: PublicCall) -> Row:
    return Row(weight=weight, names=frozenset(f"{names} {_SIGNED_NAMES}".split()), public=call)


def _signed(weight: Weight, names: str, call: SignedCall, orders: int = 0) -> Row:
    allowed = frozenset(f"{names} {_SIGNED_NAMES}".split())
    return Row(weight=weight, names=allowed, signed=call, orders=orders)


def _by_symbol(one: int, all_of_them: int) -> Callable[[Params], int]:
    return lambda params: one if "symbol" in params else all_of_them


_TICKET = (
    "symbol side type timeInForce quantity quoteOrderQty price newClientOrderId "
    "newOrderRespType selfTradePreventionMode strategyId strategyType"
)
_RANGE = "startTime endTime limit"

ROWS: dict[str, Row] = {
    "ping": _public(1, "", lambda exchange, params, now_ns: {}),
    "time": _public(1, "", lambda exchange, params, now_ns: {"serverTime": now_ns // 1_000_000}),
    "depth": _public(market_calls.depth_weight, "symbol limit", market_calls.depth),
    "trades": _public(25, "symbol limit", market_calls.trades),
    "aggTrades": _public(4, f"symbol fromId {_RANGE}", market_calls.aggregate_trades),
    "klines": _public(2, f"symbol interval timeZone {_RANGE}", market_calls.klines),
    "ticker24h": _public(_by_symbol(2, 80), "symbol symbols type", market_calls.ticker_24h),
    "tickerPrice": _public(_by_symbol(2, 4), "symbol symbols", market_calls.ticker_price),
    "tickerBook": _public(_by_symbol(2, 4), "symbol symbols", market_calls.ticker_book),
    "averagePrice": _public(2, "symbol", market_calls.average_price),
    "systemStatus": _public(1, "", market_calls.system_status),
    "tradeFee": _signed(1, "symbol", Desk.trade_fee),
    "account": _signed(20, "omitZeroBalances", Desk.account),
    "commission": _signed(20, "symbol", Desk.commission),
    "place": _signed(1, _TICKET, Desk.place, orders=1),
    "test": _signed(1, f"{_TICKET} computeCommissionRates", Desk.test),
    "order": _signed(4, "symbol orderId origClientOrderId", Desk.order),
    "cancel": _signed(
        1, "symbol orderId origClientOrderId newClientOrderId cancelRestrictions", Desk.cancel
    ),
    "replace": _signed(
        1,
        f"{_TICKET} cancelReplaceMode cancelOrderId cancelOrigClientOrderId "
        "cancelNewClientOrderId orderRateLimitExceededMode cancelRestrictions",
        Desk.replace,
        orders=1,
    ),
    "openOrders": _signed(_by_symbol(6, 80), "symbol", Desk.open_orders),
    "cancelAll": _signed(1, "symbol", Desk.cancel_all),
    "allOrders": _signed(20, f"symbol orderId {_RANGE}", Desk.all_orders),
    "myTrades": _signed(
        lambda params: 5 if "orderId" in params else 20,
        f"symbol orderId fromId {_RANGE}",
        Desk.my_trades,
    ),
}

REST: dict[tuple[str, str], str] = {
    ("GET", "/api/v3/ping"): "ping",
    ("GET", "/api/v3/time"): "time",
    ("GET", "/api/v3/exchangeInfo"): "exchangeInfo",
    ("GET", "/api/v3/depth"): "depth",
    ("GET", "/api/v3/trades"): "trades",
    ("GET", "/api/v3/aggTrades"): "aggTrades",
    ("GET", "/api/v3/klines"): "klines",
    ("GET", "/api/v3/ticker"): "ticker24h",
    ("GET", "/api/v3/ticker/24hr"): "ticker24h",
    ("GET", "/api/v3/ticker/price"): "tickerPrice",
    ("GET", "/api/v3/ticker/bookTicker"): "tickerBook",
    ("GET", "/api/v3/avgPrice"): "averagePrice",
    ("GET", "/api/v3/account"): "account",
    ("GET", "/api/v3/account/commission"): "commission",
    ("POST", "/api/v3/order"): "place",
    ("POST", "/api/v3/order/test"): "test",
    ("POST", "/api/v3/order/cancelReplace"): "replace",
    ("GET", "/api/v3/order"): "order",
    ("DELETE", "/api/v3/order"): "cancel",
    ("GET", "/api/v3/openOrders"): "openOrders",
    ("DELETE", "/api/v3/openOrders"): "cancelAll",
    ("GET", "/api/v3/allOrders"): "allOrders",
    ("GET", "/api/v3/myTrades"): "myTrades",
    ("GET", "/sapi/v1/capital/config/getall"): "coins",
    ("GET", "/sapi/v1/account/apiRestrictions"): "keyRights",
    ("GET", "/sapi/v1/asset/tradeFee"): "tradeFee",
    ("GET", "/sapi/v1/system/status"): "systemStatus",
    ("GET", "/sapi/v1/margin/allPairs"): "none",
    ("GET", "/sapi/v1/margin/isolated/allPairs"): "none",
    ("GET", "/fapi/v1/exchangeInfo"): "noFutures",
    ("GET", "/dapi/v1/exchangeInfo"): "noFutures",
}

WS_API: dict[str, str] = {
    "ping": "ping",
    "time": "time",
    "exchangeInfo": "exchangeInfo",
    "depth": "depth",
    "trades.recent": "trades",
    "trades.historical": "trades",
    "trades.aggregate": "aggTrades",
    "avgPrice": "averagePrice",
    "klines": "klines",
    "ticker.24hr": "ticker24h",
    "ticker.price": "tickerPrice",
    "ticker.book": "tickerBook",
    "account.status": "account",
    "account.commission": "commission",
    "order.place": "place",
    "order.test": "test",
    "order.cancelReplace": "replace",
    "order.status": "order",
    "order.cancel": "cancel",
    "openOrders.status": "openOrders",
    "openOrders.cancelAll": "cancelAll",
    "allOrders": "allOrders",
    "myTrades": "myTrades",
}
