"""The way to one account through ccxt: instruments, commands out, private facts in."""

import asyncio
from typing import Protocol, assert_never

from adapters.ccxt_pro import unified
from adapters.ccxt_pro.client_ids import ClientIds
from adapters.ccxt_pro.reconciliation import BALANCES, Reconciliation
from adapters.ccxt_pro.requests import Requests, query_failed
from adapters.ccxt_pro.session import Session
from adapters.ccxt_pro.timesync import TimeSync
from engine.values.commands import Amend, Cancel, CancelAll, Command, Place, QueryOrder, Reconcile
from engine.values.errors import UserError, VenueError
from engine.values.events import CancelFailed, Event, OrderFailed, QueryFailed
from engine.values.instrument import Instrument
from engine.values.ports import Inbox

_CLOCK_CODES = ("-1021", "InvalidNonce")


class PrivateStream(Protocol):
    async def run(self, inbox: Inbox) -> None: ...


class CcxtGateway:
    def __init__(self, session: Session, client_ids: ClientIds, private: PrivateStream) -> None:
        self._session = session
        self._private = private
        self._time = TimeSync(session)
        self._requests = Requests(session, client_ids)
        self._reconciliation = Reconciliation(session, client_ids)

    async def instruments(self, symbols: list[str]) -> list[Instrument]:
        """Read filters, limits and fees. Raises VenueError; UserError for an unknown symbol."""
        session = self._session
        if session.exchange.has.get("fetchTime"):
            await self._time.start()
        await session.load_markets()
        fees = await self._fees()
        found = []
        for symbol in symbols:
            market = session.exchange.markets.get(symbol)
            if market is None:
                raise UserError(f"{session.options.name} has no market {symbol}")
            mode = session.exchange.precisionMode
            found.append(unified.instrument_of(session.options.name, {**market, **fees}, mode))
        session.instruments |= {item.market: item for item in found}
        return found

    async def run(self, inbox: Inbox) -> None:
        """Stream private facts and clock offsets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._session.exchange.has.get("fetchTime"):
                tasks.create_task(self._time.run(inbox), name="clock offset")
            if self._session.has_keys:
                tasks.create_task(self._private.run(inbox), name="private stream")

    async def execute(self, command: Command) -> list[Event]:
        """Do it and answer with facts; a refusal for a bad timestamp also measures time anew."""
        facts = await self._execute(command)
        if any(_is_clock_refusal(fact) for fact in facts):
            facts = [*facts, *await self._time.resync()]
        return facts

    async def close(self) -> None:
        await self._session.close()

    async def _execute(self, command: Command) -> list[Event]:
        match command:
            case Place():
                return await self._requests.place(command)
            case Cancel():
                return await self._requests.cancel(command)
            case CancelAll():
                return await self._requests.cancel_all(command)
            case QueryOrder():
                return await self._requests.query(command)
            case Amend():
                return await self._requests.amend(command)
            case Reconcile():
                return await self._reconcile(command)
            case _:
                assert_never(command)

    async def _reconcile(self, command: Reconcile) -> list[Event]:
        try:
            return [await self._reconciliation.read(command)]
        except VenueError as error:
            return [query_failed(command.market, "", error, self._session.clock.now_ns())]

    async def _fees(self) -> dict[str, object]:
        """The account's own rates where Binance tells them; ccxt's table otherwise."""
        if not (self._session.is_binance and self._session.has_keys):
            return {}
        answer = await self._session.ask(self._session.exchange.fetch_balance, BALANCES)
        rates = answer["info"].get("commissionRates") or {}
        return {side: rates[side] for side in ("maker", "taker") if side in rates}


def _is_clock_refusal(fact: Event) -> bool:
    return isinstance(fact, OrderFailed | CancelFailed | QueryFailed) and fact.code in _CLOCK_CODES
