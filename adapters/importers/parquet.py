"""Facts as Parquet, in folders `venue=V/symbol=S/date=D`, with nothing lost on the way and back.

A row is a fact; its columns are COLUMNS. Prices are ticks and sizes lots, units and markets stand
in `ballast.json` on top. `number` is the fact's place in the whole, over all markets. What has no
columns of its own (bars, losses of a wire) stands in `other` as JSON. Needs polars.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from heapq import merge
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec
import polars as pl

from adapters.importers.faults import Faults
from adapters.importers.imported import Imported, Targets
from adapters.importers.regrid import Regrid
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookSnapshot, Event, Grade, TopOfBook, Trade
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Levels, Side

HEAD_NAME = "ballast.json"
FORM = "parquet 1"
ROWS_MAX = 50_000
LEVELS_MAX = 500_000
"""Levels held for one file: a few hundred bytes each while it is being written."""
DAY_NS = 86_400 * NS_PER_S
WHOLE = pl.Int64
COLUMNS: dict[str, Any] = {
    "number": WHOLE,
    "kind": pl.String,
    "at_ns": WHOLE,
    "venue_ns": WHOLE,
    "sequence": WHOLE,
    "bid_ticks": pl.List(WHOLE),
    "bid_lots": pl.List(WHOLE),
    "ask_ticks": pl.List(WHOLE),
    "ask_lots": pl.List(WHOLE),
    "tick": WHOLE,
    "lots": WHOLE,
    "side": pl.String,
    "trade_id": WHOLE,
    "grade": pl.String,
    "other": pl.String,
}
SNAPSHOT, DELTA, TOP, TRADE, OTHER = "snapshot", "delta", "top", "trade", "other"
Row: TypeAlias = tuple[Any, ...]
NO_BOOK = NO_TRADE = (None, None, None, None)
NOWHERE = "_"
"""The symbol of facts that are of a venue or of nobody."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    ballast: str = FORM
    instruments: list[Instrument]
    notes: list[str] = []


def is_parquet(path: Path) -> bool:
    return (path / HEAD_NAME).is_file()


# --- writing ------------------------------------------------------------------------------------


def write_parquet(
    path: Path, instruments: list[Instrument], notes: list[str], facts: Iterable[Event]
) -> int:
    """Fill a directory that is empty or not there yet; returns the count. Raises UserError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise UserError(f"{path}: is not empty; Parquet is written into a new directory")
        folders: dict[Path, _Folder] = {}
        markets = {each.market: each for each in instruments}
        number = 0
        for number, fact in enumerate(facts, 1):
            where = path / _folder(fact, markets)
            if where not in folders:
                folders[where] = _Folder(where)
            folders[where].add(row_of(number, fact))
        for folder in folders.values():
            folder.flush()
        head = Head(instruments=instruments, notes=notes)
        (path / HEAD_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(head)))
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    except (OverflowError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{path}: a fact does not fit: {str(error).splitlines()[0]}") from error
    return number


class _Folder:
    """Rows of one market and day, a file at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[Row] = []
        self._levels = self._files = 0

    def add(self, row: Row) -> None:
        self._rows.append(row)
        self._levels += len(row[5] or ()) + len(row[7] or ())
        if len(self._rows) >= ROWS_MAX or self._levels >= LEVELS_MAX:
            self.flush()

    def flush(self) -> None:
        if not self._rows:
            return
        self._path.mkdir(parents=True, exist_ok=True)
        frame = pl.DataFrame(self._rows, schema=COLUMNS, orient="row")
        frame.write_parquet(self._path / f"{self._files:04d}.parquet", compression="zstd")
        self._files += 1
        self._levels = 0
        self._rows.clear()


def _folder(fact: Event, markets: dict[str, Instrument]) -> Path:
    item = markets.get(getattr(fact, "market", ""))
    venue = item.venue if item else getattr(fact, "venue", "") or NOWHERE
    symbol = item.symbol if item else NOWHERE
    day = datetime.fromtimestamp(fact.at_ns // DAY_NS * 86_400, UTC)
    parts = (f"venue={quote(venue, safe='')}", f"symbol={quote(symbol, safe='')}")
    return Path(*parts, f"date={day:%Y-%m-%d}")


def row_of(number: int, fact: Event) -> Row:
    """A fact as the values of COLUMNS."""
    row: Row
    match fact:
        case BookSnapshot():
            row = (*_head(number, SNAPSHOT, fact), *_book(fact), *NO_TRADE, fact.grade.value, None)
        case BookDelta():
            row = (*_head(number, DELTA, fact), *_book(fact), *NO_TRADE, None, None)
        case TopOfBook():
            best = ([fact.bid_tick], [fact.bid_lots], [fact.ask_tick], [fact.ask_lots])
            row = (*_head(number, TOP, fact), *best, *NO_TRADE, None, None)
        case Trade():
            told = (fact.tick, fact.lots, fact.aggressor.value, fact.trade_id)
            stamps = (number, TRADE, fact.at_ns, fact.venue_ns, None)
            row = (*stamps, *NO_BOOK, *told, None, None)
        case _:
            text = msgspec.json.encode(fact).decode()
            row = (number, OTHER, fact.at_ns, None, None, *NO_BOOK, *NO_TRADE, None, text)
    return row


def _head(number: int, kind: str, fact: BookSnapshot | BookDelta | TopOfBook) -> Row:
    return number, kind, fact.at_ns, fact.venue_ns, fact.sequence


def _book(fact: BookSnapshot | BookDelta) -> tuple[list[int], ...]:
    return (
        [tick for tick, _ in fact.bids],
        [lots for _, lots in fact.bids],
        [tick for tick, _ in fact.asks],
        [lots for _, lots in fact.asks],
    )


# --- reading ------------------------------------------------------------------------------------


def open_parquet(path: Path) -> Imported:
    """A directory that `write_parquet` filled, also where days or markets were taken out of it.

    Raises UserError.
    """
    try:
        head = msgspec.json.decode((path / HEAD_NAME).read_bytes(), type=Head)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"{path / HEAD_NAME}: cannot be read: {error}") from error
    if head.ballast != FORM:
        raise UserError(f"{path / HEAD_NAME}: is {head.ballast!r}, this version reads {FORM!r}")
    files = sorted(path.rglob("*.parquet"))
    if not files:
        raise UserError(f"{path}: no Parquet file is in it")
    return Imported(
        kind="parquet",
        files=[*files, path / HEAD_NAME],
        instruments=head.instruments,
        facts=partial(_facts, path, files, head.instruments),
        notes=head.notes,
    )


def _facts(
    path: Path,
    files: list[Path],
    instruments: list[Instrument],
    faults: Faults,
    targets: Targets,
) -> Iterator[Event]:
    by_place = {_place(each.venue, each.symbol): each for each in instruments}
    folders: dict[str, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent.parent.relative_to(path).as_posix(), []).append(file)
    lanes = []
    for place, its_files in folders.items():
        item = by_place.get(place)
        if item is None or item.market in targets:
            grid = Regrid(item, targets[item.market]) if item else None
            lanes.append(_lane(its_files, item.market if item else "", grid, faults))
    for _, fact in merge(*lanes, key=lambda numbered: numbered[0]):
        yield fact


def _place(venue: str, symbol: str) -> str:
    return f"venue={quote(venue, safe='')}/symbol={quote(symbol, safe='')}"


def _lane(
    files: list[Path], market: str, grid: Regrid | None, faults: Faults
) -> Iterator[tuple[int, Event]]:
    """The facts of one market in order, with their numbers."""
    for file in files:
        try:
            rows = pl.read_parquet(file, columns=list(COLUMNS), hive_partitioning=False).rows()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise UserError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from error
        for line, row in enumerate(rows, 1):
            faults.rows += 1
            try:
                fact = fact_of(row, market)
            except (msgspec.MsgspecError, ValueError, TypeError) as error:
                faults.note(file, line, error)
                continue
            yield row[0], fact if grid is None else grid.told(fact)


def fact_of(row: Row, market: str) -> Event:
    """The inverse of `row_of`. Raises ValueError and TypeError for what that cannot have made."""
    kind, at_ns, venue_ns, sequence = row[1:5]
    if kind == OTHER:
        fact: Event = msgspec.json.decode(row[14], type=Event)
        return fact
    if kind == TRADE:
        return Trade(
            market=market,
            at_ns=at_ns,
            venue_ns=venue_ns,
            trade_id=row[12],
            tick=row[9],
            lots=row[10],
            aggressor=Side(row[11]),
        )
    stamps = {"market": market, "at_ns": at_ns, "venue_ns": venue_ns, "sequence": sequence}
    if kind == TOP:
        names = ("bid_tick", "bid_lots", "ask_tick", "ask_lots")
        best = {name: values[0] for name, values in zip(names, row[5:9], strict=True)}
        return TopOfBook(**stamps, **best)
    bids, asks = _levels(row[5], row[6]), _levels(row[7], row[8])
    if kind == SNAPSHOT:
        return BookSnapshot(**stamps, bids=bids, asks=asks, grade=Grade(row[13]))
    if kind == DELTA:
        return BookDelta(**stamps, bids=bids, asks=asks)
    raise ValueError(f"a fact of kind {kind!r}")


def _levels(ticks: list[int], lots: list[int]) -> Levels:
    return list(zip(ticks, lots, strict=True))
