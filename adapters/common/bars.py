"""Bars of a venue: history at the start, then a stream, and whatever one of them missed.

Shared by every way to a venue: it is handed each candle that a stream brings, and asks for pages
of history with a function of the adapter's. Books come first: nothing is asked before they stand.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from adapters.codec.binance_bars import (
    BarsCodec,
    BarTold,
    Lane,
    Row,
    interval_of,
    rows_of,
    stream_names,
)
from adapters.common.bar_lane import RETRY_NS_MAX, BarLane
from adapters.common.budget import Cost
from engine.values.errors import Rejected, Unknown, UserError, VenueError
from engine.values.events import BarForming, BarsClosed, Quarantined
from engine.values.facts import Bar
from engine.values.instrument import Instrument
from engine.values.ports import Clock, Inbox
from engine.values.units import NS_PER_MS, Ns

Spans: TypeAlias = Mapping[str, tuple[Ns, ...]]
"""By market, the spans of the bars that are wanted."""
NO_BARS: Spans = MappingProxyType({})
HISTORY_BARS = 500
"""So many closed bars are read at the start: with fewer, averages still remember their seed."""
PAGE_ROWS = 1_000
PAGE = Cost(weight=2)
NO_SUCH_SYMBOL = "-1121"
LOOK_EVERY_S = 0.1
SETTLE_S = 0.5
"""Between standing books and the first page, so that first orders find the loop free."""
WAIT_FOR_BOOKS_LOOKS = 150
"""A book that does not come must not keep bars from all others for ever."""
ROWS_AT_ONCE = 100

Ask: TypeAlias = Callable[[str, Ns, int, int], Awaitable[bytes]]
"""(market, span_ns, rows, end_ms): a page of at most so many rows that ends by then, oldest first;
end_ms 0 is now. Raises VenueError."""

Subscribe: TypeAlias = Callable[[], Awaitable[None]]


class BarFeed:
    """Tells `BarsClosed` in order and each once, and `BarForming` as the venue sends it."""

    def __init__(self, instruments: list[Instrument], spans: Spans, clock: Clock, ask: Ask) -> None:
        self._codec = BarsCodec(instruments)
        self._clock = clock
        self._ask = ask
        self._lanes = {lane: BarLane(lane[1], HISTORY_BARS) for lane in _lanes(instruments, spans)}
        self.names = stream_names(instruments, spans)

    def hear(self, frame: bytes, at_ns: Ns, inbox: Inbox) -> None:
        """A frame that `is_kline`."""
        told = self._codec.decode(frame, at_ns)
        if isinstance(told, Quarantined):
            inbox.put(told)
            return
        lane = self._lanes.get(told.lane)
        if lane is not None:
            self._tell_stream(lane, told, inbox)

    def disconnected(self) -> None:
        """Candles may pass unheard: every lane looks again at what it missed."""
        for lane in self._lanes.values():
            lane.doubt()

    async def run(
        self, inbox: Inbox, are_books_up: Callable[[], bool], subscribe: Subscribe
    ) -> None:
        """Ask for what is missing, one page after the other, for as long as the stream lives.

        The streams are subscribed to before the first page: what closes after a page was written
        comes over them. Raises what `subscribe` raises.
        """
        if not self._lanes:
            return
        await self._wait_for_books(are_books_up)
        await subscribe()
        while True:
            for key, lane in self._lanes.items():
                if lane.wants_page(self._clock.now_ns()):
                    await self._fill(key, lane, inbox)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _wait_for_books(self, are_books_up: Callable[[], bool]) -> None:
        for _ in range(WAIT_FOR_BOOKS_LOOKS):
            if are_books_up():
                break
            await asyncio.sleep(LOOK_EVERY_S)
        await asyncio.sleep(SETTLE_S)

    async def _fill(self, key: Lane, lane: BarLane, inbox: Inbox) -> None:
        """Pages back from now until they meet what is known, then tell all that was missing."""
        try:
            bars = await self._pages(key, lane, inbox)
        except VenueError as error:
            lane.failed(self._clock.now_ns(), min(error.retry_after_ns, RETRY_NS_MAX))
            return
        self._tell(key, lane.join(bars), inbox, is_history=True)
        self._tell(key, lane.settle(self._clock.now_ns()), inbox, is_history=False)
        for newest in bars[-1:]:
            self._tell_forming(key, lane, newest, inbox)

    async def _pages(self, key: Lane, lane: BarLane, inbox: Inbox) -> list[Bar]:
        """All bars that are missing and perhaps some more, oldest first. Raises VenueError."""
        found: list[Bar] = []
        wanted, asked = lane.history + 1, lane.rows_missing(self._clock.now_ns())
        end_ms = 0
        while wanted > 0:
            asked = min(wanted, asked, PAGE_ROWS)
            body = await self._ask(*key, asked, end_ms)
            page, rows = await self._page(key, body, inbox)
            found[:0] = [bar for bar in page if not found or bar.open_ns < found[0].open_ns]
            if rows < asked or not page or lane.is_met_by(page[0]):
                break
            wanted, asked, end_ms = wanted - rows, PAGE_ROWS, page[0].open_ns // NS_PER_MS - 1
        return found

    async def _page(self, key: Lane, body: bytes, inbox: Inbox) -> tuple[list[Bar], int]:
        """The bars of a page and how many rows it has, read a few rows at a time."""
        rows = self._codec.rows(body, self._clock.now_ns())
        if isinstance(rows, Quarantined):
            inbox.put(rows)
            raise Unknown("unreadable page of bars", code="bars")
        bars: list[Bar] = []
        for index, row in enumerate(rows):
            if index % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
            after_ns = bars[-1].open_ns if bars else -1
            bar = self._codec.bar(key, row, after_ns, self._clock.now_ns())
            if isinstance(bar, Quarantined):
                inbox.put(bar)
            else:
                bars.append(bar)
        return bars, len(rows)

    def _tell_stream(self, lane: BarLane, told: BarTold, inbox: Inbox) -> None:
        if told.is_closed:
            self._tell(told.lane, lane.closed(told.bar), inbox, is_history=False)
        else:
            self._tell_forming(told.lane, lane, told.bar, inbox)

    def _tell(self, key: Lane, bars: list[Bar], inbox: Inbox, *, is_history: bool) -> None:
        if not bars:
            return
        market, span_ns = key
        fact = BarsClosed(
            market=market,
            at_ns=self._clock.now_ns(),
            span_ns=span_ns,
            bars=bars,
            is_history=is_history,
        )
        inbox.put(fact)

    def _tell_forming(self, key: Lane, lane: BarLane, bar: Bar, inbox: Inbox) -> None:
        if not lane.is_next(bar):
            return
        market, span_ns = key
        now_ns = self._clock.now_ns()
        inbox.put(BarForming(market=market, at_ns=now_ns, span_ns=span_ns, bar=bar))


async def recent_rows(ask: Awaitable[bytes], venue: str, symbol: str) -> list[Row]:
    """The rows of one page, for who has no instrument. Raises VenueError, and UserError for a
    symbol that the venue does not have."""
    try:
        return rows_of(await ask)
    except Rejected as error:
        if error.code != NO_SUCH_SYMBOL:
            raise
    except ValueError:
        raise Unknown("unreadable page of bars", code="bars") from None
    raise UserError(f"{venue} has no market {symbol}")


def _lanes(instruments: list[Instrument], spans: Spans) -> list[Lane]:
    """Every market with each of its spans. Raises UserError for what the venue does not have."""
    unknown = set(spans) - {item.market for item in instruments}
    if unknown:
        raise UserError(f"bars of {', '.join(sorted(unknown))}: this feed has no such market")
    lanes = [(item.market, span) for item in instruments for span in spans.get(item.market, ())]
    for market, span_ns in lanes:
        try:
            interval_of(span_ns)
        except ValueError as error:
            raise UserError(f"{market}: {error}") from error
    return lanes
