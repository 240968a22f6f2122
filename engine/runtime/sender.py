"""One sender a venue: an order's intent is durable before its bytes leave; cancels go first."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable
from typing import Any

from engine.values.commands import Cancel, CancelAll, Command, Place
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import Event, OrderFailed, OrderSent
from engine.values.ports import Clock, Gateway, Inbox, Journal

IN_FLIGHT_MAX = 32
"""Requests without an answer; beyond this, places wait and cancels still go."""
WAITING_MAX = 10_000


class Sender:
    """Takes commands in the order in which they were decided and answers with facts.

    What may leave is handed to the gateway before `send` returns: everything that protects us, and
    places whose intent is durable. A place that is withdrawn (cancelled, or its market pulled)
    before its bytes left never leaves, and one decision is heard whole before any of it goes.
    """

    def __init__(self, gateway: Gateway, journal: Journal, inbox: Inbox, clock: Clock) -> None:
        self._gateway = gateway
        self._journal = journal
        self._inbox = inbox
        self._clock = clock
        self._urgent: deque[Command] = deque()
        self._places: dict[str, Place] = {}
        self._durable: dict[str, Place] = {}
        self._in_flight: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._must_commit = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        return not (self._urgent or self._places or self._durable or self._in_flight)

    def send(self, commands: Iterable[Command]) -> None:
        """Take one decision. Its records were appended to the journal before."""
        for command in commands:
            if isinstance(command, Place):
                self._places[command.client_id] = command
            elif not self._withdraw(command):
                self._urgent.append(command)
        waiting = len(self._urgent) + len(self._places) + len(self._durable)
        assert waiting <= WAITING_MAX, "the sender is stuck"
        self._let_go()

    async def run(self) -> None:
        """Send until cancelled. What was decided before this began leaves now."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self._let_go()
                while True:
                    await self._must_commit.wait()
                    self._must_commit.clear()
                    await self._commit()
            finally:
                self._group = None  # answers are still heard, and let nothing more go

    async def _commit(self) -> None:
        """Only what waited before the commit began is known to be durable when it returns."""
        before = list(self._places)
        if not before:
            return  # everything that woke us was withdrawn meanwhile
        await self._journal.commit()
        for client_id in before:
            place = self._places.pop(client_id, None)
            if place is not None:
                self._durable[client_id] = place
        self._let_go()

    def _let_go(self) -> None:
        """Hand over what may leave now: cancels at once, durable places while the wire has room."""
        if self._group is None:
            return
        while self._urgent:
            self._start(self._group, self._urgent.popleft())
        if self._places and self._journal.is_durable():
            self._durable.update(self._places)
            self._places.clear()
        while self._durable and len(self._in_flight) < IN_FLIGHT_MAX:
            place = self._durable.pop(next(iter(self._durable)))
            self._announce(place)
            self._start(self._group, place)
        if self._places:
            self._must_commit.set()

    def _announce(self, place: Place) -> None:
        self._inbox.put(
            OrderSent(market=place.market, client_id=place.client_id, at_ns=self._clock.now_ns())
        )

    def _start(self, group: asyncio.TaskGroup, command: Command) -> None:
        """A gateway that writes at the call has the bytes out when this returns."""
        answer = self._gateway.execute(command)
        task = group.create_task(self._hear(answer), name=f"send {type(command).__name__}")
        self._in_flight.add(task)
        task.add_done_callback(self._answered)

    async def _hear(self, answer: Coroutine[Any, Any, list[Event]]) -> None:
        for fact in await answer:
            self._inbox.put(fact)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if not task.cancelled() and task.exception() is None:
            self._let_go()

    def _withdraw(self, command: Command) -> bool:
        """Drop waiting places that `command` cancels; True where nothing is left for the venue."""
        gone = [
            waiting.pop(place.client_id)
            for waiting in (self._durable, self._places)
            for place in _cancelled(waiting, command)
        ]
        for place in gone:
            self._inbox.put(self._never_sent(place))
        return bool(gone) and isinstance(command, Cancel)

    def _never_sent(self, place: Place) -> OrderFailed:
        return OrderFailed(
            market=place.market,
            client_id=place.client_id,
            at_ns=self._clock.now_ns(),
            failure=Failure.REJECTED,
            code=WITHDRAWN,
            text="cancelled before its first byte left",
        )


def _cancelled(waiting: dict[str, Place], command: Command) -> list[Place]:
    if isinstance(command, CancelAll):
        return [place for place in waiting.values() if place.market == command.market]
    if isinstance(command, Cancel) and command.client_id in waiting:
        return [waiting[command.client_id]]
    return []
