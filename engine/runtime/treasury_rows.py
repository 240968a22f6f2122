"""Rows that people keep in spreadsheets: obligations.csv and locks.csv, checked row by row.

The first line names the columns. A file with one mistake is refused as a whole, with a line for
each mistake, `file:line: fault`: half a list of debts is worse than yesterday's whole one.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

from engine.runtime.person_file import read_text
from engine.runtime.treasury_file import TreasuryFile
from engine.treasury.dates import NS_PER_H
from engine.treasury.params import HOURS_MAX
from engine.values.errors import UserError
from engine.values.treasury_words import Lock, LockKind, LockSet, Obligation, ObligationSet
from engine.values.units import NS_PER_S, Atoms, Ns, scaled

ROWS_MAX = 10_000
TEXT_MAX = 80
MISTAKES_MAX = 20
EPOCH = date(1970, 1, 1)
OBLIGATION_COLUMNS = ("name", "due", "function", "asset", "amount")
LOCK_COLUMNS = ("name", "kind", "place", "asset", "amount", "unwind_h", "until")
Row = dict[str, str]
Made = TypeVar("Made")


def obligations_of(path: Path, file: TreasuryFile, at_ns: Ns, who: str) -> ObligationSet:
    """All that is owed, as the file says. Raises UserError with a line for each mistake."""
    return obligations_in(read_text(path), str(path), file, at_ns, who)


def obligations_in(text: str, name: str, file: TreasuryFile, at_ns: Ns, who: str) -> ObligationSet:
    """The same of a text that was read before; `name` is what mistakes are reported under."""
    rows = _made(text, name, OBLIGATION_COLUMNS, lambda row: _obligation(row, file))
    return ObligationSet(at_ns=at_ns, who=who, name=name, digest=_digest(text), rows=rows)


def locks_of(path: Path, file: TreasuryFile, at_ns: Ns, who: str) -> LockSet:
    """All that is locked, as the file says. Raises UserError with a line for each mistake."""
    return locks_in(read_text(path), str(path), file, at_ns, who)


def locks_in(text: str, name: str, file: TreasuryFile, at_ns: Ns, who: str) -> LockSet:
    """The same of a text that was read before; `name` is what mistakes are reported under."""
    rows = _made(text, name, LOCK_COLUMNS, lambda row: _lock(row, file))
    return LockSet(at_ns=at_ns, who=who, name=name, digest=_digest(text), rows=rows)


def _made(
    text: str, name: str, columns: tuple[str, ...], make: Callable[[Row], Made]
) -> list[Made]:
    found: list[Made] = []
    mistakes: list[str] = []
    seen: dict[str, int] = {}
    for line, row in _rows(text, name, columns):
        try:
            made = make(row)
        except ValueError as error:
            mistakes.append(f"{name}:{line}: {error}")
            continue
        if row["name"] in seen:
            mistakes.append(
                f'{name}:{line}: name: "{row["name"]}" stands in line {seen[row["name"]]} already'
            )
        seen.setdefault(row["name"], line)
        found.append(made)
    if mistakes:
        more = len(mistakes) - MISTAKES_MAX
        rest = [f"{name}: and {more} more mistakes"] if more > 0 else []
        raise UserError("\n".join(mistakes[:MISTAKES_MAX] + rest))
    return found


def _rows(text: str, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, Row]]:
    """Each row with the number of its line; empty lines are passed over. Raises UserError."""
    reader = csv.reader(text.removeprefix("\ufeff").splitlines(), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        if header != list(columns):
            raise UserError(f"{name}:1: the first line must be: {','.join(columns)}")
        for index, cells in enumerate(reader):
            if index >= ROWS_MAX:
                raise UserError(f"{name}:{reader.line_num}: more than {ROWS_MAX} rows")
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise UserError(
                    f"{name}:{reader.line_num}: expected {len(columns)} cells, got {len(cells)}"
                )
            yield (
                reader.line_num,
                {column: cell.strip() for column, cell in zip(columns, cells, strict=True)},
            )
    except csv.Error as error:
        raise UserError(f"{name}:{reader.line_num}: not CSV: {error}") from error


def _obligation(row: Row, file: TreasuryFile) -> Obligation:
    _one_of("function", row["function"], file.functions)
    return Obligation(
        name=_name(row["name"]),
        due=_day(row["due"]),
        function=row["function"],
        asset=row["asset"],
        atoms=_amount(row["asset"], row["amount"], file),
    )


def _lock(row: Row, file: TreasuryFile) -> Lock:
    _one_of("kind", row["kind"], [kind.value for kind in LockKind])
    _one_of("place", row["place"], [place.name for place in file.places])
    kind = LockKind(row["kind"])
    if kind is LockKind.HALTED:
        if row["asset"] or row["amount"]:
            raise ValueError('asset: must be empty for a "halted venue", whose balance is locked')
        asset, atoms = "", 0
    else:
        asset, atoms = row["asset"], _amount(row["asset"], row["amount"], file)
    return Lock(
        name=_name(row["name"]),
        kind=kind,
        place=row["place"],
        asset=asset,
        atoms=atoms,
        unwind_ns=_hours(row["unwind_h"]) * NS_PER_H,
        until_ns=_moment(row["until"]),
    )


def _name(text: str) -> str:
    if not 1 <= len(text) <= TEXT_MAX or not text.isprintable():
        raise ValueError(f"name: 1 to {TEXT_MAX} printable characters")
    return text


def _one_of(column: str, text: str, known: list[str]) -> None:
    if text not in known:
        raise ValueError(f'{column}: "{text[:40]}" is none of: {", ".join(known)}')


def _amount(asset: str, text: str, file: TreasuryFile) -> Atoms:
    """More than 0, and no finer than the asset's atoms."""
    exponents = {one.name: one.exponent for one in file.assets}
    exponents[file.money.name] = file.money.exponent
    _one_of("asset", asset, list(exponents))
    try:
        atoms = scaled(text, exponents[asset])
    except ValueError as error:
        raise ValueError(f"amount: {error}") from error
    if atoms <= 0:
        raise ValueError(f"amount: must be more than 0, got {text[:40]}")
    return atoms


def _day(text: str) -> int:
    try:
        if len(text) != len("2026-01-31"):
            raise ValueError("another form")
        return (date.fromisoformat(text) - EPOCH).days
    except ValueError as error:
        raise ValueError(f'due: "{text[:40]}" is no UTC date like 2026-01-31') from error


def _hours(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > HOURS_MAX:
        raise ValueError(f'unwind_h: "{text[:40]}" is no whole number of hours up to {HOURS_MAX}')
    return int(text)


def _moment(text: str) -> Ns:
    """Nanoseconds since 1970; 0 for nothing."""
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f'until: "{text[:40]}" is no time like 2026-01-31T12:00:00Z') from error
    if moment.tzinfo is None:
        raise ValueError("until: a time needs its offset, like 2026-01-31T12:00:00Z")
    return int(moment.timestamp()) * NS_PER_S


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
