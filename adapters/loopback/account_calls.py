"""Answers about an account and its orders, and the orders themselves."""

from adapters.loopback import refusals, reports
from adapters.loopback.accounts import Account
from adapters.loopback.config import MONEY_EXPONENT
from adapters.loopback.exchange import Exchange, Ticket
from adapters.loopback.orders import Order
from adapters.loopback.params import Params
from adapters.loopback.scale import ms, text_of
from engine.sim.matching.terms import Kind, SelfTrade, TimeInForce
from engine.values.units import Ns, Side, decimal_text

Json = dict[str, object]
TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")
RESPONSES = ("ACK", "RESULT", "FULL")


class Desk:
    """The calls of one account; every one raises Refusal or answers as the venue does."""

    def __init__(self, exchange: Exchange, account: str, now_ns: Ns) -> None:
        self._exchange = exchange
        self._account = account
        self._now_ns = now_ns

    def place(self, params: Params) -> Json:
        ticket = self._ticket(params)
        order, fills = self._exchange.place(self._account, ticket, self._now_ns)
        default = "ACK" if ticket.kind is Kind.LIMIT_MAKER else "FULL"
        response = params.choice("newOrderRespType", RESPONSES, default)
        return reports.placed(self._exchange.market(order.symbol).scale, order, fills, response)

    def test(self, params: Params) -> Json:
        self._exchange.check_ticket(self._account, self._ticket(params))
        return {}

    def cancel(self, params: Params) -> Json:
        order = self._find(params, "orderId", "origClientOrderId")
        new_id = params.client_id("newClientOrderId")
        return self._canceled(self._exchange.cancel(order, new_id, self._now_ns))

    def cancel_all(self, params: Params) -> list[Json]:
        symbol = self._exchange.market(params.text("symbol")).spec.symbol
        orders = self._exchange.store.open_orders(self._account, symbol)
        if not orders:
            raise refusals.unknown_cancel()
        return [self._canceled(self._exchange.cancel(o, "", self._now_ns)) for o in orders]

    def replace(self, params: Params) -> Json:
        """Cancel, then place. 409 when one of the two failed, 400 when both did."""
        mode = params.choice("cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        ticket = self._ticket(params)
        answer: Json = {
            "cancelResult": "SUCCESS",
            "newOrderResult": "NOT_ATTEMPTED",
            "cancelResponse": None,
            "newOrderResponse": None,
        }
        try:
            order = self._find(params, "cancelOrderId", "cancelOrigClientOrderId")
            new_id = params.client_id("cancelNewClientOrderId")
            answer["cancelResponse"] = self._canceled(
                self._exchange.cancel(order, new_id, self._now_ns)
            )
        except refusals.Refusal as refusal:
            answer["cancelResult"], answer["cancelResponse"] = "FAILURE", refusal.body()
        if answer["cancelResult"] == "SUCCESS" or mode == "ALLOW_FAILURE":
            self._place_instead(params, ticket, answer)
        return _judged(answer)

    def order(self, params: Params) -> Json:
        order = self._find(params, "orderId", "origClientOrderId")
        if order is None:
            raise refusals.no_such_order()
        return self._row(order)

    def open_orders(self, params: Params) -> list[Json]:
        symbol = self._symbol(params)
        return [self._row(o) for o in self._exchange.store.open_orders(self._account, symbol)]

    def all_orders(self, params: Params) -> list[Json]:
        symbol = self._exchange.market(params.text("symbol")).spec.symbol
        first, count = params.integer("orderId", 0), params.count(500, 1_000)
        kept = self._exchange.store.history(self._account, symbol)
        chosen = [o for o in kept if o.order_id >= first and _is_within(params, o.created_ns)]
        return [self._row(o) for o in (chosen[:count] if first else chosen[-count:])]

    def my_trades(self, params: Params) -> list[Json]:
        """With `fromId` the oldest from there on, else the latest."""
        market = self._exchange.market(params.text("symbol"))
        first, count = params.integer("fromId", 0), params.count(500, 1_000)
        order_id = params.integer("orderId", 0)
        chosen = [
            fill
            for fill in self._exchange.store.fills_of(self._account, market.spec.symbol)
            if fill.trade_id >= first
            and (not order_id or fill.order_id == order_id)
            and _is_within(params, fill.at_ns)
        ]
        is_forward = "fromId" in params or "startTime" in params
        shown = chosen[:count] if is_forward else chosen[-count:]
        return [reports.fill_row(market.scale, fill) for fill in shown]

    def account(self, params: Params) -> Json:
        account = self._exchange.accounts[self._account]
        is_short = params.optional("omitZeroBalances") == "true"
        spec = self._exchange.config.symbols[0]
        return {
            "makerCommission": spec.maker_fee_ppm // 100,
            "takerCommission": spec.taker_fee_ppm // 100,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": text_of(spec.maker_fee_ppm * 100),
                "taker": text_of(spec.taker_fee_ppm * 100),
                "buyer": text_of(0),
                "seller": text_of(0),
            },
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": ms(account.updated_ns),
            "accountType": "SPOT",
            "balances": _balances(account, is_short=is_short),
            "permissions": ["SPOT"],
            "uid": 1 + self._exchange.accounts.names().index(self._account),
        }

    def commission(self, params: Params) -> Json:
        spec = self._exchange.market(params.text("symbol")).spec
        rates: Json = {
            "maker": text_of(spec.maker_fee_ppm * 100),
            "taker": text_of(spec.taker_fee_ppm * 100),
            "buyer": text_of(0),
            "seller": text_of(0),
        }
        return {"symbol": spec.symbol, "standardCommission": rates}

    def trade_fee(self, params: Params) -> list[Json]:
        symbol = self._symbol(params)
        return [
            {
                "symbol": spec.symbol,
                "makerCommission": decimal_text(spec.maker_fee_ppm, 6),
                "takerCommission": decimal_text(spec.taker_fee_ppm, 6),
            }
            for spec in self._exchange.config.symbols
            if spec.symbol == symbol or not symbol
        ]

    def _ticket(self, params: Params) -> Ticket:
        config = self._exchange.config
        symbol = self._exchange.market(params.text("symbol")).spec.symbol
        side = Side(params.choice("side", ("BUY", "SELL")).lower())
        kind = Kind(params.choice("type", TYPES).lower())
        tif = TimeInForce.GTC
        if kind is Kind.LIMIT:
            tif = TimeInForce(params.choice("timeInForce", ("GTC", "IOC", "FOK")).lower())
        for name in _UNWANTED[kind]:
            if name in params:
                raise refusals.unwanted(name)
        is_by_quote = kind is Kind.MARKET and "quantity" not in params
        mode = params.choice(
            "selfTradePreventionMode", config.self_trade_allowed, config.self_trade_default
        )
        return Ticket(
            symbol=symbol,
            side=side,
            kind=kind,
            tif=tif,
            price_atoms=0 if kind is Kind.MARKET else params.decimal("price", MONEY_EXPONENT),
            size_atoms=0 if is_by_quote else params.decimal("quantity", MONEY_EXPONENT),
            quote_atoms=params.decimal("quoteOrderQty", MONEY_EXPONENT) if is_by_quote else 0,
            client_id=params.client_id("newClientOrderId"),
            self_trade=SelfTrade(mode.lower()),
        )

    def _place_instead(self, params: Params, ticket: Ticket, answer: Json) -> None:
        try:
            order, fills = self._exchange.place(self._account, ticket, self._now_ns)
        except refusals.Refusal as refusal:
            answer["newOrderResult"], answer["newOrderResponse"] = "FAILURE", refusal.body()
            return
        default = "ACK" if ticket.kind is Kind.LIMIT_MAKER else "FULL"
        response = params.choice("newOrderRespType", RESPONSES, default)
        scale = self._exchange.market(order.symbol).scale
        answer["newOrderResult"] = "SUCCESS"
        answer["newOrderResponse"] = reports.placed(scale, order, fills, response)

    def _find(self, params: Params, id_name: str, client_name: str) -> Order | None:
        symbol = self._exchange.market(params.text("symbol")).spec.symbol
        if id_name not in params and client_name not in params:
            raise refusals.missing(id_name)
        order_id = params.integer(id_name, 0)
        client_id = params.optional(client_name)
        return self._exchange.store.find(self._account, symbol, order_id, client_id)

    def _symbol(self, params: Params) -> str:
        given = params.optional("symbol")
        return self._exchange.market(given).spec.symbol if given else ""

    def _row(self, order: Order) -> Json:
        return reports.order_row(self._exchange.market(order.symbol).scale, order)

    def _canceled(self, order: Order) -> Json:
        return reports.canceled(self._exchange.market(order.symbol).scale, order)


_UNWANTED: dict[Kind, tuple[str, ...]] = {
    Kind.LIMIT: ("quoteOrderQty",),
    Kind.LIMIT_MAKER: ("timeInForce", "quoteOrderQty"),
    Kind.MARKET: ("timeInForce", "price"),
}


def _judged(answer: Json) -> Json:
    results = (answer["cancelResult"], answer["newOrderResult"])
    if results == ("SUCCESS", "SUCCESS"):
        return answer
    is_half = "SUCCESS" in results
    text = "Order cancel-replace partially failed." if is_half else "Order cancel-replace failed."
    refusal = refusals.Refusal(-2021 if is_half else -2022, text, status=409 if is_half else 400)
    refusal.data = answer
    raise refusal


def _is_within(params: Params, at_ns: Ns) -> bool:
    at_ms = ms(at_ns)
    return params.integer("startTime", 0) <= at_ms <= params.integer("endTime", at_ms)


def _balances(account: Account, *, is_short: bool) -> list[Json]:
    rows: list[Json] = []
    for asset in sorted(account.free):
        free, locked = account.free[asset], account.locked.get(asset, 0)
        if free or locked or not is_short:
            rows.append({"asset": asset, "free": text_of(free), "locked": text_of(locked)})
    return rows
