"""One sender a venue: an order's intent is durable before its bytes leave; cancels go first."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable
from itertools import islice

from engine.runtime.inbox import InboxFull
from engine.values.commands import Cancel, CancelAll, Command, Place
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import Event, OrderFailed, OrderSent
from engine.values.ports import Clock, Gateway, Inbox, Journal, Together

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
        self._together = gateway if isinstance(gateway, Together) else None
        self._urgent: deque[Command] = deque()
        self._places: dict[str, Place] = {}
        self._durable: dict[str, Place] = {}
        self._in_flight: set[asyncio.Future[list[Event]]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._must_wake = asyncio.Event()
        self._fault: BaseException | None = None

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
                while self._fault is None:
                    await self._commit()
                    await self._must_wake.wait()
                    self._must_wake.clear()
                raise self._fault
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
        if self._places and self._journal.is_durable():
            self._durable.update(self._places)
            self._places.clear()
        room = IN_FLIGHT_MAX - len(self._in_flight) - len(self._urgent)
        places = list(islice(self._durable.values(), max(0, room)))
        if self._urgent or places:
            self._leave(self._group, places)
        if self._places:
            self._must_wake.set()

    def _leave(self, group: asyncio.TaskGroup, places: list[Place]) -> None:
        """In one write where the gateway can."""
        together = self._together if len(self._urgent) + len(places) > 1 else None
        if together is not None:
            together.hold()
        while self._urgent:
            self._start(group, self._urgent.popleft())
        for place in places:
            del self._durable[place.client_id]
            self._start(group, place)
        if together is not None:
            together.release()
        if places:
            self._announce(places)

    def _announce(self, sent: list[Place]) -> None:
        """After the bytes of all: the answers come in a later turn at the earliest."""
        now_ns = self._clock.now_ns()
        for place in sent:
            fact = OrderSent(market=place.market, client_id=place.client_id, at_ns=now_ns)
            self._inbox.put(fact)

    def _start(self, group: asyncio.TaskGroup, command: Command) -> None:
        """A gateway that writes at the call has the bytes out when this returns."""
        answer = self._gateway.execute(command)
        if not isinstance(answer, asyncio.Future):
            answer = group.create_task(_whole(answer), name=f"send {type(command).__name__}")
        self._in_flight.add(answer)
        answer.add_done_callback(self._answered)

    def _answered(self, answer: asyncio.Future[list[Event]]) -> None:
        self._in_flight.discard(answer)
        if answer.cancelled():
            return
        self._fault = self._fault or answer.exception()
        if self._fault is not None:
            self._must_wake.set()  # `run` raises it: a gateway tells its troubles as facts
            return
        try:
            for fact in answer.result():
                self._inbox.put(fact)
        except InboxFull as full:
            self._fault = full
            self._must_wake.set()
            return
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


async def _whole(answer: Awaitable[list[Event]]) -> list[Event]:
    return await answer


def _cancelled(waiting: dict[str, Place], command: Command) -> list[Place]:
    if isinstance(command, CancelAll):
        return [place for place in waiting.values() if place.market == command.market]
    if isinstance(command, Cancel) and command.client_id in waiting:
        return [waiting[command.client_id]]
    return []
