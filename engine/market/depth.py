# cython: language_level=3, annotation_typing=False
# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Levels of one side as two flat columns of 64-bit integers, in order, with the best one last."""

from array import array
from collections.abc import Iterator

from engine.values.units import Levels, Lot, Tick

ROOM = 64
"""Levels that fit at first; the columns double when they are full."""
MANY = 2**61
"""A sum of lots goes on as a Python integer from here, so that none can leave 64 bits."""


class Depth:
    """Lots by tick. Keys are ticks of bids (`sign` 1) and negated ticks of asks (`sign` -1).

    A level is found by halving, and what lies between it and the best one moves when it comes or
    goes: the work happens near the best price. Raises OverflowError beyond 64 bits.
    """

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.count = 0
        self._room = ROOM
        self._keys, self._sizes = array("q", bytes(8 * ROOM)), array("q", bytes(8 * ROOM))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Tick]:
        """Best first. Good until the next change."""
        for place in range(self.count - 1, -1, -1):
            yield self.sign * self._keys[place]

    @property
    def best(self) -> Tick:
        """0 when there is none."""
        return self.first()

    def first(self) -> Tick:
        """`best`, for compiled callers: a method of theirs costs less than a property."""
        return self.sign * self._keys[self.count - 1] if self.count else 0

    def first_lots(self) -> Lot:
        """At the best tick; 0 when there is none."""
        return self._sizes[self.count - 1] if self.count else 0

    def lots_at(self, tick: Tick) -> Lot:
        key = self.sign * tick
        place = self.place_of(key)
        return self._sizes[place] if place < self.count and self._keys[place] == key else 0

    def put(self, tick: Tick, lots: Lot) -> Lot:
        """Absolute lots, 0 removes; removing what is absent is normal. Returns the lots before."""
        key = self.sign * tick
        place = self.place_of(key)
        before = 0
        if place < self.count and self._keys[place] == key:
            before = self._sizes[place]
            if lots:
                self._sizes[place] = lots
            else:
                self._close(place)
        elif lots:
            self._open(place)
            self._keys[place], self._sizes[place] = key, lots
        return before

    def replace(self, levels: Levels) -> None:
        """These levels and no others. Nothing has changed where `levels` are none."""
        named = {tick: lots for tick, lots in levels if lots}
        self.count = 0
        for tick in sorted(named, reverse=self.sign < 0):
            self.put(tick, named[tick])

    def forget(self, excess: int) -> None:
        """Drop so many of the farthest levels."""
        for place in range(excess, self.count):
            self._keys[place - excess] = self._keys[place]
            self._sizes[place - excess] = self._sizes[place]
        self.count -= excess

    def level(self, place: int) -> tuple[Tick, Lot]:
        """The best one is at `len(self) - 1`."""
        return self.sign * self._keys[place], self._sizes[place]

    def place_of(self, key: int) -> int:
        """How many levels are farther than this key."""
        place, left = 0, self.count
        while left > 0:
            half = (left + 1) >> 1
            if self._keys[place + half - 1] < key:
                place += half
            left -= half
        return place

    def lots_between(self, begin: int, end: int) -> Lot:
        """The sum over the places from `begin` on and before `end`."""
        total, part = 0, 0
        for place in range(begin, end):
            part += self._sizes[place]
            if part >= MANY:
                total, part = total + part, 0
        return total + part

    def check(self) -> None:
        """Assert that the levels are in order and that none is empty."""
        keys = [self._keys[place] for place in range(self.count)]
        assert keys == sorted(set(keys)), "levels out of order"
        assert all(self._sizes[place] > 0 for place in range(self.count)), "an empty level"
        assert all(self.sign * key > 0 for key in keys), "a price of nothing"

    def _open(self, place: int) -> None:
        if self.count == self._room:
            self._grow()
        for at in range(self.count, place, -1):
            self._keys[at] = self._keys[at - 1]
            self._sizes[at] = self._sizes[at - 1]
        self.count += 1

    def _close(self, place: int) -> None:
        self.count -= 1
        for at in range(place, self.count):
            self._keys[at] = self._keys[at + 1]
            self._sizes[at] = self._sizes[at + 1]

    def _grow(self) -> None:
        room = array("q", bytes(8 * self._room))
        self._keys, self._sizes = array("q", self._keys) + room, array("q", self._sizes) + room
        self._room *= 2
