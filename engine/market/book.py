# cython: language_level=3, annotation_typing=False
"""The market's levels of one instrument: integers, whole messages, the best prices at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from engine.market.depth import Depth
from engine.values.units import BUY, SELL, Levels, Lot, Side, Tick

OwnLevels = Mapping[tuple[Side, Tick], Lot]

LEVELS_MAX = 20_000
"""Levels kept on one side. Farther ones are forgotten: venues never send zeros for all of them."""
BPS = 10_000
NOTHING: OwnLevels = MappingProxyType({})


class HalfBook:
    """One side: its levels, no more of them than `levels_max`, and what is to be read in them."""

    def __init__(self, sign: int, levels_max: int) -> None:
        self.sign = sign
        self.depth = Depth(sign)
        self._levels_max = levels_max

    def replace(self, levels: Levels) -> None:
        self.depth.replace(levels)
        self._forget_farthest()

    def apply(self, levels: Levels) -> None:
        depth = self.depth
        for tick, lots in levels:
            depth.put(tick, lots)
        self._forget_farthest()

    def put(self, tick: Tick, lots: Lot) -> None:
        """One level. Only whoever then calls `Book.settle` may do this."""
        self.depth.put(tick, lots)

    def has_excess(self) -> bool:
        return self.depth.count > self._levels_max

    def _forget_farthest(self) -> None:
        if self.has_excess():
            self.depth.forget(self.depth.count - self._levels_max)

    def best_first(self) -> Iterator[tuple[Tick, Lot]]:
        depth = self.depth
        for place in range(len(depth) - 1, -1, -1):
            yield depth.level(place)

    def best_without(self, side: Side, own: OwnLevels) -> tuple[Tick, Lot]:
        """The best level at which others stand, (0, 0) for none."""
        depth = self.depth
        for place in range(depth.count - 1, -1, -1):
            tick, lots = depth.level(place)
            lots -= own.get((side, tick), 0)
            if lots > 0:
                return tick, lots
        return 0, 0

    def depths_without(
        self, side: Side, own: OwnLevels, middle: int, reaches_bps: Sequence[int]
    ) -> list[Lot]:
        """Lots of others no farther than each of the rising reaches from mid, in one walk outward.

        `middle` is twice the mid: two sides summed up, which halves nothing.
        """
        sign, depth, total = self.sign, self.depth, 0
        depths: list[Lot] = []
        inside = depth.count
        mine = []
        for (each, tick), lots in own.items():
            if each is side:
                mine.append((depth.place_of(sign * tick), min(lots, depth.lots_at(tick))))
        for bps in reaches_bps:
            # key * 2 * BPS >= sign * middle * (BPS - sign * bps), as a bound of whole ticks
            nearest = -(sign * middle * (sign * bps - BPS) // (2 * BPS))
            begin = min(inside, depth.place_of(nearest))
            total += depth.lots_between(begin, inside)
            for place, lots in mine:
                if begin <= place < inside:
                    total -= lots
            inside = begin
            depths.append(total)
        return depths


class Book:
    """L2 of one market. `bid_tick` and its three siblings are always current; 0 where empty.

    It applies what it is given: continuity is the adapter's promise, sense is `is_crossed`.
    """

    def __init__(self, levels_max: int = LEVELS_MAX) -> None:
        self.bids = HalfBook(1, levels_max)
        self.asks = HalfBook(-1, levels_max)
        self.bid_tick: Tick = 0
        self.bid_lots: Lot = 0
        self.ask_tick: Tick = 0
        self.ask_lots: Lot = 0

    def __repr__(self) -> str:
        return f"<Book {top_text(self)} depth {len(self.bids.depth)}/{len(self.asks.depth)}>"

    def apply_snapshot(self, bids: Levels, asks: Levels) -> None:
        """Replace everything."""
        self.bids.replace(bids)
        self.asks.replace(asks)
        self._refresh()

    def apply_delta(self, bids: Levels, asks: Levels) -> None:
        """Absolute lots of changed levels; 0 removes, and removing what is absent is normal."""
        if bids:
            self.bids.apply(bids)
        if asks:
            self.asks.apply(asks)
        self._refresh()

    def settle(self) -> None:
        """After levels were put into the halves one by one."""
        self.bids._forget_farthest()
        self.asks._forget_farthest()
        self._refresh()

    def has_excess(self) -> bool:
        return self.bids.has_excess() or self.asks.has_excess()

    def clear(self) -> None:
        self.apply_snapshot([], [])

    def _refresh(self) -> None:
        bids, asks = self.bids.depth, self.asks.depth
        self.bid_tick, self.bid_lots = bids.first(), bids.first_lots()
        self.ask_tick, self.ask_lots = asks.first(), asks.first_lots()

    def is_crossed(self) -> bool:
        """Crossed or locked: there is no market between these prices."""
        return 0 < self.ask_tick <= self.bid_tick

    def best_first(self, side: Side) -> Iterator[tuple[Tick, Lot]]:
        """BUY walks the bids, SELL the asks."""
        return self._half(side).best_first()

    def levels(self, side: Side, count: int) -> Levels:
        """The best `count` levels, best first."""
        return first(self.best_first(side), count)

    def lots_at(self, side: Side, tick: Tick) -> Lot:
        return self._half(side).depth.lots_at(tick)

    def depth_within(self, side: Side, bps: int) -> Lot:
        """Lots no farther than `bps` from mid; 0 where there is no mid."""
        return depth_within(self, side, bps)

    def depths(self, reaches_bps: Sequence[int]) -> list[tuple[Lot, Lot]]:
        """(bid, ask) lots within each of the rising reaches from mid; zeros without a mid."""
        return self._depths(NOTHING, self.bid_tick, self.ask_tick, reaches_bps)

    def walk(self, side: Side, lots: Lot) -> tuple[Lot, int, Tick]:
        """Take `lots` from the levels of `side`: (filled lots, sum of tick x lots, worst tick)."""
        return walk(self.best_first(side), lots)

    def without(self, own: OwnLevels) -> "BookView":
        """The market as it would stand without our own orders. Good until the next change."""
        return BookView(self, own)

    def check(self) -> None:
        """Assert that both sides are in order and that the best prices are the best."""
        for half in (self.bids, self.asks):
            half.depth.check()
        assert (self.bid_tick, self.bid_lots) == next(self.bids.best_first(), (0, 0))
        assert (self.ask_tick, self.ask_lots) == next(self.asks.best_first(), (0, 0))

    def _half(self, side: Side) -> HalfBook:
        return self.bids if side is BUY else self.asks

    def _depths(
        self, own: OwnLevels, bid_tick: Tick, ask_tick: Tick, reaches_bps: Sequence[int]
    ) -> list[tuple[Lot, Lot]]:
        if not (bid_tick and ask_tick):
            return [(0, 0)] * len(reaches_bps)
        middle = bid_tick + ask_tick
        bids = self.bids.depths_without(BUY, own, middle, reaches_bps)
        asks = self.asks.depths_without(SELL, own, middle, reaches_bps)
        return list(zip(bids, asks, strict=True))


class BookView:
    """A book less some lots at some ticks, with the reading half of Book's interface.

    Where our order is larger than what the market shows (it was just sent), the level is empty.
    """

    def __init__(self, book: Book, own: OwnLevels) -> None:
        self._book = book
        self._own = own
        self.bid_tick, self.bid_lots = self._book._half(BUY).best_without(BUY, own)
        self.ask_tick, self.ask_lots = self._book._half(SELL).best_without(SELL, own)

    def __repr__(self) -> str:
        return f"<BookView {top_text(self)} without {len(self._own)} own>"

    def is_crossed(self) -> bool:
        return 0 < self.ask_tick <= self.bid_tick

    def best_first(self, side: Side) -> Iterator[tuple[Tick, Lot]]:
        own = self._own
        for tick, shown in self._book.best_first(side):
            lots = shown - own.get((side, tick), 0)
            if lots > 0:
                yield tick, lots

    def levels(self, side: Side, count: int) -> Levels:
        return first(self.best_first(side), count)

    def lots_at(self, side: Side, tick: Tick) -> Lot:
        return max(0, self._book.lots_at(side, tick) - self._own.get((side, tick), 0))

    def depth_within(self, side: Side, bps: int) -> Lot:
        return depth_within(self, side, bps)

    def depths(self, reaches_bps: Sequence[int]) -> list[tuple[Lot, Lot]]:
        return self._book._depths(self._own, self.bid_tick, self.ask_tick, reaches_bps)

    def walk(self, side: Side, lots: Lot) -> tuple[Lot, int, Tick]:
        return walk(self.best_first(side), lots)


def first(levels: Iterator[tuple[Tick, Lot]], count: int) -> Levels:
    return [level for level, _ in zip(levels, range(count), strict=False)]


def walk(levels: Iterable[tuple[Tick, Lot]], lots: Lot) -> tuple[Lot, int, Tick]:
    left, notional, worst = lots, 0, 0
    for tick, shown in levels:
        if left <= 0:
            break
        taken = min(left, shown)
        left -= taken
        notional += taken * tick
        worst = tick
    return lots - left, notional, worst


def depth_within(book: Book | BookView, side: Side, bps: int) -> Lot:
    if not book.bid_tick or not book.ask_tick:
        return 0
    sign = side.sign
    bound = sign * (book.bid_tick + book.ask_tick) * (BPS - sign * bps)
    total = 0
    for tick, lots in book.best_first(side):
        if sign * tick * 2 * BPS < bound:
            break
        total += lots
    return total


def top_text(book: Book | BookView) -> str:
    bid, ask = f"{book.bid_tick}x{book.bid_lots}", f"{book.ask_tick}x{book.ask_lots}"
    return f"bid {bid if book.bid_tick else '-'} ask {ask if book.ask_tick else '-'}"
