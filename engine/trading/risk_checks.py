"""The measures of the risk gate: one function a rule, and the two tables that name them.

A measure says how much there is, never whether it is too much: that is the row's business. None
means that a fact is missing.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from engine.trading.risk_rows import Check, Reading, RiskRow
from engine.treasury.bands import Bands
from engine.values.instrument import Instrument
from engine.values.intents import Level
from engine.values.units import NS_PER_S, Atoms, Lot, Side

BPS = 10_000
SHARE_MAX = 1e6
"""Stands for "infinitely far" where a band has no width; finite, so that it can be journaled."""

Number = int | float


class Measure(msgspec.Struct, frozen=True):
    """How much of a thing there is. `sides` are at fault; none named means the side that adds."""

    value: Number | None
    sides: tuple[Side, ...] = ()


CALM = Measure(0)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What one row's measure may look at.

    `bought` and `sold` count the row's happenings by side; `release` is the row's, in its units.
    """

    reading: Reading
    instrument: Instrument
    bands: Bands
    row: RiskRow
    release: Number
    bought: int
    sold: int


def finite(value: Number | None) -> Number | None:
    """`value`, or None where it is no number one can compare."""
    return None if value is None or not math.isfinite(value) else value


def gap_share(bands: Bands, position_lots: Lot) -> float:
    """How far from target to cap (or floor) a position has gone: 1.0 at either, more beyond."""
    gap = position_lots - bands.target_lots
    if not gap:
        return 0.0
    span = bands.cap_lots - bands.target_lots if gap > 0 else bands.target_lots - bands.floor_lots
    return min(abs(gap) / span, SHARE_MAX) if span else SHARE_MAX


def adding_sides(bands: Bands, position_lots: Lot) -> tuple[Side, ...]:
    """The sides whose fill takes the position further from its target."""
    if position_lots == bands.target_lots:
        return (Side.BUY, Side.SELL)
    return (Side.BUY,) if position_lots > bands.target_lots else (Side.SELL,)


def reference_atoms(reading: Reading, instrument: Instrument) -> Atoms | None:
    """The value of one lot at the reference, rounded up; None while there is none."""
    reference = finite(reading.reference_tick)
    return instrument.quote_atoms(math.ceil(reference), 1) if reference and reference > 0 else None


# --- measures of a market -----------------------------------------------------------------------


def worst_position(at: Scene) -> Measure:
    """The further of both ends, each on its own side of the target."""
    reading, target_lots = at.reading, at.bands.target_lots
    high = max(target_lots, reading.position_lots + reading.working_bid_lots)
    low = min(target_lots, reading.position_lots - reading.working_ask_lots)
    up, down = gap_share(at.bands, high), gap_share(at.bands, low)
    return Measure(max(up, down), _sides_beyond(at.release, up, down))


def worst_value(at: Scene) -> Measure:
    reading = at.reading
    unit = reference_atoms(reading, at.instrument)
    if unit is None:
        return Measure(None)
    up = (reading.position_lots + reading.working_bid_lots) * unit
    down = (reading.working_ask_lots - reading.position_lots) * unit
    return Measure(max(abs(up), abs(down)), _sides_beyond(at.release, up, down))


def open_orders(at: Scene) -> Measure:
    return Measure(at.reading.open_orders)


def happenings(at: Scene) -> Measure:
    return Measure(at.bought + at.sold)


def fills(at: Scene) -> Measure:
    return Measure(max(at.bought, at.sold), _sides_beyond(at.release, at.bought, at.sold))


def turnover(at: Scene) -> Measure:
    return Measure(at.reading.turnover_atoms)


def loss(at: Scene) -> Measure:
    return Measure(None if at.reading.pnl_atoms is None else at.reading.drawdown_atoms)


def volatility(at: Scene) -> Measure:
    reading, mid = at.reading, at.reading.mid
    if mid is None or reading.volatility is None:
        return Measure(None)
    return Measure(reading.volatility / mid * BPS)


def imbalance(at: Scene) -> Measure:
    """Far more bids than asks: the price is about to rise, and our asks are what is wrong."""
    value = at.reading.imbalance
    if value is None:
        return Measure(None, (Side.BUY, Side.SELL))
    return Measure(abs(value), (Side.SELL,) if value > 0 else (Side.BUY,))


def inventory(at: Scene) -> Measure:
    return Measure(gap_share(at.bands, at.reading.position_lots))


def spread(at: Scene) -> Measure:
    return Measure(at.reading.spread_bps)


def book_valid(at: Scene) -> Measure:
    reading = at.reading
    is_crossed = (
        bool(reading.bid_tick and reading.ask_tick) and reading.bid_tick >= reading.ask_tick
    )
    return Measure(0 if reading.book_valid and not is_crossed else 1)


def book_delay(at: Scene) -> Measure:
    delay_ns = at.reading.delay_ns
    return Measure(None if delay_ns is None else delay_ns / NS_PER_S)


MARKET_MEASURES: Mapping[Check, Callable[[Scene], Measure]] = MappingProxyType(
    {
        Check.WORST_POSITION: worst_position,
        Check.WORST_VALUE: worst_value,
        Check.OPEN_ORDERS: open_orders,
        Check.MESSAGE_RATE: happenings,
        Check.TURNOVER: turnover,
        Check.LOSS: loss,
        Check.VOLATILITY: volatility,
        Check.IMBALANCE: imbalance,
        Check.INVENTORY: inventory,
        Check.SPREAD_WIDE: spread,
        Check.SPREAD_THIN: spread,
        Check.BOOK_VALID: book_valid,
        Check.BOOK_DELAY: book_delay,
        Check.REJECTS: happenings,
        Check.FILLS: fills,
    }
)


# --- measures of one quote ----------------------------------------------------------------------


def price_collar(side: Side, level: Level, at: Scene) -> Number | None:
    """Distance from the reference in bp. A reference older than the row's window is none."""
    reference, age_ns = finite(at.reading.reference_tick), at.reading.reference_age_ns
    if not reference or reference < 0 or age_ns is None or age_ns > at.row.window_s * NS_PER_S:
        return None
    return abs(level.tick - reference) / reference * BPS


def order_size(side: Side, level: Level, at: Scene) -> Number | None:
    return level.lots


def order_value(side: Side, level: Level, at: Scene) -> Number | None:
    return at.instrument.quote_atoms(level.tick, level.lots)


def self_cross(side: Side, level: Level, at: Scene) -> Number | None:
    """Ticks by which the quote would meet an order of ours on the other side."""
    own = at.reading.own_ask_tick if side is Side.BUY else at.reading.own_bid_tick
    return max(0, (level.tick - own) * side.sign + 1) if own else 0


QUOTE_MEASURES: Mapping[Check, Callable[[Side, Level, Scene], Number | None]] = MappingProxyType(
    {
        Check.PRICE_COLLAR: price_collar,
        Check.ORDER_SIZE: order_size,
        Check.ORDER_VALUE: order_value,
        Check.SELF_CROSS: self_cross,
    }
)


def _sides_beyond(release: Number, up: Number, down: Number) -> tuple[Side, ...]:
    bid = (Side.BUY,) if up > release else ()
    ask = (Side.SELL,) if down > release else ()
    return bid + ask
