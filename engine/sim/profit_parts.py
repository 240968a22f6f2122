"""Where a profit came from: spread, inventory, fees, rebates and funding, exact to the atom.

With fills i of `lots` signed by our side, at prices p and mids m of their moments, and M the mid at
the end: cash + position M = sum lots (m - p) + sum of position times each move of the mid. The
first sum is the spread, the second the inventory. A fee in the base asset is valued at the mid of
its fill and from then on is a piece of position that is missing, so it counts in the inventory too.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from engine.values.events import Fill
from engine.values.instrument import Instrument
from engine.values.units import Atoms, Ns, Tick


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Quote atoms; a cost is negative. Each part is within an atom of its exact value.

    `spread_earned` is of maker fills, `spread_paid` of those that took.
    """

    spread_earned: Atoms = 0
    spread_paid: Atoms = 0
    inventory: Atoms = 0
    fees: Atoms = 0
    rebates: Atoms = 0
    funding: Atoms = 0

    @property
    def total(self) -> Atoms:
        return sum(msgspec.structs.astuple(self))

    def less(self, other: "Parts") -> "Parts":
        """What came since `other`."""
        return Parts(**{name: getattr(self, name) - getattr(other, name) for name in PARTS})


PARTS = Parts.__struct_fields__


class Funding(msgspec.Struct, frozen=True):
    """Money that a perpetual paid us (or, negative, took) at a moment."""

    at_ns: Ns
    atoms: Atoms


class Bucket(msgspec.Struct, frozen=True):
    """The parts of the profit made in [number * step, (number + 1) * step) since 1970."""

    number: int
    parts: Parts


class _Sums:
    """Running sums in 1/(2 lot_base_atoms) of a quote atom, in which nothing has to be rounded."""

    def __init__(self, item: Instrument) -> None:
        self._item = item
        self._unit = 2 * item.lot_base_atoms
        self._fine = dict.fromkeys(PARTS, 0)
        self._cash_fine = 0
        self._held_base = 0
        self._mid: Tick = 0

    def move(self, mid_half_ticks: Tick) -> None:
        moved = mid_half_ticks - self._mid
        self._fine["inventory"] += self._held_base * moved * self._item.tick_lot_atoms
        self._mid = mid_half_ticks

    def fill(self, fill: Fill, mid_half_ticks: Tick) -> None:
        self.move(mid_half_ticks)
        item = self._item
        base, quote = item.flows(fill.side, fill.tick, fill.lots)
        part = "spread_earned" if fill.is_maker else "spread_paid"
        distance = fill.side.sign * (mid_half_ticks - 2 * fill.tick)
        self._fine[part] += distance * item.quote_atoms(1, fill.lots) * item.lot_base_atoms
        self._cash_fine += quote * self._unit
        self._held_base += base
        self._fee(fill)

    def _fee(self, fill: Fill) -> None:
        part, item = "fees" if fill.fee_atoms > 0 else "rebates", self._item
        if fill.fee_asset == item.base:
            self._fine[part] -= fill.fee_atoms * self._mid * item.tick_lot_atoms
            self._held_base -= fill.fee_atoms
        elif fill.fee_asset == item.quote:
            self._fine[part] -= fill.fee_atoms * self._unit
            self._cash_fine -= fill.fee_atoms * self._unit

    def fund(self, funding: Funding) -> None:
        self._fine["funding"] += funding.atoms * self._unit
        self._cash_fine += funding.atoms * self._unit

    def parts(self) -> Parts:
        """Whole atoms that add up: running totals are rounded down, parts are their differences."""
        self._check()
        found, total, before = {}, 0, 0
        for name, fine in self._fine.items():
            total += fine
            found[name] = total // self._unit - before
            before = total // self._unit
        return Parts(**found)

    def _check(self) -> None:
        """The parts, each summed on its own, must be the money and the position at the mid."""
        worth = self._held_base * self._mid * self._item.tick_lot_atoms
        assert sum(self._fine.values()) == self._cash_fine + worth, "parts and profit disagree"


def parts_at(
    item: Instrument,
    fills: Iterable[tuple[Fill, Tick]],
    edges: Sequence[tuple[Ns, Tick]],
    funding: Sequence[Funding] = (),
) -> Iterator[Parts]:
    """The parts from the start to each edge, a (moment, mid in half ticks), in order.

    `fills` go with the mids of their moments, in order. What happened in the moment of an edge
    counts. Fees in a third asset are in no part: their price is not known here.
    """
    sums, due, owed = _Sums(item), list(fills)[::-1], list(funding)[::-1]
    for at_ns, mid in edges:
        while due and due[-1][0].at_ns <= at_ns:
            sums.fill(*due.pop())
        while owed and owed[-1].at_ns <= at_ns:
            sums.fund(owed.pop())
        sums.move(mid)
        yield sums.parts()


def bucket_edges(began_ns: Ns, ended_ns: Ns, step_ns: Ns) -> list[tuple[int, Ns]]:
    """The numbers of the buckets from one moment to another, and the last moment of each."""
    first, last = began_ns // step_ns, ended_ns // step_ns
    return [(n, min((n + 1) * step_ns - 1, ended_ns)) for n in range(first, last + 1)]
