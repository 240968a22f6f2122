# cython: language_level=3, annotation_typing=False
"""Price-time matching for one symbol in integer ticks and lots: the venue's own book."""

from collections import OrderedDict

from engine.sim.matching.open_orders import OpenOrders
from engine.sim.matching.prices import Prices
from engine.sim.matching.taking import Taking, is_fill_or_kill, is_skipped, reaches, stops_at_itself
from engine.sim.matching.terms import (
    ENDED_FOK,
    WOULD_CROSS,
    CancelOf,
    Ended,
    Kind,
    Match,
    NewOrder,
    Outcome,
    Prevented,
    Resting,
    SelfTrade,
    TimeInForce,
)
from engine.values.units import Levels, Lot, Side, Tick

__all__ = [
    "CancelOf",
    "Ended",
    "Kind",
    "Match",
    "MatchingBook",
    "NewOrder",
    "Outcome",
    "Prevented",
    "Resting",
    "SelfTrade",
    "TimeInForce",
]


class _Level:
    """Orders at one price, oldest first. An OrderedDict, since a plain dict whose front is taken
    again and again searches through the holes that are left there."""

    __slots__ = ("lots", "orders")

    def __init__(self) -> None:
        self.lots: Lot = 0
        self.orders: OrderedDict[int, Resting] = OrderedDict()


class _Half:
    """One side: its levels, their order, and which of them changed since somebody asked."""

    __slots__ = ("changed", "levels", "prices", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.levels: dict[Tick, _Level] = {}
        self.prices = Prices(side)
        self.changed: set[Tick] = set()

    def add(self, resting: Resting) -> None:
        level = self.levels.get(resting.tick)
        if level is None:
            level = self.levels[resting.tick] = _Level()
            self.prices.add(resting.tick)
        level.orders[resting.order_id] = resting
        level.lots += resting.lots_left
        self.changed.add(resting.tick)

    def lessen(self, resting: Resting, lots: Lot) -> None:
        """Take lots from an order; one without lots leaves, as does a level without orders."""
        level = self.levels[resting.tick]
        resting.lots_left -= lots
        level.lots -= lots
        self.changed.add(resting.tick)
        if resting.lots_left:
            return
        del level.orders[resting.order_id]
        if not level.orders:
            del self.levels[resting.tick]
            self.prices.remove(resting.tick)

    def lots_at(self, tick: Tick) -> Lot:
        level = self.levels.get(tick)
        return level.lots if level else 0

    def shown(self, count: int) -> Levels:
        shown: Levels = []
        for tick in self.prices:
            if count and len(shown) == count:
                break
            shown.append((tick, self.levels[tick].lots))
        return shown

    def take_changes(self) -> Levels:
        changes = [(tick, self.lots_at(tick)) for tick in self.prices.ordered(self.changed)]
        self.changed.clear()
        return changes


class MatchingBook:
    """Price-time priority. Every call is atomic; nothing in here knows the time.

    Raises AssertionError for what the venue must have refused before: a size below one lot, a
    price below one tick, an order id that is open already.
    """

    def __init__(self) -> None:
        self._bids = _Half(Side.BUY)
        self._asks = _Half(Side.SELL)
        self._orders = OpenOrders()

    def __repr__(self) -> str:
        bid, bid_lots, ask, ask_lots = self.top()
        return f"<book bid {bid}x{bid_lots} ask {ask}x{ask_lots} {len(self._orders)} orders>"

    def __len__(self) -> int:
        """Open orders."""
        return len(self._orders)

    def submit(self, order: NewOrder) -> Outcome:
        """Match what matches, then rest or expire the remainder."""
        assert order.lots > 0, f"no lots: {order}"
        assert order.kind is Kind.MARKET or order.tick > 0, f"no price: {order}"
        assert order.order_id not in self._orders, f"open already: {order}"
        other = self._asks if order.side is Side.BUY else self._bids
        best = other.prices.best
        crosses = best != 0 and reaches(order, best)
        if crosses and order.kind is Kind.LIMIT_MAKER:
            return Outcome(rejected=WOULD_CROSS)
        taking = Taking(order)
        if is_fill_or_kill(order) and not self._can_fill(order, other):
            taking.end(ENDED_FOK)
        elif crosses:
            self._take(taking, other)
        taking.end_unless_it_may_rest()
        if taking.left:
            self._rest(order, taking.left)
        return taking.outcome()

    def cancel(self, order_id: int) -> Resting | None:
        """The order as it was when it was taken out, or None when it is not open."""
        resting = self._orders.get(order_id)
        if resting is None:
            return None
        left = resting.lots_left
        self._lessen(resting, left)
        resting.lots_left = left
        return resting

    def reduce(self, order_id: int, lots: Lot) -> Resting | None:
        """Take `lots` away from an open order, which keeps its place; None when it is not open.

        Raises ValueError unless some lots are taken and some are left.
        """
        resting = self._orders.get(order_id)
        if resting is None:
            return None
        if not 0 < lots < resting.lots_left:
            raise ValueError(f"cannot take {lots} lots from {resting.lots_left}")
        self._lessen(resting, lots)
        return resting

    def order(self, order_id: int) -> Resting | None:
        return self._orders.get(order_id)

    def orders_of(self, owner: str) -> list[Resting]:
        """Open orders of one owner, oldest first."""
        return self._orders.of(owner)

    def levels(self, side: Side, count: int = 0) -> Levels:
        """Best first; a `count` of 0 is all of them."""
        return self._half(side).shown(count)

    def top(self) -> tuple[Tick, Lot, Tick, Lot]:
        """Best bid, its lots, best ask, its lots; zeros where a side is empty."""
        bid, ask = self._bids.prices.best, self._asks.prices.best
        return bid, self._bids.lots_at(bid), ask, self._asks.lots_at(ask)

    def take_changes(self) -> tuple[Levels, Levels]:
        """Levels touched since the last call, at their present size (0 = gone), best first."""
        return self._bids.take_changes(), self._asks.take_changes()

    def check(self) -> None:
        """Raise AssertionError where the parts of the book disagree."""
        seen = 0
        for half in (self._bids, self._asks):
            ticks = list(half.prices)
            assert ticks == sorted(half.levels, reverse=half.side is Side.BUY), "prices"
            for tick, level in half.levels.items():
                assert level.orders, "an empty level"
                assert level.lots == sum(r.lots_left for r in level.orders.values()), "sum"
                for order_id, resting in level.orders.items():
                    self._orders.check(resting)
                    place = (order_id, half.side, tick)
                    assert (resting.order_id, resting.side, resting.tick) == place, "place"
                    assert resting.lots_left > 0, "an order without lots"
                    seen += 1
        assert seen == len(self._orders), "strays"
        bid, ask = self._bids.prices.best, self._asks.prices.best
        assert not bid or not ask or bid < ask, "crossed"

    def _half(self, side: Side) -> _Half:
        return self._bids if side is Side.BUY else self._asks

    def _can_fill(self, order: NewOrder, other: _Half) -> bool:
        """Is there enough within the limit for all of a fill-or-kill order?"""
        missing = order.lots
        for tick in other.prices:
            if not reaches(order, tick):
                return False
            for resting in other.levels[tick].orders.values():
                if stops_at_itself(order, resting.owner):
                    return False
                missing -= 0 if is_skipped(order, resting.owner) else resting.lots_left
                if missing <= 0:
                    return True
        return False

    def _take(self, taking: Taking, other: _Half) -> None:
        while taking.left and other.prices:
            tick = other.prices.best
            if not reaches(taking.order, tick):
                return
            resting = next(iter(other.levels[tick].orders.values()))
            self._lessen(resting, taking.meet(resting))

    def _rest(self, order: NewOrder, lots: Lot) -> None:
        resting = Resting.of(order, lots)
        self._orders.add(resting)
        self._half(order.side).add(resting)

    def _lessen(self, resting: Resting, lots: Lot) -> None:
        if not lots:
            return
        self._half(resting.side).lessen(resting, lots)
        if not resting.lots_left:
            self._orders.remove(resting)
