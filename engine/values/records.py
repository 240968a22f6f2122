"""What the journal keeps. A record is a fact about ourselves, stored whole and hash-chained.

Facts from outside that must survive (fills, order reports, operator words) are stored as the
events that they are; the structs here are what only we know.
"""

from typing import TypeAlias

import msgspec

from engine.values.action_records import ActionRecord
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
    PlaybookSet,
    QueryFailed,
    RatingSet,
    Resume,
    Stop,
    VenueState,
)
from engine.values.execution_records import ExecutionRecord
from engine.values.facts import Bar
from engine.values.instrument import Instrument
from engine.values.intents import Hedge, Ladder
from engine.values.ledger_words import LedgerWord
from engine.values.rebalance_records import RebalanceRecord
from engine.values.treasury_words import LimitMoved, TreasuryFact
from engine.values.units import Atoms, Lot, Ns


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
    """Where the account of a market starts: what the venue held, and its last trade before that.

    `balances` are the whole account's and stand in the first opening of a venue only.
    """

    venue: str
    market: str
    at_ns: Ns
    balances: list[Balance]
    trade_id: int


class Adjusted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Money that moved without a trade of ours, taken into the ledger by a person's word."""

    venue: str
    at_ns: Ns
    asset: str
    atoms: Atoms
    who: str
    reason: str


class Listed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A market as the venue described it to this session: what ticks, lots and fees mean in it."""

    market: str
    at_ns: Ns
    instrument: Instrument


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


class Ruled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The five answers of a market changed: what was asked, answered and chosen (playbook).

    `answers` by question; `numbers` are those behind them, None where not known. `conflict` says
    that signal and market disagreed, `careful` names the unknown answers that made the choice.
    `event` counts the rating changes of this market, `event_lots` is where the position stood then.
    """

    market: str
    at_ns: Ns
    playbook: str
    row: str
    reason: str
    answers: dict[str, str]
    numbers: dict[str, float | None]
    conflict: bool
    careful: list[str]
    event: int
    event_lots: Lot


class BarDiffers(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A venue's closed bar and the one built of the trades that we saw are not the same."""

    market: str
    at_ns: Ns
    span_ns: Ns
    venue: Bar
    own: Bar


class HedgeMoved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What should stand against a market's inventory changed, or what stands did.

    Lots are of the quoted token: `target_lots` should be covered, `covered_lots` are by the hedge
    venues' own fills, `converted_lots` left the position itself since stage 0, and `unhedged_lots`
    of the position are over its target and not covered. Money is in the quote currency.
    """

    market: str
    at_ns: Ns
    stage: int
    stance: str
    target_lots: Lot
    covered_lots: Lot
    converted_lots: Lot
    unhedged_lots: Lot
    why: str
    spent: str
    budget: str


class HedgeSent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One order for cover: what its fills will mean for `market`, and why it goes where it goes.

    `token_lots` of the quoted token are covered (negative: let go) once all `lots` are filled.
    `mid_half_ticks` is the hedge market's mid at that moment: fills are paid against it.
    `candidates` are the costs of each way to hedge in bp of the token's value, as people read them.
    """

    market: str
    at_ns: Ns
    client_id: str
    hedge_market: str
    lots: Lot
    token_lots: Lot
    mid_half_ticks: int
    why: str
    candidates: dict[str, str]


class HedgeRefused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Cover that was due was not bought, and why: the gate, the budget, or no way whose cost is
    known. Recorded once a reason."""

    market: str
    at_ns: Ns
    hedge_market: str
    why: str


class HedgeVenue(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A hedge market failed (`why` says how), is on trial, or has proved itself well again."""

    market: str
    at_ns: Ns
    hedge_market: str
    state: str
    why: str


Record: TypeAlias = (
    SessionStarted
    | SessionEnded
    | Opening
    | Adjusted
    | Listed
    | OrderIntent
    | Decision
    | StateChanged
    | RiskTripped
    | Difference
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
    | Ruled
    | BarDiffers
    | PlaybookSet
    | RatingSet
    | Halt
    | Resume
    | Stop
    | HedgeMoved
    | HedgeSent
    | HedgeRefused
    | HedgeVenue
    | ActionRecord
    | ExecutionRecord
    | RebalanceRecord
    | LedgerWord
    | TreasuryFact
    | LimitMoved
)


class Alert(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something that a person should see now. Not journaled by itself: its cause is."""

    market: str
    at_ns: Ns
    level: str
    text: str
