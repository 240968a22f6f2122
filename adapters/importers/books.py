"""Rows of single levels gathered into whole messages: snapshots and deltas of one market."""

from typing import TypeAlias

from adapters.importers.faults import Faults
from engine.values.events import BookDelta, BookSnapshot, Event
from engine.values.units import BUY, Levels, Lot, Ns, Side, Tick

Stamps: TypeAlias = tuple[Ns, Ns]
"""Local time and the venue's."""


class Gathering:
    """Gathers rows of one local time, or of one snapshot, and numbers what they make from 1.

    A delta before the first snapshot changes a book that nobody has: it is passed over.
    """

    def __init__(self, market: str, faults: Faults) -> None:
        self._market = market
        self._faults = faults
        self._has_book = False
        self._sequence = 0
        self._at_ns: Ns = -1
        self._venue_ns: Ns = 0
        self._is_whole = False
        self._bids: Levels = []
        self._asks: Levels = []

    def add(
        self, stamps: Stamps, side: Side, level: tuple[Tick, Lot], *, is_whole: bool
    ) -> Event | None:
        """Take in a row; the message before it, where the row begins another."""
        at_ns, venue_ns = stamps
        is_new = is_whole != self._is_whole or (at_ns != self._at_ns and not is_whole)
        done = self.rest() if is_new else None
        self._at_ns, self._is_whole = at_ns, is_whole
        if venue_ns > self._venue_ns:
            self._venue_ns = venue_ns
        (self._bids if side is BUY else self._asks).append(level)
        return done

    def rest(self) -> Event | None:
        """What has been gathered, as one message."""
        bids, asks = self._bids, self._asks
        if not bids and not asks:
            return None
        made = None
        if self._has_book or self._is_whole:
            made = self._made(bids, asks)
        else:
            self._faults.passed_over["rows before the first snapshot"] += len(bids) + len(asks)
        self._bids, self._asks = [], []
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
