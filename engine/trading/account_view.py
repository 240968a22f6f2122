"""What the accounts of an engine hold and what their markets would pay, as one picture in text.

It is what `ballast treasury` reads from a running engine, and can be kept as a file: the same form
(`engine.runtime.treasury_facts`). Amounts are decimal text; our own orders are not in the books.
"""

from collections.abc import Iterable
from typing import Any

from engine.market.book import Book, BookView
from engine.trading.maker import Maker
from engine.values.instrument import Instrument
from engine.values.units import Levels, Ns, Side, decimal_text

LEVELS_MAX = 1_000
SIGHT = frozenset({"book", "public link", "stalled", "second stream", "crossed"})
"""Doubts that mean that the book may be another by now (`Standing.doubts`)."""


def account_view(makers: Iterable[Maker], at: str, moment_of: dict[str, str]) -> dict[str, Any]:
    """`at` is the moment as text, `moment_of` that of each market's book; without one no book."""
    rows = list(makers)
    keepers = {maker.quoter.setup.instrument.venue: maker.keeper for maker in rows}
    return {
        "at": at,
        "balances": [
            {
                "place": venue,
                "asset": asset,
                "amount": decimal_text(max(0, atoms), keeper.portfolio.exponent(asset)),
            }
            for venue, keeper in keepers.items()
            for asset, atoms in sorted(keeper.portfolio.expected_balances().items())
        ],
        "books": [
            _book_view(maker, moment_of[maker.market])
            for maker in rows
            if maker.market in moment_of
        ],
        "may_fill": _may_fill(rows),
    }


def book_ns(maker: Maker, now_ns: Ns) -> Ns:
    """The moment of which the book is true: now, since a quiet book is not a stale book (law 6).

    While something is in doubt it is the moment when it was last heard; 0 for a book without both
    sides.
    """
    book, doubts = maker.quoter.book, maker.standing.doubts
    if not (book.bid_tick and book.ask_tick) or book.is_crossed():
        return 0
    return maker.quoter.book_ns if SIGHT & doubts.keys() else now_ns


def book_without_own(maker: Maker) -> Book | BookView:
    """What others offer, where the venue shows our orders among theirs."""
    quoter = maker.quoter
    if quoter.setup.own_orders_show and quoter.own:
        return quoter.book.without(quoter.own)
    return quoter.book


def _book_view(maker: Maker, at: str) -> dict[str, Any]:
    book, item = book_without_own(maker), maker.quoter.setup.instrument
    return {
        "venue": item.venue,
        "asset": item.base,
        "quote": item.quote,
        "at": at,
        "taker_fee_ppm": item.taker_fee_ppm,
        "bids": _texts(item, book.levels(Side.BUY, LEVELS_MAX)),
        "asks": _texts(item, book.levels(Side.SELL, LEVELS_MAX)),
    }


def _texts(instrument: Instrument, levels: Levels) -> list[list[str]]:
    return [[instrument.price_text(tick), instrument.size_text(lots)] for tick, lots in levels]


def _may_fill(makers: list[Maker]) -> list[dict[str, str]]:
    """What every buy that may be out there could still add, by market (law 3)."""
    found = []
    for maker in makers:
        item = maker.quoter.setup.instrument
        bid_lots, _ = maker.keeper.orders.working_lots(maker.market)
        found.append({"venue": item.venue, "asset": item.base, "tokens": item.size_text(bid_lots)})
    return found
