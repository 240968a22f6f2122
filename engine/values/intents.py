"""What a strategy wishes to be true, and why. A wish has no effect until `risk` approves it."""

from typing import TypeAlias

import msgspec

from engine.values.units import BUY, Lot, Side, Tick


class Reason(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Why a quote stands where it stands. All prices and distances in ticks, as floats.

    The quoted tick is reference + skew -/+ width, rounded away from the market; `rounding` is the
    distance that this added, `clamp` the rule that moved or shrank it afterwards ("" for none).
    """

    reference: float
    skew: float
    width: float
    rounding: float
    stance: str
    clamp: str = ""


class Level(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One wished quote."""

    tick: Tick
    lots: Lot
    reason: Reason


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """The quotes that should stand in one market, best first. An empty side says why."""

    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    bids_absent: str = ""
    asks_absent: str = ""

    def side(self, side: Side) -> tuple[Level, ...]:
        return self.bids if side is BUY else self.asks

    def absent(self, side: Side) -> str:
        return self.bids_absent if side is BUY else self.asks_absent


class Hedge(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A wish of the risk gate to shed `lots` of a market's position elsewhere, and why."""

    market: str
    side: Side
    lots: Lot
    reason: str


class Sweep(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A wish to take liquidity down to a limit price: hedges and emergency sales, later issues."""

    market: str
    side: Side
    lots: Lot
    tick_limit: Tick
    reason: str


Intent: TypeAlias = Hedge | Sweep
