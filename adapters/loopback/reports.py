"""The venue's private messages and order answers, field by field."""

from adapters.loopback.accounts import Account
from adapters.loopback.orders import Fill, Order
from adapters.loopback.scale import Scale, ms, text_of
from engine.sim.matching.terms import Kind
from engine.values.units import Ns, Side

Json = dict[str, object]
_NOTHING = "0.00000000"


def type_name(order: Order) -> str:
    return order.kind.value.upper()


def tif_name(order: Order) -> str:
    return order.tif.value.upper()


def _shared(scale: Scale, order: Order) -> Json:
    """What every answer about an order holds."""
    return {
        "price": scale.price_text(order.tick),
        "origQty": scale.size_text(order.lots),
        "executedQty": scale.size_text(order.filled_lots),
        "origQuoteOrderQty": text_of(order.quote_wanted_atoms),
        "cummulativeQuoteQty": text_of(order.filled_quote_atoms),
        "status": order.status.value,
        "timeInForce": tif_name(order),
        "type": type_name(order),
        "side": order.side.value.upper(),
        "selfTradePreventionMode": order.self_trade.value.upper(),
    }


def order_row(scale: Scale, order: Order) -> Json:
    """An order as GET order, openOrders and allOrders show it."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        **_shared(scale, order),
        "stopPrice": _NOTHING,
        "icebergQty": _NOTHING,
        "time": ms(order.created_ns),
        "updateTime": ms(order.updated_ns),
        "isWorking": True,
        "workingTime": ms(order.created_ns),
    }


def placed(scale: Scale, order: Order, fills: list[Fill], response: str) -> Json:
    """The answer to a new order, in the form that was asked for: ACK, RESULT or FULL."""
    answer: Json = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_id,
        "transactTime": ms(order.created_ns),
    }
    if response != "ACK":
        answer |= _shared(scale, order)
        answer["workingTime"] = ms(order.created_ns)
    if response == "FULL":
        answer["fills"] = [
            {
                "price": scale.price_text(fill.tick),
                "qty": scale.size_text(fill.lots),
                "commission": text_of(fill.fee_atoms),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            }
            for fill in fills
        ]
    return answer


def canceled(scale: Scale, order: Order) -> Json:
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.cancel_client_id,
        "transactTime": ms(order.updated_ns),
        **_shared(scale, order),
    }


def fill_row(scale: Scale, fill: Fill) -> Json:
    """A fill as myTrades shows it."""
    return {
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": scale.price_text(fill.tick),
        "qty": scale.size_text(fill.lots),
        "quoteQty": text_of(fill.quote_atoms),
        "commission": text_of(fill.fee_atoms),
        "commissionAsset": fill.fee_asset,
        "time": ms(fill.at_ns),
        "isBuyer": fill.side is Side.BUY,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def execution(scale: Scale, order: Order, what: str, now_ns: Ns) -> Json:
    """An executionReport. `what` is the execution type; a fill adds its own fields after."""
    is_cancel = what == "CANCELED"
    return {
        "e": "executionReport",
        "E": ms(now_ns),
        "s": order.symbol,
        "c": order.cancel_client_id if is_cancel else order.client_id,
        "S": order.side.value.upper(),
        "o": type_name(order),
        "f": tif_name(order),
        "q": scale.size_text(order.lots),
        "p": scale.price_text(order.tick),
        "P": _NOTHING,
        "F": _NOTHING,
        "g": -1,
        "C": order.client_id if is_cancel else "",
        "x": what,
        "X": order.status.value,
        "r": "NONE",
        "i": order.order_id,
        "l": _NOTHING,
        "z": scale.size_text(order.filled_lots),
        "L": _NOTHING,
        "n": "0",
        "N": None,
        "T": ms(order.updated_ns),
        "t": -1,
        "I": 0,
        "w": order.is_open and order.kind is not Kind.MARKET,
        "m": False,
        "M": False,
        "O": ms(order.created_ns),
        "Z": text_of(order.filled_quote_atoms),
        "Y": _NOTHING,
        "Q": text_of(order.quote_wanted_atoms),
        "W": ms(order.created_ns),
        "V": order.self_trade.value.upper(),
    }


def trade_fields(scale: Scale, fill: Fill) -> Json:
    return {
        "l": scale.size_text(fill.lots),
        "L": scale.price_text(fill.tick),
        "n": text_of(fill.fee_atoms),
        "N": fill.fee_asset,
        "t": fill.trade_id,
        "m": fill.is_maker,
        "M": True,
        "Y": text_of(fill.quote_atoms),
    }


def position(account: Account, assets: list[str], now_ns: Ns) -> Json:
    """An outboundAccountPosition: what an act may have changed."""
    return {
        "e": "outboundAccountPosition",
        "E": ms(now_ns),
        "u": ms(account.updated_ns),
        "B": [
            {
                "a": asset,
                "f": text_of(account.free.get(asset, 0)),
                "l": text_of(account.locked.get(asset, 0)),
            }
            for asset in assets
        ],
    }
