# cython: language_level=3, annotation_typing=False
"""Whether a wish is a wish at all: types, bounds and order, before any number in it is used."""

import math

import msgspec

from engine.values.instrument import Instrument
from engine.values.intents import Ladder, Level, Reason
from engine.values.units import BUY, SELL, Lot, Side, Tick

LEVELS_MAX = 50
TEXT_MAX = 500
"""A ladder is bounded: quotes a side, and characters a reason."""
INTEGER_MAX = 2**62
"""Nothing that is counted here is larger, and text of such a number stays short."""


class _Limits(msgspec.Struct, frozen=True, kw_only=True):
    tick_min: Tick
    tick_max: Tick
    lots_max: Lot


def nonsense(wish: object, instrument: Instrument) -> str:
    """What makes `wish` no wish for this market, "" for nothing. Raises nothing."""
    if type(wish) is not Ladder:
        return f"the wish is a {type(wish).__name__}, no Ladder"
    for side in (BUY, SELL):
        if problem := _side_problem(side, wish.side(side), wish.absent(side), instrument):
            return problem
    return ""


def crossed_ticks(wish: Ladder) -> int:
    """By how many ticks the best bid reaches into the asks, 0 for not at all."""
    if not (wish.bids and wish.asks):
        return 0
    return max(0, wish.bids[0].tick - wish.asks[0].tick + 1)


def _side_problem(side: Side, levels: object, absent: object, instrument: Instrument) -> str:
    name = "bids" if side is BUY else "asks"
    if type(levels) is not tuple:
        return f"{name} are a {type(levels).__name__}, no tuple"
    if len(levels) > LEVELS_MAX:
        return f"{len(levels)} {name}, at most {LEVELS_MAX}"
    if not _is_text(absent):
        return f"the reason for absent {name} is no short text"
    limits = _Limits(
        tick_min=max(1, instrument.tick_min),
        tick_max=min(instrument.tick_max, INTEGER_MAX),
        lots_max=min(instrument.lots_max, INTEGER_MAX),
    )
    before, sign, is_sorted = 0, side.sign, True
    for level in levels:
        if not _is_sound(level, limits) and (problem := _level_problem(level, limits)):
            return f"{name}: {problem}"
        if before and (before - level.tick) * sign <= 0:
            is_sorted = False
        before = level.tick
    return "" if is_sorted else f"{name} are not sorted best first, or one price stands twice"


def _level_problem(level: object, limits: _Limits) -> str:
    if type(level) is not Level:
        return f"a {type(level).__name__} is no Level"
    tick, lots = level.tick, level.lots
    if type(tick) is not int or type(lots) is not int:
        return "tick and lots must be whole numbers"
    if not limits.tick_min <= tick <= limits.tick_max:
        return "the price is outside the instrument's limits"
    if not 0 < lots <= limits.lots_max:
        return "the size is outside the instrument's limits"
    return _reason_problem(level.reason)


def _reason_problem(reason: object) -> str:
    if type(reason) is not Reason:
        return f"a {type(reason).__name__} is no Reason"
    numbers = (reason.reference, reason.skew, reason.width, reason.rounding)
    if not all(_is_number(number) for number in numbers):
        return "a number of its reason is not finite"
    if not (_is_text(reason.stance) and _is_text(reason.clamp)):
        return "its reason is no short text"
    return ""


def _is_sound(level: object, limits: _Limits) -> bool:
    """Whether there is surely no problem with a level: all of the above, in one go."""
    if type(level) is not Level or type(level.reason) is not Reason:
        return False
    tick, lots, reason = level.tick, level.lots, level.reason
    if type(tick) is not int or type(lots) is not int:
        return False
    a, b, c, d = reason.reference, reason.skew, reason.width, reason.rounding
    if not (type(a) is float and type(b) is float and type(c) is float and type(d) is float):
        return False
    stance, clamp = reason.stance, reason.clamp
    # An infinity and a NaN stay in every sum; a text above the limit, too.
    return (
        limits.tick_min <= tick <= limits.tick_max
        and 0 < lots <= limits.lots_max
        and math.isfinite(a + b + c + d)
        and type(stance) is str
        and type(clamp) is str
        and len(stance) + len(clamp) <= TEXT_MAX
    )


def _is_number(value: object) -> bool:
    if type(value) is int:
        return abs(value) <= INTEGER_MAX
    return type(value) is float and math.isfinite(value)


def _is_text(value: object) -> bool:
    return type(value) is str and len(value) <= TEXT_MAX
