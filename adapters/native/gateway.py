"""The native way to one account: instruments, commands out, private facts in."""

import asyncio
from collections.abc import Awaitable

from adapters.common.client_ids import ClientIds
from adapters.common.executing import Executing, is_clock_refusal
from adapters.common.reconciliation import Reconciliation
from adapters.common.timesync import TimeSync
from adapters.native.link import Link
from adapters.native.reads import NativeReads
from adapters.native.requests import NativeRequests
from adapters.native.session import Session
from adapters.native.sockets import Sockets
from engine.values.commands import Cancel, Command, Place
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
        self._requests = NativeRequests(session, client_ids)
        self._held: Link | None = None
        self._mending: set[asyncio.Task[None]] = set()
        self._executing = Executing(
            self._requests,
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

    async def day_volume(self, symbol: str) -> str | None:
        return await self._reads.day_volume(symbol)

    async def run(self, inbox: Inbox) -> None:
        """Stream private facts and clock offsets until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._time.run(inbox), name="clock offset")
            tasks.create_task(self._sockets.run(inbox), name="private stream")

    def execute(self, command: Command) -> Awaitable[list[Event]]:
        """Bytes of places and cancels leave at the call where a connection stands ready.

        Where none does the slow way finds another, or says why there is none.
        """
        if isinstance(command, Place | Cancel):
            answer: asyncio.Future[list[Event]] = asyncio.get_running_loop().create_future()
            if self._requests.begin(command, lambda facts: self._answer(answer, facts)):
                return answer
        return self._executing.execute(command)

    def hold(self) -> None:
        """One decision, one write: a write costs more than all that is in it."""
        socket = self._session.ready_socket()
        if socket is not None:
            self._held = socket.lane.link
            self._held.cork()

    def release(self) -> None:
        if self._held is not None:
            self._held.uncork()
            self._held = None

    def _answer(self, answer: asyncio.Future[list[Event]], facts: list[Event]) -> None:
        if answer.done():
            return
        if is_clock_refusal(facts):
            task = asyncio.create_task(self._mend(answer, facts), name="clock offset anew")
            self._mending.add(task)
            task.add_done_callback(self._mending.discard)
        else:
            answer.set_result(facts)

    async def _mend(self, answer: asyncio.Future[list[Event]], facts: list[Event]) -> None:
        try:
            facts = await self._executing.mended(facts)
        finally:
            if not answer.done():
                answer.set_result(facts)

    async def close(self) -> None:
        await self._session.close()
