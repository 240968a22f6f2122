"""What the core expects of the edges. Adapters and the runtime fulfil these; nothing here acts."""

from collections.abc import Awaitable, Iterable
from typing import Protocol, runtime_checkable

from engine.values.commands import Command
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.records import Record
from engine.values.units import Ns


class Clock(Protocol):
    def now_ns(self) -> Ns:
        """Engine time: nanoseconds since 1970 at start-up, advanced by the monotonic clock only."""
        ...


class Inbox(Protocol):
    def put(self, event: Event) -> None:
        """Hand over a fact; never blocks, never drops a fact about our own orders."""
        ...


class Feed(Protocol):
    """Streams the public facts of its markets into the inbox until it is cancelled."""

    async def run(self, inbox: Inbox) -> None:
        """Reconnects by itself with full-jitter backoff; reports every loss as a fact."""
        ...


class Gateway(Protocol):
    """The way to one venue account: instruments, commands out, private facts in."""

    async def instruments(self, symbols: list[str]) -> list[Instrument]:
        """Read filters and fees. Raises VenueError; UserError where a symbol does not exist."""
        ...

    async def run(self, inbox: Inbox) -> None:
        """Stream private facts (reports, fills, balances) and clock offsets until cancelled."""
        ...

    def execute(self, command: Command) -> Awaitable[list[Event]]:
        """Do it and answer with facts. Failures are facts too: it raises nothing of a venue's.

        It is called in the very turn of the loop that decided. One that can write at once may do so
        at the call, and return a future or the coroutine that waits for the answer.
        """
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Together(Protocol):
    """A gateway that can let the bytes of several commands leave in one write."""

    def hold(self) -> None:
        """What is executed from here on waits for `release`, which follows in the same turn."""
        ...

    def release(self) -> None: ...


class Journal(Protocol):
    def append(self, records: Iterable[Record]) -> None:
        """Queue records; they reach the disk in order and soon."""
        ...

    def is_durable(self) -> bool:
        """Whether everything appended so far would survive `kill -9` already."""
        ...

    async def commit(self) -> None:
        """Return when everything appended so far would survive `kill -9`."""
        ...
