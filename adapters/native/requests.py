"""Commands to requests of Binance's, answers to facts. Nothing of a venue's is raised from here."""

from collections.abc import Callable

import msgspec

from adapters.common.client_ids import ClientIds
from adapters.common.failed import amend_failed, cancel_failed, order_failed, query_failed
from adapters.common.refusals import NO_SUCH_ORDER, unreadable
from adapters.native import rows
from adapters.native.api_socket import ApiSocket, Reply
from adapters.native.calls import CANCEL, CANCEL_ALL, ORDER, PLACE, REPLACE, Call
from adapters.native.order_frames import OrderFrames, fixed_terms
from adapters.native.session import Params, Session
from engine.values.commands import Amend, Cancel, CancelAll, Place, QueryOrder
from engine.values.errors import Failure, VenueError
from engine.values.events import AllCanceled, Event, OrderAbsent, OrderReport, OrderState
from engine.values.units import NS_PER_MS


class NativeRequests:
    def __init__(self, session: Session, client_ids: ClientIds) -> None:
        self._session = session
        self._client_ids = client_ids
        self._frames = OrderFrames(session.instruments, session.options.recv_window_ms)

    async def place(self, command: Place) -> list[Event]:
        return await self._ask(command)

    async def cancel(self, command: Cancel) -> list[Event]:
        return await self._ask(command)

    def begin(self, command: Place | Cancel, done: Callable[[list[Event]], None]) -> bool:
        """True: the bytes are out, and `done` is called once, with the facts.

        False: no connection stands ready for them, and nothing was done.
        """
        session = self._session
        socket = session.ready_socket()
        if socket is None:
            return False

        def hear(reply: Reply | VenueError) -> None:
            done(self._heard(command, reply))

        try:
            session.limits.take(PLACE.cost if isinstance(command, Place) else CANCEL.cost)
            number = socket.next_id()
            socket.request(number, self._frame(socket, command, number), hear)
        except VenueError as error:
            hear(error)
        return True

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

    async def _ask(self, command: Place | Cancel) -> list[Event]:
        try:
            body = await self._session.ask(*self._asked(command))
            return [self._told(command.market, body, command.client_id)]
        except VenueError as error:
            return [self._failed(command, error)]

    def _asked(self, command: Place | Cancel) -> tuple[Call, Params]:
        if isinstance(command, Place):
            return PLACE, self._ticket(command)
        symbol = self._session.instruments[command.market].venue_symbol
        return CANCEL, {"symbol": symbol, "origClientOrderId": command.client_id}

    def _frame(self, socket: ApiSocket, command: Place | Cancel, number: int) -> bytes:
        session = self._session
        if not socket.is_logged_on:
            call, asked = self._asked(command)
            return session.request(number, call.method, session.proved(socket, call, asked))
        at_ms = session.venue_ns() // NS_PER_MS
        if isinstance(command, Place):
            return self._frames.place(command, number, at_ms)
        return self._frames.cancel(command, number, at_ms)

    def _heard(self, command: Place | Cancel, reply: Reply | VenueError) -> list[Event]:
        try:
            if isinstance(reply, VenueError):
                raise reply
            return [self._told(command.market, self._session.result(reply), command.client_id)]
        except VenueError as error:
            return [self._failed(command, error)]

    def _failed(self, command: Place | Cancel, error: VenueError) -> Event:
        now_ns = self._session.clock.now_ns()
        if isinstance(command, Place):
            return order_failed(command, error, now_ns)
        return cancel_failed(command.market, command.client_id, error, now_ns)

    def _ticket(self, command: Place) -> Params:
        """Prices and sizes as their exact decimal text."""
        item = self._session.instruments[command.market]
        return {
            **fixed_terms(command, item),
            "price": item.price_text(command.tick),
            "quantity": item.size_text(command.lots),
            "newClientOrderId": command.client_id,
        }

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
