"""Commands to requests of ccxt's, answers to facts. Nothing of a venue's is raised from here."""

from collections.abc import Mapping
from typing import Any

from adapters.ccxt_pro import unified
from adapters.ccxt_pro.session import Session
from adapters.common.budget import Cost
from adapters.common.client_ids import ClientIds
from adapters.common.failed import amend_failed, cancel_failed, order_failed, query_failed
from adapters.common.refusals import NO_SUCH_ORDER, unreadable
from engine.values.commands import Amend, Cancel, CancelAll, Place, QueryOrder
from engine.values.errors import Failure, Rejected, Unknown, VenueError
from engine.values.events import AllCanceled, Event, OrderAbsent, OrderReport, OrderState
from engine.values.units import NS_PER_MS

PLACE = Cost(weight=1, orders=1)
AMEND = Cost(weight=1, orders=1)
CANCEL = Cost(weight=1, is_urgent=True, is_cancel=True)
QUERY = Cost(weight=4, is_urgent=True)

_UNREADABLE = (ArithmeticError, KeyError, TypeError, ValueError)


class Requests:
    def __init__(self, session: Session, client_ids: ClientIds) -> None:
        self._session = session
        self._exchange = session.exchange
        self._client_ids = client_ids

    async def place(self, command: Place) -> list[Event]:
        """Prices and sizes leave as the exact decimal text; ccxt's rounding finds nothing to do."""
        item = self._session.instruments[command.market]
        params: dict[str, object] = {"clientOrderId": command.client_id}
        if command.post_only:
            params["postOnly"] = True
        elif command.is_ioc:
            params["timeInForce"] = "IOC"
        price, size = item.price_text(command.tick), item.size_text(command.lots)
        side = command.side.value
        try:
            order = await self._session.ask(
                lambda: self._exchange.create_order(
                    item.symbol, "limit", side, size, price, params
                ),
                PLACE,
            )
        except VenueError as error:
            return [order_failed(command, error, self._session.clock.now_ns())]
        if not isinstance(order, Mapping) or not order.get("id"):
            nameless = Unknown("unreadable answer", code="no id")
            return [order_failed(command, nameless, self._session.clock.now_ns())]
        return [self._acked(command, order)]

    async def cancel(self, command: Cancel) -> list[Event]:
        item = self._session.instruments[command.market]
        params = {"clientOrderId": command.client_id}
        try:
            order = await self._session.ask(
                lambda: self._exchange.cancel_order("", item.symbol, params), CANCEL
            )
        except VenueError as error:
            now_ns = self._session.clock.now_ns()
            return [cancel_failed(command.market, command.client_id, error, now_ns)]
        try:
            return [self._reported(command.market, order, command.client_id)]
        except _UNREADABLE:
            # Some venues answer a cancel with hardly more than "done".
            query = QueryOrder(
                market=command.market, client_id=command.client_id, at_ns=command.at_ns
            )
            return await self.query(query)

    async def cancel_all(self, command: CancelAll) -> list[Event]:
        item = self._session.instruments[command.market]
        try:
            answer = await self._session.ask(
                lambda: self._exchange.cancel_all_orders(item.symbol), CANCEL
            )
        except VenueError as error:
            if error.code not in NO_SUCH_ORDER:
                now_ns = self._session.clock.now_ns()
                return [query_failed(command.market, "", error, now_ns)]
            answer = []
        reports = self._readable(command.market, answer)
        canceled = sum(report.state is OrderState.CANCELED for report in reports)
        now_ns = self._session.clock.now_ns()
        return [*reports, AllCanceled(market=command.market, at_ns=now_ns, count=canceled)]

    async def query(self, command: QueryOrder) -> list[Event]:
        item = self._session.instruments[command.market]
        asked_ns = self._session.clock.now_ns()
        params = {"clientOrderId": command.client_id}
        try:
            order = await self._session.ask(
                lambda: self._exchange.fetch_order(None, item.symbol, params), QUERY
            )
            return [self._reported(command.market, order, command.client_id)]
        except VenueError as error:
            now_ns = self._session.clock.now_ns()
            if error.failure is Failure.REJECTED and error.code in NO_SUCH_ORDER:
                return [OrderAbsent(market=command.market, client_id=command.client_id,
                                    at_ns=now_ns, asked_ns=asked_ns)]  # fmt: skip
            return [query_failed(command.market, command.client_id, error, now_ns)]
        except _UNREADABLE as error:
            failure = unreadable(error)
            return [
                query_failed(
                    command.market, command.client_id, failure, self._session.clock.now_ns()
                )
            ]

    async def amend(self, command: Amend) -> list[Event]:
        """Binance's cancelReplace, which stops where the cancel fails; elsewhere refused."""
        place = command.replacement
        item = self._session.instruments[command.market]
        if not self._session.is_binance:
            refused = Rejected("this venue has no cancel-and-replace", code="amend")
            return amend_failed(command, refused, self._session.clock.now_ns())
        request = {
            "symbol": item.venue_symbol,
            "side": place.side.value.upper(),
            "type": "LIMIT_MAKER" if place.post_only else "LIMIT",
            "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelOrigClientOrderId": command.client_id,
            "newClientOrderId": place.client_id,
            "quantity": item.size_text(place.lots),
            "price": item.price_text(place.tick),
            "newOrderRespType": "RESULT",
        } | ({} if place.post_only else {"timeInForce": "GTC"})
        try:
            answer = await self._session.ask(
                lambda: self._exchange.private_post_order_cancelreplace(request), AMEND
            )
            return self._replaced(command, answer)
        except VenueError as error:
            return amend_failed(command, error, self._session.clock.now_ns())
        except _UNREADABLE as error:
            return amend_failed(command, unreadable(error), self._session.clock.now_ns())

    def _replaced(self, command: Amend, answer: Mapping[str, Any]) -> list[Event]:
        market = self._exchange.market(self._session.instruments[command.market].symbol)
        old = self._exchange.parse_order(answer["cancelResponse"], market)
        new = self._exchange.parse_order(answer["newOrderResponse"], market)
        return [
            self._reported(command.market, old, command.client_id),
            self._reported(command.market, new, command.replacement.client_id),
        ]

    def _acked(self, command: Place, order: Mapping[str, Any]) -> OrderReport:
        """The report in the answer, or, where a venue only gives an id, what we know of it."""
        try:
            return self._reported(command.market, order, command.client_id)
        except _UNREADABLE:
            venue_id = str(order["id"])
            self._client_ids.learn(command.market, venue_id, command.client_id)
            return OrderReport(
                market=command.market,
                client_id=command.client_id,
                venue_id=venue_id,
                at_ns=self._session.clock.now_ns(),
                update_ns=int(order.get("timestamp") or 0) * NS_PER_MS,
                state=OrderState.OPEN,
                side=command.side,
                tick=command.tick,
                lots=command.lots,
                filled_lots=0,
                reason="acknowledged",
            )

    def _reported(self, market: str, order: Mapping[str, Any], client_id: str = "") -> OrderReport:
        item = self._session.instruments[market]
        report = unified.order_report(item, order, self._session.clock.now_ns(), client_id)
        self._client_ids.learn(market, report.venue_id, report.client_id)
        return report

    def _readable(self, market: str, answer: Any) -> list[OrderReport]:
        reports = []
        for order in answer if isinstance(answer, list) else []:
            try:
                reports.append(self._reported(market, order))
            except _UNREADABLE:
                continue
        return reports
