"""Engine time: the wall clock is read once, from then on only the monotonic clock counts."""

import time
from collections.abc import Callable

from engine.values.units import Ns


class MonotonicClock:
    """Fulfils `ports.Clock`. A wall clock that jumps moves no duration and no moment of ours."""

    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._anchor_ns = wall_ns() - monotonic_ns()
        self._offset_ns = 0

    def __repr__(self) -> str:
        return f"<clock {self.now_ns()} wall {self._offset_ns:+d} ns>"

    def now_ns(self) -> Ns:
        return self._anchor_ns + self._monotonic_ns()

    def step_ns(self) -> Ns:
        """How far the wall clock moved against the monotonic clock since the last call.

        A call a second sees drift and slewing as microseconds and a step (a person, a time server,
        a suspended machine) as what it is; the caller compares it with its bound.
        """
        offset_ns = self._wall_ns() - self.now_ns()
        step_ns = offset_ns - self._offset_ns
        self._offset_ns = offset_ns
        return step_ns


class LeapingTime:
    """Time of a simulation that runs as fast as ours and now and then leaps ahead.

    Whoever lives in it asks the same one: `MonotonicClock(time.now_ns, time.now_ns)` is its clock,
    in which a leap is what a machine that slept would see on a clock that went on meanwhile.
    """

    def __init__(self, begin_ns: Ns, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._anchor_ns = begin_ns - monotonic_ns()

    def now_ns(self) -> Ns:
        return self._anchor_ns + self._monotonic_ns()

    def leap_to(self, at_ns: Ns) -> None:
        """Now it is `at_ns`, or as late as it was: time never goes back."""
        self._anchor_ns += max(0, at_ns - self.now_ns())
