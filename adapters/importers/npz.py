"""hftbacktest `.npz` feeds: the structured events of version 2 and the six columns of version 1.

Source: hftbacktest's documentation, "Data Preparation" and "Migration to v2". Only rows that the
local side saw are read, in the order of the file, which is that of the local clock. Consecutive
clear and snapshot rows are one BookSnapshot, and levels beyond it are forgotten; without any, the
book begins empty, as it does there. Rows of single orders (kinds 10 to 13) are passed over.
"""

import re
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from adapters.importers.books import Gathering
from adapters.importers.faults import Faults
from adapters.importers.grid import Decimals, Grid, instrument_of
from adapters.importers.imported import Imported, Targets
from engine.values.errors import UserError
from engine.values.events import Event, Trade
from engine.values.instrument import Instrument
from engine.values.units import BUY, SELL, Ns, Side

VENUE = "hftbacktest"
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
LOCAL, BUYER, SELLER = 1 << 30, 1 << 29, 1 << 28
KIND_MASK = 0xFF
FIELDS = ("ev", "exch_ts", "local_ts", "px", "qty")
OLD_COLUMNS = 6
CHUNK = 65_536
UNITS = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000))
"""A moment above the first number is counted in so many ns: ns, us or ms since 1970."""
DATE = re.compile(r"[_-]?\d{4}-?\d{2}-?\d{2}.*$")
NOTES = [
    "the file names no market: its name does, up to the date",
    "trade ids are running numbers, and books are numbered from 1",
]
Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One file in columns. `prices` and `sizes` are texts of different values, told by `at`."""

    kinds: Array
    is_buy: Array
    venue_ns: Array
    at_ns: Array
    price_at: Array
    size_at: Array
    prices: list[str]
    sizes: list[str]
    unseen: int
    rows: Array


def open_npz(paths: list[Path]) -> Imported:
    """Files of one market, in order of time; a snapshot file may go before. Raises UserError."""
    found = Decimals()
    for path in paths:
        feed = read(path)
        for text in feed.prices:
            found.see(text, "0")
        for text in feed.sizes:
            found.see("0", text)
    symbol = symbol_of(paths[-1])
    return Imported(
        kind="hftbacktest npz",
        files=paths,
        instruments=[instrument_of(symbol, VENUE, (found.price, found.size))],
        facts=partial(_facts, paths, f"{symbol}@{VENUE}"),
        notes=NOTES,
    )


def symbol_of(path: Path) -> str:
    return DATE.sub("", path.name.removesuffix(path.suffix)).upper() or "UNKNOWN"


def read(path: Path) -> Feed:
    """One file of either form. Raises UserError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            name = "data" if "data" in file.files else next(iter(file.files), "")
            data = file[name]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{path}: not a readable npz file: {error}") from error
    names = data.dtype.names or ()
    if all(name in names for name in FIELDS):
        return _new(data)
    if data.ndim == 2 and data.shape[1] == OLD_COLUMNS and data.dtype.kind in "fi":
        return _old(data)
    raise UserError(f"{path}: no hftbacktest events: {data.dtype} of shape {data.shape}")


def _new(data: Array) -> Feed:
    flags = data["ev"].astype(np.int64)
    rows = np.flatnonzero(flags & LOCAL)
    data, seen = data[rows], flags[rows]
    return _columns(
        seen & KIND_MASK,
        (seen & BUYER) > 0,
        (data["exch_ts"], data["local_ts"]),
        (data["px"], data["qty"]),
        (rows, len(flags)),
    )


def _old(data: Array) -> Feed:
    """Event, exchange time, local time, side, price, size; a time of -1 says who did not see it."""
    rows = np.flatnonzero(data[:, 2] >= 0)
    seen = data[rows]
    return _columns(
        seen[:, 0].astype(np.int64),
        seen[:, 3] > 0,
        (seen[:, 1].astype(np.int64), seen[:, 2].astype(np.int64)),
        (seen[:, 4], seen[:, 5]),
        (rows, len(data)),
    )


def _columns(
    kinds: Array,
    is_buy: Array,
    stamps: tuple[Array, Array],
    levels: tuple[Array, Array],
    rows: tuple[Array, int],
) -> Feed:
    at, total = rows
    unit = _unit(stamps[1])
    prices, price_at = np.unique(levels[0], return_inverse=True)
    sizes, size_at = np.unique(levels[1], return_inverse=True)
    return Feed(
        kinds=kinds,
        is_buy=is_buy,
        venue_ns=np.maximum(stamps[0], 0) * unit,
        at_ns=stamps[1] * unit,
        price_at=price_at,
        size_at=size_at,
        prices=_texts(prices),
        sizes=_texts(sizes),
        unseen=total - len(at),
        rows=at,
    )


def _unit(stamps: Array) -> int:
    latest = int(stamps.max()) if len(stamps) else 0
    return next((unit for least, unit in UNITS if latest > least), 1)


def _texts(values: Array) -> list[str]:
    """Each float as the decimal that it stands for: of 15 digits, or of 6 in half the bytes."""
    form = "%.6g" if values.dtype.itemsize < 8 else "%.15g"
    return [form % value for value in values.tolist()]


# --- facts --------------------------------------------------------------------------------------


def _facts(paths: list[Path], market: str, faults: Faults, targets: Targets) -> Iterator[Event]:
    if market not in targets:
        return
    rows = _Rows(targets[market], faults)
    first_ns = _first_moment(paths)
    for path in paths:
        feed = read(path)
        faults.rows += len(feed.rows)
        if feed.unseen:
            faults.passed_over["rows that only the exchange saw"] += feed.unseen
        yield from rows.facts(path, feed, first_ns)
    yield from rows.rest()


def _first_moment(paths: list[Path]) -> Ns:
    """A snapshot made for a back-test has no moment of its own: it is as old as the first row."""
    for path in paths:
        stamps = read(path).at_ns
        if len(late := stamps[stamps > 0]):
            return int(late[0])
    return 0


class _Rows:
    def __init__(self, target: Instrument, faults: Faults) -> None:
        self._grid = Grid(target.price_exponent, target.size_exponent)
        self._gathering = Gathering(target.market, faults, begins_empty=True)
        self._market = target.market
        self._faults = faults
        self._trades = 0

    def facts(self, path: Path, feed: Feed, first_ns: Ns) -> Iterator[Event]:
        for begin in range(0, len(feed.rows), CHUNK):
            part = slice(begin, begin + CHUNK)
            columns = (feed.rows, feed.kinds, feed.is_buy, feed.at_ns, feed.venue_ns,
                       feed.price_at, feed.size_at)  # fmt: skip
            for row, *values in zip(*(each[part].tolist() for each in columns), strict=True):
                kind, is_buy, at_ns, venue_ns, price, size = values
                stamps = (at_ns if at_ns > 0 else first_ns, venue_ns)
                level = feed.prices[price], feed.sizes[size]
                try:
                    yield from self._row(kind, BUY if is_buy else SELL, stamps, level)
                except ValueError as error:
                    self._faults.note(path, row + 1, error)

    def _row(
        self, kind: int, side: Side, stamps: tuple[Ns, Ns], level: tuple[str, str]
    ) -> Iterator[Event]:
        if kind == CLEAR:
            yield from self._gathering.clear(stamps)
        elif kind in (DEPTH, SNAPSHOT):
            whole = self._grid.tick(level[0]), self._grid.lots(level[1])
            yield from self._gathering.add(stamps, side, whole, is_whole=kind == SNAPSHOT)
        elif kind == TRADE:
            yield from self._gathering.rest()
            yield self._trade(side, stamps, level)
        else:
            self._faults.passed_over[f"rows of kind {kind}"] += 1

    def _trade(self, side: Side, stamps: tuple[Ns, Ns], level: tuple[str, str]) -> Trade:
        tick, lots = self._grid.tick(level[0]), self._grid.lots(level[1])
        if not lots:
            raise ValueError("a trade of nothing")
        self._trades += 1
        return Trade(
            market=self._market,
            at_ns=stamps[0],
            venue_ns=stamps[1],
            trade_id=self._trades,
            tick=tick,
            lots=lots,
            aggressor=side,
        )

    def rest(self) -> Iterator[Event]:
        return self._gathering.rest()
