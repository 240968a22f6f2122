"""JSONL captures of everything a feed client saw: rows header, http, connect, send and recv.

Books are proved by each venue's own rule as it was when it was captured: an unbroken chain of ids
(Binance, Bybit, KuCoin, Gate), or a checksum (OKX, Kraken). Where the proof fails the book is lost
until the next whole one. Rows are read in the order of their local time, which the file is not in.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from adapters.codec.binance import BinanceCodec
from adapters.importers.binance_wire import noted, surveyed
from adapters.importers.checksums import CHECKSUMS
from adapters.importers.faults import Faults
from adapters.importers.grid import Decimals, instrument_of
from adapters.importers.imported import MOMENT_NS_MAX, Imported, Targets
from adapters.importers.proved_market import ProvedMarket
from adapters.importers.venue_words import WORDS, BookWord, TradeWord, Word, asked
from adapters.transport.capture import Row, numbered
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Ns

BINANCE = "BINANCE"
ROWS_MAX = 2_000_000
SECONDS_MAX = MOMENT_NS_MAX // NS_PER_S
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
    _, first = next(numbered(path), (0, b""))
    try:
        exchange = msgspec.json.decode(first, type=Row).exchange
    except (msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"{path}:1: no header of a capture: {error}") from error
    if exchange != BINANCE and exchange not in WORDS:
        known = ", ".join((BINANCE, *WORDS))
        raise UserError(f"{path}:1: no rule for exchange {exchange[:40]!r}; there are: {known}")
    return exchange


def _rows(path: Path, faults: Faults) -> list[Numbered]:
    """By local time; rows of one moment stay as they are. A row is named by its line."""
    rows: list[Numbered] = []
    addresses: dict[str, str] = {}
    decoder = msgspec.json.Decoder(Row)
    for number, line in numbered(path):
        faults.rows += 1
        if number > ROWS_MAX:
            raise UserError(f"{path}: more than {ROWS_MAX} rows")
        try:
            row = decoder.decode(line)
        except (msgspec.MsgspecError, ValueError) as error:
            faults.note(path, number, error)
            continue
        if row.t != "header" and not 0 < row.ts < SECONDS_MAX:
            faults.note(path, number, f"a time of {row.ts} s")
            continue
        if row.t == "connect":
            addresses[row.conn] = row.addr
        rows.append((number, msgspec.structs.replace(row, addr=addresses.get(row.conn, ""))))
    return sorted(rows, key=lambda each: each[1].ts)


def _at_ns(row: Row) -> Ns:
    return round(row.ts * NS_DECIMALS) * (NS_PER_S // NS_DECIMALS)


def _words(exchange: str, path: Path, faults: Faults) -> Iterator[tuple[int, Ns, Word]]:
    """All that the rows say, with their lines; a row of no known shape is a bad one."""
    said, decoder = WORDS[exchange], msgspec.json.Decoder(Any)
    for number, row in _rows(path, faults):
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
        symbol: ProvedMarket(targets[each.market], exchange)
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
            if isinstance(word, BookWord):
                yield from market.doubt(f"unreadable levels: {error}", at_ns)
    held = sum(market.left_out for market in markets.values())
    if held:
        faults.passed_over["book messages outside the chain of a snapshot"] += held


# --- Binance, through the codec that trades -----------------------------------------------------


def _binance_decimals(path: Path) -> dict[str, tuple[int, int]]:
    rows = [row for _, row in _rows(path, Faults())]
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
    for number, row in _rows(path, faults):
        if row.t == "recv":
            facts = codec.decode(row.data.encode(), _at_ns(row))
            yield from noted(facts, faults, (path, number))
        elif row.t == "http" and "/depth?" in row.url and asked(row.url, "symbol") in told:
            market = told[asked(row.url, "symbol")].market
            facts = codec.snapshot(market, row.data.encode(), _at_ns(row))
            yield from noted(facts, faults, (path, number))
