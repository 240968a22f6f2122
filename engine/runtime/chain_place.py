"""A chain as a place where actions of the desk are carried out (`action_driver.Place`).

It hands an order over once and says UNKNOWN until a receipt is final: the driver asks again by
reference, and nothing is ever handed over twice.
"""

from collections.abc import Callable
from typing import assert_never

from engine.runtime.action_driver import Outcome
from engine.treasury.desk_step import Begin
from engine.values.action_records import Ending
from engine.values.action_words import (
    Action,
    AddToPool,
    Override,
    Stake,
    TakeFromPool,
    Transfer,
    Unstake,
)
from engine.values.chain_words import ChainAction, ChainOrder, ChainReceipt, ChainStatus
from engine.values.errors import Rejected
from engine.values.ports import Chain
from engine.values.units import Ns


class ChainPlace:
    """`expires_ns` is how long an order may wait for a block before it can be in none."""

    def __init__(self, chain: Chain, now_ns: Callable[[], Ns], expires_ns: Ns) -> None:
        self._chain = chain
        self._now_ns = now_ns
        self._expires_ns = expires_ns

    async def execute(self, begin: Begin) -> Outcome:
        """Raises VenueError: Rejected where the action is none for a chain."""
        order = ChainOrder(
            reference=begin.reference,
            action=chain_action(begin.action),
            expires_ns=self._now_ns() + self._expires_ns,
        )
        await self._chain.send(order)
        found = await self._chain.found(begin.reference)
        return outcome_of(found) if found is not None else SENT

    async def ask(self, reference: str) -> Outcome | None:
        found = await self._chain.found(reference)
        return None if found is None else outcome_of(found)


SENT = Outcome(ending=Ending.UNKNOWN, has_moved=False, why="handed over")


def chain_action(action: Action) -> ChainAction:
    """What a chain is to do. Raises Rejected for what is done elsewhere."""
    inner = action.does if isinstance(action, Override) else action
    if isinstance(inner, Stake | Unstake | AddToPool | TakeFromPool | Transfer):
        return inner
    raise Rejected("this is not done on a chain", code="kind")


def outcome_of(receipt: ChainReceipt) -> Outcome:
    match receipt.status:
        case ChainStatus.CONFIRMED:
            return Outcome(ending=Ending.DONE, has_moved=True, why="confirmed")
        case ChainStatus.REVERTED | ChainStatus.DROPPED:
            why = f"{receipt.status}: {receipt.why}"
            return Outcome(ending=Ending.FAILED, has_moved=False, why=why)
        case ChainStatus.INCLUDED:
            why = "in a block that may still be undone"
            return Outcome(ending=Ending.UNKNOWN, has_moved=True, why=why)
        case ChainStatus.SENT:
            return Outcome(ending=Ending.UNKNOWN, has_moved=False, why="in no block yet")
        case _:
            assert_never(receipt.status)
