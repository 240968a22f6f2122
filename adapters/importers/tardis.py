"""Tardis.dev CSV files: `incremental_book_L2` and `trades`, of any number of markets each.

Source: docs.tardis.dev, "Downloadable CSV files". Times are microseconds; `local_timestamp` is when
their recorder saw the message, and so our `at_ns`. Rows of one local time are one message. "If the
last update was not a snapshot and the current one is, all existing order book state must be
discarded": rows of a snapshot that follow each other are one BookSnapshot.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from adapters.importers.books import Gathering
from adapters.importers.faults import Faults
from adapters.importers.grid import Decimals, Grid, instrument_of
from adapters.importers.imported import Imported, Targets, moment, text_lines, venue_moment
from engine.values.errors import UserError
from engine.values.events import Event, Trade
from engine.values.instrument import Instrument
from engine.values.units import BUY, SELL

BOOK = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
COLUMNS = 8
NS_PER_US = 1_000
SIDES = {"bid": BUY, "ask": SELL, "buy": BUY, "sell": SELL}
SNAPSHOT = {"true": True, "false": False}

Key: TypeAlias = tuple[str, str]
"""Exchange and symbol, as the file writes them."""
Columns: TypeAlias = list[str]
Read: TypeAlias = Callable[[Columns], Event | None]


def is_tardis(first_line: str) -> bool:
    return first_line in (BOOK, TRADES)


def open_tardis(path: Path) -> Imported:
    """One file. It is read twice: first for its markets and their decimals. Raises UserError."""
    header = next(text_lines(path), (0, ""))[1]
    if not is_tardis(header):
        raise UserError(f"{path}:1: not a Tardis book or trades file: {header[:80]!r}")
    found = _survey(path)
    instruments = {
        key: instrument_of(key[1], key[0], (each.price, each.size)) for key, each in found.items()
    }
    is_book = header == BOOK
    notes = ["the venue's own update ids are not in the file: books are numbered from 1"]
    symbols = {key: each.market for key, each in instruments.items()}
    return Imported(
        kind="tardis book" if is_book else "tardis trades",
        files=[path],
        instruments=list(instruments.values()),
        facts=lambda faults, targets: _facts(path, is_book, _told(symbols, targets), faults),
        notes=notes if is_book else ["trade ids that are no whole numbers become running numbers"],
    )


def _told(symbols: dict[Key, str], targets: Targets) -> dict[Key, Instrument]:
    return {key: targets[market] for key, market in symbols.items() if market in targets}


def _survey(path: Path) -> dict[Key, Decimals]:
    found: dict[Key, Decimals] = {}
    for _, line in _rows(path):
        columns = line.split(",")
        if len(columns) != COLUMNS:
            continue
        key = columns[0], columns[1]
        seen = found.get(key)
        if seen is None:
            seen = found[key] = Decimals()
        seen.see(columns[6], columns[7])
    return found


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    rows = text_lines(path)
    next(rows, None)
    return rows


def _facts(
    path: Path, is_book: bool, instruments: dict[Key, Instrument], faults: Faults
) -> Iterator[Event]:
    make = _Books if is_book else _Trades
    markets = {key: make(each, faults) for key, each in instruments.items()}
    readers: dict[Key, Read] = {key: each.read for key, each in markets.items()}
    for line, text in _rows(path):
        faults.rows += 1
        columns = text.split(",")
        try:
            if len(columns) != COLUMNS:
                raise ValueError(f"{len(columns)} columns, {COLUMNS} are wanted")
            made = readers[columns[0], columns[1]](columns)
        except (ValueError, KeyError) as error:
            faults.note(path, line, error)
            continue
        if made is not None:
            yield made
    for market in markets.values():
        if (left := market.rest()) is not None:
            yield left


class _Books:
    def __init__(self, instrument: Instrument, faults: Faults) -> None:
        self._grid = Grid(instrument.price_exponent, instrument.size_exponent)
        self._gathering = Gathering(instrument.market, faults)

    def read(self, columns: Columns) -> Event | None:
        """The message before this row, where the row begins another."""
        level = self._grid.tick(columns[6]), self._grid.lots(columns[7])
        stamps = moment(int(columns[3]) * NS_PER_US), venue_moment(int(columns[2]) * NS_PER_US)
        side, is_whole = SIDES[columns[5]], SNAPSHOT[columns[4]]
        return self._gathering.add(stamps, side, level, is_whole=is_whole)

    def rest(self) -> Event | None:
        return self._gathering.rest()


class _Trades:
    def __init__(self, instrument: Instrument, faults: Faults) -> None:
        self._grid = Grid(instrument.price_exponent, instrument.size_exponent)
        self._market = instrument.market
        self._faults = faults
        self._number = 0

    def read(self, columns: Columns) -> Event | None:
        self._number += 1
        lots = self._grid.lots(columns[7])
        aggressor = SIDES.get(columns[5])
        if aggressor is None and columns[5] == "unknown":
            self._faults.passed_over["trades without a side"] += 1
            return None
        if aggressor is None or not lots:
            raise ValueError(f"a trade of side {columns[5][:20]!r} and size {columns[7][:40]}")
        at_ns = moment(int(columns[3]) * NS_PER_US)
        return Trade(
            market=self._market,
            at_ns=at_ns,
            venue_ns=venue_moment(int(columns[2]) * NS_PER_US),
            trade_id=_trade_id(columns[4], self._number),
            tick=self._grid.tick(columns[6]),
            lots=lots,
            aggressor=aggressor,
        )

    def rest(self) -> Event | None:
        return None


def _trade_id(text: str, number: int) -> int:
    return int(text) if text.isdigit() and len(text) <= 18 else number
