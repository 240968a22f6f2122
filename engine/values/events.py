"""Facts that come in. One tagged union; `Engine.process` takes nothing else.

Every fact carries `at_ns`, the moment at which this host learned it, on the engine clock. Moments
that the venue stamped are `venue_ns` and are never used for ordering. `market` is
`Instrument.market`; facts about a whole account or connection carry `venue` instead.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.errors import Failure
from engine.values.units import Atoms, Levels, Lot, Ns, Side, Tick


class Grade(StrEnum):
    """How far a book can be vouched for (law 7)."""

    VERIFIED = "verified"
    SNAPSHOT = "snapshot"


class Stream(StrEnum):
    """The connections whose liveness is watched one by one."""

    PUBLIC = "public"
    PRIVATE = "private"


# --- market facts -------------------------------------------------------------------------------


class BookSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """The whole book as of `sequence`; replaces whatever was there. Bids best first, asks too."""

    market: str
    at_ns: Ns
    venue_ns: Ns = 0
    sequence: int
    bids: Levels
    asks: Levels
    grade: Grade = Grade.VERIFIED


class BookDelta(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Absolute sizes of changed levels; continuity was proved by the adapter before this exists."""

    market: str
    at_ns: Ns
    venue_ns: Ns = 0
    sequence: int
    bids: Levels
    asks: Levels


class BookLost(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """From this fact on the book is not vouched for, until the next BookSnapshot."""

    market: str
    at_ns: Ns
    reason: str


class TopOfBook(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """The venue's own best bid and ask: tells a quiet book from a dead one."""

    market: str
    at_ns: Ns
    venue_ns: Ns = 0
    sequence: int
    bid_tick: Tick
    bid_lots: Lot
    ask_tick: Tick
    ask_lots: Lot


class Trade(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Anybody's trade. `aggressor` is the side that took."""

    market: str
    at_ns: Ns
    venue_ns: Ns = 0
    trade_id: int
    tick: Tick
    lots: Lot
    aggressor: Side


class Quarantined(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A frame that could not be read. `excerpt` is its first bytes, `digest` its SHA-256."""

    venue: str
    at_ns: Ns
    reason: str
    digest: str
    excerpt: str


# --- connection and clock facts -----------------------------------------------------------------


class Connected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    venue: str
    stream: Stream
    at_ns: Ns


class Disconnected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    venue: str
    stream: Stream
    at_ns: Ns
    reason: str


class Alive(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The far end answered our own ping on this connection."""

    venue: str
    stream: Stream
    at_ns: Ns


class ClockOffset(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Venue clock minus engine clock, from the exchange with the smallest round trip so far."""

    venue: str
    at_ns: Ns
    offset_ns: Ns
    round_trip_ns: Ns


class ClockStep(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The wall clock jumped against the monotonic clock by `step_ns`."""

    at_ns: Ns
    step_ns: Ns


class LoopLag(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The event loop woke `lag_ns` later than it was asked to."""

    at_ns: Ns
    lag_ns: Ns


class Timer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_ns: Ns


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


# --- facts from people and files ----------------------------------------------------------------


class RatingLabel(StrEnum):
    STRONG_BUY = "strong buy"
    BUY = "buy"
    NEUTRAL = "neutral"
    SELL = "sell"
    STRONG_SELL = "strong sell"


class RatingSet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A technical rating for a market; neutral again after `expires_ns`."""

    market: str
    at_ns: Ns
    label: RatingLabel
    expires_ns: Ns
    source: str


class Halt(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A person stops a market ("" is all of them). Latched until Resume."""

    market: str
    at_ns: Ns
    who: str
    reason: str


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    market: str
    at_ns: Ns
    who: str
    reason: str


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Orderly end: quote no more, cancel everything, verify, then the process may leave."""

    at_ns: Ns
    who: str


MarketFact: TypeAlias = BookSnapshot | BookDelta | BookLost | TopOfBook | Trade
OrderFact: TypeAlias = (
    OrderSent | OrderReport | OrderFailed | CancelFailed | OrderAbsent | QueryFailed | Fill
)
AccountFact: TypeAlias = Balances | VenueState | AllCanceled
LinkFact: TypeAlias = (
    Connected | Disconnected | Alive | ClockOffset | ClockStep | LoopLag | Timer | Quarantined
)
OperatorFact: TypeAlias = RatingSet | Halt | Resume | Stop
Event: TypeAlias = MarketFact | OrderFact | AccountFact | LinkFact | OperatorFact
