"""Facts that come in. One tagged union; `Engine.process` takes nothing else.

Every fact carries `at_ns`, the moment at which this host learned it, on the engine clock. Moments
that the venue stamped are `venue_ns` and are never used for ordering. `market` is
`Instrument.market`; facts about a whole account or connection carry `venue` instead.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.action_records import ActionWord
from engine.values.errors import Failure
from engine.values.facts import (
    Alive,
    BarForming,
    BarsClosed,
    BookDelta,
    BookLost,
    BookSnapshot,
    ClockOffset,
    ClockStep,
    Connected,
    Disconnected,
    Grade,
    JournalLag,
    LoopLag,
    Overrun,
    Quarantined,
    Stream,
    Timer,
    TopOfBook,
    Trade,
)
from engine.values.ledger_words import LedgerWord
from engine.values.treasury_words import TreasuryFact
from engine.values.units import Atoms, Lot, Ns, Side, Tick
from engine.values.words import Halt, PlaybookSet, RatingLabel, RatingSet, Resume, Stop

__all__ = [
    "AccountFact",
    "Alive",
    "AllCanceled",
    "Balance",
    "Balances",
    "BarFact",
    "BarForming",
    "BarsClosed",
    "BookDelta",
    "BookLost",
    "BookSnapshot",
    "CancelFailed",
    "ClockOffset",
    "ClockStep",
    "Connected",
    "Disconnected",
    "Event",
    "Fill",
    "Grade",
    "Halt",
    "JournalLag",
    "LinkFact",
    "LoopLag",
    "MarketFact",
    "OperatorFact",
    "OrderAbsent",
    "OrderFact",
    "OrderFailed",
    "OrderReport",
    "OrderSent",
    "OrderState",
    "Overrun",
    "PlaybookSet",
    "Quarantined",
    "QueryFailed",
    "RatingLabel",
    "RatingSet",
    "Resume",
    "Stop",
    "Stream",
    "Timer",
    "TopOfBook",
    "Trade",
    "TreasuryFact",
    "TreasuryWord",
    "VenueState",
]


# --- facts about our own orders -----------------------------------------------------------------


class OrderState(StrEnum):
    """What a venue says of an order. Ours are in `engine.trading.orders`."""

    OPEN = "open"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class OrderSent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first byte of the request for this order has left, or is about to."""

    market: str
    client_id: str
    at_ns: Ns


class OrderReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue's word on one order: ack, stream report, query answer or row of open orders.

    `filled_lots` is cumulative. `update_ns` is the venue's own time of the change; an older report
    never overwrites a newer one. Side, tick and lots are the venue's, so that an order of ours that
    was lost, or one that is not ours, can be adopted.
    """

    market: str
    client_id: str
    venue_id: str
    at_ns: Ns
    update_ns: Ns
    state: OrderState
    side: Side
    tick: Tick
    lots: Lot
    filled_lots: Lot
    reason: str = ""


class OrderFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A Place failed. UNKNOWN keeps it in the exposure; the other three end it."""

    market: str
    client_id: str
    at_ns: Ns
    failure: Failure
    code: str
    text: str
    retry_after_ns: Ns = 0


class CancelFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A Cancel failed. REJECTED (unknown order) proves nothing: the order may have been filled."""

    market: str
    client_id: str
    at_ns: Ns
    failure: Failure
    code: str
    text: str
    retry_after_ns: Ns = 0


class OrderAbsent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue answered a QueryOrder with "no such order". `asked_ns` is when the query left."""

    market: str
    client_id: str
    at_ns: Ns
    asked_ns: Ns


class QueryFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A query, CancelAll or Reconcile got no usable answer (`client_id` "" for the last two)."""

    market: str
    client_id: str
    at_ns: Ns
    failure: Failure
    code: str
    text: str
    retry_after_ns: Ns = 0


class Fill(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A trade of ours. (venue, market, trade_id) identifies it on whatever path it arrives.

    `fee_atoms` is positive when paid, in atoms of `fee_asset` (8 decimals unless that asset is the
    instrument's base or quote, whose exponents rule).
    """

    market: str
    client_id: str
    venue_id: str
    trade_id: int
    at_ns: Ns
    venue_ns: Ns
    side: Side
    tick: Tick
    lots: Lot
    fee_atoms: Atoms
    fee_asset: str
    is_maker: bool


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    asset: str
    free_atoms: Atoms
    locked_atoms: Atoms


class Balances(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Balances of assets of one venue account: all that changed, or all there are."""

    venue: str
    at_ns: Ns
    update_ns: Ns
    balances: list[Balance]


class VenueState(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answer to a Reconcile: what the venue says of this market, read between the two moments.

    Read in the order open orders, fills, balances: a fill that happens in between shows in the
    later parts and on the private stream, never only in the first.
    """

    market: str
    asked_ns: Ns
    at_ns: Ns
    open_orders: list[OrderReport]
    fills: list[Fill]
    balances: list[Balance]


class AllCanceled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The venue accepted a CancelAll; `count` orders it says it cancelled."""

    market: str
    at_ns: Ns
    count: int


MarketFact: TypeAlias = BookSnapshot | BookDelta | BookLost | TopOfBook | Trade
BarFact: TypeAlias = BarsClosed | BarForming
OrderFact: TypeAlias = (
    OrderSent | OrderReport | OrderFailed | CancelFailed | OrderAbsent | QueryFailed | Fill
)
AccountFact: TypeAlias = Balances | VenueState | AllCanceled
LinkFact: TypeAlias = (
    Connected
    | Disconnected
    | Alive
    | ClockOffset
    | ClockStep
    | JournalLag
    | LoopLag
    | Overrun
    | Timer
    | Quarantined
)
OperatorFact: TypeAlias = RatingSet | PlaybookSet | Halt | Resume | Stop
TreasuryWord: TypeAlias = TreasuryFact | ActionWord | LedgerWord
Event: TypeAlias = (
    MarketFact | BarFact | OrderFact | AccountFact | LinkFact | OperatorFact | TreasuryWord
)
