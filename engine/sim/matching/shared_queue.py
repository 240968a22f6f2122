# cython: language_level=3, annotation_typing=False
"""Our orders at one price of a recorded market: one queue, in which no volume is used twice."""

from collections import OrderedDict
from collections.abc import Iterator

from engine.sim.matching.queue import QueueModel, QueuePlace
from engine.sim.matching.terms import Resting
from engine.values.units import Lot


class SharedQueue:
    """Public lots and our orders, interleaved: each order's front counts the public lots only.

    An order that came later has at least the front of those before it.
    """

    def __init__(self, model: QueueModel) -> None:
        self._model = model
        self._orders: OrderedDict[int, Resting] = OrderedDict()
        self._places: dict[int, QueuePlace] = {}
        self._traded: Lot = 0

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[tuple[Resting, Lot]]:
        """Oldest first, with the whole public lots in front of each; safe against removal."""
        for order_id, resting in list(self._orders.items()):
            yield resting, int(self._places[order_id].front_lots)

    def join(self, resting: Resting, shown: Lot) -> None:
        """Behind what is shown and behind our own."""
        place = QueuePlace(self._model, shown)
        if self._orders:
            last = self._places[next(reversed(self._orders))]
            place.front_lots = max(place.front_lots, last.front_lots)
        self._orders[resting.order_id] = resting
        self._places[resting.order_id] = place

    def remove(self, order_id: int) -> None:
        del self._orders[order_id]
        del self._places[order_id]

    def trade(self, lots: Lot, told: Lot) -> list[tuple[Resting, Lot]]:
        """A public trade of `told` lots at this price, `lots` of which no better order of ours got.

        Returns which orders it fills and by how much. The volume passes public lots and our orders
        in turn; what filled one does not fill another.
        """
        self._traded += told
        return self._filled_by(lots)

    def through(self, lots: Lot) -> list[tuple[Resting, Lot]]:
        """A public trade at a worse price: nothing public was left in front of us."""
        self.exhaust()
        return self._filled_by(lots)

    def exhaust(self) -> None:
        for place in self._places.values():
            place.front_lots = 0.0

    def depth(self, prev: Lot, new: Lot) -> None:
        """The recording changed the level; trades since its last change were told before."""
        floor = 0.0
        for order_id in self._orders:
            place = self._places[order_id]
            place.on_depth(prev, new, self._traded)
            floor = place.front_lots = max(place.front_lots, floor)
        self._traded = 0

    def check(self, shown: Lot) -> None:
        assert self._orders, "an empty queue"
        assert self._orders.keys() == self._places.keys(), "places"
        fronts = [self._places[order_id].front_lots for order_id in self._orders]
        assert fronts == sorted(fronts), "an order overtook an earlier one"
        assert all(front >= 0 for front in fronts), "a front below nothing"
        assert all(resting.lots_left > 0 for resting in self._orders.values()), "no lots"
        assert fronts[-1] <= shown, "more in front than is shown"

    def _filled_by(self, lots: Lot) -> list[tuple[Resting, Lot]]:
        fills: list[tuple[Resting, Lot]] = []
        left, passed = float(lots), 0.0
        for resting in self._orders.values():
            ahead = min(left, self._places[resting.order_id].front_lots - passed)
            passed += ahead
            left -= ahead
            filled = min(int(left), resting.lots_left)
            if filled:
                fills.append((resting, filled))
                left -= filled
            if filled < resting.lots_left:
                break
        for place in self._places.values():
            place.on_trade(passed)
        return fills
