"""One sender a venue: an order's intent is durable before its bytes leave; cancels go first."""

import asyncio
from collections import deque
from collections.abc import Iterable

from engine.values.commands import Cancel, CancelAll, Command, Place
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import OrderFailed, OrderSent
from engine.values.ports import Clock, Gateway, Inbox, Journal

IN_FLIGHT_MAX = 32
"""Requests without an answer; beyond this, places wait and cancels still go."""
WAITING_MAX = 10_000


class Sender:
    """Takes commands in the order in which they were decided and answers with facts.

    A place that is withdrawn (cancelled, or its market pulled) before its bytes left never leaves.
    """

    def __init__(self, gateway: Gateway, journal: Journal, inbox: Inbox, clock: Clock) -> None:
        self._gateway = gateway
        self._journal = journal
        self._inbox = inbox
        self._clock = clock
        self._urgent: deque[Command] = deque()
        self._places: dict[str, Place] = {}
        self._in_flight: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._has_places = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        return not (self._urgent or self._places or self._in_flight)

    def send(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Place):
                self._places[command.client_id] = command
                self._has_places.set()
            elif not self._withdraw(command):
                self._urgent.append(command)
        assert len(self._urgent) + len(self._places) <= WAITING_MAX, "the sender is stuck"
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled, places in one task and everything that protects us in another."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_places(group), name="send places")
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._urgent:
                    self._start(group, self._urgent.popleft())

    async def _send_places(self, group: asyncio.TaskGroup) -> None:
        """Only what waited before the commit began is known to be durable when it returns."""
        while True:
            if not self._places:
                self._has_places.clear()
                await self._has_places.wait()
            durable = list(self._places)[: max(0, IN_FLIGHT_MAX - len(self._in_flight))]
            if not durable:
                if self._in_flight:
                    await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
                continue  # everything that woke us was withdrawn meanwhile, or the wire is full
            await self._journal.commit()
            for client_id in durable:
                place = self._places.pop(client_id, None)
                if place is not None:
                    self._announce(place)
                    self._start(group, place)

    def _announce(self, place: Place) -> None:
        self._inbox.put(
            OrderSent(market=place.market, client_id=place.client_id, at_ns=self._clock.now_ns())
        )

    def _start(self, group: asyncio.TaskGroup, command: Command) -> None:
        task = group.create_task(self._execute(command), name=f"send {type(command).__name__}")
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _execute(self, command: Command) -> None:
        for fact in await self._gateway.execute(command):
            self._inbox.put(fact)

    def _withdraw(self, command: Command) -> bool:
        """Drop waiting places that `command` cancels; True where nothing is left for the venue."""
        if isinstance(command, CancelAll):
            gone = [place for place in self._places.values() if place.market == command.market]
        elif isinstance(command, Cancel):
            gone = [self._places[command.client_id]] if command.client_id in self._places else []
        else:
            return False
        for place in gone:
            del self._places[place.client_id]
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
