# cython: language_level=3, annotation_typing=False
"""Occupied prices of one side in order, the best at once, whatever range they span."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from engine.values.units import Side, Tick


class Prices:
    """A sorted list whose last entry is the best price: ticks of bids, negated ticks of asks.

    The work happens near the best price, which is the end of the list, where changes are cheap.
    """

    def __init__(self, side: Side) -> None:
        self._sign = side.sign
        self._keys: list[int] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Tick]:
        """Best first."""
        sign = self._sign
        return (sign * key for key in reversed(self._keys))

    @property
    def best(self) -> Tick:
        """0 when there is none."""
        return self._sign * self._keys[-1] if self._keys else 0

    def first(self) -> Tick:
        """`best`, for compiled callers: a method of theirs costs less than a property."""
        keys = self._keys
        return self._sign * keys[-1] if keys else 0

    def ordered(self, ticks: set[Tick]) -> list[Tick]:
        """The given ticks, best first."""
        return sorted(ticks, reverse=self._sign > 0)

    def add(self, tick: Tick) -> None:
        insort(self._keys, self._sign * tick)

    def remove(self, tick: Tick) -> None:
        key = self._sign * tick
        if self._keys[-1] == key:
            self._keys.pop()
            return
        at = bisect_left(self._keys, key)
        assert self._keys[at] == key, f"no level at {tick}"
        del self._keys[at]
