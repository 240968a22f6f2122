"""Facts for the treasury from people and files: what is held, owed, locked, and the limits.

Amounts are atoms of the treasury's own exponents (`engine.treasury.amounts`). A set replaces the
set before it, whole: `name` is the file that it came from and `digest` the SHA-256 of its bytes.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.units import Atoms, Ns, Ppm

Day: TypeAlias = int
"""A UTC day, counted from 1970-01-01."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """All of one asset at one place, what rests in open orders included."""

    asset: str
    atoms: Atoms


class HoldingsSeen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a place was seen to hold: of the assets that are named, and of no others."""

    at_ns: Ns
    who: str
    place: str
    holdings: list[Holding]


class VolumeSeen(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What anybody traded of an asset on a venue in the 24 hours before, by the venue's word."""

    at_ns: Ns
    who: str
    venue: str
    asset: str
    atoms: Atoms


class Obligation(msgspec.Struct, frozen=True, kw_only=True):
    """To be paid at the beginning of the UTC day `due`, on behalf of one business function."""

    name: str
    due: Day
    function: str
    asset: str
    atoms: Atoms


class ObligationSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_ns: Ns
    who: str
    name: str
    digest: str
    rows: list[Obligation]


class ObligationPaid(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Paid for good: a later set that still names it does not owe it again."""

    at_ns: Ns
    who: str
    name: str
    reason: str


class LockKind(StrEnum):
    STAKED = "staked"
    POOL = "pool"
    WITHDRAWAL = "withdrawal"
    HALTED = "halted venue"


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """Units beside the balance of `place`, to which they come back; or, halted, all that is there.

    They are cash `unwind_ns` after one asks, and no one can ask before `until_ns` (0: at once).
    A halted venue has asset "" and 0 atoms: its balance is what is locked.
    """

    name: str
    kind: LockKind
    place: str
    asset: str
    atoms: Atoms
    unwind_ns: Ns
    until_ns: Ns


class LockSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_ns: Ns
    who: str
    name: str
    digest: str
    rows: list[Lock]


class FloatSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """From now on the market maker works with `atoms` at `venue`: an opening, or an action."""

    at_ns: Ns
    who: str
    venue: str
    asset: str
    atoms: Atoms
    reason: str


class Bucket(StrEnum):
    FLOAT = "operational float"
    RESERVED = "reserved liabilities"
    DISCRETIONARY = "discretionary inventory"
    SURPLUS = "speculative surplus"


class Measure(StrEnum):
    """What a limit looks at. The table in `engine.treasury.limit_rows` says what each one needs."""

    UNHEDGED = "unhedged exposure"
    STAKED = "staked"
    VENUE_SHARE = "share on one venue"
    STABLE_BUFFER = "stable buffer"
    TURNOVER = "daily turnover"
    VENUE_LIST = "venue allow-list"


class LimitRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[limits]]`: one rule. What its measure does not need stays out.

    asset: "" is all of them, in money. function: "" is every business function.
    share_ppm, days: of what is owed or held, as the measure says.
    tokens, money: ceilings beside that, as decimal text in whole tokens and in money.
    buckets: which of them count. venues: those that are allowed.
    """

    name: str
    measure: Measure
    asset: str = ""
    function: str = ""
    share_ppm: Ppm | None = None
    days: int | None = None
    tokens: str | None = None
    money: str | None = None
    buckets: list[Bucket] = []
    venues: list[str] = []


class LimitsSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The rows that people want. What is tighter holds at once; what is wider waits."""

    at_ns: Ns
    who: str
    name: str
    digest: str
    rows: list[LimitRow]


class LimitWidened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A second person agreed, by the action of this digest: the row as it holds from now on.

    `row` is None where the limit goes away.
    """

    at_ns: Ns
    action: str
    name: str
    row: LimitRow | None


class PriceReviewed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Ceilings in money that follow from tokens are made at this price, from now on.

    `action` is the digest of the approved action, "" where the price halved: that only tightens.
    """

    at_ns: Ns
    action: str
    asset: str
    money_atoms: Atoms
    base_atoms: Atoms


class LimitMoved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A limit was passed, or holds again: its numbers as people read them, and the fact's name."""

    at_ns: Ns
    limit: str
    subject: str
    breached: bool
    value: str
    ceiling: str
    fact: str


TreasuryFact: TypeAlias = (
    HoldingsSeen
    | VolumeSeen
    | ObligationSet
    | ObligationPaid
    | LockSet
    | FloatSet
    | LimitsSet
    | LimitWidened
    | PriceReviewed
)
