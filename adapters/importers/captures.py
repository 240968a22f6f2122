"""JSONL captures of everything a feed client saw: rows header, http, connect, send and recv.

Books are proved by each venue's own rule as it was when it was captured: an unbroken chain of ids
(Binance, Bybit, KuCoin, Gate), or a checksum (OKX, Kraken). Where the proof fails the book is lost
until the next whole one. Rows are read in the order of their local time, which the file is not in.
"""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from adapters.codec.binance import BinanceCodec
from adapters.importers.binance_wire import surveyed
from adapters.importers.books import best_first
from adapters.importers.checksums import CHECKSUMS, TextBook
from adapters.importers.faults import Faults
from adapters.importers.grid import Decimals, Grid, instrument_of
from adapters.importers.imported import Imported, Targets
from adapters.importers.venue_words import WORDS, BookWord, TradeWord, Word, asked
from adapters.transport.capture import Row, read_rows
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookLost, BookSnapshot, Event, Trade
from engine.values.instrument import Instrument
from engine.values.units import BUY, NS_PER_S, SELL, Levels, Ns, Side

BINANCE = "BINANCE"
ROWS_MAX = 2_000_000
HELD_MAX = 10_000
NS_DECIMALS = 1_000_000
"""A float of seconds holds some 0.2 us: more digits of it are noise."""
BAD_SHAPE = (KeyError, IndexError, TypeError, ValueError, AttributeError)
Numbered: TypeAlias = tuple[int, Row]


def is_capture(line: str) -> bool:
    return line.startswith('{"t":"header"')


def open_capture(path: Path) -> Imported:
    """One capture. It is read twice: first for its decimals. Raises UserError."""
    exchange = _exchange(path)
    venue = exchange.lower()
    found = _binance_decimals(path) if exchange == BINANCE else _decimals(path, exchange)
    instruments = {symbol: instrument_of(symbol, venue, both) for symbol, both in found.items()}
    facts = _binance_facts if exchange == BINANCE else partial(_facts, exchange)
    proof = "checksums" if exchange in CHECKSUMS else "ids"
    return Imported(
        kind=f"{venue} capture",
        files=[path],
        instruments=list(instruments.values()),
        facts=partial(facts, path, instruments),
        notes=[f"books are proved by the venue's {proof}; tickers and candles are passed over"],
    )


def _exchange(path: Path) -> str:
    first = next(read_rows(path), None)
    exchange = first.exchange if first is not None and first.t == "header" else ""
    if exchange != BINANCE and exchange not in WORDS:
        known = ", ".join((BINANCE, *WORDS))
        raise UserError(f"{path}:1: no rule for exchange {exchange[:40]!r}; there are: {known}")
    return exchange


def _rows(path: Path) -> list[Numbered]:
    """By local time; rows of one moment stay as they are. A row is named by its line."""
    rows: list[Numbered] = []
    addresses: dict[str, str] = {}
    for number, row in enumerate(read_rows(path), 1):
        if number > ROWS_MAX:
            raise UserError(f"{path}: more than {ROWS_MAX} rows")
        if row.t == "connect":
            addresses[row.conn] = row.addr
        rows.append((number, msgspec.structs.replace(row, addr=addresses.get(row.conn, ""))))
    return sorted(rows, key=lambda each: each[1].ts)


def _at_ns(row: Row) -> Ns:
    return round(row.ts * NS_DECIMALS) * (NS_PER_S // NS_DECIMALS)


def _words(exchange: str, path: Path, faults: Faults) -> Iterator[tuple[int, Ns, Word]]:
    """All that the rows say, with their lines; a row of no known shape is a bad one."""
    said, decoder = WORDS[exchange], msgspec.json.Decoder(Any)
    for number, row in _rows(path):
        faults.rows += 1
        if row.t not in ("http", "recv"):
            continue
        try:
            words = list(said(row, decoder.decode(row.data)))
        except (*BAD_SHAPE, msgspec.MsgspecError) as error:
            faults.note(path, number, f"{type(error).__name__}: {error}")
            continue
        for word in words:
            yield number, _at_ns(row), word


def _decimals(path: Path, exchange: str) -> dict[str, tuple[int, int]]:
    found: dict[str, Decimals] = {}
    for _, _, word in _words(exchange, path, Faults()):
        seen = found.setdefault(word.symbol, Decimals())
        if isinstance(word, TradeWord):
            seen.see(word.price, word.size)
            continue
        for price, size in (*word.bids, *word.asks):
            seen.see(price, size)
    return {symbol: (each.price, each.size) for symbol, each in found.items()}


def _facts(
    exchange: str,
    path: Path,
    instruments: dict[str, Instrument],
    faults: Faults,
    targets: Targets,
) -> Iterator[Event]:
    markets = {
        symbol: _Market(targets[each.market], exchange)
        for symbol, each in instruments.items()
        if each.market in targets
    }
    for number, at_ns, word in _words(exchange, path, faults):
        market = markets.get(word.symbol)
        if market is None:
            continue
        try:
            if isinstance(word, TradeWord):
                yield market.trade(word, at_ns)
            else:
                yield from market.book(word, at_ns)
        except ValueError as error:
            faults.note(path, number, error)
    held = sum(market.left_out for market in markets.values())
    if held:
        faults.passed_over["book messages outside the chain of a snapshot"] += held


class _Market:
    """One market's book, with the proof that its venue offers."""

    def __init__(self, target: Instrument, exchange: str) -> None:
        self.left_out = 0
        self._market = target.market
        self._grid = Grid(target.price_exponent, target.size_exponent)
        self._checksum = CHECKSUMS.get(exchange)
        self._texts = TextBook()
        self._has_book = False
        self._last = 0
        self._numbers = count(1)
        self._trades = count(1)
        self._held: list[BookWord] = []

    def trade(self, word: TradeWord, at_ns: Ns) -> Trade:
        lots = self._grid.lots(word.size)
        if not lots:
            raise ValueError("a trade of nothing")
        return Trade(
            market=self._market,
            at_ns=at_ns,
            venue_ns=word.venue_ns,
            trade_id=int(word.trade_id) if word.trade_id.isdigit() else next(self._trades),
            tick=self._grid.tick(word.price),
            lots=lots,
            aggressor=word.side,
        )

    def book(self, word: BookWord, at_ns: Ns) -> Iterator[Event]:
        if word.is_whole:
            yield from self._whole(word, at_ns)
        elif not self._has_book:
            self._hold(word)
        else:
            yield from self._change(word, at_ns)

    def _whole(self, word: BookWord, at_ns: Ns) -> Iterator[Event]:
        """A whole book, and the changes that came before it and belong behind it."""
        held, self._held = self._held, []
        newer = [each for each in held if each.last > word.last]
        if newer and newer[0].first > word.last + 1:
            # Older than all that is held: the chain between them is not here.
            self.left_out += 1 + len(held) - len(newer)
            self._held = newer
            return
        self.left_out += len(held) - len(newer)
        self._has_book, self._last = True, word.last
        yield from self._proved(word, at_ns)
        for each in newer:
            yield from self._change(each, at_ns)

    def _change(self, word: BookWord, at_ns: Ns) -> Iterator[Event]:
        if word.last:
            if word.last <= self._last:
                self.left_out += 1
                return
            if word.first > self._last + 1:
                yield self._lose(f"gap: {self._last} then {word.first}", at_ns)
                self._hold(word)
                return
            self._last = word.last
        yield from self._proved(word, at_ns)

    def _proved(self, word: BookWord, at_ns: Ns) -> Iterator[Event]:
        if self._checksum is not None:
            self._texts.apply(word.bids, word.asks, is_whole=word.is_whole)
            found = self._checksum(self._texts)
            if word.checksum is not None and word.checksum != found:
                yield self._lose(f"checksum {found} is not {word.checksum}", at_ns)
                return
        yield self._fact(word, at_ns)

    def _fact(self, word: BookWord, at_ns: Ns) -> Event:
        sequence = word.last or next(self._numbers)
        bids, asks = self._levels(word.bids, BUY, word), self._levels(word.asks, SELL, word)
        if word.is_whole:
            return BookSnapshot(
                market=self._market,
                at_ns=at_ns,
                venue_ns=word.venue_ns,
                sequence=sequence,
                bids=bids,
                asks=asks,
            )
        return BookDelta(
            market=self._market,
            at_ns=at_ns,
            venue_ns=word.venue_ns,
            sequence=sequence,
            bids=bids,
            asks=asks,
        )

    def _levels(self, pairs: list[tuple[str, str]], side: Side, word: BookWord) -> Levels:
        found = [(self._grid.tick(price), self._grid.lots(size)) for price, size in pairs]
        return best_first(found, side) if word.is_whole else found

    def _lose(self, reason: str, at_ns: Ns) -> BookLost:
        self._has_book = False
        return BookLost(market=self._market, at_ns=at_ns, reason=reason)

    def _hold(self, word: BookWord) -> None:
        if len(self._held) < HELD_MAX:
            self._held.append(word)
        else:
            self.left_out += 1


# --- Binance, through the codec that trades -----------------------------------------------------


def _binance_decimals(path: Path) -> dict[str, tuple[int, int]]:
    rows = [row for _, row in _rows(path)]
    depths = [row for row in rows if row.t == "http" and "/depth?" in row.url]
    symbols = [asked(row.url, "symbol") for row in depths]
    frames = (row.data.encode() for row in rows if row.t == "recv")
    found = surveyed(frames, symbols)
    for symbol, row in zip(symbols, depths, strict=True):
        whole = surveyed(iter([row.data.encode()]), [symbol])[symbol]
        price, size = found[symbol]
        found[symbol] = max(price, whole[0]), max(size, whole[1])
    return found


def _binance_facts(
    path: Path, instruments: dict[str, Instrument], faults: Faults, targets: Targets
) -> Iterator[Event]:
    told = {
        symbol: msgspec.structs.replace(targets[each.market], venue_symbol=symbol)
        for symbol, each in instruments.items()
        if each.market in targets
    }
    if not told:
        return
    codec = BinanceCodec(told.values())
    for _, row in _rows(path):
        faults.rows += 1
        if row.t == "recv":
            yield from codec.decode(row.data.encode(), _at_ns(row))
        elif row.t == "http" and "/depth?" in row.url and asked(row.url, "symbol") in told:
            market = told[asked(row.url, "symbol")].market
            yield from codec.snapshot(market, row.data.encode(), _at_ns(row))
