"""What the journal keeps of staged orders: a parent, its children, its review, its kill switches.

Amounts are atoms of the treasury's assets; a price is `money_atoms` for `base_atoms`.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.action_words import Scope
from engine.values.units import Atoms, Lot, Ns, Ppm, Side, Tick


class ParentState(StrEnum):
    WORKING = "working"
    PAUSED = "paused"
    DONE = "done"
    KILLED = "killed"
    HANDED_OVER = "handed over"
    """A person decides now: what is left was not traded."""


class ParentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that a parent is: made once, before its first child.

    mid: money for base at the start, the highest over the venues for a sale, the lowest for a
    purchase. limit: the worst price that any child may have. `estimate_ppm` is the slippage that
    was expected against mid, `at_once_ppm` that of one order of the whole size (None: the books do
    not reach), `ceiling_ppm` the most that the plan allows. `proposal` is the digest of the action
    that people signed; the jitter comes from it.
    """

    parent: str
    proposal: str
    asset: str
    side: Side
    atoms: Atoms
    markets: tuple[str, ...]
    begin_ns: Ns
    end_ns: Ns
    children: int
    child_atoms_max: Atoms
    mid: tuple[Atoms, Atoms]
    limit: tuple[Atoms, Atoms]
    estimate_ppm: Ppm
    at_once_ppm: Ppm | None
    ceiling_ppm: Ppm
    because: tuple[str, ...]


class ParentStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_ns: Ns
    plan: ParentPlan


class ParentMoved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The parent's state changed, and why."""

    at_ns: Ns
    parent: str
    before: ParentState
    after: ParentState
    why: str


class ChildSent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One immediate order of a parent, before its bytes leave. `estimate_ppm` is against `mid`."""

    at_ns: Ns
    parent: str
    client_id: str
    market: str
    side: Side
    lots: Lot
    tick_limit: Tick
    atoms: Atoms
    mid: tuple[Atoms, Atoms]
    estimate_ppm: Ppm


class ChildRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The gate let nothing out, and why. Recorded once a reason."""

    at_ns: Ns
    parent: str
    market: str
    why: str


class VenueOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one parent at one market; ppm against the mid of each child, worst is plus.

    `wait_ns` is the mean time from sending a child to its last fill, None where none filled.
    """

    market: str
    children: int
    unfilled: int
    atoms: Atoms
    money_atoms: Atoms
    estimate_ppm: Ppm
    realised_ppm: Ppm
    wait_ns: Ns | None

    @property
    def deviation_ppm(self) -> Ppm:
        return self.realised_ppm - self.estimate_ppm


class Reviewed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The post-trade review of a parent. `realised_ppm` is against its mid at the start."""

    at_ns: Ns
    parent: str
    asset: str
    atoms: Atoms
    money_atoms: Atoms
    left_atoms: Atoms
    estimate_ppm: Ppm
    realised_ppm: Ppm | None
    took_ns: Ns
    venues: tuple[VenueOutcome, ...]
    lessons: dict[str, Ppm]
    """By market, what the next estimate adds to the book's own answer."""
    because: tuple[str, ...]


class Switched(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A kill switch: an action (its parent or proposal), a venue, an asset, or all ("")."""

    at_ns: Ns
    scope: Scope
    name: str
    is_on: bool
    who: str
    reason: str


ExecutionRecord: TypeAlias = (
    ParentStarted | ParentMoved | ChildSent | ChildRefused | Reviewed | Switched
)
