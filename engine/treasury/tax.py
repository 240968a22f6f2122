"""What was realised and earned in a period, by asset and tag: for whoever files the taxes.

Where a cost or a worth is not known, the row says so and stays out of the sums; `unknown` counts
what is missing from them.
"""

from collections.abc import Iterable, Mapping

import msgspec

from engine.treasury.chart import Income, TaxTag
from engine.treasury.lots import Disposal
from engine.values.units import Atoms, Ns


class Period(msgspec.Struct, frozen=True):
    """From the first moment on, up to the last and without it."""

    from_ns: Ns
    to_ns: Ns

    def __contains__(self, at_ns: Ns) -> bool:
        return self.from_ns <= at_ns < self.to_ns


class GainTotal(msgspec.Struct, kw_only=True):
    """Disposals of one asset under one tag; money in atoms of money, over the known rows."""

    asset: str
    tag: TaxTag
    disposals: int = 0
    atoms: Atoms = 0
    proceeds_atoms: Atoms = 0
    cost_atoms: Atoms = 0
    gain_atoms: Atoms = 0
    unknown: int = 0
    unknown_atoms: Atoms = 0

    @property
    def is_any_known(self) -> bool:
        return self.unknown < self.disposals


class IncomeTotal(msgspec.Struct, kw_only=True):
    asset: str
    tag: TaxTag
    count: int = 0
    atoms: Atoms = 0
    worth_atoms: Atoms = 0
    unknown: int = 0


def gain_totals(rows: Iterable[Disposal], period: Period) -> list[GainTotal]:
    """Sorted by asset and tag."""
    found: dict[tuple[str, TaxTag], GainTotal] = {}
    for row in rows:
        if row.when_ns not in period:
            continue
        place = (row.asset, row.tag)
        total = found.setdefault(place, GainTotal(asset=row.asset, tag=row.tag))
        total.disposals += 1
        total.atoms += row.atoms
        gain, cost, proceeds = row.gain_atoms, row.cost_atoms, row.proceeds_atoms
        if gain is None or cost is None or proceeds is None:
            total.unknown += 1
            total.unknown_atoms += row.atoms
            continue
        total.proceeds_atoms += proceeds
        total.cost_atoms += cost
        total.gain_atoms += gain
    return [found[place] for place in sorted(found)]


def income_totals(rows: Mapping[str, tuple[Income, ...]], period: Period) -> list[IncomeTotal]:
    """Sorted by asset and tag."""
    found: dict[tuple[str, TaxTag], IncomeTotal] = {}
    for row in (income for incomes in rows.values() for income in incomes):
        if row.when_ns not in period:
            continue
        place = (row.asset, row.tag)
        total = found.setdefault(place, IncomeTotal(asset=row.asset, tag=row.tag))
        total.count += 1
        total.atoms += row.atoms
        total.unknown += row.worth_atoms is None
        total.worth_atoms += row.worth_atoms or 0
    return [found[place] for place in sorted(found)]
