"""The chart of accounts, and what an entry is: postings that come to zero in every asset."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from engine.values.ledger_words import NOBODY, People
from engine.values.units import Atoms, Ns


class AccountKind(StrEnum):
    HOLDINGS = "holdings"
    LOCKED = "locked"
    TRANSIT = "in transit"
    OPENING = "opening"
    TRADES = "trades"
    FEES = "fees"
    FUNDING = "funding"
    CONVERSIONS = "conversions"
    REWARDS = "staking rewards"
    YIELDS = "pool yields"
    PAID = "paid"
    RECEIVED = "received"
    CORRECTIONS = "corrections"
    SUSPENSE = "suspense"


OWN = frozenset({AccountKind.HOLDINGS, AccountKind.LOCKED, AccountKind.TRANSIT})
"""What we have. The others say where it came from and where it went, with the other sign."""


class Account(msgspec.Struct, frozen=True, order=True):
    """`place` is a venue, a market, a lock, a counterparty or a business function."""

    kind: AccountKind
    place: str

    def __str__(self) -> str:
        return f"{self.kind} {self.place}".rstrip()


class Posting(msgspec.Struct, frozen=True):
    account: Account
    asset: str
    atoms: Atoms


class Reason(StrEnum):
    """Why money moved: the reason code of an entry."""

    OPENING = "opening"
    FILL = "fill"
    FUNDING = "funding"
    CONVERSION = "conversion"
    STAKING_REWARD = "staking reward"
    POOL_YIELD = "pool yield"
    LOCK = "lock"
    UNLOCK = "unlock"
    TRANSFER_OUT = "transfer out"
    TRANSFER_IN = "transfer in"
    PAYMENT = "payment"
    RECEIPT = "receipt"
    CORRECTION = "correction"
    SUSPENSE = "suspense"
    REVERSAL = "reversal"


class TaxTag(StrEnum):
    """What an entry is to whoever files the taxes. A guess at no country's law."""

    NONE = "not a taxable event"
    TRADE = "realised gain"
    CONVERSION = "conversion"
    STAKING_REWARD = "staking reward"
    POOL_YIELD = "pool yield"
    FUNDING = "funding"
    FEE = "fee"
    PAYMENT = "payment in kind"
    RECEIPT = "receipt"
    CORRECTION = "correction"


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry does to the lots of one asset: acquired where `atoms` is positive.

    `worth_atoms` of money is the cost, or else the proceeds; None is not known, and never 0.
    Moves stand in the order of (`when_ns`, `rank`, `key`, `part`), however they arrived.
    `is_dated` is false where nobody told when it was acquired: then it is older than all others.
    """

    key: str
    part: int
    when_ns: Ns
    rank: int
    asset: str
    atoms: Atoms
    worth_atoms: Atoms | None
    tag: TaxTag
    is_dated: bool = True

    @property
    def order(self) -> tuple[Ns, int, str, int]:
        return (self.when_ns, self.rank, self.key, self.part)

    @property
    def lot(self) -> str:
        """The name of the lot that it begins, if it acquires."""
        return f"{self.key}/{self.part}" if self.part else self.key


class Income(msgspec.Struct, frozen=True, kw_only=True):
    """Earned without giving anything away (or lost so, below 0); its worth when it came."""

    key: str
    when_ns: Ns
    tag: TaxTag
    asset: str
    atoms: Atoms
    worth_atoms: Atoms | None


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An entry before it has a number: what one fact comes to. The same fact has the same key.

    `at_ns` is when we learned of it, on the engine's clock; `when_ns` is when it took effect.
    `notes` say what is not known of it.
    """

    key: str
    at_ns: Ns
    when_ns: Ns
    reason: Reason
    tag: TaxTag
    counterparty: str
    people: People = NOBODY
    text: str = ""
    postings: tuple[Posting, ...]
    moves: tuple[Move, ...] = ()
    incomes: tuple[Income, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert not unbalanced(self.postings), f"{self.key} does not balance"


class Source(msgspec.Struct, frozen=True):
    """The journal's row that told it: its number and its hash."""

    seq: int
    hash: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the books. `hash` chains it to the entry before and to the journal's row."""

    number: int
    key: str
    at_ns: Ns
    when_ns: Ns
    reason: Reason
    tag: TaxTag
    counterparty: str
    people: People
    text: str
    postings: tuple[Posting, ...]
    notes: tuple[str, ...]
    source: Source
    hash: str = ""


def unbalanced(postings: Iterable[Posting]) -> dict[str, Atoms]:
    """By asset, what postings do not come to zero by. Empty where they balance."""
    sums: dict[str, Atoms] = {}
    for posting in postings:
        sums[posting.asset] = sums.get(posting.asset, 0) + posting.atoms
    return {asset: atoms for asset, atoms in sums.items() if atoms}


def moved(into: Account, out_of: Account, asset: str, atoms: Atoms) -> tuple[Posting, ...]:
    """So much into one account and out of another; nothing where it is 0."""
    if not atoms:
        return ()
    return (Posting(into, asset, atoms), Posting(out_of, asset, -atoms))
