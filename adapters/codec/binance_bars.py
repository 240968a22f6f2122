"""Binance's candles ("klines") to bars in ticks and lots: frames of a stream, and pages of REST."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from adapters.codec.binance_messages import Ms
from adapters.codec.grid import Grid
from adapters.codec.quarantine import quarantined
from engine.values.events import Quarantined
from engine.values.facts import Bar
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
INTERVALS: dict[Ns, str] = {
    seconds * NS_PER_S: name
    for name, seconds in {
        "1s": 1,
        "1m": _MINUTE_S,
        "3m": 3 * _MINUTE_S,
        "5m": 5 * _MINUTE_S,
        "15m": 15 * _MINUTE_S,
        "30m": 30 * _MINUTE_S,
        "1h": _HOUR_S,
        "2h": 2 * _HOUR_S,
        "4h": 4 * _HOUR_S,
        "6h": 6 * _HOUR_S,
        "8h": 8 * _HOUR_S,
        "12h": 12 * _HOUR_S,
        "1d": _DAY_S,
        "3d": 3 * _DAY_S,
        "1w": 7 * _DAY_S,
    }.items()
}
"""The venue's names of its intervals. Its month has no fixed span, so it has no place here."""
MONDAY_MS = 4 * _DAY_S * 1_000
PREFIX, WRAPPED_PREFIX, WRAPPED_MARK = b'{"e":"kline"', b'{"stream":"', b"@kline_"
WRAPPED_WITHIN = 80
FRAME_BYTES_MAX, PAGE_BYTES_MAX = 4_000, 2_000_000
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)

Lane: TypeAlias = tuple[str, Ns]
"""A market and a span: what one stream of bars is about."""
Row: TypeAlias = tuple[Ms, str, str, str, str, str, Ms]
"""Of a row of REST: opening, open, high, low, close, volume, closing; the rest is not read."""


class _Kline(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    open_ms: Ms = msgspec.field(name="t")
    close_ms: Ms = msgspec.field(name="T")
    interval: str = msgspec.field(name="i")
    open: str = msgspec.field(name="o")
    high: str = msgspec.field(name="h")
    low: str = msgspec.field(name="l")
    close: str = msgspec.field(name="c")
    size: str = msgspec.field(name="v")
    is_closed: bool = msgspec.field(name="x")

    def row(self) -> Row:
        prices = (self.open, self.high, self.low, self.close)
        return (self.open_ms, *prices, self.size, self.close_ms)


class _Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    symbol: str = msgspec.field(name="s")
    kline: _Kline = msgspec.field(name="k")


class _Wrapped(msgspec.Struct, frozen=True):
    data: _Message


class BarTold(msgspec.Struct, frozen=True):
    """What one frame said: a bar of a lane, and whether it has closed."""

    lane: Lane
    bar: Bar
    is_closed: bool


class BarsCodec:
    """Reads candles of several markets; raises for none, whatever its bytes.

    What cannot be read or cannot be a bar becomes `Quarantined`, and no book is doubted for it. A
    volume finer than the lot counts as whole lots, as everywhere (`Grid`).
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        items = list(instruments)
        self._venue = items[0].venue if items else ""
        self._markets = {item.venue_symbol: item.market for item in items}
        self._grids = {item.market: Grid(item) for item in items}
        self._spans = {name: span_ns for span_ns, name in INTERVALS.items()}
        self._bare = msgspec.json.Decoder(_Message)
        self._wrapped = msgspec.json.Decoder(_Wrapped)
        self._rows = msgspec.json.Decoder(list[msgspec.Raw])
        self._row = msgspec.json.Decoder(list[str | int])

    def decode(self, frame: bytes, at_ns: Ns) -> BarTold | Quarantined:
        """The bar of a frame that `is_kline`."""
        try:
            if len(frame) > FRAME_BYTES_MAX:
                raise ValueError(f"candle of {len(frame)} bytes")
            is_bare = frame.startswith(PREFIX)
            message = self._bare.decode(frame) if is_bare else self._wrapped.decode(frame).data
            market, span_ns = self._lane(message)
            bar = _bar(self._grids[market], span_ns, message.kline.row())
        except UNREADABLE as error:
            return quarantined(self._venue, frame, str(error), at_ns)
        return BarTold((market, span_ns), bar, message.kline.is_closed)

    def rows(self, body: bytes, at_ns: Ns) -> "list[msgspec.Raw] | Quarantined":
        """The rows of a page of REST, oldest first, each still to be read by `bar`."""
        try:
            if len(body) > PAGE_BYTES_MAX:
                raise ValueError(f"page of {len(body)} bytes")
            return self._rows.decode(body)
        except UNREADABLE as error:
            return quarantined(self._venue, body, str(error), at_ns)

    def bar(self, lane: Lane, row: msgspec.Raw, after_ns: Ns, at_ns: Ns) -> Bar | Quarantined:
        """One row of a page, which opens after `after_ns`."""
        market, span_ns = lane
        try:
            told = msgspec.convert(self._row.decode(row)[:7], Row)
            bar = _bar(self._grids[market], span_ns, told)
            if bar.open_ns <= after_ns:
                raise ValueError("a candle out of its order")
            return bar
        except UNREADABLE as error:
            return quarantined(self._venue, bytes(row), str(error), at_ns)

    def _lane(self, message: _Message) -> Lane:
        market = self._markets.get(message.symbol)
        span_ns = self._spans.get(message.kline.interval)
        if market is None:
            raise ValueError(f"candle of unknown symbol {message.symbol[:40]}")
        if span_ns is None:
            raise ValueError(f"candle of unknown interval {message.kline.interval[:40]}")
        return market, span_ns


def is_kline(frame: bytes) -> bool:
    """Whether a frame is for this codec and no other."""
    if frame.startswith(WRAPPED_PREFIX):
        return frame.find(WRAPPED_MARK, 0, WRAPPED_WITHIN) >= 0
    return frame.startswith(PREFIX)


def stream_names(instruments: Iterable[Instrument], spans: Mapping[str, Iterable[Ns]]) -> list[str]:
    """The streams of these markets' spans. Raises ValueError for a span that no interval has."""
    return [
        f"{item.venue_symbol.lower()}@kline_{interval_of(span_ns)}"
        for item in instruments
        for span_ns in spans.get(item.market, ())
    ]


def rows_of(body: bytes) -> list[Row]:
    """A page as it stands, texts and all. Raises ValueError for what is none."""
    try:
        rows = msgspec.json.decode(body, type=list[list[str | int]])
        return msgspec.convert([row[:7] for row in rows], list[Row])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error


def interval_of(span_ns: Ns) -> str:
    """The venue's name of a span. Raises ValueError for one that it does not have."""
    if span_ns not in INTERVALS:
        raise ValueError(f"no bars of {span_ns / NS_PER_S:g} s; there are {', '.join(_names())}")
    return INTERVALS[span_ns]


def _names() -> list[str]:
    return list(INTERVALS.values())


def _bar(grid: Grid, span_ns: Ns, row: Row) -> Bar:
    """Raises ValueError for what cannot be a bar of that span."""
    open_ms, opened, high, low, closed, size, close_ms = row
    span_ms = span_ns // NS_PER_MS
    offset_ms = MONDAY_MS if INTERVALS[span_ns] == "1w" else 0
    if (open_ms - offset_ms) % span_ms or close_ms != open_ms + span_ms - 1:
        raise ValueError(f"candle from {open_ms} to {close_ms} is none of {INTERVALS[span_ns]}")
    bar = Bar(
        open_ns=open_ms * NS_PER_MS,
        open=grid.tick(opened),
        high=grid.tick(high),
        low=grid.tick(low),
        close=grid.tick(closed),
        lots=grid.lots(size),
    )
    if bar.low > min(bar.open, bar.close) or bar.high < max(bar.open, bar.close):
        raise ValueError("a candle whose high and low do not hold its open and close")
    return bar
