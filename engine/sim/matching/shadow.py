# cython: language_level=3, annotation_typing=False
"""The recorded market with our orders beside it, filled by a queue model, never shown in it."""

from collections.abc import Iterator
from heapq import merge

from engine.sim.matching.open_orders import OpenOrders
from engine.sim.matching.prices import Prices
from engine.sim.matching.public import PublicSide
from engine.sim.matching.queue import QueueModel
from engine.sim.matching.shared_queue import SharedQueue
from engine.sim.matching.taking import Taking, is_fill_or_kill, is_skipped, reaches, stops_at_itself
from engine.sim.matching.terms import (
    ENDED_FOK,
    WOULD_CROSS,
    Kind,
    Match,
    NewOrder,
    Outcome,
    Resting,
)
from engine.values.units import Levels, Lot, Side, Tick

MARKET_OWNER, MARKET_ID = "", 0


class ShadowHalf:
    """One side: what the recording shows and, by price, the queues in which we stand."""

    __slots__ = ("prices", "queues", "recorded", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self.recorded = PublicSide(side)
        self.queues: dict[Tick, SharedQueue] = {}
        self.prices = Prices(side)

    def add(self, resting: Resting, model: QueueModel) -> None:
        queue = self.queues.get(resting.tick)
        if queue is None:
            queue = self.queues[resting.tick] = SharedQueue(model)
            self.prices.add(resting.tick)
        queue.join(resting, self.recorded.shown(resting.tick))

    def remove(self, resting: Resting) -> None:
        queue = self.queues[resting.tick]
        queue.remove(resting.order_id)
        if not queue:
            del self.queues[resting.tick]
            self.prices.remove(resting.tick)

    def apply(self, levels: Levels, replace: bool) -> None:
        for tick, lots in self.recorded.whole(levels) if replace else levels:
            self.put(tick, lots)

    def put(self, tick: Tick, lots: Lot) -> None:
        """One level of the recording."""
        prev = self.recorded.set(tick, lots)
        queue = self.queues.get(tick)
        if queue is not None:
            queue.depth(prev, lots)

    def show(self, tick: Tick, lots: Lot) -> None:
        """As `put`, for whom nobody asks what changed."""
        if self.queues and tick in self.queues:
            self.put(tick, lots)
        else:
            self.recorded.show(tick, lots)

    def bests(self) -> list[Tick]:
        return [prices.best for prices in (self.recorded.prices, self.prices) if prices]

    def offers(self, order: NewOrder) -> Iterator[Resting]:
        """What a taker would meet, in turn; public liquidity as orders of nobody."""
        sign, before = self.side.sign, 0
        for tick in merge(self.recorded.prices, list(self.prices), key=lambda tick: -sign * tick):
            if not reaches(order, tick):
                return
            if tick != before:
                yield from self._offers_at(tick)
            before = tick

    def _offers_at(self, tick: Tick) -> Iterator[Resting]:
        shown, gone = self.recorded.shown(tick), self.recorded.used(tick)
        for resting, front in self.queues.get(tick, ()):
            ahead = min(front, shown)
            if ahead > gone:
                yield self._nobody(tick, ahead - gone)
                gone = ahead
            yield resting
        if shown > gone:
            yield self._nobody(tick, shown - gone)

    def _nobody(self, tick: Tick, lots: Lot) -> Resting:
        return Resting(
            order_id=MARKET_ID, owner=MARKET_OWNER, side=self.side, tick=tick, lots_left=lots
        )


class ShadowBook:
    """Takes the same orders as `MatchingBook`; the public market is what the recording says.

    In a `Match` the market has the id 0 and the owner "". Liquidity that one of our takers took, or
    that crossed one of our orders, is used until the recording changes that level.
    """

    def __init__(self, model: QueueModel) -> None:
        self._model = model
        self.bids = ShadowHalf(Side.BUY)
        self.asks = ShadowHalf(Side.SELL)
        self._orders = OpenOrders()

    def __repr__(self) -> str:
        bid, bid_lots, ask, ask_lots = self.top()
        return f"<recorded bid {bid}x{bid_lots} ask {ask}x{ask_lots} {len(self._orders)} of ours>"

    def __len__(self) -> int:
        """Our open orders."""
        return len(self._orders)

    def submit(self, order: NewOrder) -> Outcome:
        """As `MatchingBook.submit`, against what is shown and not yet used, and our own orders."""
        assert order.lots > 0, f"no lots: {order}"
        assert order.kind is Kind.MARKET or order.tick > 0, f"no price: {order}"
        assert order.order_id not in self._orders, f"open already: {order}"
        assert order.owner != MARKET_OWNER, f"nobody's order: {order}"
        other = self._half(order.side.opposite)
        crosses = any(reaches(order, best) for best in other.bests())
        if crosses and order.kind is Kind.LIMIT_MAKER:
            return Outcome(rejected=WOULD_CROSS)
        taking = Taking(order)
        if is_fill_or_kill(order) and not _can_fill(order, other):
            taking.end(ENDED_FOK)
        elif crosses:
            self._take(taking, other)
        taking.end_unless_it_may_rest()
        if taking.left:
            resting = Resting.of(order, taking.left)
            self._orders.add(resting)
            self._half(order.side).add(resting, self._model)
        return taking.outcome()

    def cancel(self, order_id: int) -> Resting | None:
        """The order as it was when it was taken out, or None when it is not open."""
        resting = self._orders.get(order_id)
        if resting is not None:
            self._remove(resting)
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
        resting.lots_left -= lots
        return resting

    def order(self, order_id: int) -> Resting | None:
        return self._orders.get(order_id)

    def front(self, order_id: int) -> Lot | None:
        """Whole public lots that the model has in front of an order; None when it is not open."""
        resting = self._orders.get(order_id)
        queue = () if resting is None else self._half(resting.side).queues[resting.tick]
        return next((front for each, front in queue if each is resting), None)

    def orders_of(self, owner: str) -> list[Resting]:
        """Open orders of one owner, oldest first."""
        return self._orders.of(owner)

    def levels(self, side: Side, count: int = 0) -> Levels:
        """The recorded market only, best first; a `count` of 0 is all of it."""
        return self._half(side).recorded.levels(count)

    def top(self) -> tuple[Tick, Lot, Tick, Lot]:
        """Best recorded bid, its lots, best ask, its lots; zeros where a side is empty."""
        bids, asks = self.bids.recorded, self.asks.recorded
        bid, ask = bids.prices.best, asks.prices.best
        return bid, bids.shown(bid), ask, asks.shown(ask)

    def take_changes(self) -> tuple[Levels, Levels]:
        """Recorded levels changed since the last call, at their present size (0 = gone)."""
        return self.bids.recorded.take_changes(), self.asks.recorded.take_changes()

    def apply_public(self, bids: Levels, asks: Levels, replace: bool) -> tuple[Match, ...]:
        """The recording changed levels, or with `replace` says all there are.

        Returns the fills of our orders that the recorded market has now crossed, at our prices.
        """
        self.bids.apply(bids, replace)
        self.asks.apply(asks, replace)
        return self.crossed()

    def crossed(self) -> tuple[Match, ...]:
        """The fills of our orders that the recorded market reaches as it stands."""
        return *self._cross(self.bids), *self._cross(self.asks)

    def public_trade(self, tick: Tick, lots: Lot, aggressor: Side) -> tuple[Match, ...]:
        """A recorded trade. Returns the fills of our orders, of no more than `lots` in all."""
        half, left = self._half(aggressor.opposite), lots
        matches: list[Match] = []
        for price in list(half.prices):
            if half.side.sign * (price - tick) < 0:
                break
            queue = half.queues[price]
            fills = queue.trade(left, lots) if price == tick else queue.through(left)
            for resting, filled in fills:
                left -= filled
                matches.append(self._fill(resting, filled))
        return tuple(matches)

    def check(self) -> None:
        """Raise AssertionError where the parts of the book disagree."""
        seen = 0
        for half in (self.bids, self.asks):
            half.recorded.check()
            assert list(half.prices) == half.prices.ordered(set(half.queues)), "prices"
            for tick, queue in half.queues.items():
                queue.check(half.recorded.shown(tick))
                for resting, _ in queue:
                    self._orders.check(resting)
                    assert (resting.side, resting.tick) == (half.side, tick), "place"
                    seen += 1
        assert seen == len(self._orders), "strays"

    def _half(self, side: Side) -> ShadowHalf:
        return self.bids if side is Side.BUY else self.asks

    def _take(self, taking: Taking, other: ShadowHalf) -> None:
        for offer in other.offers(taking.order):
            lots = taking.meet(offer)
            if offer.owner == MARKET_OWNER:
                other.recorded.use(offer.tick, lots)
            else:
                self._lessen(offer, lots)
            if not taking.left:
                return

    def _cross(self, half: ShadowHalf) -> list[Match]:
        """Fill our orders from the public levels of the other side that reach their price."""
        public, sign = self._half(half.side.opposite).recorded, half.side.sign
        matches: list[Match] = []
        for price in list(half.prices):
            if not public.prices or sign * (price - public.prices.best) < 0:
                break
            half.queues[price].exhaust()
            for resting, _ in half.queues[price]:
                matches += self._fill_from(public, resting)
        return matches

    def _fill_from(self, public: PublicSide, resting: Resting) -> Iterator[Match]:
        for tick in public.prices:
            if not resting.lots_left or resting.side.sign * (resting.tick - tick) < 0:
                return
            lots = min(public.free(tick), resting.lots_left)
            if lots:
                public.use(tick, lots)
                yield self._fill(resting, lots)

    def _fill(self, resting: Resting, lots: Lot) -> Match:
        """Our order made; the market took."""
        self._lessen(resting, lots)
        return Match(
            maker_id=resting.order_id,
            maker_owner=resting.owner,
            taker_id=MARKET_ID,
            taker_owner=MARKET_OWNER,
            tick=resting.tick,
            lots=lots,
            aggressor=resting.side.opposite,
            maker_left_lots=resting.lots_left,
            taker_left_lots=0,
        )

    def _lessen(self, resting: Resting, lots: Lot) -> None:
        resting.lots_left -= lots
        if not resting.lots_left:
            self._remove(resting)

    def _remove(self, resting: Resting) -> None:
        self._orders.remove(resting)
        self._half(resting.side).remove(resting)


def _can_fill(order: NewOrder, other: ShadowHalf) -> bool:
    """Is there enough within the limit for all of a fill-or-kill order?"""
    missing = order.lots
    for offer in other.offers(order):
        if stops_at_itself(order, offer.owner):
            return False
        missing -= 0 if is_skipped(order, offer.owner) else offer.lots_left
        if missing <= 0:
            return True
    return False
