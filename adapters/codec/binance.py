"""Binance frames to market facts: one codec a connection, spot or futures, several markets."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from adapters.codec.binance_messages import (
    AggregateTrade,
    BookTicker,
    DepthSnapshot,
    DepthUpdate,
    Envelope,
    TradeMessage,
)
from adapters.codec.binance_readers import read_depth, read_snapshot, read_ticker, read_trade
from adapters.codec.continuity import BinanceBook, ContinuityParams, Dialect
from adapters.codec.depth_kernel import IS_COMPILED
from adapters.codec.quarantine import quarantined
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.units import Ns

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
DEPTH, TICKER, TRADE, AGGREGATE = "depthUpdate", "bookTicker", "trade", "aggTrade"
SNAPSHOT, CONTROL = "snapshot", "control"
MESSAGES: dict[str, type[Any]] = {
    DEPTH: DepthUpdate,
    TICKER: BookTicker,
    TRADE: TradeMessage,
    AGGREGATE: AggregateTrade,
    SNAPSHOT: DepthSnapshot,
}
CHANNELS = {
    "depth": DEPTH,
    "depth@0ms": DEPTH,
    "depth@100ms": DEPTH,
    "depth@250ms": DEPTH,
    "depth@500ms": DEPTH,
    "bookTicker": TICKER,
    "trade": TRADE,
    "aggTrade": AGGREGATE,
}
STREAM_PREFIX = b'{"stream":"'
SYMBOL_KEY = b'"s":"'
SYMBOL_WITHIN = 80
"""Bytes of a bare frame in which its symbol begins, and which no symbol is longer than."""
BARE_PREFIXES = (
    (b'{"e":"depthUpdate"', DEPTH),
    (b'{"e":"bookTicker"', TICKER),
    (b'{"u":', TICKER),
    (b'{"e":"trade"', TRADE),
    (b'{"e":"aggTrade"', AGGREGATE),
)
Reader: TypeAlias = Callable[[Any, BinanceBook, Ns], list[Event]]


class CodecParams(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one frame, and those of continuity."""

    frame_bytes_max: int = 1_000_000
    levels_max: int = 10_000
    is_depth_by_kernel: bool = IS_COMPILED
    """Interpreted, the kernel is slower than msgspec; the facts are the same either way."""
    continuity: ContinuityParams = ContinuityParams()


class BinanceCodec:
    """Reads every frame of one connection; raises for none, whatever its bytes.

    What cannot be read becomes `Quarantined`. Where it may have carried depth, the books that it
    may have belonged to are lost and want a snapshot. `counts` counts frames by type. Subscribe
    a market to `trade` or to `aggTrade`: both would report each trade twice.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        dialect: Dialect = Dialect.SPOT,
        params: CodecParams = CodecParams(),  # noqa: B008 (a frozen value)
    ) -> None:
        books = [BinanceBook(each, dialect, params.continuity) for each in instruments]
        self.venue = books[0].instrument.venue
        self.books = {book.market: book for book in books}
        self.counts: Counter[str] = Counter()
        self.level_changes = 0
        self._frame_bytes_max = params.frame_bytes_max
        self._levels_max = params.levels_max
        self._has_kernel = params.is_depth_by_kernel
        self._symbols = {book.instrument.venue_symbol: book for book in books}
        self._bare_symbols = {symbol.encode(): book for symbol, book in self._symbols.items()}
        self._streams = {
            f"{symbol.lower()}@{channel}".encode(): (kind, book)
            for symbol, book in self._symbols.items()
            for channel, kind in CHANNELS.items()
        }
        self._envelope = msgspec.json.Decoder(Envelope)
        self._bare = {kind: msgspec.json.Decoder(each) for kind, each in MESSAGES.items()}
        self._wrapped = {kind: _wrapped_decoder(each) for kind, each in MESSAGES.items()}
        self._readers: dict[str, Reader] = {
            DEPTH: read_depth,
            TICKER: read_ticker,
            TRADE: read_trade,
            AGGREGATE: read_trade,
            SNAPSHOT: read_snapshot,
        }

    def decode(self, frame: bytes, at_ns: Ns) -> list[Event]:
        """The facts of one frame, in order. A REST snapshot inside a stream is read too."""
        if len(frame) > self._frame_bytes_max:
            return self._refuse(frame, f"frame of {len(frame)} bytes", at_ns, None)
        if frame.startswith(STREAM_PREFIX):
            return self._decode_wrapped(frame, at_ns)
        for prefix, kind in BARE_PREFIXES:
            if frame.startswith(prefix):
                events = self._depth_by_kernel(frame, at_ns) if kind is DEPTH else None
                return self._decode_bare(kind, frame, at_ns) if events is None else events
        return self._decode_other(frame, at_ns)

    def snapshot(self, market: str, body: bytes, at_ns: Ns) -> list[Event]:
        """The body of a REST depth answer. A stale one changes nothing and is still wanted."""
        book = self.books[market]
        if len(body) > self._frame_bytes_max:
            return self._refuse(body, f"snapshot of {len(body)} bytes", at_ns, (SNAPSHOT, book))
        try:
            message = self._bare[SNAPSHOT].decode(body)
            return self._read(SNAPSHOT, message, book, at_ns)
        except UNREADABLE as error:
            return self._refuse(body, str(error), at_ns, (SNAPSHOT, book))

    def snapshots_due(self, at_ns: Ns) -> list[str]:
        """Markets whose snapshot should be asked for by now."""
        return [
            market
            for market, book in self.books.items()
            if book.wants_snapshot and book.snapshot_due_ns <= at_ns
        ]

    def snapshot_asked(self, market: str, at_ns: Ns) -> None:
        self.books[market].snapshot_asked(at_ns)

    def disconnected(self, at_ns: Ns) -> list[Event]:
        return [event for book in self.books.values() for event in book.on_disconnect(at_ns)]

    def _decode_wrapped(self, frame: bytes, at_ns: Ns) -> list[Event]:
        start = len(STREAM_PREFIX)
        end = frame.find(b'"', start, start + 80)
        route = self._streams.get(frame[start:end])
        if route is None:
            return self._decode_other(frame, at_ns)
        kind, book = route
        try:
            if kind is DEPTH and self._has_kernel:
                events = self._read_by_kernel(frame, end, book, at_ns)
                if events is not None:
                    return events
            message = self._wrapped[kind].decode(frame).data
            if message.symbol != book.instrument.venue_symbol:
                raise ValueError(f"symbol {message.symbol} on a stream of another")
            events = self._read(kind, message, book, at_ns)
        except UNREADABLE as error:
            return self._refuse(frame, str(error), at_ns, route)
        self.counts[kind] += 1
        return events

    def _read_by_kernel(
        self, frame: bytes, end: int, book: BinanceBook, at_ns: Ns
    ) -> list[Event] | None:
        """A depth frame whose stream name stops at `end`, 0 for none.

        None where it is to be read with care. Raises ValueError as continuity does.
        """
        reader = book.reader
        delta = reader.read(frame, end, at_ns)
        if delta is None:
            return None
        bids, asks, limit = len(delta.bids), len(delta.asks), self._levels_max
        if bids > limit or asks > limit:
            return None
        events = book.on_delta(reader.first_id, reader.previous_id, delta)
        self.level_changes += bids + asks
        self.counts[DEPTH] += 1
        return events

    def _depth_by_kernel(self, frame: bytes, at_ns: Ns) -> list[Event] | None:
        """A bare depth frame of a market of ours; None where it is to be read with care."""
        start = frame.find(SYMBOL_KEY, 0, SYMBOL_WITHIN) if self._has_kernel else -1
        if start < 0:
            return None
        start += len(SYMBOL_KEY)
        book = self._bare_symbols.get(frame[start : frame.find(b'"', start, start + SYMBOL_WITHIN)])
        if book is None:
            return None
        try:
            return self._read_by_kernel(frame, 0, book, at_ns)
        except ValueError as error:
            return self._refuse(frame, str(error), at_ns, (DEPTH, book))

    def _decode_bare(self, kind: str, frame: bytes, at_ns: Ns) -> list[Event]:
        book = None
        try:
            message = self._bare[kind].decode(frame)
            book = self._book_of(kind, message)
            events = self._read(kind, message, book, at_ns)
        except UNREADABLE as error:
            return self._refuse(frame, str(error), at_ns, (kind, book))
        self.counts[kind] += 1
        return events

    def _decode_other(self, frame: bytes, at_ns: Ns) -> list[Event]:
        """Frames of unusual shape: answers to requests, snapshots, new types, rubbish."""
        try:
            envelope = self._envelope.decode(frame)
            body = bytes(envelope.data) or frame
            if envelope.stream and body is not frame:
                envelope = self._envelope.decode(body)
            kind = _kind_of(envelope)
        except UNREADABLE as error:
            return self._refuse(frame, str(error), at_ns, None)
        if kind in MESSAGES:
            return self._decode_bare(kind, body, at_ns)
        if kind == "":
            return self._refuse(frame, "a frame of no known shape", at_ns, None)
        self.counts[kind] += 1
        if bytes(envelope.error) or bytes(envelope.code):
            return [quarantined(self.venue, frame, "the venue reports an error", at_ns)]
        return []

    def _book_of(self, kind: str, message: Any) -> BinanceBook:
        """Spot snapshots name no symbol: only a connection of one market can place them."""
        if kind == SNAPSHOT and not message.symbol and len(self.books) == 1:
            return next(iter(self.books.values()))
        book = self._symbols.get(message.symbol)
        if book is None:
            raise ValueError(f"unknown symbol {message.symbol[:40]}")
        return book

    def _read(self, kind: str, message: Any, book: BinanceBook, at_ns: Ns) -> list[Event]:
        if kind in (DEPTH, SNAPSHOT):
            levels = max(len(message.bids), len(message.asks))
            if levels > self._levels_max:
                raise ValueError(f"{levels} levels on one side")
        events = self._readers[kind](message, book, at_ns)
        if kind == DEPTH:
            self.level_changes += len(message.bids) + len(message.asks)
        return events

    def _refuse(
        self, frame: bytes, reason: str, at_ns: Ns, route: tuple[str, BinanceBook | None] | None
    ) -> list[Event]:
        """Quarantine, and doubt every book that the frame may have been about."""
        self.counts["quarantined"] += 1
        events: list[Event] = [quarantined(self.venue, frame, reason, at_ns)]
        kind, book = route or (DEPTH, None)
        if kind != DEPTH:
            return events
        for doubted in self.books.values() if book is None else (book,):
            events += doubted.lose(f"unreadable frame: {reason[:100]}", at_ns)
        return events


def _kind_of(envelope: Envelope) -> str:
    """The frame's type; "" where it has none."""
    if envelope.event:
        return envelope.event[:40]
    if bytes(envelope.snapshot_id):
        return SNAPSHOT
    if bytes(envelope.ticker_bid_size):
        return TICKER
    if bytes(envelope.request_id) or bytes(envelope.error) or bytes(envelope.code):
        return CONTROL
    return ""


def _wrapped_decoder(message: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(msgspec.defstruct("Wrapped", [("data", message)], frozen=True))
