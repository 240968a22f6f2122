"""How long a request takes to the venue and its word takes back, in a back-test."""

from bisect import bisect_right
from math import log
from random import Random
from typing import Protocol

import msgspec

from engine.values.units import Ns


class Delay(Protocol):
    def ns(self, at_ns: Ns, dice: Random) -> Ns:
        """The delay of what leaves at `at_ns`, in ns, never negative."""
        ...


class Constant(msgspec.Struct, frozen=True):
    """Always the same."""

    delay_ns: Ns

    def ns(self, at_ns: Ns, dice: Random) -> Ns:
        return self.delay_ns


class LogNormal(msgspec.Struct, frozen=True, kw_only=True):
    """Drawn anew each time: `median_ns`, and `sigma` of its logarithm; cut at `ns_max`."""

    median_ns: Ns
    sigma: float
    ns_max: Ns

    def __post_init__(self) -> None:
        if not 0 < self.median_ns <= self.ns_max or self.sigma <= 0:
            raise ValueError("a median above 0 and below its cut, and a sigma above 0")

    def ns(self, at_ns: Ns, dice: Random) -> Ns:
        return min(round(dice.lognormvariate(log(self.median_ns), self.sigma)), self.ns_max)


class Table(msgspec.Struct, frozen=True):
    """Measured delays as (moment, delay) in ns, oldest first; linear between, flat outside."""

    rows: tuple[tuple[Ns, Ns], ...]

    def __post_init__(self) -> None:
        moments = [moment for moment, _ in self.rows]
        if not moments or moments != sorted(set(moments)) or min(d for _, d in self.rows) < 0:
            raise ValueError("rows of rising moments with delays of at least 0 are wanted")

    def ns(self, at_ns: Ns, dice: Random) -> Ns:
        after = bisect_right(self.rows, (at_ns, 2**63))
        if after in (0, len(self.rows)):
            return self.rows[min(after, len(self.rows) - 1)][1]
        (then, early), (later, late) = self.rows[after - 1], self.rows[after]
        return early + (late - early) * (at_ns - then) // (later - then)


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Both ways of an order, and how old a public fact is when this host learns it."""

    up: Delay
    down: Delay
    feed_ns: Ns
