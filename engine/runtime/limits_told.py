"""The limits in force as an engine tells them: a file's wider wish is none of them yet."""

from collections.abc import Iterable

from engine.treasury.facts import Scheme
from engine.treasury.limit_rows import row_problem
from engine.values.errors import UserError
from engine.values.treasury_words import LimitRow, LimitsSet


def limits_told(rows: list[LimitRow], scheme: Scheme, name: str) -> LimitsSet:
    """What holds before any file is read. Raises UserError naming a row."""
    for index, row in enumerate(rows):
        where = f"{name}: limits[{index}]"
        if problem := row_problem(row):
            raise UserError(f"{where}.{problem}")
        if row.asset and row.asset not in scheme.names():
            raise UserError(f'{where}.asset: "{row.asset[:40]}" is none of this treasury\'s')
    if twice := _twice(row.name for row in rows):
        raise UserError(f'{name}: limits: "{twice[:40]}" stands twice')
    return LimitsSet(at_ns=0, who="", name=name, digest="", rows=rows)


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""
