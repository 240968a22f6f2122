"""From lots of the token to lots of the hedge, what may be paid for them, and what was."""

import math
from fractions import Fraction

from engine.market.book import Book, BookView
from engine.signals.outlook import HedgeRatio
from engine.trading.hedge_choice import BPS, SAME_ASSET
from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.units import BUY, PPM, SELL, Lot, Side, Tick


def lot_units(item: Instrument) -> Fraction:
    """What one lot is of the base asset."""
    return Fraction(item.lot, 10**item.size_exponent)


def tick_price(item: Instrument) -> Fraction:
    """What one tick is in the quote asset, for one unit of the base."""
    return Fraction(item.tick, 10**item.price_exponent)


def lot_value(item: Instrument, half_ticks: int) -> Fraction:
    """What one lot is worth in the quote asset at a price in half ticks."""
    return lot_units(item) * tick_price(item) * half_ticks / 2


def mid_half_ticks(book: Book | BookView) -> int:
    """Best bid plus best ask, 0 where a side is empty."""
    return book.bid_tick + book.ask_tick if book.bid_tick and book.ask_tick else 0


def lots_per_token(
    token: tuple[Instrument, int], hedge: tuple[Instrument, int], ratio: HedgeRatio
) -> Fraction | None:
    """Hedge lots that cover one lot of the token; (instrument, mid in half ticks) each.

    The same asset is covered unit by unit, another one by its value times the ratio. None while a
    price is not known.
    """
    (item, mid), (other, other_mid) = token, hedge
    if item.base == other.base:
        return lot_units(item) / lot_units(other)
    if not (mid and other_mid):
        return None
    return lot_value(item, mid) * Fraction(ratio.ratio) / lot_value(other, other_mid)


def ratio_of(token: Instrument, hedge: Instrument, known: HedgeRatio | None) -> HedgeRatio | None:
    """The asset itself needs no estimate."""
    return SAME_ASSET if token.base == hedge.base else known


def tick_limit(side: Side, half_ticks: int, slippage_bps_max: float) -> Tick:
    """The worst price within so many bp of mid: rounded towards mid, never beyond."""
    mid, share = Fraction(half_ticks, 2), Fraction(slippage_bps_max) / BPS
    return math.ceil(mid * (1 - share)) if side is SELL else math.floor(mid * (1 + share))


def lots_within(book: Book | BookView, side: Side, limit: Tick) -> Lot:
    """What a taker of this side finds up to its limit."""
    total = 0
    for tick, lots in book.best_first(side.opposite):
        if (tick - limit) * side.sign > 0:
            break
        total += lots
    return total


def cost_per_lot(item: Instrument, side: Side, half_ticks: int, tick: Tick) -> Fraction:
    """Spread and slippage against mid, never less than none, of one lot that filled at `tick`."""
    distance = Fraction(2 * tick - half_ticks, 2) * side.sign
    return max(Fraction(0), distance) * lot_units(item) * tick_price(item)


def cost_worst(item: Instrument, side: Side, half_ticks: int, limit: Tick) -> Fraction:
    """The most that one lot can cost within its limit, in the quote asset: slippage and fee."""
    fee_tick = limit if side is BUY else max(limit, -(-half_ticks // 2))
    fee = lot_value(item, 2 * fee_tick) * item.taker_fee_ppm / PPM
    return cost_per_lot(item, side, half_ticks, limit) + fee


def cost_of(item: Instrument, half_ticks: int, fill: Fill) -> Fraction:
    """What a fill did cost. A fee in a third asset is charged by the market's taker rate."""
    spread = cost_per_lot(item, fill.side, half_ticks, fill.tick) * fill.lots
    if fill.fee_asset == item.quote:
        return spread + Fraction(fill.fee_atoms, 10**item.quote_exponent)
    if fill.fee_asset == item.base:
        fee_units = Fraction(fill.fee_atoms, 10**item.base_exponent)
        return spread + fee_units * tick_price(item) * fill.tick
    return spread + lot_value(item, 2 * fill.tick) * fill.lots * item.taker_fee_ppm / PPM
