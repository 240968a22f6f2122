"""The words of the ledger that a wallet's reading is put into, one maker for each."""

import msgspec

from engine.values.chain_words import ChainAction, ChainSeen, PositionKind
from engine.values.ledger_words import (
    LockMoved,
    People,
    Rewarded,
    RewardKind,
    TransferArrived,
    TransferSent,
)
from engine.values.units import Atoms, Ns

KINDS = {PositionKind.STAKED: RewardKind.STAKING, PositionKind.POOL: RewardKind.POOL}
BACK = 1
"""The part of a transfer's arrival that says that it came back to where it was sent from."""


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is in a block: what it was, and who wanted it."""

    reference: str
    action: ChainAction
    people: People
    fee_atoms: Atoms = 0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Under which reference, and by whom."""

    ref: str
    people: People


def locked(seen: ChainSeen, key: tuple[str, str], atoms: Atoms, told: Told) -> LockMoved:
    """So much of an asset into a platform or pool; `key` names both."""
    return LockMoved(
        venue=seen.place,
        place=key[0],
        at_ns=seen.asked_ns,
        ref=told.ref,
        asset=key[1],
        atoms=atoms,
        people=told.people,
    )


def changed(seen: ChainSeen, key: tuple[str, str], atoms: Atoms, kind: PositionKind) -> Rewarded:
    """What a position became by itself: it paid, or lost."""
    return Rewarded(
        venue=seen.place,
        place=key[0],
        at_ns=seen.asked_ns,
        ref=seen_ref(seen, key),
        kind=KINDS[kind],
        asset=key[1],
        atoms=atoms,
        counterparty=key[0],
    )


def arrival(flight: TransferSent, place: str, at_ns: Ns) -> TransferArrived:
    """A transfer is where it went to, or back where it came from."""
    return TransferArrived(
        venue=place,
        at_ns=at_ns,
        ref=flight.ref,
        part=BACK if place == flight.venue else 0,
        asset=flight.asset,
        atoms=flight.atoms,
    )


def seen_ref(seen: ChainSeen, key: tuple[str, str]) -> str:
    """Of what a reading shows and no order explains."""
    return f"seen {seen.asked_ns} {key[0]} {key[1]}"
