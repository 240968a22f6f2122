"""Books and trades of one market of a capture, with the proof that its venue offers.

A chain of ids (changes that come before their snapshot are held until it does), or a checksum.
Where the proof fails the book is lost until the next whole one.
"""

from collections.abc import Iterator
from itertools import count

from adapters.importers.books import best_first
from adapters.importers.checksums import CHECKSUMS, TextBook
from adapters.importers.grid import Grid
from adapters.importers.venue_words import BookWord, TradeWord
from engine.values.events import BookDelta, BookLost, BookSnapshot, Event, Trade
from engine.values.instrument import Instrument
from engine.values.units import BUY, SELL, Levels, Ns, Side

HELD_MAX = 10_000


class ProvedMarket:
    """One market of a capture. `left_out` counts book messages that belong to no book."""

    def __init__(self, target: Instrument, exchange: str) -> None:
        self.left_out = 0
        self._market = target.market
        self._grid = Grid(target.price_exponent, target.size_exponent)
        self._checksum = CHECKSUMS.get(exchange)
        self._texts = TextBook()
        self._has_book = False
        self._last = 0
        self._numbers = count(1)
        self._trades = count(1)
        self._held: list[BookWord] = []

    def trade(self, word: TradeWord, at_ns: Ns) -> Trade:
        lots = self._grid.lots(word.size)
        if not lots:
            raise ValueError("a trade of nothing")
        return Trade(
            market=self._market,
            at_ns=at_ns,
            venue_ns=word.venue_ns,
            trade_id=int(word.trade_id) if word.trade_id.isdigit() else next(self._trades),
            tick=self._grid.tick(word.price),
            lots=lots,
            aggressor=word.side,
        )

    def book(self, word: BookWord, at_ns: Ns) -> Iterator[Event]:
        if word.is_whole:
            yield from self._whole(word, at_ns)
        elif not self._has_book:
            self._hold(word)
        else:
            yield from self._change(word, at_ns)

    def doubt(self, reason: str, at_ns: Ns) -> Iterator[Event]:
        """A message about this book could not be read: from here on it is not vouched for."""
        if self._has_book:
            yield self._lose(reason, at_ns)

    def _whole(self, word: BookWord, at_ns: Ns) -> Iterator[Event]:
        """A whole book, and the changes that came before it and belong behind it."""
        held, self._held = self._held, []
        newer = [each for each in held if each.last > word.last]
        if newer and newer[0].first > word.last + 1:
            # Older than all that is held: the chain between them is not here.
            self.left_out += 1 + len(held) - len(newer)
            self._held = newer
            return
        self.left_out += len(held) - len(newer)
        self._has_book, self._last = True, word.last
        yield from self._proved(word, at_ns)
        for each in newer:
            yield from self._change(each, at_ns)

    def _change(self, word: BookWord, at_ns: Ns) -> Iterator[Event]:
        if word.last:
            if word.last <= self._last:
                self.left_out += 1
                return
            if word.first > self._last + 1:
                yield self._lose(f"gap: {self._last} then {word.first}", at_ns)
                self._hold(word)
                return
            self._last = word.last
        yield from self._proved(word, at_ns)

    def _proved(self, word: BookWord, at_ns: Ns) -> Iterator[Event]:
        if self._checksum is not None:
            self._texts.apply(word.bids, word.asks, is_whole=word.is_whole)
            found = self._checksum(self._texts)
            if word.checksum is not None and word.checksum != found:
                yield self._lose(f"checksum {found} is not {word.checksum}", at_ns)
                return
        yield self._fact(word, at_ns)

    def _fact(self, word: BookWord, at_ns: Ns) -> Event:
        sequence = word.last or next(self._numbers)
        bids, asks = self._levels(word.bids, BUY, word), self._levels(word.asks, SELL, word)
        if word.is_whole:
            return BookSnapshot(
                market=self._market,
                at_ns=at_ns,
                venue_ns=word.venue_ns,
                sequence=sequence,
                bids=bids,
                asks=asks,
            )
        return BookDelta(
            market=self._market,
            at_ns=at_ns,
            venue_ns=word.venue_ns,
            sequence=sequence,
            bids=bids,
            asks=asks,
        )

    def _levels(self, pairs: list[tuple[str, str]], side: Side, word: BookWord) -> Levels:
        found = [(self._grid.tick(price), self._grid.lots(size)) for price, size in pairs]
        return best_first(found, side) if word.is_whole else found

    def _lose(self, reason: str, at_ns: Ns) -> BookLost:
        self._has_book = False
        return BookLost(market=self._market, at_ns=at_ns, reason=reason)

    def _hold(self, word: BookWord) -> None:
        if len(self._held) < HELD_MAX:
            self._held.append(word)
        else:
            self.left_out += 1
