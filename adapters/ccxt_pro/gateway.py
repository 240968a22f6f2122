"""The way to one account through ccxt: instruments, commands out, private facts in."""

import asyncio
from typing import Protocol

from adapters.ccxt_pro import unified
from adapters.ccxt_pro.reconciliation import CcxtReads
from adapters.ccxt_pro.requests import Requests
from adapters.ccxt_pro.session import Session
from adapters.common.budget import Cost
from adapters.common.client_ids import ClientIds
from adapters.common.executing import Executing
from adapters.common.reconciliation import BALANCES, Reconciliation
from adapters.common.timesync import TimeSync
from engine.values.commands import Command
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.ports import Inbox

DAY = Cost(weight=2)


class PrivateStream(Protocol):
    async def run(self, inbox: Inbox) -> None: ...


class CcxtGateway:
    def __init__(self, session: Session, client_ids: ClientIds, private: PrivateStream) -> None:
        self._session = session
        self._private = private
        self._time = TimeSync(session)
        reads, known = CcxtReads(session), session.instruments
        self._executing = Executing(
            Requests(session, client_ids),
            Reconciliation(reads, client_ids, known, session.clock),
            self._time,
            session.clock,
        )

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

    async def day_volume(self, symbol: str) -> str | None:
        """Of the base asset, as the venue says it or ccxt reads it; None where it tells none."""
        exchange = self._session.exchange
        if not exchange.has.get("fetchTicker"):
            return None
        ticker = await self._session.ask(lambda: exchange.fetch_ticker(symbol), DAY)
        volume = ticker.get("baseVolume")
        return None if volume is None else str(volume)

    async def run(self, inbox: Inbox) -> None:
        """Stream private facts and clock offsets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._session.exchange.has.get("fetchTime"):
                tasks.create_task(self._time.run(inbox), name="clock offset")
            if self._session.has_keys:
                tasks.create_task(self._private.run(inbox), name="private stream")

    async def execute(self, command: Command) -> list[Event]:
        return await self._executing.execute(command)

    async def close(self) -> None:
        await self._session.close()

    async def _fees(self) -> dict[str, object]:
        """The account's own rates where Binance tells them; ccxt's table otherwise."""
        if not (self._session.is_binance and self._session.has_keys):
            return {}
        answer = await self._session.ask(self._session.exchange.fetch_balance, BALANCES)
        rates = answer["info"].get("commissionRates") or {}
        return {side: rates[side] for side in ("maker", "taker") if side in rates}
