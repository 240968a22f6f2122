"""All that a strategy author sees: a View comes in, a Ladder goes out.

A strategy says what it wants to be true. It places nothing, awaits nothing and reads no clock; the
risk gate decides what of its wish reaches the venue. `strategies/fixed.py` is the short example.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import msgspec

from engine.signals.stance import Stance
from engine.treasury.bands import Bands, Zone
from engine.values.events import Grade, RatingLabel
from engine.values.instrument import Instrument
from engine.values.intents import Ladder, Level, Reason
from engine.values.units import BUY, NS_PER_S, SELL, Lot, Ns, Side, Tick

__all__ = [
    "BUY",
    "NS_PER_S",
    "SELL",
    "Bands",
    "Grade",
    "Instrument",
    "Ladder",
    "Lean",
    "Level",
    "Other",
    "RatingLabel",
    "Reason",
    "Side",
    "Stance",
    "Strategy",
    "View",
    "Wake",
    "Zone",
    "passive_tick",
    "quote_level",
    "without_repeats",
]


class Wake(msgspec.Struct, frozen=True, kw_only=True):
    """What is worth asking the strategy again. Nothing else runs Python above the book.

    A fill of ours, a changed stance and a changed market state always wake it.
    `top_moved_ticks`: best bid or ask (without our own) moved by at least this; 0 for never.
    `microprice_moved_ticks`: the microprice moved by at least this; 0 for never.
    `timer_ns`: and at least this often; 0 for never.
    """

    top_moved_ticks: Tick = 1
    microprice_moved_ticks: float = 0.25
    timer_ns: Ns = NS_PER_S


class Lean(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the playbook wants the shape of the quotes to lean now; as it is where it says nothing.

    Sizes are shares of what the strategy would show by itself, always above 0. `bid_closer` is the
    share to take off the distance between bids. `*_out_ticks` move every level of a side away from
    the market, `upper_ask_out_ticks` each further ask once more. `row` is the playbook's, for
    reasons that people read.
    """

    row: str = ""
    bid_size: float = 1.0
    ask_size: float = 1.0
    bid_closer: float = 0.0
    bid_out_ticks: float = 0.0
    ask_out_ticks: float = 0.0
    upper_ask_out_ticks: float = 0.0

    def size(self, side: Side) -> float:
        return self.bid_size if side is BUY else self.ask_size


UPRIGHT = Lean()


class Other(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Another market's mid, in its own quote currency, and how old it is."""

    mid: float
    age_ns: Ns


NOBODY: Mapping[str, Other] = MappingProxyType({})


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One market at one moment, without our own orders in it. Prices in ticks, sizes in lots.

    An empty side has tick 0 and lots 0. `volatility` is in ticks per square root of a second, None
    until enough was seen. `depth_lots` holds (bid, ask) lots within 1, 2 and 5 % of mid.
    `own_*_ticks` are where our orders stand; `position_lots` is what the bands speak of. `others`
    holds the markets that the config names, each once its price is known.
    """

    now_ns: Ns
    instrument: Instrument
    grade: Grade
    bid_tick: Tick
    bid_lots: Lot
    ask_tick: Tick
    ask_lots: Lot
    microprice: float
    imbalance: float
    volatility: float | None
    depth_lots: tuple[tuple[Lot, Lot], tuple[Lot, Lot], tuple[Lot, Lot]]
    own_bid_ticks: tuple[Tick, ...]
    own_ask_ticks: tuple[Tick, ...]
    position_lots: Lot
    bands: Bands
    zone: Zone
    stance: Stance
    lean: Lean = UPRIGHT
    others: Mapping[str, Other] = NOBODY

    def own_ticks(self, side: Side) -> tuple[Tick, ...]:
        return self.own_bid_ticks if side is BUY else self.own_ask_ticks

    @property
    def mid(self) -> float:
        """Half-way between best bid and ask, in ticks; 0.0 while a side is empty."""
        if not (self.bid_tick and self.ask_tick):
            return 0.0
        return (self.bid_tick + self.ask_tick) / 2

    @property
    def spread_ticks(self) -> Tick:
        return self.ask_tick - self.bid_tick if self.bid_tick and self.ask_tick else 0

    @property
    def fee_ticks(self) -> float:
        """The maker fee of one fill as a distance in ticks at the mid."""
        return self.instrument.fee_ticks(1) * self.mid


class Strategy(Protocol):
    """A pure quoting rule.

    `Params` is a frozen msgspec Struct; the config's `[markets.params]` table is converted to it,
    and an unknown or missing key is an error that names its path. `quote` must return within the
    engine's budget; raising, hanging or returning nonsense pulls the market's quotes.
    """

    Params: ClassVar[type[msgspec.Struct]]
    wake: Wake

    def __init__(self, params: Any) -> None: ...

    def quote(self, view: View) -> Ladder:
        """The quotes that should stand in this market now."""
        ...


def quote_level(side: Side, lots: Lot, view: View, reason: Reason) -> Level:
    """The quote at `reason.reference + skew -/+ width`, rounded away and kept off the far side.

    Rounding and, where it would cross the market, the clamp to one tick inside are written into the
    level's reason. `reason.rounding` is overwritten.
    """
    wished = reason.reference + reason.skew - side.sign * reason.width
    tick, rounding, clamp = passive_tick(side, wished, view)
    reason = Reason(
        reference=reason.reference,
        skew=reason.skew,
        width=reason.width,
        rounding=rounding,
        stance=reason.stance,
        clamp=clamp or reason.clamp,
    )
    return Level(tick=tick, lots=lots, reason=reason)


def passive_tick(side: Side, wished: float, view: View) -> tuple[Tick, float, str]:
    """Where a quote that is wished at this price may stand: (tick, rounding, clamp)."""
    if side is BUY:
        tick, far = math.floor(wished), view.ask_tick
        meets = far > 0 and tick >= far
    else:
        tick, far = math.ceil(wished), view.bid_tick
        meets = far > 0 and tick <= far
    rounding = abs(tick - wished)
    return (far - side.sign, rounding, "kept passive") if meets else (tick, rounding, "")


def without_repeats(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Levels that rounding put on one tick become one level with their sizes added, best first."""
    merged: list[Level] = []
    for level in levels:
        if merged and merged[-1].tick == level.tick:
            lots = merged[-1].lots + level.lots
            merged[-1] = msgspec.structs.replace(merged[-1], lots=lots)
        else:
            merged.append(level)
    return tuple(merged)
