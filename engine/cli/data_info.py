"""What is in market data: markets, facts, times, bad rows, and whether the books hold."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from adapters.importers.faults import BadRow
from adapters.importers.order import Clock
from engine.cli.data_sources import Source
from engine.market.book import Book
from engine.values.events import BookDelta, BookLost, BookSnapshot, Event
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Ns, decimal_text

HOLE_NS = 30 * NS_PER_S
"""A back-test doubts a market after so long a silence of all."""


class MarketInfo(msgspec.Struct, frozen=True, kw_only=True):
    """`crossed` counts books whose bid reached the ask, `lost` those given up as wrong.

    `best` is bid and ask at the end, "" where no whole book was there.
    """

    market: str
    tick: str
    lot: str
    facts: dict[str, int]
    first_ns: Ns
    last_ns: Ns
    crossed: int
    lost: int
    best: str


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """`first_bad` are the first few of `bad` rows; `passed_over` good rows that make no fact."""

    kind: str
    files: list[str]
    facts: int
    rows: int
    bad: int
    first_bad: list[BadRow]
    passed_over: dict[str, int]
    holes: int
    clock: Clock
    notes: list[str]
    markets: list[MarketInfo]


class Look:
    """Watches the facts of one source go by."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._markets = {each.market: _Market(each) for each in instruments}
        self._facts = self._holes = 0
        self._last_ns: Ns = 0

    def watch(self, facts: Iterable[Event]) -> Iterator[Event]:
        for fact in facts:
            self._facts += 1
            self._holes += bool(self._last_ns) and fact.at_ns - self._last_ns > HOLE_NS
            self._last_ns = fact.at_ns
            market = self._markets.get(getattr(fact, "market", ""))
            if market is not None:
                market.take(fact)
            yield fact

    def told(self, source: Source) -> SourceInfo:
        faults = source.faults
        return SourceInfo(
            kind=source.imported.kind,
            files=[str(file) for file in source.imported.files],
            facts=self._facts,
            rows=faults.rows,
            bad=faults.bad,
            first_bad=faults.first,
            passed_over=dict(faults.passed_over),
            holes=self._holes,
            clock=source.clock,
            notes=source.imported.notes,
            markets=[market.told() for market in self._markets.values()],
        )


class _Market:
    def __init__(self, item: Instrument) -> None:
        self._item = item
        self._book = Book()
        self._is_valid = False
        self._counts: Counter[str] = Counter()
        self._crossed = self._lost = 0
        self._first_ns: Ns = 0
        self._last_ns: Ns = 0

    def take(self, fact: Event) -> None:
        self._counts[type(fact).__name__] += 1
        self._first_ns = self._first_ns or fact.at_ns
        self._last_ns = fact.at_ns
        if isinstance(fact, BookSnapshot):
            self._book.apply_snapshot(fact.bids, fact.asks)
            self._is_valid = True
        elif isinstance(fact, BookDelta):
            self._book.apply_delta(fact.bids, fact.asks)
        elif isinstance(fact, BookLost):
            self._lost += 1
            self._is_valid = False
            self._book.clear()
        if self._is_valid and isinstance(fact, BookSnapshot | BookDelta):
            self._crossed += self._book.is_crossed()

    def told(self) -> MarketInfo:
        item, book = self._item, self._book
        bid, ask = item.price_text(book.bid_tick), item.price_text(book.ask_tick)
        return MarketInfo(
            market=item.market,
            tick=decimal_text(item.tick, item.price_exponent),
            lot=decimal_text(item.lot, item.size_exponent),
            facts=dict(self._counts),
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            crossed=self._crossed,
            lost=self._lost,
            best=f"{bid} / {ask}" if self._is_valid else "",
        )
