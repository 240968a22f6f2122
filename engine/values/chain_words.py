"""What a chain is asked to do and what it says of it: stakes, pools and transfers.

Amounts carry their exponent, as in actions. `reference` is the one under which the desk begins an
action; a chain does at most one thing for each.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.action_words import (
    AddToPool,
    Coins,
    Stake,
    TakeFromPool,
    Transfer,
    Unstake,
)
from engine.values.units import Atoms, Ns

ChainAction: TypeAlias = Stake | Unstake | AddToPool | TakeFromPool | Transfer


class ChainOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Do `action`, once, under `reference`; not at all if it is in no block by `expires_ns`."""

    reference: str
    action: ChainAction
    expires_ns: Ns


class ChainStatus(StrEnum):
    SENT = "sent"
    """Handed over, in no block yet. It may still happen."""
    INCLUDED = "included"
    """In a block that may still be undone."""
    CONFIRMED = "confirmed"
    REVERTED = "reverted"
    """In a block, and did nothing."""
    DROPPED = "dropped"
    """In no block, and it can be in none any more."""


FINAL = frozenset({ChainStatus.CONFIRMED, ChainStatus.REVERTED, ChainStatus.DROPPED})


class ChainReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """How an order stands. Final states never change again.

    `fee_atoms` is what the network took on top of a transfer, of the coins that it moves.
    """

    reference: str
    status: ChainStatus
    at_ns: Ns
    why: str
    fee_atoms: Atoms = 0


class PositionKind(StrEnum):
    STAKED = "staked"
    POOL = "pool"
    UNWINDING = "unwinding"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What is locked on a chain. `notice_ns` is how long it takes from asking until it is back.

    Of what unwinds `back_ns` is when; of everything else it is 0. `of` is the platform or pool that
    it comes back from, "" where that is the `name`.
    """

    name: str
    kind: PositionKind
    coins: list[Coins]
    notice_ns: Ns
    back_ns: Ns
    of: str = ""

    @property
    def platform(self) -> str:
        return self.of or self.name


class ChainReward(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform or pool paid. It is in the position where `is_locked`, else free."""

    reference: str
    platform: str
    kind: PositionKind
    coins: Coins
    at_ns: Ns
    is_locked: bool


# --- facts: what a chain says in a running engine -----------------------------------------------


class ChainTold(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the chain said of one order when it was handed over, or asked for at `asked_ns`.

    `status` None: it knows nothing of it. `is_doubtful`: no answer came, so it may have happened.
    """

    at_ns: Ns
    asked_ns: Ns
    reference: str
    status: ChainStatus | None
    why: str
    is_doubtful: bool


class ChainSeen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All that one wallet shows at one moment, after `asked_ns`: free coins, positions, rewards
    that were not told yet, and the orders that were asked for. The parts agree with each other."""

    at_ns: Ns
    asked_ns: Ns
    place: str
    balances: list[Coins]
    positions: list[Position]
    rewards: list[ChainReward]
    receipts: list[ChainReceipt]


ChainWord: TypeAlias = ChainTold | ChainSeen
