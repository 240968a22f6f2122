# cython: language_level=3, annotation_typing=False
"""One side of a recorded market: what it shows, and what our own takers used of that."""

from engine.sim.matching.prices import Prices
from engine.values.units import Levels, Lot, Side, Tick


class PublicSide:
    """Levels as the recording tells them. What we take is remembered until a level changes."""

    def __init__(self, side: Side) -> None:
        self.prices = Prices(side)
        self._shown: dict[Tick, Lot] = {}
        self._used: dict[Tick, Lot] = {}
        self._changed: set[Tick] = set()

    def shown(self, tick: Tick) -> Lot:
        return self._shown.get(tick, 0)

    def used(self, tick: Tick) -> Lot:
        return self._used.get(tick, 0)

    def free(self, tick: Tick) -> Lot:
        """What is shown and was not taken by us yet."""
        return self._shown.get(tick, 0) - self._used.get(tick, 0)

    def use(self, tick: Tick, lots: Lot) -> None:
        assert 0 < lots <= self.free(tick), f"{lots} lots used twice at {tick}"
        self._used[tick] = self.used(tick) + lots

    def set(self, tick: Tick, lots: Lot) -> Lot:
        """Set an absolute size, 0 removes. Returns the size before; the same size is no change."""
        prev = self._shown.get(tick, 0)
        if lots == prev:
            return prev
        if self._used:
            self._used.pop(tick, None)
        self._changed.add(tick)
        if not lots:
            del self._shown[tick]
            self.prices.remove(tick)
            return prev
        self._shown[tick] = lots
        if not prev:
            self.prices.add(tick)
        return prev

    def show(self, tick: Tick, lots: Lot) -> None:
        """As `set`, for whom nobody asks what changed; twice as fast where we took nothing."""
        if self._used:
            self.set(tick, lots)
            return
        shown = self._shown
        if lots:
            size = len(shown)
            shown[tick] = lots
            if len(shown) != size:
                self.prices.add(tick)
        elif tick in shown:
            del shown[tick]
            self.prices.remove(tick)

    def whole(self, levels: Levels) -> Levels:
        """A snapshot as a delta: what it does not name is gone."""
        named = {tick for tick, _ in levels}
        return [(tick, 0) for tick in self.prices if tick not in named] + levels

    def levels(self, count: int) -> Levels:
        levels: Levels = []
        for tick in self.prices:
            if count and len(levels) == count:
                break
            levels.append((tick, self._shown[tick]))
        return levels

    def take_changes(self) -> Levels:
        changes = [(tick, self.shown(tick)) for tick in self.prices.ordered(self._changed)]
        self._changed.clear()
        return changes

    def check(self) -> None:
        assert list(self.prices) == self.prices.ordered(set(self._shown)), "prices"
        assert all(lots > 0 for lots in self._shown.values()), "an empty level"
        for tick, lots in self._used.items():
            assert 0 < lots <= self._shown.get(tick, 0), "more used than shown"
