"""Runs a wire capture through codec, continuity and book, and tells what it found."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from adapters.codec.binance import BinanceCodec
from adapters.codec.binance_survey import Survey, survey
from adapters.transport.capture import Line, read_lines
from engine.cli.capture_market import Latency, MarketCheck, latency_of
from engine.market.book import Book
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookSnapshot, Event, Quarantined, Trade
from engine.values.units import Ns, Side, decimal_text

SURVEY_FRAMES = 5_000
PROGRESS_FRAMES = 20_000
FINDINGS_MAX = 20


class CaptureReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `ballast capture check` says; `is_clean` decides its exit code."""

    files: list[str]
    frames: int
    frames_by_type: dict[str, int]
    level_changes: int
    gaps: int
    trade_gaps: int
    crossed: int
    matched: int
    compared: int
    quarantined: int
    recoveries: int
    recovered: bool
    dropped: int
    note: str
    seconds: float
    latency_ms: Latency | None
    tops: dict[str, dict[str, str]]
    findings: list[str]
    is_clean: bool


def check_capture(
    paths: list[Path], drop: int = 0, progress: Callable[[int], None] = lambda frames: None
) -> CaptureReport:
    """Read the files in order, without line `drop` (from 1; 0 drops none).

    A capture holds one snapshot at best, so nothing in it answers the client that lost its book.
    With `drop` a second book follows the whole capture and answers as the venue would have; a gap
    that is really in the files heals only at their next snapshot.
    """
    seen = survey((frame for _, _, frame in islice(read_lines(paths), SURVEY_FRAMES)), "binance")
    if not seen.instruments:
        raise UserError(f"{paths[0]}: no Binance market message in {SURVEY_FRAMES} lines")
    run = _Run(seen, Venue(seen) if drop else None)
    for line in _told(read_lines(paths), progress):
        run.on_line(line, is_dropped=line[0] == drop)
    if drop > run.lines:
        raise UserError(f"--drop {drop}: the capture ends at line {run.lines}")
    return run.report(paths, drop)


class Venue:
    """Stands in for the venue's REST depth: the book that a client without the loss holds."""

    def __init__(self, seen: Survey) -> None:
        self._codec = BinanceCodec(seen.instruments, seen.dialect)
        self._books = {each.market: Book() for each in seen.instruments}
        self._instruments = {each.market: each for each in seen.instruments}

    def on_frame(self, frame: bytes, at_ns: Ns) -> None:
        for event in self._codec.decode(frame, at_ns):
            if isinstance(event, BookDelta):
                self._books[event.market].apply_delta(event.bids, event.asks)
            elif isinstance(event, BookSnapshot):
                self._books[event.market].apply_snapshot(event.bids, event.asks)

    def depth(self, market: str) -> bytes | None:
        """The answer's body; None while this book is not proved either."""
        continuity, book = self._codec.books[market], self._books[market]
        if not continuity.is_synced:
            return None
        return msgspec.json.encode(
            {
                "lastUpdateId": continuity.sequence,
                "bids": self._texts(market, book.best_first(Side.BUY)),
                "asks": self._texts(market, book.best_first(Side.SELL)),
            }
        )

    def _texts(self, market: str, levels: Iterable[tuple[int, int]]) -> list[list[str]]:
        price, size = (
            self._instruments[market].price_exponent,
            self._instruments[market].size_exponent,
        )
        return [[decimal_text(tick, price), decimal_text(lots, size)] for tick, lots in levels]


class _Run:
    def __init__(self, seen: Survey, venue: Venue | None) -> None:
        self.lines = 0
        self._codec = BinanceCodec(seen.instruments, seen.dialect)
        self._markets = {each.market: MarketCheck(each) for each in seen.instruments}
        self._venue = venue
        self._frames = 0
        self._findings: list[str] = []
        self._first_ns = self._last_ns = 0

    def on_line(self, line: Line, *, is_dropped: bool) -> None:
        self.lines, at_ns, frame = line
        if self._venue is not None:
            self._venue.on_frame(frame, at_ns)
        if is_dropped:
            return
        self._frames += 1
        self._first_ns = self._first_ns or at_ns
        self._last_ns = at_ns
        events = self._codec.decode(frame, at_ns)
        self._take(events)
        if len(events) == 1:
            self._time(events[0])
        if self._venue is not None:
            self._ask(self._venue, at_ns)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Quarantined):
                if len(self._findings) < FINDINGS_MAX:
                    self._findings.append(f"line {self.lines}: quarantined, {event.reason}")
            else:
                self._markets[event.market].on_event(event, self.lines)  # type: ignore[union-attr]

    def _time(self, event: Event) -> None:
        if isinstance(event, BookDelta | Trade) and event.venue_ns:
            self._markets[event.market].on_latency(event.at_ns, event.venue_ns)

    def _ask(self, venue: Venue, at_ns: Ns) -> None:
        """What a live client does after a loss: fetch the depth over REST."""
        for market in self._codec.snapshots_due(at_ns):
            body = venue.depth(market)
            if body is not None:
                self._codec.snapshot_asked(market, at_ns)
                self._take(self._codec.snapshot(market, body, at_ns))

    def report(self, paths: list[Path], dropped: int) -> CaptureReport:
        codec, markets = self._codec, list(self._markets.values())
        counts = dict(codec.counts)
        quarantined = counts.get("quarantined", 0)
        matched, compared = (sum(getattr(m, n) for m in markets) for n in ("matched", "compared"))
        gaps = sum(book.gaps for book in codec.books.values())
        trade_gaps, crossed = (
            sum(getattr(m, n) for m in markets) for n in ("trade_gaps", "crossed")
        )
        latencies: Counter[int] = sum((m.latencies for m in markets), Counter())
        return CaptureReport(
            files=[str(path) for path in paths],
            frames=self._frames,
            frames_by_type=counts,
            level_changes=codec.level_changes,
            gaps=gaps,
            trade_gaps=trade_gaps,
            crossed=crossed,
            matched=matched,
            compared=compared,
            quarantined=quarantined,
            recoveries=sum(market.recoveries for market in markets),
            recovered=all(market.is_valid for market in markets),
            dropped=dropped,
            note=DROP_NOTE if dropped else "",
            seconds=(self._last_ns - self._first_ns) / 1e9,
            latency_ms=latency_of(latencies),
            tops={market.instrument.venue_symbol: market.top_text() for market in markets},
            findings=self._findings + [text for market in markets for text in market.findings],
            is_clean=not (gaps or trade_gaps or crossed or quarantined or matched != compared),
        )


DROP_NOTE = (
    "after a loss the snapshot came from a second book that read the whole capture, "
    "standing in for the venue's REST depth"
)


def _told(lines: Iterator[Line], progress: Callable[[int], None]) -> Iterator[Line]:
    for line in lines:
        yield line
        if line[0] % PROGRESS_FRAMES == 0:
            progress(line[0])
