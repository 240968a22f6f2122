"""What people write for the books: `lots.csv` (what openings cost) and `prices.csv`, row by row.

lots.csv    venue,asset,amount,cost,acquired  cost in money; cost and acquired may be "unknown"
prices.csv  at,asset,price                    at as 2026-11-21 or 2026-11-21T16:00:00Z, in money
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from engine.runtime.person_file import read_text
from engine.treasury.adjusting import OpeningLot
from engine.treasury.amounts import Price
from engine.treasury.measures import Measures
from engine.treasury.pricing import PriceHistory
from engine.values.errors import UserError
from engine.values.units import DECIMALS_MAX, NS_PER_S, Ns, scaled

LOTS = ("venue", "asset", "amount", "cost", "acquired")
PRICES = ("at", "asset", "price")
UNKNOWN = "unknown"

LotsFile = dict[tuple[str, str], tuple[OpeningLot, ...]]


def load_lots(path: Path, measures: Measures) -> LotsFile:
    """By (venue, asset), in the order of the file. Raises UserError naming file, line and fault."""
    found: LotsFile = {}
    for where, row in _rows(path, LOTS):
        place = (row["venue"], row["asset"])
        if not all(place):
            raise UserError(f"{where}: venue and asset must not be empty")
        cost = None
        if row["cost"] != UNKNOWN:
            cost = _atoms(where, "cost", row["cost"], measures.exponent(measures.money))
        lot = OpeningLot(
            atoms=_atoms(where, "amount", row["amount"], measures.exponent(row["asset"])),
            cost_atoms=cost,
            acquired_ns=None if row["acquired"] == UNKNOWN else moment(where, row["acquired"]),
        )
        if not lot.atoms:
            raise UserError(f"{where}: amount must be more than 0")
        found[place] = (*found.get(place, ()), lot)
    return found


def load_prices(path: Path | None, measures: Measures, age_ns_max: Ns) -> PriceHistory:
    """Raises UserError naming file, line and fault; None is no prices at all."""
    history = PriceHistory(measures.money, age_ns_max)
    if path is None:
        return history
    for where, row in _rows(path, PRICES):
        at_ns = moment(where, row["at"])
        price = _atoms(where, "price", row["price"], DECIMALS_MAX)
        if not price:
            raise UserError(f"{where}: price must be more than 0")
        base = 10 ** (measures.exponent(row["asset"]) + DECIMALS_MAX)
        money = price * 10 ** measures.exponent(measures.money)
        history.add(Price(asset=row["asset"], money_atoms=money, base_atoms=base, at_ns=at_ns))
    return history


def moment(where: str, text: str) -> Ns:
    """A UTC day or moment. Raises UserError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{where}: {text[:40]!r} is no day or moment, as 2026-11-21") from error
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    seconds = int(aware.timestamp())
    if seconds <= 0:
        raise UserError(f"{where}: {text[:40]!r} is before 1970")
    return seconds * NS_PER_S


def _rows(path: Path, names: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """(file and line, cells by name) of every row. The head must be exactly `names`."""
    lines = csv.reader(read_text(path).splitlines(), strict=True)
    try:
        head = tuple(cell.strip() for cell in next(lines, []))
        if head != names:
            raise UserError(f"{path}:1: the first line must be {','.join(names)}")
        for cells in lines:
            if not cells:
                continue
            where = f"{path}:{lines.line_num}"
            if len(cells) != len(names):
                raise UserError(f"{where}: {len(cells)} cells, wanted {len(names)}")
            yield where, {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
    except csv.Error as error:
        raise UserError(f"{path}:{lines.line_num}: not CSV: {error}") from error


def _atoms(where: str, name: str, text: str, exponent: int) -> int:
    try:
        atoms = scaled(text, exponent)
    except ValueError as error:
        raise UserError(f"{where}: {name}: {error}") from error
    if atoms < 0:
        raise UserError(f"{where}: {name} must not be negative")
    return atoms
