"""Bars through ccxt: raw pages of candles for our codec, parsed ones where we have none."""

from adapters.ccxt_pro.session import Session
from adapters.codec.binance_bars import INTERVALS, Row, interval_of
from adapters.common.bars import PAGE, PAGE_ROWS, BarFeed, Spans, recent_rows
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, Ns


def bar_feed(session: Session, instruments: list[Instrument], spans: Spans) -> BarFeed:
    """Raises UserError for a market or span that this venue does not have."""
    symbols = {item.market: item.venue_symbol for item in instruments}

    async def ask(market: str, span_ns: Ns, rows: int, end_ms: int) -> bytes:
        return await _page(session, symbols[market], span_ns, rows, end_ms)

    return BarFeed(instruments, spans, session.clock, ask)


async def recent(session: Session, symbol: str, span_ns: Ns, count: int) -> list[Row]:
    """The last bars of a symbol, oldest first, the forming one last; needs no key.

    Raises VenueError, and UserError for an unknown symbol or span.
    """
    if session.exchange.id != "binance":
        return await _parsed(session, symbol, span_ns, count)
    page = _page(session, symbol.replace("/", ""), span_ns, min(count, PAGE_ROWS), 0)
    return await recent_rows(page, session.venue, symbol)


async def _page(session: Session, symbol: str, span_ns: Ns, rows: int, end_ms: int) -> bytes:
    asked = {"symbol": symbol, "interval": interval_of(span_ns), "limit": rows}
    asked |= {"endTime": end_ms} if end_ms else {}
    _, body = await session.ask_raw(lambda: session.exchange.public_get_klines(asked), PAGE)
    return body.encode()


async def _parsed(session: Session, symbol: str, span_ns: Ns, count: int) -> list[Row]:
    """As ccxt reads any venue's candles."""
    exchange, name = session.exchange, INTERVALS.get(span_ns, "")
    if not exchange.has.get("fetchOHLCV") or name not in (exchange.timeframes or {}):
        raise UserError(f"{session.venue} tells no bars of {name or span_ns}")
    await session.load_markets()
    if symbol not in exchange.markets:
        raise UserError(f"{session.venue} has no market {symbol}")
    found = await session.ask(lambda: exchange.fetch_ohlcv(symbol, name, None, count), PAGE)
    span_ms = span_ns // NS_PER_MS
    rows = []
    for row in found:
        opened, high, low, closed, size = (str(number) for number in row[1:6])
        rows.append((int(row[0]), opened, high, low, closed, size, int(row[0]) + span_ms - 1))
    return rows
