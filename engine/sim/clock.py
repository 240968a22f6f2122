"""The clock of a back-test: what is to happen when, and in which order at one moment."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from engine.values.units import Ns

STEPS_MAX = 100_000
"""So many things at one moment are a loop between engine and venue, a fault of ours."""
NEVER: tuple[Ns, int] = (2**63 - 1, 0)


class Clock:
    """`count` numbers all that was ever planned: what falls on one moment happens in that order."""

    def __init__(self) -> None:
        self.now_ns: Ns = 0
        self.count = 0
        self._heap: list[tuple[Ns, int, Callable[[Any], None], Any]] = []
        self._steps = 0

    def at(self, at_ns: Ns, act: Callable[[Any], None], what: Any) -> None:
        self.count += 1
        self.at_turn(at_ns, self.count, act, what)

    def at_turn(self, at_ns: Ns, turn: int, act: Callable[[Any], None], what: Any) -> None:
        """Plan what was numbered before."""
        heappush(self._heap, (at_ns, turn, act, what))

    @property
    def due(self) -> tuple[Ns, int]:
        """When the next thing happens, and its number."""
        return self._heap[0][:2] if self._heap else NEVER

    def step(self) -> None:
        """Let the next thing happen."""
        at_ns, _, act, what = heappop(self._heap)
        self._steps = 0 if at_ns > self.now_ns else self._steps + 1
        assert self._steps < STEPS_MAX, f"no end of things at {at_ns}"
        self.pass_to(at_ns)
        act(what)

    def pass_to(self, at_ns: Ns) -> None:
        """It never goes back."""
        if at_ns > self.now_ns:
            self.now_ns = at_ns

    def pass_until(self, until_ns: Ns) -> None:
        while self.due[0] <= until_ns:
            self.step()
