"""What a report is made of: tables whose cells are made once, so that every form says the same."""

from typing import TypeAlias

import msgspec

from engine.treasury.dates import day_of, day_text
from engine.treasury.facts import Facts
from engine.values.units import NS_PER_S, Atoms, Ns, Ppm, decimal_text

Cell: TypeAlias = str | int | None
"""Amounts are decimal text, so that no digit is lost; None is what is not known or not there."""

DAY_S = 86_400
PERCENT_DECIMALS = 4
"""A share in ppm as percent: 1 ppm is 0.0001 %."""


class ReportTable(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is what files call it. A table may be empty: then `note` says why."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), f"{self.name}: ragged"


def percent(ppm: Ppm | None) -> str | None:
    return None if ppm is None else decimal_text(ppm, PERCENT_DECIMALS)


def amount(facts: Facts, asset: str, atoms: Atoms | None) -> str | None:
    return None if atoms is None else decimal_text(atoms, facts.scheme.asset(asset).exponent)


def in_money(facts: Facts, atoms: Atoms | None) -> str | None:
    return amount(facts, facts.scheme.money.name, atoms)


def when(at_ns: Ns) -> str:
    """`2026-11-21 16:30:00`, UTC, rounded down to a second."""
    second = at_ns // NS_PER_S % DAY_S
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{day_text(day_of(at_ns))} {clock}"


def hours(span_ns: Ns | None) -> str | None:
    """Hours to the second: whole seconds, rounded up, as a decimal of at most four places."""
    if span_ns is None:
        return None
    seconds = -(-span_ns // NS_PER_S)
    return decimal_text(-(-seconds * 10_000 // 3_600), 4)
