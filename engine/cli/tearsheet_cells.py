"""The cells of a tear sheet, made once: the page, CSV and JSON only set them."""

import csv
import io
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, NS_PER_S, PPM, Atoms, Ns, Tick, decimal_text

Cell: TypeAlias = str | int | float | None
Rows: TypeAlias = list[list[Cell]]
PAGE_ROWS_MAX = 60
BPS = 10_000
DIGITS = 6
"""Ratios are kept to so many significant digits, in every form."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """`on_page` is how many of its rows the page shows, without the columns of `off_page`.

    The files have all of them.
    """

    name: str
    title: str
    columns: list[str]
    rows: Rows
    note: str = ""
    on_page: int = PAGE_ROWS_MAX
    off_page: tuple[str, ...] = ()


def drawn(name: str, title: str, columns: list[str], rows: Rows) -> Table:
    """A table that the page shows as a picture only."""
    return Table(name=name, title=title, columns=columns, rows=rows, on_page=0)


def text_of(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def csv_of(table: Table) -> str:
    """A line of names, then the rows; what there is not is empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([[text_of(cell) for cell in row] for row in table.rows])
    return stream.getvalue()


def json_of(table: Table) -> str:
    """One object; `rows` are objects by column, money as decimal text."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    whole = {"name": table.name, "title": table.title, "note": table.note, "rows": rows}
    return msgspec.json.encode(whole).decode() + "\n"


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


def money(item: Instrument, atoms: Atoms) -> str:
    return decimal_text(atoms, item.quote_exponent)


def moment(at_ns: Ns) -> str:
    """UTC to the millisecond."""
    text = f"{datetime.fromtimestamp(at_ns // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{text}.{at_ns % NS_PER_S // NS_PER_MS:03d}"


def mid_text(item: Instrument, mid_half_ticks: Tick) -> str:
    """Half a tick is one decimal more."""
    return decimal_text(5 * mid_half_ticks * item.tick, item.price_exponent + 1)


def bps_of(atoms: Atoms, of_atoms: Atoms) -> float | None:
    return rounded(BPS * atoms / of_atoms) if of_atoms else None


def words(name: str, value: Any) -> str:
    """One of a back-test's assumptions in a line; fees come in ppm."""
    if name == "fees" and isinstance(value, dict):
        told = [(market, *(f"{ppm * BPS / PPM:g} bp" for ppm in value[market])) for market in value]
        return "; ".join(f"{market}: maker {maker}, taker {taker}" for market, maker, taker in told)
    if isinstance(value, dict):
        return "; ".join(f"{key} {each}" for key, each in value.items())
    return "; ".join(str(each) for each in value) if isinstance(value, list) else str(value)
