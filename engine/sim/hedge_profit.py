"""What the hedges of one market earned in others, added to that market's curve of profit."""

from collections.abc import Iterable

import msgspec

from engine.sim.tally import Point
from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.units import Atoms, Lot, Tick


class Leg(msgspec.Struct, frozen=True):
    """A market that was hedged in: the fills of those hedges, and the market's own curve."""

    item: Instrument
    fills: list[Fill]
    curve: list[Point]


def with_hedges(curve: list[Point], item: Instrument, legs: Iterable[Leg]) -> list[Point]:
    """`curve` with each leg's profit at its mid, after fees, in atoms of `item`'s quote asset.

    Legs are paid in that asset, as hedges are. Positions stay those of the market itself.
    """
    for leg in legs:
        curve = _with(curve, item, leg)
    return curve


def _with(curve: list[Point], item: Instrument, leg: Leg) -> list[Point]:
    finer = item.quote_exponent - leg.item.quote_exponent
    sums, mids, found = _Sums(leg.item), iter(leg.curve), []
    fills = iter(sorted(leg.fills, key=lambda fill: fill.at_ns))
    fill, point, mid = next(fills, None), next(mids, None), 0
    for here in curve:
        while fill is not None and fill.at_ns <= here.at_ns:
            sums.add(fill)
            fill = next(fills, None)
        while point is not None and point.at_ns <= here.at_ns:
            mid, point = point.mid_half_ticks, next(mids, None)
        atoms = sums.profit(mid)
        scaled = atoms * 10**finer if finer >= 0 else atoms // 10**-finer
        found.append(msgspec.structs.replace(here, profit_atoms=here.profit_atoms + scaled))
    return found


class _Sums:
    """Cash, lots and fees of one leg's hedges so far."""

    def __init__(self, item: Instrument) -> None:
        self._item = item
        self._cash: Atoms = 0
        self._lots: Lot = 0
        self._fees: dict[str, Atoms] = {}

    def add(self, fill: Fill) -> None:
        self._cash += self._item.flows(fill.side, fill.tick, fill.lots)[1]
        self._lots += fill.side.sign * fill.lots
        self._fees[fill.fee_asset] = self._fees.get(fill.fee_asset, 0) + fill.fee_atoms

    def profit(self, mid_half_ticks: Tick) -> Atoms:
        item, value_half = self._item, mid_half_ticks * self._item.tick_lot_atoms
        base_fee = -(-self._fees.get(item.base, 0) * value_half // (2 * item.lot_base_atoms))
        held = value_half * self._lots // 2
        return self._cash + held - base_fee - self._fees.get(item.quote, 0)
