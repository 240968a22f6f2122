"""Bars natively: pages of candles over REST, over the WS-API where REST does not answer."""

from adapters.codec.binance_bars import Row, interval_of
from adapters.common.bars import PAGE, PAGE_ROWS, BarFeed, Spans, recent_rows
from adapters.native.calls import Call, Way
from adapters.native.session import Params, Session
from engine.values.instrument import Instrument
from engine.values.units import Ns

KLINES = Call(
    method="klines", verb="GET", path="/klines",
    cost=PAGE, way=Way.HTTP_FIRST, is_signed=False,
)  # fmt: skip


def bar_feed(session: Session, instruments: list[Instrument], spans: Spans) -> BarFeed:
    """Raises UserError for a market or span that this venue does not have."""
    symbols = {item.market: item.venue_symbol for item in instruments}

    async def ask(market: str, span_ns: Ns, rows: int, end_ms: int) -> bytes:
        asked = _asked(symbols[market], span_ns, rows)
        return await session.ask(KLINES, asked | ({"endTime": end_ms} if end_ms else {}))

    return BarFeed(instruments, spans, session.clock, ask)


async def recent(session: Session, symbol: str, span_ns: Ns, count: int) -> list[Row]:
    """The last bars of a symbol, oldest first, the forming one last; needs no key.

    Raises VenueError, and UserError for an unknown symbol.
    """
    asked = _asked(symbol.replace("/", ""), span_ns, min(count, PAGE_ROWS))
    return await recent_rows(session.ask(KLINES, asked), session.venue, symbol)


def _asked(venue_symbol: str, span_ns: Ns, rows: int) -> Params:
    return {"symbol": venue_symbol, "interval": interval_of(span_ns), "limit": rows}
