"""hftbacktest `.npz` feeds: the structured events of version 2 and the six columns of version 1.

Source: hftbacktest's documentation, "Data Preparation" and "Migration to v2". Only rows that the
local side saw are read, in the order of the file, which is that of the local clock. Snapshot rows
of one local time are one BookSnapshot, which forgets the whole book before it, whether that was
cleared or not; without any, the book begins empty, as it does there. Rows of single orders
(kinds 10 to 13) are passed over.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from adapters.importers.books import best_first
from adapters.importers.faults import Faults
from adapters.importers.grid import Decimals, Grid, instrument_of
from adapters.importers.imported import MOMENT_NS_MAX, Imported, Targets
from adapters.importers.npz_columns import Array, Feed, read
from engine.values.events import BookDelta, BookSnapshot, Event, Trade
from engine.values.instrument import Instrument
from engine.values.units import BUY, SELL, Levels, Ns

VENUE = "hftbacktest"
DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
DATE = re.compile(r"[_-]?\d{4}-?\d{2}-?\d{2}.*$")
NOTES = [
    "the file names no market: its name does, up to the date",
    "trade ids are running numbers, and books are numbered from 1",
]


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


def _first_moment(paths: list[Path]) -> Ns:
    """A snapshot made for a back-test has no moment of its own: it is as old as the first row."""
    for path in paths:
        stamps = read(path).at_ns
        if len(late := stamps[stamps > 0]):
            return int(late[0])
    return 0


class _Rows:
    """Rows gathered into messages by column, since each step for a single row would count."""

    def __init__(self, target: Instrument, faults: Faults) -> None:
        self._grid = Grid(target.price_exponent, target.size_exponent)
        self._market = target.market
        self._faults = faults
        self._trades = self._books = 0

    def facts(self, path: Path, feed: Feed, first_ns: Ns) -> Iterator[Event]:
        ticks = self._whole(feed.prices, self._grid.tick)[feed.price_at]
        lots = self._whole(feed.sizes, self._grid.lots)[feed.size_at]
        used = np.flatnonzero(self._usable(path, feed, (ticks, lots)))
        kinds, at_ns = feed.kinds[used], feed.at_ns[used]
        at_ns = np.where(at_ns > 0, at_ns, first_ns)
        is_first = np.ones(len(used), bool)
        is_first[1:] = (kinds[1:] != kinds[:-1]) | (at_ns[1:] != at_ns[:-1])
        begins = np.flatnonzero(is_first | (kinds == TRADE))
        ends = [*begins[1:].tolist(), len(used)]
        columns = (ticks[used], lots[used], feed.is_buy[used], feed.venue_ns[used])
        made = _Messages(*(column.tolist() for column in columns))
        heads = zip(
            begins.tolist(), ends, kinds[begins].tolist(), at_ns[begins].tolist(), strict=True
        )
        for begin, end, kind, moment_ns in heads:
            if kind == TRADE:
                yield self._trade(made, begin, moment_ns)
            else:
                yield self._book(made, (begin, end), moment_ns, is_whole=kind == SNAPSHOT)

    def _whole(self, texts: list[str], convert: Callable[[str], int]) -> Array:
        """Each text as a whole number, -1 where it is none."""
        found = []
        for text in texts:
            try:
                found.append(convert(text))
            except ValueError:
                found.append(-1)
        return np.array(found, dtype=np.int64)

    def _usable(self, path: Path, feed: Feed, level: tuple[Array, Array]) -> Array:
        """Which rows make facts; the others are noted or counted."""
        ticks, lots = level
        kinds = feed.kinds
        is_known = np.isin(kinds, (DEPTH, TRADE, SNAPSHOT))
        is_bad = is_known & ((ticks < 0) | (lots < 0) | ((kinds == TRADE) & (lots == 0)))
        is_bad |= (feed.at_ns > MOMENT_NS_MAX) | (feed.venue_ns > MOMENT_NS_MAX)
        for at in np.flatnonzero(is_bad).tolist():
            price, size = feed.prices[feed.price_at[at]], feed.sizes[feed.size_at[at]]
            why = f"kind {kinds[at]} with price {price} and size {size}"
            self._faults.note(path, int(feed.rows[at]) + 1, why)
        others, counts = np.unique(kinds[~is_known & (kinds != CLEAR)], return_counts=True)
        for kind, count in zip(others.tolist(), counts.tolist(), strict=True):
            self._faults.passed_over[f"rows of kind {kind}"] += count
        usable: Array = is_known & ~is_bad
        return usable

    def _trade(self, made: "_Messages", at: int, at_ns: Ns) -> Trade:
        self._trades += 1
        return Trade(
            market=self._market,
            at_ns=at_ns,
            venue_ns=made.venue_ns[at],
            trade_id=self._trades,
            tick=made.ticks[at],
            lots=made.lots[at],
            aggressor=BUY if made.is_buy[at] else SELL,
        )

    def _book(
        self, made: "_Messages", rows: tuple[int, int], at_ns: Ns, *, is_whole: bool
    ) -> BookSnapshot | BookDelta:
        bids, asks = made.sides(rows)
        self._books += 1
        venue_ns = max(made.venue_ns[rows[0] : rows[1]])
        if is_whole or self._books == 1:
            return BookSnapshot(
                market=self._market,
                at_ns=at_ns,
                venue_ns=venue_ns,
                sequence=self._books,
                bids=best_first(bids, BUY),
                asks=best_first(asks, SELL),
            )
        return BookDelta(
            market=self._market,
            at_ns=at_ns,
            venue_ns=venue_ns,
            sequence=self._books,
            bids=bids,
            asks=asks,
        )


class _Messages(msgspec.Struct, frozen=True):
    """Columns of usable rows."""

    ticks: list[int]
    lots: list[int]
    is_buy: list[bool]
    venue_ns: list[Ns]

    def sides(self, rows: tuple[int, int]) -> tuple[Levels, Levels]:
        bids: Levels = []
        asks: Levels = []
        for at in range(*rows):
            (bids if self.is_buy[at] else asks).append((self.ticks[at], self.lots[at]))
        return bids, asks
