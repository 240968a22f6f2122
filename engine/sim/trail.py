# cython: language_level=3, annotation_typing=False
"""What a back-test leaves behind for its tear sheet: the market's best prices and our own quotes.

All of it at the venue's moments. Where several things happen in one moment the last one stands.
"""

from array import array
from bisect import bisect_right

import msgspec

from engine.values.events import OrderReport, OrderState
from engine.values.units import Atoms, Levels, Lot, Ns, Side, Tick

OPEN_STATES = (OrderState.OPEN, OrderState.PARTIAL)


class Quoted(msgspec.Struct, frozen=True):
    """Our open orders from `at_ns` on, by price and best first, as the venue holds them."""

    at_ns: Ns
    bids: Levels
    asks: Levels


class Trail:
    """One market. Best prices are noted while both sides are there; else the last known stand.

    `fill_mids` holds, fill by fill, bid plus ask once the fact that filled was in the book.
    """

    def __init__(self, opening_base_atoms: Atoms) -> None:
        self.opening_base_atoms = opening_base_atoms
        self.at_ns = array("q")
        self.bids = array("q")
        self.asks = array("q")
        self.quoted: list[Quoted] = []
        self.fill_mids: list[Tick] = []
        self._open: dict[str, tuple[Side, Tick, Lot]] = {}
        self._bid = self._ask = 0
        self._last_ns: Ns = -1

    def __repr__(self) -> str:
        return f"<trail of {len(self.at_ns)} tops and {len(self.quoted)} changes of our quotes>"

    def on_top(self, at_ns: Ns, bid: Tick, ask: Tick) -> None:
        """Take the best prices of now; moments come in order."""
        if not bid or not ask or (bid == self._bid and ask == self._ask):
            return
        self._bid, self._ask = bid, ask
        if at_ns == self._last_ns:
            self.bids[-1], self.asks[-1] = bid, ask
            return
        self._last_ns = at_ns
        self.at_ns.append(at_ns)
        self.bids.append(bid)
        self.asks.append(ask)

    def on_report(self, report: OrderReport) -> None:
        """Take the venue's word on an order of ours, at the venue's moment."""
        left = report.lots - report.filled_lots if report.state in OPEN_STATES else 0
        now = (report.side, report.tick, left) if left else None
        if self._open.get(report.client_id) == now:
            return
        self._open.pop(report.client_id, None)
        if now is not None:
            self._open[report.client_id] = now
        if self.quoted and self.quoted[-1].at_ns == report.at_ns:
            self.quoted.pop()
        self.quoted.append(Quoted(report.at_ns, self._levels(Side.BUY), self._levels(Side.SELL)))

    @property
    def mid_last(self) -> Tick:
        """Bid plus ask, the last known; 0 before any."""
        return self._bid + self._ask

    def mid(self, at_ns: Ns) -> Tick:
        """Bid plus ask, the last known at this moment; 0 before any."""
        place = bisect_right(self.at_ns, at_ns)
        return self.bids[place - 1] + self.asks[place - 1] if place else 0

    def _levels(self, side: Side) -> Levels:
        summed: dict[Tick, Lot] = {}
        for mine, tick, lots in self._open.values():
            if mine is side:
                summed[tick] = summed.get(tick, 0) + lots
        return sorted(summed.items(), reverse=side is Side.BUY)
