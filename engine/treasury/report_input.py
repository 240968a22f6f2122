"""What a report is told: the picture of the moment, and what the journals say of the period."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from engine.treasury.calibration import Verdict
from engine.treasury.chart import OWN, AccountKind, Entry, Reason
from engine.treasury.dates import NS_PER_DAY
from engine.treasury.desk_alarms import Alarm
from engine.treasury.facts import Facts
from engine.treasury.limits import Review, Standing
from engine.treasury.liquid import Report
from engine.treasury.proposals import Proposal
from engine.treasury.score import Score
from engine.values.action_records import Person, WordRefused
from engine.values.execution_records import ParentPlan, Reviewed
from engine.values.rebalance_records import BandMoved
from engine.values.treasury_words import LimitMoved, LimitRow
from engine.values.units import Atoms, Ns


class Period(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


DAYS_OF = {Period.DAILY: 1, Period.WEEKLY: 7, Period.MONTHLY: 30}


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One posting of the ledger, in the treasury's own atoms.

    `is_decided`: the treasury's own doing, by an approved action, and not the market's.
    `fee_atoms`: how much of it was a fee, 0 or less.
    """

    at_ns: Ns
    key: str
    reason: Reason
    kind: AccountKind
    place: str
    asset: str
    atoms: Atoms
    is_decided: bool
    fee_atoms: Atoms


SHOWN = frozenset({*OWN, AccountKind.PAID})
"""Accounts that a report looks at: what is ours, and what was paid."""


def flows_of(entry: Entry) -> Iterator[Flow]:
    """The postings of an entry that a report looks at, in the atoms of the books."""
    fees: dict[str, Atoms] = {}
    for posting in entry.postings:
        if posting.account.kind is AccountKind.FEES:
            fees[posting.asset] = fees.get(posting.asset, 0) - posting.atoms
    for posting in entry.postings:
        kind = posting.account.kind
        if kind in SHOWN:
            yield Flow(
                at_ns=entry.when_ns,
                key=entry.key,
                reason=entry.reason,
                kind=kind,
                place=posting.account.place,
                asset=posting.asset,
                atoms=posting.atoms,
                is_decided=bool(entry.people.proposal),
                fee_atoms=fees.pop(posting.asset, 0) if kind is AccountKind.HOLDINGS else 0,
            )


class Worked(msgspec.Struct, frozen=True, kw_only=True):
    """A staged order that is over: its plan and its review."""

    plan: ParentPlan
    said: Reviewed


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """Of journals: `flows` from the first row on, all else of any time.

    `faults` are why the books are not proved; `suspended` by (venue, asset).
    """

    flows: tuple[Flow, ...]
    worked: tuple[Worked, ...]
    limits: tuple[LimitMoved, ...]
    bands: tuple[BandMoved, ...]
    suspended: Mapping[tuple[str, str], Atoms]
    faults: tuple[str, ...]


class DeskSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The desk of actions as it stands."""

    proposals: tuple[Proposal, ...]
    refused: tuple[WordRefused, ...]
    people: tuple[Person, ...]
    alarms: tuple[Alarm, ...]


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the policy takes for granted. `where` is who said so, or the key."""

    name: str
    value: str
    where: str
    basis: str
    revisit: str


class ReportInput(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `past` and `desk` are None where nobody showed a journal.

    days: how many the report covers.
    scores: by asset, None where no venue is usable; `floors` below which an order is staged.
    wants: what the file has in force, so that a missing journal is a fault and not a gap.
    fits: how each float's bands stand against their past, for the monthly pack.
    """

    period: Period
    days: int
    facts: Facts
    liquid: Report
    liquid_h: int
    standings: tuple[Standing, ...]
    reviews: tuple[Review, ...]
    rows: tuple[LimitRow, ...]
    scores: Mapping[str, Score | None]
    floors: Mapping[str, float]
    past: Past | None
    desk: DeskSeen | None
    wants_past: bool
    wants_desk: bool
    fits: tuple[Verdict, ...]
    assumptions: tuple[Assumption, ...]
    sources: tuple[str, ...]

    @property
    def until_ns(self) -> Ns:
        return self.facts.at_ns

    @property
    def from_ns(self) -> Ns:
        return self.until_ns - self.days * NS_PER_DAY

    def is_within(self, at_ns: Ns) -> bool:
        """Whether a moment belongs to the period: its beginning does not, its end does."""
        return self.from_ns < at_ns <= self.until_ns
