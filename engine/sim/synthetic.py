"""A synthetic market without an order of ours, as the public facts that a recording would hold."""

from collections.abc import Iterator
from itertools import count

import msgspec

from engine.sim.market import SyntheticMarket
from engine.sim.market_maker import MAKER
from engine.sim.market_presets import Preset
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Act
from engine.sim.matching.terms import CancelOf, Match, NewOrder, TimeInForce
from engine.values.events import BookDelta, BookSnapshot, TopOfBook, Trade
from engine.values.instrument import Instrument
from engine.values.units import Levels, Lot, Ns, Side, Tick

PASSER_BY = "~passer-by"

Public = BookSnapshot | BookDelta | TopOfBook | Trade


class Crowd:
    """Everybody else in one market. The caller's clock moves it; facts carry the venue's moment.

    All chance comes from `seed`: the same calls give the same facts in any process.
    """

    def __init__(self, instrument: Instrument, preset: Preset, seed: int) -> None:
        self.market = instrument.market
        self.book = MatchingBook()
        self._ids = count(1)
        self.flow = SyntheticMarket(preset, seed, lambda: next(self._ids))
        self._trade_ids = count(1)
        self._sequence = 1
        self._top: tuple[int, int, int, int] = (0, 0, 0, 0)
        for act in self.flow.opening():
            self._do(act)
        self.book.take_changes()

    def __repr__(self) -> str:
        return f"<crowd of {self.market} {self.book!r}>"

    def next_ns(self, now_ns: Ns) -> Ns:
        """When somebody acts next."""
        return self.flow.next_ns(now_ns)

    def step(self, now_ns: Ns) -> list[Public]:
        """What everybody who is due does now, and what the venue publishes of it."""
        matches = [m for act in self.flow.step(now_ns, self.book) for m in self._do(act)]
        return self._told(matches, now_ns)

    def sweep(self, side: Side, tick: Tick, now_ns: Ns) -> list[Public]:
        """Somebody takes all that rests on `side` up to `tick`, in one order."""
        lots = sum(lots for at, lots in self.book.levels(side) if (tick - at) * side.sign <= 0)
        if not lots:
            return []
        order = NewOrder(
            order_id=next(self._ids),
            owner=PASSER_BY,
            side=side.opposite,
            tick=tick,
            lots=lots,
            tif=TimeInForce.IOC,
        )
        return self._told(self._do(order), now_ns)

    def withdraw(self, side: Side, now_ns: Ns) -> list[Public]:
        """All that rests on `side` is cancelled."""
        for resting in self.book.orders_of(MAKER):
            if resting.side is side:
                self.book.cancel(resting.order_id)
        return self._told((), now_ns)

    def printed(self, side: Side, tick: Tick, lots: Lot, now_ns: Ns) -> list[Public]:
        """A trade right through `tick`: whatever of ours rests on `side` there is filled."""
        trade = Trade(
            market=self.market,
            at_ns=now_ns,
            venue_ns=now_ns,
            trade_id=next(self._trade_ids),
            tick=tick - side.sign,
            lots=lots,
            aggressor=side.opposite,
        )
        return [trade]

    def snapshot(self, now_ns: Ns) -> BookSnapshot:
        return BookSnapshot(
            market=self.market,
            at_ns=now_ns,
            venue_ns=now_ns,
            sequence=self._sequence,
            bids=self.book.levels(Side.BUY),
            asks=self.book.levels(Side.SELL),
        )

    def _do(self, act: Act) -> tuple[Match, ...]:
        if isinstance(act, CancelOf):
            self.book.cancel(act.order_id)
            return ()
        return self.book.submit(act).matches

    def _told(self, matches: list[Match] | tuple[Match, ...], now_ns: Ns) -> list[Public]:
        """Trades first, then the best prices, then the book: a fill is news before its gap is."""
        trades: list[Public] = [
            Trade(
                market=self.market,
                at_ns=now_ns,
                venue_ns=now_ns,
                trade_id=next(self._trade_ids),
                tick=match.tick,
                lots=match.lots,
                aggressor=match.aggressor,
            )
            for match in matches
        ]
        bids, asks = self.book.take_changes()
        return trades + self._changed(bids, asks, now_ns) if bids or asks else trades

    def _changed(self, bids: Levels, asks: Levels, now_ns: Ns) -> list[Public]:
        self._sequence += 1
        delta = BookDelta(
            market=self.market,
            at_ns=now_ns,
            venue_ns=now_ns,
            sequence=self._sequence,
            bids=bids,
            asks=asks,
        )
        top = self.book.top()
        bid_tick, bid_lots, ask_tick, ask_lots = top
        if top == self._top or not (bid_lots and ask_lots):
            return [delta]
        self._top = top
        best = TopOfBook(
            market=self.market,
            at_ns=now_ns,
            venue_ns=now_ns,
            sequence=self._sequence,
            bid_tick=bid_tick,
            bid_lots=bid_lots,
            ask_tick=ask_tick,
            ask_lots=ask_lots,
        )
        return [best, delta]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when, and how old a fact is when a host learns it."""

    start_ns: Ns
    end_ns: Ns
    feed_ns: Ns


def recorded(crowd: Crowd, span: Span) -> Iterator[Public]:
    """What a host would have recorded of this crowd: a whole book first, in order of `at_ns`."""
    now_ns = span.start_ns
    yield _heard(crowd.snapshot(now_ns), span.feed_ns)
    while (now_ns := crowd.next_ns(now_ns)) < span.end_ns:
        for fact in crowd.step(now_ns):
            yield _heard(fact, span.feed_ns)


def _heard(fact: Public, feed_ns: Ns) -> Public:
    return msgspec.structs.replace(fact, at_ns=fact.at_ns + feed_ns)
