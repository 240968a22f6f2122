"""Facts about the market and about the wires that bring it: the first half of `events`."""

from enum import StrEnum

import msgspec

from engine.values.units import Levels, Lot, Ns, Side, Tick


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


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One bar of trades from `open_ns` on: prices in ticks, and the lots traded, perhaps 0."""

    open_ns: Ns
    open: Tick
    high: Tick
    low: Tick
    close: Tick
    lots: Lot


class BarsClosed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Bars that the venue says are finished, oldest first; each spans `span_ns`.

    `is_history` marks what was read at the start or to fill a gap. A bar that is told again with
    other numbers replaces the first.
    """

    market: str
    at_ns: Ns
    span_ns: Ns
    bars: list[Bar]
    is_history: bool = False


class BarForming(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """The bar that is still forming: provisional, and never what policy rests on."""

    market: str
    at_ns: Ns
    span_ns: Ns
    bar: Bar


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


class JournalLag(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The oldest record that would not survive a crash is `age_ns` old; `failure` is final."""

    at_ns: Ns
    age_ns: Ns
    failure: str = ""


class Overrun(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Deciding on a market took longer than its budget (law 8)."""

    market: str
    at_ns: Ns
    spent_ns: Ns


class Timer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at_ns: Ns
