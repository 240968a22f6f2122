"""Rows of single levels gathered into whole messages: snapshots and deltas of one market."""

from collections.abc import Iterator
from typing import TypeAlias

from adapters.importers.faults import Faults
from engine.values.events import BookDelta, BookSnapshot, Event
from engine.values.units import Levels, Lot, Ns, Side, Tick

Stamps: TypeAlias = tuple[Ns, Ns]
"""Local time and the venue's."""
NOTHING: Iterator[Event] = iter(())


class Gathering:
    """Gathers rows of one local time, or of one snapshot, and numbers what they make from 1.

    A delta before the first snapshot changes a book that nobody has: it is passed over, but where
    the format says that a book begins empty.
    """

    def __init__(self, market: str, faults: Faults, *, begins_empty: bool = False) -> None:
        self._market = market
        self._faults = faults
        self._has_book = False
        self._begins_empty = begins_empty
        self._sequence = 0
        self._at_ns: Ns = -1
        self._venue_ns: Ns = 0
        self._is_whole = False
        self._levels: dict[Side, Levels] = {Side.BUY: [], Side.SELL: []}

    def add(
        self, stamps: Stamps, side: Side, level: tuple[Tick, Lot], *, is_whole: bool
    ) -> Iterator[Event]:
        """Take in a row; the message before it, where the row begins another."""
        at_ns, venue_ns = stamps
        is_new = is_whole != self._is_whole or (at_ns != self._at_ns and not is_whole)
        done = self.rest() if is_new else NOTHING
        self._at_ns, self._is_whole = at_ns, is_whole
        self._venue_ns = max(self._venue_ns, venue_ns)
        self._levels[side].append(level)
        return done

    def clear(self, stamps: Stamps) -> Iterator[Event]:
        """A snapshot begins with the next row, or goes on; the message before it, if any."""
        done = NOTHING if self._is_whole else self.rest()
        self._at_ns, self._is_whole = stamps[0], True
        return done

    def rest(self) -> Iterator[Event]:
        """What has been gathered, as one message."""
        bids, asks = self._levels[Side.BUY], self._levels[Side.SELL]
        if not bids and not asks:
            return NOTHING
        if not self._has_book and self._begins_empty:
            self._is_whole = True
        if not self._has_book and not self._is_whole:
            self._faults.passed_over["rows before the first snapshot"] += len(bids) + len(asks)
            made = NOTHING
        else:
            made = iter((self._made(bids, asks),))
        self._levels = {Side.BUY: [], Side.SELL: []}
        self._venue_ns = 0
        return made

    def _made(self, bids: Levels, asks: Levels) -> Event:
        self._sequence += 1
        if self._is_whole:
            self._has_book = True
            return BookSnapshot(
                market=self._market,
                at_ns=self._at_ns,
                venue_ns=self._venue_ns,
                sequence=self._sequence,
                bids=best_first(bids, Side.BUY),
                asks=best_first(asks, Side.SELL),
            )
        return BookDelta(
            market=self._market,
            at_ns=self._at_ns,
            venue_ns=self._venue_ns,
            sequence=self._sequence,
            bids=bids,
            asks=asks,
        )


def best_first(levels: Levels, side: Side) -> Levels:
    """A whole side as a snapshot wants it; of a price that is named twice the last word counts."""
    sizes = dict(levels)
    return [
        (tick, sizes[tick]) for tick in sorted(sizes, reverse=side is Side.BUY) if sizes[tick] > 0
    ]
