"""What the journal keeps. A record is a fact about ourselves, stored whole and hash-chained.

Facts from outside that must survive (fills, order reports, operator words) are stored as the
events that they are; the structs here are what only we know.
"""

from typing import TypeAlias

import msgspec

from engine.values.commands import Amend, Cancel, CancelAll, Place
from engine.values.events import (
    AllCanceled,
    Balance,
    Balances,
    CancelFailed,
    Fill,
    Halt,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    QueryFailed,
    RatingSet,
    Resume,
    Stop,
    VenueState,
)
from engine.values.intents import Hedge, Ladder
from engine.values.units import Ns


class SessionStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A process begins. `epoch` is unique over the journal's life and prefixes every client id."""

    at_ns: Ns
    epoch: int
    config_hash: str
    code_version: str
    mode: str


class SessionEnded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An orderly end; `open_orders` is what the venue itself counted last."""

    at_ns: Ns
    open_orders: int
    reason: str


class Opening(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What a venue account held when this journal began, or after a person explained a change."""

    venue: str
    at_ns: Ns
    balances: list[Balance]


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Law 5: committed before the order's first byte leaves."""

    order: Place
    decision: int
    strategy: str
    config_hash: str


class Decision(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Why the quotes of one market are what they are from this moment on.

    `inputs` names what was looked at (book sequence, position, stance, features); `ladder` is what
    the gate let through; `refused` holds what it did not, each with its rule.
    """

    market: str
    at_ns: Ns
    decision: int
    cause: str
    inputs: dict[str, float | int | str]
    ladder: Ladder
    refused: list[str]


class StateChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A market moved between INIT, RECONCILING, READY, QUOTING, PULLED, CANCEL_ONLY and HALTED."""

    market: str
    at_ns: Ns
    before: str
    after: str
    reason: str


class RiskTripped(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A row of the gate tripped or was released."""

    market: str
    at_ns: Ns
    check: str
    action: str
    value: float
    threshold: float
    released: bool


class Difference(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Reconciliation found something; `explained` says by what, or "" when the market froze."""

    market: str
    at_ns: Ns
    what: str
    ours: str
    theirs: str
    explained: str


class OperatorWord(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A command that came over the control socket, whether or not it changed anything."""

    at_ns: Ns
    who: str
    verb: str
    text: str


Record: TypeAlias = (
    SessionStarted
    | SessionEnded
    | Opening
    | OrderIntent
    | Decision
    | StateChanged
    | RiskTripped
    | Difference
    | OperatorWord
    | Hedge
    | Cancel
    | CancelAll
    | Amend
    | OrderReport
    | OrderFailed
    | CancelFailed
    | QueryFailed
    | OrderAbsent
    | Fill
    | Balances
    | VenueState
    | AllCanceled
    | RatingSet
    | Halt
    | Resume
    | Stop
)


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that a person should see now. Not journaled by itself: its cause is."""

    market: str
    at_ns: Ns
    level: str
    text: str
