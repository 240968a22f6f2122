"""The public half of a recorded session, without the orders that we ourselves had in it then.

A back-test lays new orders beside the recorded market, so the old ones must not count as the
market's: their lots are taken out of every level, again whenever the venue's word on them changes.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from engine.values.events import (
    Alive,
    BarForming,
    BarsClosed,
    BookDelta,
    BookLost,
    BookSnapshot,
    Connected,
    Disconnected,
    Event,
    OrderReport,
    OrderState,
    Stream,
    TopOfBook,
    Trade,
    VenueState,
)
from engine.values.units import Levels, Lot, Side, Tick

OPEN_STATES = (OrderState.OPEN, OrderState.PARTIAL)
Source: TypeAlias = Iterable[Event]
"""Public facts in order of `at_ns`: what a back-test runs on, wherever it comes from."""


class _Market:
    """One recorded book as it was shown, and what of it was ours."""

    def __init__(self) -> None:
        self.shown: dict[Side, dict[Tick, Lot]] = {Side.BUY: {}, Side.SELL: {}}
        self.own: dict[str, tuple[Side, Tick, Lot]] = {}
        self.own_at: dict[tuple[Side, Tick], Lot] = {}
        self.updated_ns: dict[str, tuple[int, bool]] = {}
        self.sequence = 0
        self.is_valid = False

    def cleaned(self, side: Side, levels: Levels) -> Levels:
        """The levels as they would have been without us; as a delta, 0 removes."""
        own = self.own_at
        return [(tick, max(0, lots - own.get((side, tick), 0))) for tick, lots in levels]

    def note(self, side: Side, levels: Levels, *, is_whole: bool) -> None:
        book = self.shown[side]
        if is_whole:
            book.clear()
        for tick, lots in levels:
            if lots:
                book[tick] = lots
            else:
                book.pop(tick, None)

    def report(self, report: OrderReport) -> list[tuple[Side, Tick]]:
        """Take in the venue's word on an order of ours; returns the levels that this changes."""
        left = report.lots - report.filled_lots if report.state in OPEN_STATES else 0
        key = report.client_id or report.venue_id
        if self._is_old(key, report.update_ns, has_ended=not left):
            return []
        before, now = self.own.get(key), (report.side, report.tick, left)
        if before == now or (before is None and not left):
            return []
        changed = [now[:2]] if before is None else list({before[:2], now[:2]})
        if before is not None:
            self._add(before[:2], -before[2])
        self.own.pop(key, None)
        if left:
            self.own[key] = now
            self._add(now[:2], left)
        return changed

    def _is_old(self, key: str, update_ns: int, *, has_ended: bool) -> bool:
        """A word that was overtaken by a newer one, or one about an order that has ended."""
        before = self.updated_ns.get(key)
        if before is not None and (update_ns < before[0] or before[1]):
            return True
        self.updated_ns[key] = update_ns, has_ended
        return False

    def _add(self, place: tuple[Side, Tick], lots: Lot) -> None:
        total = self.own_at.get(place, 0) + lots
        if total:
            self.own_at[place] = total
        else:
            self.own_at.pop(place, None)

    def again(self, places: list[tuple[Side, Tick]], side: Side) -> Levels:
        """The present size of the named levels of one side."""
        ticks = sorted(tick for each, tick in places if each is side)
        return self.cleaned(side, [(tick, self.shown[side].get(tick, 0)) for tick in ticks])


class PublicHalf:
    """Iterate `facts`: market, bar and public-wire facts of a session, cleaned of our own orders.

    With `own_orders_show` false for a market its book never held them and passes as it is. Where
    they showed, the venue's own best prices held them too and are left out.
    """

    def __init__(self, own_orders_show: dict[str, bool]) -> None:
        self._shows = own_orders_show
        self._markets = {market: _Market() for market, shows in own_orders_show.items() if shows}

    def facts(self, session: Iterable[Event]) -> Iterator[Event]:
        for fact in session:
            match fact:
                case BookSnapshot() | BookDelta():
                    yield self._book(fact)
                case BookLost():
                    if (market := self._markets.get(fact.market)) is not None:
                        market.is_valid = False
                    yield fact
                case TopOfBook():
                    if fact.market not in self._markets:
                        yield fact
                case Trade() | BarsClosed() | BarForming():
                    yield fact
                case Connected() | Disconnected() | Alive():
                    if fact.stream is Stream.PUBLIC:
                        yield fact
                case OrderReport():
                    yield from self._own([fact], fact.at_ns)
                case VenueState():
                    yield from self._own(fact.open_orders, fact.at_ns)
                case _:
                    pass

    def _book(self, fact: BookSnapshot | BookDelta) -> Event:
        market = self._markets.get(fact.market)
        if market is None:
            return fact
        is_whole = isinstance(fact, BookSnapshot)
        market.sequence = fact.sequence
        market.is_valid = market.is_valid or is_whole
        market.note(Side.BUY, fact.bids, is_whole=is_whole)
        market.note(Side.SELL, fact.asks, is_whole=is_whole)
        bids, asks = market.cleaned(Side.BUY, fact.bids), market.cleaned(Side.SELL, fact.asks)
        if is_whole:
            bids, asks = ([row for row in side if row[1]] for side in (bids, asks))
        return msgspec.structs.replace(fact, bids=bids, asks=asks)

    def _own(self, reports: Iterable[OrderReport], at_ns: int) -> Iterator[Event]:
        for report in reports:
            market = self._markets.get(report.market)
            places = market.report(report) if market is not None else []
            if market is None or not places or not market.is_valid:
                continue
            yield BookDelta(
                market=report.market,
                at_ns=at_ns,
                sequence=market.sequence,
                bids=market.again(places, Side.BUY),
                asks=market.again(places, Side.SELL),
            )
