"""Commands to requests of Binance's, answers to facts. Nothing of a venue's is raised from here."""

import msgspec

from adapters.common.client_ids import ClientIds
from adapters.common.failed import amend_failed, cancel_failed, order_failed, query_failed
from adapters.common.refusals import NO_SUCH_ORDER, unreadable
from adapters.native import rows
from adapters.native.calls import CANCEL, CANCEL_ALL, ORDER, PLACE, REPLACE
from adapters.native.session import Params, Session
from engine.values.commands import Amend, Cancel, CancelAll, Place, QueryOrder
from engine.values.errors import Failure, VenueError
from engine.values.events import AllCanceled, Event, OrderAbsent, OrderReport, OrderState
from engine.values.units import Side

_SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}


class NativeRequests:
    def __init__(self, session: Session, client_ids: ClientIds) -> None:
        self._session = session
        self._client_ids = client_ids

    async def place(self, command: Place) -> list[Event]:
        try:
            body = await self._session.ask(PLACE, self._ticket(command))
            return [self._told(command.market, body, command.client_id)]
        except VenueError as error:
            return [order_failed(command, error, self._session.clock.now_ns())]

    async def cancel(self, command: Cancel) -> list[Event]:
        item = self._session.instruments[command.market]
        asked: Params = {"symbol": item.venue_symbol, "origClientOrderId": command.client_id}
        try:
            body = await self._session.ask(CANCEL, asked)
            return [self._told(command.market, body, command.client_id)]
        except VenueError as error:
            now_ns = self._session.clock.now_ns()
            return [cancel_failed(command.market, command.client_id, error, now_ns)]

    async def cancel_all(self, command: CancelAll) -> list[Event]:
        session, market = self._session, command.market
        found: list[msgspec.Raw] = []
        try:
            asked: Params = {"symbol": session.instruments[market].venue_symbol}
            found = rows.read(await session.ask(CANCEL_ALL, asked), list[msgspec.Raw])
        except VenueError as error:
            if error.code not in NO_SUCH_ORDER:
                return [query_failed(market, "", error, session.clock.now_ns())]
        reports = self._readable(market, found)
        canceled = sum(report.state is OrderState.CANCELED for report in reports)
        done = AllCanceled(market=market, at_ns=session.clock.now_ns(), count=canceled)
        return [*reports, done]

    async def query(self, command: QueryOrder) -> list[Event]:
        market, client_id = command.market, command.client_id
        asked_ns = self._session.clock.now_ns()
        symbol = self._session.instruments[market].venue_symbol
        asked: Params = {"symbol": symbol, "origClientOrderId": client_id}
        try:
            return [self._told(market, await self._session.ask(ORDER, asked), client_id)]
        except VenueError as error:
            now_ns = self._session.clock.now_ns()
            if error.failure is Failure.REJECTED and error.code in NO_SUCH_ORDER:
                absent = OrderAbsent(
                    market=market, client_id=client_id, at_ns=now_ns, asked_ns=asked_ns
                )
                return [absent]
            return [query_failed(market, client_id, error, now_ns)]

    async def amend(self, command: Amend) -> list[Event]:
        """Binance's cancelReplace, which stops where the cancel fails."""
        asked = self._ticket(command.replacement) | {
            "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelOrigClientOrderId": command.client_id,
        }
        try:
            both = rows.read(await self._session.ask(REPLACE, asked), rows.ReplacedRow)
            new_id = command.replacement.client_id
            return [
                self._report(command.market, both.canceled, command.client_id),
                self._report(command.market, both.placed, new_id),
            ]
        except VenueError as error:
            return amend_failed(command, error, self._session.clock.now_ns())

    def _ticket(self, command: Place) -> Params:
        """Prices and sizes as their exact decimal text."""
        item = self._session.instruments[command.market]
        ticket: Params = {
            "symbol": item.venue_symbol,
            "side": _SIDES[command.side],
            "type": "LIMIT_MAKER" if command.post_only else "LIMIT",
            "price": item.price_text(command.tick),
            "quantity": item.size_text(command.lots),
            "newClientOrderId": command.client_id,
            "newOrderRespType": "RESULT",
        }
        if not command.post_only:
            ticket["timeInForce"] = "IOC" if command.is_ioc else "GTC"
        return ticket

    def _told(self, market: str, body: bytes, client_id: str) -> OrderReport:
        return self._report(market, rows.read(body, rows.OrderRow), client_id)

    def _report(self, market: str, row: rows.OrderRow, client_id: str = "") -> OrderReport:
        """Raises VenueError: an answer that makes no sense proves nothing."""
        item = self._session.instruments[market]
        try:
            report = rows.order_report(item, row, self._session.clock.now_ns(), client_id)
        except ValueError as error:
            raise unreadable(error) from None
        self._client_ids.learn(market, report.venue_id, report.client_id)
        return report

    def _readable(self, market: str, found: list[msgspec.Raw]) -> list[OrderReport]:
        reports = []
        for raw in found:
            try:
                reports.append(self._report(market, rows.read(bytes(raw), rows.OrderRow)))
            except VenueError:
                continue
        return reports
