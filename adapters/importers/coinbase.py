"""A folder of Coinbase CSV files: `snapshot_bids*`, `snapshot_asks*` and `l2update*` in order.

A row is one level; a size of 0 removes it. The files hold the venue's time and no local one, so
both are the same; the snapshot, which has none, is as old as the first update. No trades.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from adapters.importers.books import Gathering
from adapters.importers.faults import Faults
from adapters.importers.grid import Decimals, Grid, instrument_of
from adapters.importers.imported import Imported, Targets, moment, text_lines
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.units import BUY, NS_PER_MS, SELL, Ns

LEVELS, UPDATES = "side,price,size", "side,price,size,time"
SIDES = {"buy": BUY, "sell": SELL}
SYMBOL, VENUE = "BTC-USD", "coinbase"
NOTES = [
    "no local time: it is taken to be the venue's, to the millisecond",
    "no sequence: books are numbered from 1; updates of one millisecond are one message",
    "no trades: nothing in it can fill an order of ours",
    "the files name no market: it is taken to be BTC-USD",
]


def is_coinbase(path: Path) -> bool:
    return path.is_dir() and bool(_files(path, "snapshot_*") and _files(path, "l2update*"))


def open_coinbase(path: Path) -> Imported:
    """The files are read twice: first for their decimals. Raises UserError."""
    snapshots, updates = _files(path, "snapshot_*"), _files(path, "l2update*")
    found = Decimals()
    for file in (*snapshots, *updates):
        for _, columns in _rows(file, LEVELS if file in snapshots else UPDATES):
            if len(columns) >= 3:
                found.see(columns[1], columns[2])
    return Imported(
        kind="coinbase csv",
        files=[*snapshots, *updates],
        instruments=[instrument_of(SYMBOL, VENUE, (found.price, found.size))],
        facts=partial(_facts, snapshots, updates),
        notes=NOTES,
    )


def _files(path: Path, pattern: str) -> list[Path]:
    return sorted(path.glob(f"{pattern}.csv*"))


def _rows(path: Path, header: str) -> Iterator[tuple[int, list[str]]]:
    rows = text_lines(path)
    first = next(rows, (0, ""))[1]
    if first != header:
        raise UserError(f"{path}:1: expected the columns {header!r}, found {first[:80]!r}")
    return ((number, line.split(",")) for number, line in rows)


def _facts(
    snapshots: list[Path], updates: list[Path], faults: Faults, targets: Targets
) -> Iterator[Event]:
    target = targets.get(f"{SYMBOL}@{VENUE}")
    if target is None:
        return
    book = _Book(target, faults)
    for path in snapshots:
        yield from book.read(path, LEVELS, _first_moment(updates))
    for path in updates:
        yield from book.read(path, UPDATES, 0)
    if (left := book.gathering.rest()) is not None:
        yield left


def _first_moment(updates: list[Path]) -> Ns:
    for path in updates:
        for _, columns in _rows(path, UPDATES):
            try:
                return _moment(columns[3])
            except (ValueError, IndexError):
                continue
    return 0


def _moment(text: str) -> Ns:
    """Milliseconds of ISO 8601, without a float: 2018-04-24T03:52:17.202Z."""
    told = datetime.fromisoformat(text)
    if told.tzinfo is None:
        raise ValueError(f"a time without its zone: {text[:40]!r}")
    return moment(int(told.timestamp() * 1_000 + 0.5) * NS_PER_MS)


class _Book:
    def __init__(self, target: Instrument, faults: Faults) -> None:
        self.gathering = Gathering(target.market, faults)
        self._grid = Grid(target.price_exponent, target.size_exponent)
        self._faults = faults

    def read(self, path: Path, header: str, first_ns: Ns) -> Iterator[Event]:
        """Rows of a snapshot are `first_ns` old, rows of updates tell it."""
        is_whole, count = header == LEVELS, header.count(",") + 1
        for number, columns in _rows(path, header):
            self._faults.rows += 1
            try:
                if len(columns) != count:
                    raise ValueError(f"{len(columns)} columns, {count} are wanted")
                at_ns = first_ns if is_whole else _moment(columns[3])
                level = self._grid.tick(columns[1]), self._grid.lots(columns[2])
                side = SIDES[columns[0]]
            except (ValueError, KeyError) as error:
                self._faults.note(path, number, error)
                continue
            made = self.gathering.add((at_ns, at_ns), side, level, is_whole=is_whole)
            if made is not None:
                yield made
