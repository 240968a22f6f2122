# cython: language_level=3, annotation_typing=False
"""The measures of the risk gate: one function a rule, and the tables that name them.

A measure says how much there is, never whether it is too much: that is the row's business. None
means that a fact is missing. A measure of quotes is given many at once, as a `Span`: it says the
most that any quote within could have, so that one question clears a side where nothing is near a
limit; of a single quote it says exactly what that has.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from engine.trading.risk_rows import Check, Reading, RiskRow
from engine.treasury.bands import Bands
from engine.values.instrument import Instrument
from engine.values.intents import Level
from engine.values.units import BUY, NS_PER_S, SELL, Atoms, Lot, Side, Tick

BPS = 10_000
SHARE_MAX = 1e6
"""Stands for "infinitely far" where a band has no width; finite, so that it can be journaled."""

Number = int | float
Counts = tuple[int, int]
"""What a row has counted in its window: (buys, sells)."""
NO_COUNTS: Counts = (0, 0)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What measures may look at. `unit_atoms` is the worth of one lot, None while not known."""

    reading: Reading
    instrument: Instrument
    bands: Bands
    unit_atoms: Atoms | None


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The quotes of one side, by their extremes: between two prices, each of so many lots."""

    tick_best: Tick
    tick_worst: Tick
    lots_least: Lot
    lots_most: Lot
    lots_sum: Lot


def scene_of(reading: Reading, instrument: Instrument, bands: Bands) -> Scene:
    unit_atoms = reference_atoms(reading, instrument)
    return Scene(reading=reading, instrument=instrument, bands=bands, unit_atoms=unit_atoms)


def span_of(levels: Sequence[Level]) -> Span | None:
    """Of levels that are sorted best first; None where there are none."""
    if not levels:
        return None
    least = most = levels[0].lots
    total = 0
    for level in levels:
        lots = level.lots
        total += lots
        if lots < least:
            least = lots
        elif lots > most:
            most = lots
    return Span(
        tick_best=levels[0].tick,
        tick_worst=levels[-1].tick,
        lots_least=least,
        lots_most=most,
        lots_sum=total,
    )


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
        return (BUY, SELL)
    return (BUY,) if position_lots > bands.target_lots else (SELL,)


def reference_atoms(reading: Reading, instrument: Instrument) -> Atoms | None:
    """The value of one lot at the reference, rounded up; None while there is none."""
    reference = finite(reading.reference_tick)
    return instrument.quote_atoms(math.ceil(reference), 1) if reference and reference > 0 else None


# --- measures of a market -----------------------------------------------------------------------


def worst_position(at: Scene, counts: Counts) -> Number | None:
    """The further of both ends, each on its own side of the target."""
    return max(_worst_shares(at))


def worst_value(at: Scene, counts: Counts) -> Number | None:
    up, down = _worst_values(at)
    return None if at.unit_atoms is None else max(abs(up), abs(down))


def open_orders(at: Scene, counts: Counts) -> Number | None:
    return at.reading.open_orders


def happenings(at: Scene, counts: Counts) -> Number | None:
    return counts[0] + counts[1]


def fills(at: Scene, counts: Counts) -> Number | None:
    return max(counts)


def turnover(at: Scene, counts: Counts) -> Number | None:
    return at.reading.turnover_atoms


def loss(at: Scene, counts: Counts) -> Number | None:
    return None if at.reading.pnl_atoms is None else at.reading.drawdown_atoms


def volatility(at: Scene, counts: Counts) -> Number | None:
    reading, mid = at.reading, at.reading.mid
    if mid is None or reading.volatility is None:
        return None
    return reading.volatility / mid * BPS


def imbalance(at: Scene, counts: Counts) -> Number | None:
    value = at.reading.imbalance
    return None if value is None else abs(value)


def inventory(at: Scene, counts: Counts) -> Number | None:
    return gap_share(at.bands, at.reading.position_lots)


def spread(at: Scene, counts: Counts) -> Number | None:
    return at.reading.spread_bps


def book_valid(at: Scene, counts: Counts) -> Number | None:
    reading = at.reading
    is_crossed = 0 < reading.ask_tick <= reading.bid_tick
    return 0 if reading.book_valid and not is_crossed else 1


def book_delay(at: Scene, counts: Counts) -> Number | None:
    delay_ns = at.reading.delay_ns
    return None if delay_ns is None else delay_ns / NS_PER_S


MARKET_MEASURES: Mapping[Check, Callable[[Scene, Counts], Number | None]] = MappingProxyType(
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


# --- the sides at fault; a check that is not here names none, which means the side that adds ------


def worst_position_sides(at: Scene, counts: Counts, release: Number) -> tuple[Side, ...]:
    return _sides_beyond(release, *_worst_shares(at))


def worst_value_sides(at: Scene, counts: Counts, release: Number) -> tuple[Side, ...]:
    return () if at.unit_atoms is None else _sides_beyond(release, *_worst_values(at))


def fills_sides(at: Scene, counts: Counts, release: Number) -> tuple[Side, ...]:
    return _sides_beyond(release, *counts)


def imbalance_sides(at: Scene, counts: Counts, release: Number) -> tuple[Side, ...]:
    """Far more bids than asks: the price is about to rise, and our asks are what is wrong."""
    value = at.reading.imbalance
    if value is None:
        return (BUY, SELL)
    return (SELL,) if value > 0 else (BUY,)


SIDES_AT_FAULT: Mapping[Check, Callable[[Scene, Counts, Number], tuple[Side, ...]]] = (
    MappingProxyType(
        {
            Check.WORST_POSITION: worst_position_sides,
            Check.WORST_VALUE: worst_value_sides,
            Check.FILLS: fills_sides,
            Check.IMBALANCE: imbalance_sides,
        }
    )
)


# --- measures of quotes -------------------------------------------------------------------------


def price_collar(side: Side, span: Span, at: Scene, row: RiskRow) -> Number | None:
    """Distance from the reference in bp. A reference older than the row's window is none."""
    reference, age_ns = finite(at.reading.reference_tick), at.reading.reference_age_ns
    if not reference or reference < 0 or age_ns is None or age_ns > row.window_s * NS_PER_S:
        return None
    furthest = max(abs(span.tick_best - reference), abs(span.tick_worst - reference))
    return furthest / reference * BPS


def order_size(side: Side, span: Span, at: Scene, row: RiskRow) -> Number | None:
    return span.lots_most


def order_value(side: Side, span: Span, at: Scene, row: RiskRow) -> Number | None:
    return at.instrument.quote_atoms(max(span.tick_best, span.tick_worst), span.lots_most)


def self_cross(side: Side, span: Span, at: Scene, row: RiskRow) -> Number | None:
    """Ticks by which the quote would meet an order of ours on the other side."""
    own = at.reading.own_ask_tick if side is BUY else at.reading.own_bid_tick
    return max(0, (span.tick_best - own) * side.sign + 1) if own else 0


QuoteMeasure = Callable[[Side, Span, Scene, RiskRow], Number | None]

QUOTE_MEASURES: Mapping[Check, QuoteMeasure] = MappingProxyType(
    {
        Check.PRICE_COLLAR: price_collar,
        Check.ORDER_SIZE: order_size,
        Check.ORDER_VALUE: order_value,
        Check.SELF_CROSS: self_cross,
    }
)


def _worst_shares(at: Scene) -> tuple[float, float]:
    reading, target_lots = at.reading, at.bands.target_lots
    high = max(target_lots, reading.position_lots + reading.working_bid_lots)
    low = min(target_lots, reading.position_lots - reading.working_ask_lots)
    return gap_share(at.bands, high), gap_share(at.bands, low)


def _worst_values(at: Scene) -> tuple[Atoms, Atoms]:
    reading, unit_atoms = at.reading, at.unit_atoms or 0
    up = (reading.position_lots + reading.working_bid_lots) * unit_atoms
    down = (reading.working_ask_lots - reading.position_lots) * unit_atoms
    return up, down


def _sides_beyond(release: Number, up: Number, down: Number) -> tuple[Side, ...]:
    bid = (BUY,) if up > release else ()
    ask = (SELL,) if down > release else ()
    return bid + ask
