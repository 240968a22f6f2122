"""What is paid when: obligations in order of date, and the first date that is not covered.

Up to a date everything that is due is paid: first each obligation from its own asset, from units
that are cash by its day; then, in order of date, what is short is bought, or paid in money, and
other assets are sold for it, in the order of the file. All of it walks the live books, less the fee
and the haircut. Where a price is not known nothing can be bought or sold, so it is not covered.
"""

from collections.abc import Sequence

import msgspec

from engine.treasury.dates import begin_ns
from engine.treasury.facts import Facts
from engine.treasury.purse import Purse
from engine.values.treasury_words import Day, Obligation
from engine.values.units import Atoms, Ns


class Short(msgspec.Struct, frozen=True, kw_only=True):
    """What cannot be paid in time."""

    due: Day
    asset: str
    atoms: Atoms


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One date of the curve. `shorts` are of everything that is due until then.

    owed: by asset, what falls due on this date. left_money_atoms: what is liquid by then once all
    that was due is paid, sold into the books as they stand now; 0 where something is short.
    """

    due: Day
    owed: dict[str, Atoms]
    shorts: tuple[Short, ...]
    left_money_atoms: Atoms


def settle(facts: Facts, rows: Sequence[Obligation]) -> tuple[Purse, list[Short]]:
    """Pay these rows, which are in order of date; the purse afterwards, and what was short."""
    purse, short = Purse(facts), []
    owed: dict[tuple[Day, str], Atoms] = {}
    for row in rows:
        owed[row.due, row.asset] = owed.get((row.due, row.asset), 0) + row.atoms
    for (due, asset), atoms in owed.items():
        missing = purse.pay(asset, atoms, due_ns(facts, due))
        if missing:
            short.append(Short(due=due, asset=asset, atoms=missing))
    still = [
        (one, purse.pay_with_money(one.asset, one.atoms, due_ns(facts, one.due))) for one in short
    ]
    return purse, [msgspec.structs.replace(one, atoms=atoms) for one, atoms in still if atoms]


def curve(facts: Facts) -> list[Point]:
    """A point for each date on which something falls due, in order of date."""
    rows, points = facts.obligations, []
    for due in sorted({row.due for row in rows}):
        purse, shorts = settle(facts, [row for row in rows if row.due <= due])
        left = 0 if shorts else sold(facts, purse, due_ns(facts, due))
        owed: dict[str, Atoms] = {}
        for row in rows:
            if row.due == due:
                owed[row.asset] = owed.get(row.asset, 0) + row.atoms
        points.append(Point(due=due, owed=owed, shorts=tuple(shorts), left_money_atoms=left))
    return points


def first_uncovered(points: Sequence[Point]) -> Day | None:
    return next((point.due for point in points if point.shorts), None)


def sold(facts: Facts, purse: Purse, by_ns: Ns) -> Atoms:
    """The money for everything that is left and cash by then. Empties the purse of it."""
    return sum(purse.sell_all(name, by_ns) for name in facts.scheme.names())


def due_ns(facts: Facts, due: Day) -> Ns:
    """The first moment of the day; what is overdue is due now."""
    return max(facts.at_ns, begin_ns(due))
