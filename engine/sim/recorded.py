"""The public half of a recorded session, without the orders that we ourselves had in it then.

A back-test lays new orders beside the recorded market, so the old ones must not count as the
market's: their lots are taken out of every level, again whenever the venue's word on them changes.

That word comes sooner or later than the book that shows it. Where the venue stamps its books, a
change is taken out of the first book that is not older than it, whenever we heard of it: else lots
of strangers would seem to leave a level and to come back, and a queue model would see its queue
shrink. That takes all words of a session beforehand (`own_reports`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
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
from engine.values.units import Levels, Lot, Ns, Side, Tick

OPEN_STATES = (OrderState.OPEN, OrderState.PARTIAL)
Place: TypeAlias = tuple[Side, Tick]
Source: TypeAlias = Iterable[Event]
"""Public facts in order of `at_ns`: what a back-test runs on, wherever it comes from."""


class _Market:
    """One recorded book as it was shown, and what of it was ours."""

    def __init__(self) -> None:
        self.shown: dict[Side, dict[Tick, Lot]] = {Side.BUY: {}, Side.SELL: {}}
        self.own: dict[str, tuple[Side, Tick, Lot]] = {}
        self.own_at: dict[Place, Lot] = {}
        self.updated_ns: dict[str, tuple[int, bool]] = {}
        self.waiting: list[tuple[Ns, int, OrderReport]] = []
        self.count = 0
        self.heard_ns: Ns = 0
        self.sequence = 0
        self.is_valid = False
        self.is_stamped = False

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

    def report(self, report: OrderReport) -> list[Place]:
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

    def wait(self, report: OrderReport) -> None:
        self.count += 1
        heappush(self.waiting, (report.update_ns, self.count, report))

    def due(self, venue_ns: Ns, told: set[Place] | None) -> list[Place]:
        """Take in the words up to this moment of the venue's; returns the levels they change.

        Of the very moment those count whose level the book tells, `told`; None is a book of all.
        """
        places: dict[Place, None] = {}
        later = []
        while self.waiting and self.waiting[0][0] <= venue_ns:
            row = heappop(self.waiting)
            is_shown = told is None or row[0] < venue_ns or (row[2].side, row[2].tick) in told
            if is_shown:
                places.update(dict.fromkeys(self.report(row[2])))
            else:
                later.append(row)
        for row in later:
            heappush(self.waiting, row)
        return list(places)

    def _is_old(self, key: str, update_ns: int, *, has_ended: bool) -> bool:
        """A word that was overtaken by a newer one, or one about an order that has ended."""
        before = self.updated_ns.get(key)
        if before is not None and (update_ns < before[0] or before[1]):
            return True
        self.updated_ns[key] = update_ns, has_ended
        return False

    def _add(self, place: Place, lots: Lot) -> None:
        total = self.own_at.get(place, 0) + lots
        if total:
            self.own_at[place] = total
        else:
            self.own_at.pop(place, None)

    def again(self, places: list[Place], side: Side) -> Levels:
        """The present size of the named levels of one side."""
        ticks = sorted(tick for each, tick in places if each is side)
        return self.cleaned(side, [(tick, self.shown[side].get(tick, 0)) for tick in ticks])


def own_reports(session: Iterable[Event]) -> Iterator[OrderReport]:
    """Every word of the venue on an order of ours."""
    for fact in session:
        if isinstance(fact, OrderReport):
            yield fact
        elif isinstance(fact, VenueState):
            yield from fact.open_orders


class PublicHalf:
    """Iterate `facts`: market, bar and public-wire facts of a session, cleaned of our own orders.

    With `own_orders_show` false for a market its book never held them and passes as it is. Where
    they showed, the venue's own best prices held them too and are left out. `reports` are all words
    of the session on our orders; without them each counts once it is heard. Of all other facts,
    which are no market's, those pass that `is_told` again.
    """

    def __init__(
        self,
        own_orders_show: dict[str, bool],
        reports: Sequence[OrderReport] | None = None,
        is_told: Callable[[Event], bool] = lambda fact: False,
    ) -> None:
        self._is_told = is_told
        self._markets = {market: _Market() for market, shows in own_orders_show.items() if shows}
        self._knows_all = reports is not None
        for report in reports or ():
            if report.market in self._markets:
                self._markets[report.market].wait(report)

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
                    if self._is_told(fact):
                        yield fact

    def _book(self, fact: BookSnapshot | BookDelta) -> Event:
        market = self._markets.get(fact.market)
        if market is None:
            return fact
        is_whole = isinstance(fact, BookSnapshot)
        market.sequence = fact.sequence
        market.is_valid = market.is_valid or is_whole
        market.is_stamped = bool(fact.venue_ns)
        told = {(Side.BUY, tick) for tick, _ in fact.bids}
        told |= {(Side.SELL, tick) for tick, _ in fact.asks}
        moment_ns = fact.venue_ns or market.heard_ns
        places = market.due(moment_ns, None if is_whole or not fact.venue_ns else told)
        sides = []
        for side, levels in ((Side.BUY, fact.bids), (Side.SELL, fact.asks)):
            market.note(side, levels, is_whole=is_whole)
            rows = market.cleaned(side, levels)
            rows += [row for row in market.again(places, side) if (side, row[0]) not in told]
            sides.append([row for row in rows if row[1]] if is_whole else rows)
        return msgspec.structs.replace(fact, bids=sides[0], asks=sides[1])

    def _own(self, reports: Iterable[OrderReport], at_ns: int) -> Iterator[Event]:
        for report in reports:
            market = self._markets.get(report.market)
            if market is None:
                continue
            if not self._knows_all:
                market.wait(report)
            market.heard_ns = max(market.heard_ns, report.update_ns)
            places = [] if market.is_stamped else market.due(market.heard_ns, None)
            if not places or not market.is_valid:
                continue
            yield BookDelta(
                market=report.market,
                at_ns=at_ns,
                sequence=market.sequence,
                bids=market.again(places, Side.BUY),
                asks=market.again(places, Side.SELL),
            )
