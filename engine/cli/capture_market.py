"""One market of a capture check: its book, held against the venue's own words about it."""

from collections import Counter, deque

import msgspec

from engine.market.book import Book
from engine.values.events import BookDelta, BookLost, BookSnapshot, Event, TopOfBook, Trade
from engine.values.instrument import Instrument
from engine.values.units import Ns

TOPS_MAX = 100_000
FINDINGS_MAX = 20
BUCKET_NS = 100_000

Top = tuple[int, int, int, int]


class MarketCheck:
    """Applies the events of one market and counts what does not agree."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.book = Book()
        self.sequence = -1
        self.crossed = self.matched = self.compared = 0
        self.trade_gaps = self.recoveries = 0
        self.is_valid = False
        self.findings: list[str] = []
        self.latencies: Counter[int] = Counter()
        self._was_lost = False
        self._trade_id = -1
        self._tops: deque[tuple[int, Top]] = deque(maxlen=TOPS_MAX)

    def on_event(self, event: Event, line: int) -> None:
        if isinstance(event, BookDelta):
            self.book.apply_delta(event.bids, event.asks)
            self._after_change(event.sequence, line)
        elif isinstance(event, BookSnapshot):
            self.book.apply_snapshot(event.bids, event.asks)
            self.is_valid = True
            self.recoveries += self._was_lost
            self._after_change(event.sequence, line)
        elif isinstance(event, TopOfBook):
            self._on_top(event, line)
        elif isinstance(event, Trade):
            self._on_trade(event, line)
        elif isinstance(event, BookLost):
            self.is_valid, self._was_lost = False, True
            self._find(f"line {line}: {event.reason}")

    def on_latency(self, received_ns: Ns, venue_ns: Ns) -> None:
        self.latencies[(received_ns - venue_ns) // BUCKET_NS] += 1

    def top_text(self) -> dict[str, str]:
        """The final top of book, in the venue's own decimals."""
        book, instrument = self.book, self.instrument
        return {
            "bid": instrument.price_text(book.bid_tick),
            "bid_size": instrument.size_text(book.bid_lots),
            "ask": instrument.price_text(book.ask_tick),
            "ask_size": instrument.size_text(book.ask_lots),
        }

    def _after_change(self, sequence: int, line: int) -> None:
        self.sequence = sequence
        if self.book.is_crossed():
            self.crossed += 1
            self._find(f"line {line}: crossed, {self.book!r}")
        tops = self._tops
        while tops and tops[0][0] <= sequence:
            said_sequence, said = tops.popleft()
            if said_sequence == sequence:
                self._compare(said, line)

    def _on_top(self, event: TopOfBook, line: int) -> None:
        said = (event.bid_tick, event.bid_lots, event.ask_tick, event.ask_lots)
        if not self.is_valid or event.sequence > self.sequence:
            self._tops.append((event.sequence, said))
        elif event.sequence == self.sequence:
            self._compare(said, line)

    def _compare(self, said: Top, line: int) -> None:
        book = self.book
        ours = (book.bid_tick, book.bid_lots, book.ask_tick, book.ask_lots)
        self.compared += 1
        self.matched += said == ours
        if said != ours:
            self._find(f"line {line}: bookTicker says {said}, the book {ours}")

    def _on_trade(self, event: Trade, line: int) -> None:
        if self._trade_id >= 0 and event.trade_id > self._trade_id + 1:
            self.trade_gaps += 1
            self._find(f"line {line}: trade {event.trade_id} after {self._trade_id}")
        self._trade_id = max(self._trade_id, event.trade_id)

    def _find(self, text: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(f"{self.instrument.venue_symbol} {text}")


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Receive time minus the venue's event time, in milliseconds."""

    p50: float
    p90: float
    p99: float
    min: float
    max: float
    note: str


def latency_of(counts: Counter[int]) -> Latency | None:
    """None where no message carries the venue's time."""
    if not counts:
        return None
    ordered = sorted(counts)
    low, high = (_milliseconds(ordered[i]) for i in (0, -1))
    p50, p90, p99 = (_percentile(counts, ordered, share) for share in (0.5, 0.9, 0.99))
    note = ""
    if low < 0:
        note = (
            f"the clocks disagree: the recorder runs at least {-low:g} ms behind the venue. "
            f"Above the fastest message: p50 {p50 - low:.1f}, p99 {p99 - low:.1f} ms"
        )
    return Latency(p50=p50, p90=p90, p99=p99, min=low, max=high, note=note)


def _percentile(counts: Counter[int], ordered: list[int], share: float) -> float:
    wanted, seen = share * counts.total(), 0
    for bucket in ordered:
        seen += counts[bucket]
        if seen >= wanted:
            return _milliseconds(bucket)
    return _milliseconds(ordered[-1])


def _milliseconds(bucket: int) -> float:
    return bucket * BUCKET_NS / 1_000_000
