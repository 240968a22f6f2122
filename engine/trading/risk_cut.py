# cython: language_level=3, annotation_typing=False
"""How a wished side is cut down to what may stand: room, sizes, order count, and never a taker."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from engine.trading.risk_checks import Scene, Span
from engine.trading.risk_rows import Check, Reading
from engine.trading.risk_watch import Watch
from engine.treasury.bands import Bands
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.intents import Ladder, Level
from engine.values.units import BUY, SELL, Atoms, Lot, Side, Tick

_ROOM_BY_POSITION = f"room to {Check.WORST_POSITION}"
_ROOM_BY_VALUE = f"room to {Check.WORST_VALUE}"


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """What one side may do now: nothing where `barred` says why, else `room_lots` for `room_by`."""

    side: Side
    barred: str
    room_lots: Lot
    room_by: str


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of a gate and the venue allow together, at one grade of the book."""

    instrument: Instrument
    orders_max: int
    size_lots_max: Lot
    value_atoms_max: Atoms
    worst_value_atoms: Atoms
    position_lots_most: Lot
    position_lots_least: Lot


class Stand(msgspec.Struct, frozen=True, kw_only=True):
    """What of a wished side may stand, why each of its other quotes may not, why there is none."""

    levels: tuple[Level, ...]
    refused: tuple[str, ...]
    absent: str


def caps_of(
    watches: Mapping[Check, Sequence[Watch]], instrument: Instrument, bands: Bands, grade: Grade
) -> Caps:
    """The tightest of each kind; each kind has a row at least."""

    def tightest(check: Check) -> int:
        return min(int(watch.bound(grade).threshold) for watch in watches[check])

    share = min(watch.share_at(grade) for watch in watches[Check.WORST_POSITION])
    up_lots, down_lots = bands.cap_lots - bands.target_lots, bands.target_lots - bands.floor_lots
    return Caps(
        instrument=instrument,
        orders_max=tightest(Check.OPEN_ORDERS),
        size_lots_max=tightest(Check.ORDER_SIZE),
        value_atoms_max=tightest(Check.ORDER_VALUE),
        worst_value_atoms=tightest(Check.WORST_VALUE),
        position_lots_most=bands.target_lots + math.floor(up_lots * share),
        position_lots_least=bands.target_lots - math.floor(down_lots * share),
    )


def room_of(side: Side, caps: Caps, at: Scene) -> tuple[Lot, str]:
    """The lots of a side that may fill before a cap is met, and the tightest cap's name."""
    position_lots = at.reading.position_lots
    if side is BUY:
        by_position = max(0, caps.position_lots_most - position_lots)
    else:
        by_position = max(0, position_lots - caps.position_lots_least)
    by_value = 0
    if at.unit_atoms:
        by_value = max(0, caps.worst_value_atoms // at.unit_atoms - side.sign * position_lots)
    if by_value < by_position:
        return by_value, _ROOM_BY_VALUE
    return by_position, _ROOM_BY_POSITION


def takes(side: Side, tick: Tick, reading: Reading) -> str:
    """Why this quote would take liquidity; quotes never do (I14)."""
    far = reading.ask_tick if side is BUY else reading.bid_tick
    if far and (tick - far) * side.sign >= 0:
        return f"would take: the market's other side is at {far}"
    return ""


def with_those_too_many(
    whys: dict[Side, list[str]], orders_max: int
) -> Mapping[Side, Sequence[str]]:
    """Beyond so many orders each has a reason, too: the best of both sides come first."""
    bid_count, ask_count = len(whys[BUY]), len(whys[SELL])
    if bid_count + ask_count <= orders_max:
        return whys
    ranks = _order_ranks(bid_count, ask_count)
    return {
        side: [
            why or ("open orders: more than may be live" if rank >= orders_max else "")
            for why, rank in zip(whys[side], ranks[side], strict=True)
        ]
        for side in whys
    }


def _order_ranks(bid_count: int, ask_count: int) -> dict[Side, list[int]]:
    """Which orders come first when there are too many: the best of both sides, then the next."""
    both = min(bid_count, ask_count)
    bids = [2 * i if i < both else both + i for i in range(bid_count)]
    asks = [2 * i + 1 if i < both else both + i for i in range(ask_count)]
    return {BUY: bids, SELL: asks}


def stand_of(
    wish: Ladder, whys: Sequence[str], span: Span | None, leave: Leave, caps: Caps
) -> Stand:
    """One side of the wish, cut down to what may stand."""
    levels = wish.side(leave.side)
    if span is not None and not any(whys) and _stands_whole(span, leave, caps):
        return Stand(levels=levels, refused=(), absent="")
    kept, refused = cut(levels, whys, leave, caps)
    absent = ""
    if not kept:
        stated = wish.absent(leave.side) or "the strategy wished none and gave no reason"
        absent = refused[0] if refused else stated
    return Stand(levels=tuple(kept), refused=tuple(refused), absent=absent)


def _stands_whole(span: Span, leave: Leave, caps: Caps) -> bool:
    """Whether a side surely needs no cut at all: even its extremes together meet no bound."""
    if leave.barred or span.lots_sum > leave.room_lots or span.lots_most > caps.size_lots_max:
        return False
    item, tick_low, tick_high = caps.instrument, span.tick_best, span.tick_worst
    if tick_low > tick_high:
        tick_low, tick_high = tick_high, tick_low
    value_most = item.quote_atoms(tick_high, span.lots_most)
    value_least = item.quote_atoms(tick_low, span.lots_least)
    is_small = span.lots_least < item.lots_min or value_least < item.notional_min
    return value_most <= caps.value_atoms_max and not is_small


def cut(
    levels: Sequence[Level], whys: Sequence[str], leave: Leave, caps: Caps
) -> tuple[list[Level], list[str]]:
    """The levels that may stand, shrunk to fit, and a reason for each that may not.

    Room is dealt out best level first, and a level that is refused still uses up its share: so no
    refusal near the market ever makes a quote further out larger.
    """
    kept: list[Level] = []
    refused: list[str] = []
    left_lots = leave.room_lots
    for level, why in zip(levels, whys, strict=True):
        lots, clamp = _shrunk(level, left_lots, leave, caps)
        left_lots = max(0, left_lots - level.lots)
        problem = leave.barred or why or _too_small(level, lots, clamp, caps.instrument)
        if problem:
            refused.append(refusal(leave.side, level, problem))
        else:
            kept.append(level if lots == level.lots else _resized(level, lots, clamp))
    return kept, refused


def refusal(side: Side, level: Level, why: str) -> str:
    name = "bid" if side is BUY else "ask"
    return f"{name} {level.lots}@{level.tick}: {why}"


def all_refused(wish: Ladder, why: str) -> tuple[str, ...]:
    return tuple(refusal(side, level, why) for side in Side for level in wish.side(side))


def _shrunk(level: Level, left_lots: Lot, leave: Leave, caps: Caps) -> tuple[Lot, str]:
    """The lots that fit, and the bound that cut them."""
    by_value = caps.value_atoms_max // caps.instrument.quote_atoms(level.tick, 1)
    lots, by = level.lots, ""
    if left_lots < lots:
        lots, by = left_lots, leave.room_by
    if caps.size_lots_max < lots:
        lots, by = caps.size_lots_max, "order size of a snapshot-grade market"
    if by_value < lots:
        lots, by = by_value, "order value of a snapshot-grade market"
    return lots, by


def _too_small(level: Level, lots: Lot, clamp: str, instrument: Instrument) -> str:
    what = f"cut to {lots} lots ({clamp}), " if clamp else ""
    if lots < max(1, instrument.lots_min):
        return f"{what}below the venue's smallest size"
    if instrument.quote_atoms(level.tick, lots) < instrument.notional_min:
        return f"{what}below the venue's smallest value"
    return ""


def _resized(level: Level, lots: Lot, clamp: str) -> Level:
    joined = f"{level.reason.clamp}, {clamp}" if level.reason.clamp else clamp
    reason = msgspec.structs.replace(level.reason, clamp=joined)
    return msgspec.structs.replace(level, lots=lots, reason=reason)
