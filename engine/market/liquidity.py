"""What it costs to trade now: the spread, and the price of walking the book for a size."""

from engine.market.book import Book, BookView
from engine.values.units import Lot, Side

BPS = 10_000


def spread_bps(book: Book | BookView) -> float | None:
    """Best ask minus best bid, over mid. None where a side is empty."""
    if not book.bid_tick or not book.ask_tick:
        return None
    return 2 * BPS * (book.ask_tick - book.bid_tick) / (book.ask_tick + book.bid_tick)


def slippage_bps(book: Book | BookView, aggressor: Side, lots: Lot) -> float | None:
    """How much worse than mid the average price of taking `lots` at once would be.

    A buyer walks the asks. None where a side is empty, `lots` is 0, or the book is too thin.
    """
    if not book.bid_tick or not book.ask_tick or lots <= 0:
        return None
    filled, notional, _ = book.walk(aggressor.opposite, lots)
    if filled < lots:
        return None
    mid = (book.bid_tick + book.ask_tick) / 2
    return aggressor.sign * (notional / filled - mid) / mid * BPS
