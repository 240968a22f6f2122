"""Bars that we build ourselves from a market's trades, to hold a venue's bars against them.

A venue's bar is believed because it was compared, not because it came.
"""

from collections import deque

import msgspec

from engine.signals.bars import open_of
from engine.values.facts import Bar, Trade
from engine.values.units import Lot, Ns, Tick


class BarDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A venue's bar less our own: prices in ticks, size in lots; 0 where they agree."""

    open_ns: Ns
    open: Tick
    high: Tick
    low: Tick
    close: Tick
    lots: Lot

    @property
    def is_nothing(self) -> bool:
        return not (self.open or self.high or self.low or self.close or self.lots)


def compare(venue: Bar, own: Bar) -> BarDifference:
    """How far a venue's bar and the one that we built of its trades are apart."""
    return BarDifference(
        open_ns=venue.open_ns,
        open=venue.open - own.open,
        high=venue.high - own.high,
        low=venue.low - own.low,
        close=venue.close - own.close,
        lots=venue.lots - own.lots,
    )


class _Building:
    """One bar in the making, by trade ids rather than by the order in which trades came."""

    __slots__ = ("close", "first_id", "high", "is_whole", "last_id", "lots", "low", "open")

    def __init__(self, tick: Tick, *, is_whole: bool) -> None:
        self.open = self.high = self.low = self.close = tick
        self.lots = 0
        self.first_id = self.last_id = -1
        self.is_whole = is_whole

    def add(self, trade: Trade) -> None:
        is_first = self.first_id < 0
        self.high = trade.tick if is_first else max(self.high, trade.tick)
        self.low = trade.tick if is_first else min(self.low, trade.tick)
        if is_first or trade.trade_id < self.first_id:
            self.open, self.first_id = trade.tick, trade.trade_id
        if is_first or trade.trade_id > self.last_id:
            self.close, self.last_id = trade.tick, trade.trade_id
        self.lots += trade.lots

    def bar(self, open_ns: Ns) -> Bar:
        return Bar(open_ns, self.open, self.high, self.low, self.close, self.lots)


class TradeBars:
    """Bars from the trades that we saw, in event time (`venue_ns`), independent of any bar told.

    Only a bar that we watched from its opening to its close is whole and worth comparing: the one
    in which sight began, or was lost, is not. A trade told twice in a row counts once.
    """

    def __init__(self, span_ns: Ns, kept: int) -> None:
        self.span_ns = span_ns
        self._kept = kept
        self._building: dict[Ns, _Building] = {}
        self._order: deque[Ns] = deque()
        self._last_id = -1
        self._last_tick: Tick = 0
        self._is_sighted = False

    def on_trade(self, trade: Trade) -> None:
        """A trade without a venue's time, or of a bar no longer kept, cannot be placed: ignored."""
        if trade.venue_ns <= 0 or trade.trade_id == self._last_id:
            return
        open_ns = open_of(trade.venue_ns, self.span_ns)
        if not self._order or open_ns > self._order[-1]:
            self._roll(open_ns, trade.tick)
        building = self._building.get(open_ns)
        if building is None:
            return
        building.add(trade)
        if trade.trade_id > self._last_id:
            self._last_id, self._last_tick = trade.trade_id, trade.tick
        self._is_sighted = True

    def on_sight_lost(self) -> None:
        """Trades may pass unseen from here on; bars are whole again after the next that opens."""
        self._is_sighted = False
        for open_ns in list(self._order)[-1:]:
            self._building[open_ns].is_whole = False

    def bar(self, open_ns: Ns) -> Bar | None:
        """The bar as we saw it, flat where nothing traded; None where we cannot vouch for it."""
        if self._is_sighted and self._order and open_ns > self._order[-1]:
            quiet = (open_ns - self._order[-1]) // self.span_ns
            if quiet <= self._kept:
                self._roll(open_ns, self._last_tick)
        building = self._building.get(open_ns)
        return building.bar(open_ns) if building is not None and building.is_whole else None

    def _roll(self, open_ns: Ns, tick: Tick) -> None:
        """Open bars up to this one; those that nothing traded in are flat at the last price."""
        is_first = not self._is_sighted
        before_ns = self._order[-1] if self._order else open_ns - self.span_ns
        start_ns = open_ns if is_first else before_ns + self.span_ns
        start_ns = max(start_ns, open_ns - (self._kept - 1) * self.span_ns)
        for each_ns in range(start_ns, open_ns + 1, self.span_ns):
            flat = tick if is_first else self._last_tick
            self._building[each_ns] = _Building(flat, is_whole=not is_first)
            self._order.append(each_ns)
        self._is_sighted = True
        while len(self._order) > self._kept:
            del self._building[self._order.popleft()]
