# cython: language_level=3, annotation_typing=False
"""One side of a recorded market: what it shows, and what our own takers used of that."""

from engine.market.depth import Depth
from engine.values.units import Levels, Lot, Side, Tick


class PublicSide:
    """Levels as the recording tells them. What we take is remembered until a level changes."""

    def __init__(self, side: Side) -> None:
        self.prices = Depth(side.sign)
        self._sign = side.sign
        self._used: dict[Tick, Lot] = {}
        self._changed: set[Tick] = set()

    def shown(self, tick: Tick) -> Lot:
        return self.prices.lots_at(tick)

    def used(self, tick: Tick) -> Lot:
        return self._used.get(tick, 0)

    def free(self, tick: Tick) -> Lot:
        """What is shown and was not taken by us yet."""
        return self.prices.lots_at(tick) - self._used.get(tick, 0)

    def use(self, tick: Tick, lots: Lot) -> None:
        assert 0 < lots <= self.free(tick), f"{lots} lots used twice at {tick}"
        self._used[tick] = self.used(tick) + lots

    def set(self, tick: Tick, lots: Lot) -> Lot:
        """Set an absolute size, 0 removes. Returns the size before; the same size is no change."""
        prev = self.prices.put(tick, lots)
        if lots != prev:
            if self._used:
                self._used.pop(tick, None)
            self._changed.add(tick)
        return prev

    def show(self, tick: Tick, lots: Lot) -> None:
        """As `set`, for whom nobody asks what changed; twice as fast where we took nothing."""
        if self._used:
            self.set(tick, lots)
            return
        self.prices.put(tick, lots)

    def whole(self, levels: Levels) -> Levels:
        """A snapshot as a delta: what it does not name is gone."""
        named = {tick for tick, _ in levels}
        return [(tick, 0) for tick in self.prices if tick not in named] + levels

    def levels(self, count: int) -> Levels:
        depth = self.prices
        end = max(0, len(depth) - count) if count else 0
        return [depth.level(place) for place in range(len(depth) - 1, end - 1, -1)]

    def take_changes(self) -> Levels:
        changes = [(tick, self.shown(tick)) for tick in self._ordered()]
        self._changed.clear()
        return changes

    def check(self) -> None:
        self.prices.check()
        for tick, lots in self._used.items():
            assert 0 < lots <= self.shown(tick), "more used than shown"

    def _ordered(self) -> list[Tick]:
        """What has changed, best first."""
        return sorted(self._changed, reverse=self._sign > 0)
