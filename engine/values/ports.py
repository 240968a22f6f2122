"""What the core expects of the edges. Adapters and the runtime fulfil these; nothing here acts."""

from collections.abc import Awaitable, Iterable
from typing import Protocol, runtime_checkable

from engine.values.action_words import Coins
from engine.values.chain_words import ChainOrder, ChainReceipt, ChainReward, Position
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


@runtime_checkable
class TellsVolumes(Protocol):
    """A gateway whose venue says what anybody traded in the last 24 hours."""

    async def day_volume(self, symbol: str) -> str | None:
        """Of the base asset in whole tokens, as decimal text; None where it never says.

        Raises VenueError.
        """
        ...


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


class Chain(Protocol):
    """The way to one wallet on one chain, for stakes, pools and transfers between own places.

    The treasury decides nothing about fees, nonces or gas: whoever fulfils this does. Ours is
    `engine.runtime.simulated_chain`; a real one signs with a key that never enters this process.
    """

    async def send(self, order: ChainOrder) -> None:
        """Hand an order over, at most once for each reference; return when it is SENT.

        Raises Rejected where it did not happen and never will (funds, platform, address),
        Transient where it was certainly not handed over, Unknown where it may have been.
        """
        ...

    async def found(self, reference: str) -> ChainReceipt | None:
        """How an order stands; None only where it was never handed over and never can be.

        A lost answer is no None: raises Unknown or Transient where the chain does not answer.
        """
        ...

    async def positions(self) -> list[Position]:
        """All that is staked, in pools, or on its way back. Raises VenueError."""
        ...

    async def balances(self) -> list[Coins]:
        """What is free in the wallet. Raises VenueError."""
        ...

    async def rewards(self) -> list[ChainReward]:
        """All that platforms and pools ever paid, each under a reference of its own. Raises
        VenueError."""
        ...
