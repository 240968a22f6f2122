"""Commands to answers, the same for every way to a venue: who does what, and time anew."""

from typing import Protocol, assert_never

from adapters.common.failed import query_failed
from adapters.common.reconciliation import Reconciliation
from adapters.common.timesync import TimeSync
from engine.values.commands import Amend, Cancel, CancelAll, Command, Place, QueryOrder, Reconcile
from engine.values.errors import VenueError
from engine.values.events import CancelFailed, Event, OrderFailed, QueryFailed
from engine.values.ports import Clock

_CLOCK_CODES = ("-1021", "InvalidNonce")


class Requests(Protocol):
    """Each answers with facts and raises nothing of a venue's."""

    async def place(self, command: Place) -> list[Event]: ...

    async def cancel(self, command: Cancel) -> list[Event]: ...

    async def cancel_all(self, command: CancelAll) -> list[Event]: ...

    async def query(self, command: QueryOrder) -> list[Event]: ...

    async def amend(self, command: Amend) -> list[Event]: ...


class Executing:
    def __init__(
        self, requests: Requests, reconciliation: Reconciliation, time: TimeSync, clock: Clock
    ) -> None:
        self._requests = requests
        self._reconciliation = reconciliation
        self._time = time
        self._clock = clock

    async def execute(self, command: Command) -> list[Event]:
        """Do it and answer with facts; a refusal for a bad timestamp also measures time anew."""
        facts = await self._execute(command)
        return await self.mended(facts) if is_clock_refusal(facts) else facts

    async def mended(self, facts: list[Event]) -> list[Event]:
        """`facts`, and the clock's offset measured anew."""
        return [*facts, *await self._time.resync()]

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
            return [query_failed(command.market, "", error, self._clock.now_ns())]


def is_clock_refusal(facts: list[Event]) -> bool:
    """Did the venue refuse one of these for its timestamp?"""
    return any(
        isinstance(fact, OrderFailed | CancelFailed | QueryFailed) and fact.code in _CLOCK_CODES
        for fact in facts
    )
