"""How a wished side is cut down to what may stand: room, sizes, order count, and never a taker."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec

from engine.trading.risk_rows import Reading
from engine.treasury.bands import Bands
from engine.values.instrument import Instrument
from engine.values.intents import Ladder, Level
from engine.values.units import Atoms, Lot, Side


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """What one side may do now: nothing where `barred` says why, else `room_lots` for `room_by`."""

    barred: str
    room_lots: Lot
    room_by: str


class Cuts(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds that shrink the quotes of one side."""

    side: Side
    leave: Leave
    instrument: Instrument
    size_lots_max: Lot
    value_atoms_max: Atoms


def takes(side: Side, level: Level, reading: Reading) -> str:
    """Why this quote would take liquidity; quotes never do (I14)."""
    far = reading.ask_tick if side is Side.BUY else reading.bid_tick
    if far and (level.tick - far) * side.sign >= 0:
        return f"would take: the market's other side is at {far}"
    return ""


def position_room(side: Side, bands: Bands, share: Fraction, reading: Reading) -> Lot:
    """Lots until the position meets `share` of the way from target to cap (or floor)."""
    if side is Side.BUY:
        most = bands.target_lots + math.floor((bands.cap_lots - bands.target_lots) * share)
        return max(0, most - reading.position_lots)
    least = bands.target_lots - math.floor((bands.target_lots - bands.floor_lots) * share)
    return max(0, reading.position_lots - least)


def order_ranks(bid_count: int, ask_count: int) -> dict[Side, list[int]]:
    """Which orders come first when there are too many: the best of both sides, then the next."""
    both = min(bid_count, ask_count)
    bids = [2 * i if i < both else both + i for i in range(bid_count)]
    asks = [2 * i + 1 if i < both else both + i for i in range(ask_count)]
    return {Side.BUY: bids, Side.SELL: asks}


def cut(
    levels: Sequence[Level], whys: Sequence[str], cuts: Cuts
) -> tuple[tuple[Level, ...], list[str]]:
    """The levels that may stand, shrunk to fit, and a reason for each that may not.

    Room is dealt out best level first, and a level that is refused still uses up its share: so no
    refusal near the market ever makes a quote further out larger.
    """
    kept: list[Level] = []
    refused: list[str] = []
    left_lots = cuts.leave.room_lots
    for level, why in zip(levels, whys, strict=True):
        lots, clamp = _shrunk(level, left_lots, cuts)
        left_lots = max(0, left_lots - level.lots)
        problem = cuts.leave.barred or why or _too_small(level, lots, clamp, cuts.instrument)
        if problem:
            refused.append(refusal(cuts.side, level, problem))
        else:
            kept.append(level if lots == level.lots else _resized(level, lots, clamp))
    return tuple(kept), refused


def refusal(side: Side, level: Level, why: str) -> str:
    name = "bid" if side is Side.BUY else "ask"
    return f"{name} {level.lots}@{level.tick}: {why}"


def all_refused(wish: Ladder, why: str) -> tuple[str, ...]:
    return tuple(refusal(side, level, why) for side in Side for level in wish.side(side))


def absence(
    wish: Ladder,
    side: Side,
    kept: Mapping[Side, Sequence[Level]],
    refused: Mapping[Side, Sequence[str]],
) -> str:
    """Why a side has no quote: the gate's first refusal, else the strategy's own reason."""
    if kept[side]:
        return ""
    if refused[side]:
        return refused[side][0]
    return wish.absent(side) or "the strategy wished none and gave no reason"


def _shrunk(level: Level, left_lots: Lot, cuts: Cuts) -> tuple[Lot, str]:
    """The lots that fit, and the bound that cut them."""
    by_value = cuts.value_atoms_max // cuts.instrument.quote_atoms(level.tick, 1)
    bounds = (
        (level.lots, ""),
        (left_lots, cuts.leave.room_by),
        (cuts.size_lots_max, "order size of a snapshot-grade market"),
        (by_value, "order value of a snapshot-grade market"),
    )
    return min(bounds, key=lambda bound: bound[0])


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
