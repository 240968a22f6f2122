"""Hands what the desk began to its chain, at most once, and tells the engine what the chain says.

That an action begins is in the journal, for good, before its order leaves. An order that began in
an earlier process is never handed over again, only asked for. What a wallet shows is told when two
looks around the answers about orders agree, so that the parts of one fact belong together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

from engine.trading.chain_work import ChainTask
from engine.treasury.chain_params import ChainSection
from engine.values.action_words import Coins
from engine.values.chain_words import (
    ChainOrder,
    ChainReceipt,
    ChainReward,
    ChainSeen,
    ChainStatus,
    ChainTold,
    Position,
)
from engine.values.errors import Failure, VenueError
from engine.values.ports import Chain, Clock, Inbox
from engine.values.units import NS_PER_S, Ns


class Begun(Protocol):
    """What the engine has begun and not heard the end of (`ChainHands`)."""

    def tasks(self) -> list[ChainTask]: ...


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's side: `durable` returns when what it decided so far would survive `kill -9`."""

    begun: Begun
    durable: Callable[[], Awaitable[None]]
    clock: Clock
    tell: Callable[[str], None]


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    balances: list[Coins]
    positions: list[Position]
    rewards: list[ChainReward]


class ChainWatch:
    """One for an engine. `chains` are the ways to each place of `[chain]`."""

    def __init__(self, section: ChainSection, chains: Mapping[str, Chain], driver: Driver) -> None:
        assert set(section.places) <= set(chains), "a place without a way to it"
        self._section = section
        self._chains = chains
        self._driver = driver
        self._handed: set[str] = set()
        self._seen: dict[str, ChainSeen] = {}
        self._paid: set[str] = set()
        self._silent: set[str] = set()

    def __repr__(self) -> str:
        return f"<watch of {', '.join(self._section.places)}>"

    async def watch(self, inbox: Inbox) -> None:
        """For good, every so many seconds, beginning at once."""
        while True:
            await self.turn(inbox)
            await asyncio.sleep(self._section.every_s)

    async def turn(self, inbox: Inbox) -> None:
        """Hand over what is new, then ask each place for everything that is out."""
        tasks = self._driver.begun.tasks()
        new = [task for task in tasks if task.is_fresh and task.reference not in self._handed]
        if new:
            await self._driver.durable()
        for task in new:
            self._handed.add(task.reference)
            await self._hand_over(task, inbox)
        for place in self._section.places:
            mine = [task.reference for task in tasks if task.place == place]
            await self._ask(place, mine, inbox)

    async def _hand_over(self, task: ChainTask, inbox: Inbox) -> None:
        """It is noted as handed over before it is: whatever comes of it, it is never sent again."""
        now_ns = self._driver.clock.now_ns()
        expires_ns = now_ns + self._section.expires_s * NS_PER_S
        order = ChainOrder(reference=task.reference, action=task.action, expires_ns=expires_ns)
        try:
            await self._chains[task.place].send(order)
        except VenueError as error:
            is_doubtful = error.failure is Failure.UNKNOWN
            status = ChainStatus.SENT if is_doubtful else ChainStatus.DROPPED
            self._say(task.reference, (now_ns, status, error.text), inbox, is_doubtful=is_doubtful)

    async def _ask(self, place: str, references: list[str], inbox: Inbox) -> None:
        asked_ns, chain = self._driver.clock.now_ns(), self._chains[place]
        try:
            before = await self._look(chain)
            found = [(ref, await chain.found(ref)) for ref in references]
            after = await self._look(chain)
        except VenueError as error:
            if place not in self._silent:
                self._silent.add(place)
                self._driver.tell(f"the chain of {place} does not answer: {error.text}")
            return
        self._silent.discard(place)
        for reference, receipt in found:
            if receipt is None:
                why = "the chain knows nothing of it"
                self._say(reference, (asked_ns, None, why), inbox, is_doubtful=False)
        if before == after:
            receipts = [receipt for _, receipt in found if receipt is not None]
            self._show(place, (asked_ns, after, receipts), inbox)

    async def _look(self, chain: Chain) -> _Shown:
        return _Shown(
            balances=await chain.balances(),
            positions=await chain.positions(),
            rewards=await chain.rewards(),
        )

    def _say(
        self,
        reference: str,
        answer: tuple[Ns, ChainStatus | None, str],
        inbox: Inbox,
        *,
        is_doubtful: bool,
    ) -> None:
        """An answer is news once; that an order is absent is proof only later, so it is not."""
        asked_ns, status, why = answer
        word = ChainTold(
            at_ns=self._driver.clock.now_ns(),
            asked_ns=asked_ns,
            reference=reference,
            status=status,
            why=why,
            is_doubtful=is_doubtful,
        )
        inbox.put(word)

    def _show(self, place: str, shown: tuple[Ns, _Shown, list[ChainReceipt]], inbox: Inbox) -> None:
        """Only what is other than what was shown last; of rewards those that were not told."""
        asked_ns, what, receipts = shown
        word = ChainSeen(
            at_ns=0,
            asked_ns=0,
            place=place,
            balances=what.balances,
            positions=what.positions,
            rewards=[one for one in what.rewards if one.reference not in self._paid],
            receipts=receipts,
        )
        if word == self._seen.get(place):
            return
        self._seen[place] = msgspec.structs.replace(word, rewards=[])
        self._paid |= {one.reference for one in word.rewards}
        now_ns = self._driver.clock.now_ns()
        inbox.put(msgspec.structs.replace(word, at_ns=now_ns, asked_ns=asked_ns))
