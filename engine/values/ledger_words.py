"""Money that moved, as people, files and edges tell it to the books. Fills are in `events`.

Every amount is in atoms of the asset as the books count it (`Asset.exponent`). `ref` names a fact
within its kind and venue: told twice, it is booked once. `at_ns` is when it took effect.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.units import Atoms, Ns


class People(msgspec.Struct, frozen=True, kw_only=True):
    """Who wanted it and who agreed; `proposal` is the digest of the action that they signed."""

    requester: str = ""
    approvers: tuple[str, ...] = ()
    proposal: str = ""


NOBODY = People()


class RewardKind(StrEnum):
    STAKING = "staking reward"
    POOL = "pool yield"


class Held(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a place held when the books began, where no venue's Opening says so: a cold wallet."""

    venue: str
    at_ns: Ns
    asset: str
    atoms: Atoms
    who: str


class Converted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One asset given for another outside an order book. The fee may be in a third."""

    venue: str
    at_ns: Ns
    ref: str
    gave: str
    gave_atoms: Atoms
    got: str
    got_atoms: Atoms
    fee_asset: str
    fee_atoms: Atoms
    counterparty: str
    people: People = NOBODY


class Funded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Funding of a position: paid where `atoms` is negative."""

    venue: str
    market: str
    at_ns: Ns
    ref: str
    asset: str
    atoms: Atoms


class Rewarded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A staking reward or a pool's yield; negative is what a pool lost of what was put in.

    It is credited where `place` is locked, or to the venue's free holdings for "".
    """

    venue: str
    place: str
    at_ns: Ns
    ref: str
    kind: RewardKind
    asset: str
    atoms: Atoms
    counterparty: str


class LockMoved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Into a stake or pool called `place`, or out of it where `atoms` is negative."""

    venue: str
    place: str
    at_ns: Ns
    ref: str
    asset: str
    atoms: Atoms
    people: People = NOBODY


class TransferSent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """On its way between places of our own: `atoms` will arrive, `fee_atoms` will not."""

    venue: str
    to_venue: str
    at_ns: Ns
    ref: str
    asset: str
    atoms: Atoms
    fee_atoms: Atoms
    people: People = NOBODY


class TransferArrived(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The end of the transfer called `ref`, or a part of it. Parts are told apart by `part`."""

    venue: str
    at_ns: Ns
    ref: str
    part: int
    asset: str
    atoms: Atoms


class Paid(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Withdrawn to somebody else: an obligation of `function` met."""

    venue: str
    at_ns: Ns
    ref: str
    asset: str
    atoms: Atoms
    fee_atoms: Atoms
    counterparty: str
    function: str
    people: People = NOBODY


class Received(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Came from somebody else. `cost_atoms` is what it cost us in money; None is not known."""

    venue: str
    at_ns: Ns
    ref: str
    asset: str
    atoms: Atoms
    cost_atoms: Atoms | None
    counterparty: str


class Corrected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person takes a difference into the books and says why."""

    venue: str
    at_ns: Ns
    ref: str
    asset: str
    atoms: Atoms
    who: str
    reason: str


class HoldingsRead(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a place says it holds, asked at `asked_ns`: a custodian's statement, a chain's answer.

    The books are held against it, as they are against every reading of a venue.
    """

    venue: str
    asked_ns: Ns
    at_ns: Ns
    atoms: dict[str, Atoms]
    who: str


class LotsChosen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Specific identification: entry `key` disposes of these (lot, atoms), in this order."""

    at_ns: Ns
    key: str
    asset: str
    lots: tuple[tuple[str, Atoms], ...]
    who: str


LedgerWord: TypeAlias = (
    Held
    | Converted
    | Funded
    | Rewarded
    | LockMoved
    | TransferSent
    | TransferArrived
    | Paid
    | Received
    | Corrected
    | HoldingsRead
    | LotsChosen
)
