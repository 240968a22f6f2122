"""What is owed, by UTC day and by business function. What is overdue is owed today."""

from collections.abc import Iterable
from itertools import takewhile

from engine.treasury.dates import day_of
from engine.treasury.facts import Facts
from engine.values.treasury_words import Day, Obligation
from engine.values.units import Atoms


def by_date(rows: Iterable[Obligation]) -> list[Obligation]:
    """In order of date; on one day by name, so that the order never depends on a file's."""
    return sorted(rows, key=lambda row: (row.due, row.name))


def due_within(facts: Facts, days: int, function: str = "") -> list[Obligation]:
    """What falls due today, on one of the next `days` days, or was due before; "" is all."""
    last = day_of(facts.at_ns) + days
    due = takewhile(lambda row: row.due <= last, facts.obligations)
    return [row for row in due if function in ("", row.function)]


def owed_atoms(rows: Iterable[Obligation], asset: str) -> Atoms:
    return sum(row.atoms for row in rows if row.asset == asset)


def by_day(rows: Iterable[Obligation], asset: str) -> dict[Day, Atoms]:
    """What is owed of one asset on each day, in the order of the rows."""
    owed: dict[Day, Atoms] = {}
    for row in rows:
        if row.asset == asset:
            owed[row.due] = owed.get(row.due, 0) + row.atoms
    return owed


def owed_money(facts: Facts, rows: Iterable[Obligation]) -> Atoms | None:
    """What it all costs at the prices; None where one of the prices is not known."""
    total = 0
    for row in rows:
        cost = facts.cost(row.asset, row.atoms)
        if cost is None:
            return None
        total += cost
    return total
