"""The native way to one account: instruments, commands out, private facts in."""

import asyncio

from adapters.common.client_ids import ClientIds
from adapters.common.executing import Executing
from adapters.common.reconciliation import Reconciliation
from adapters.common.timesync import TimeSync
from adapters.native.reads import NativeReads
from adapters.native.requests import NativeRequests
from adapters.native.session import Session
from adapters.native.sockets import Sockets
from engine.values.commands import Command
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.ports import Inbox


class NativeGateway:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._time = TimeSync(session)
        self._reads = NativeReads(session)
        client_ids = ClientIds()
        self._sockets = Sockets(session, client_ids)
        self._executing = Executing(
            NativeRequests(session, client_ids),
            Reconciliation(self._reads, client_ids, session.instruments, session.clock),
            self._time,
            session.clock,
        )

    async def instruments(self, symbols: list[str]) -> list[Instrument]:
        """Read filters, limits and fees. Raises VenueError; UserError for an unknown symbol."""
        await self._time.start()
        found = await self._reads.instruments(symbols)
        self._session.instruments.update({item.market: item for item in found})
        return found

    async def run(self, inbox: Inbox) -> None:
        """Stream private facts and clock offsets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._time.run(inbox), name="clock offset")
            tasks.create_task(self._sockets.run(inbox), name="private stream")

    async def execute(self, command: Command) -> list[Event]:
        return await self._executing.execute(command)

    async def close(self) -> None:
        await self._session.close()
