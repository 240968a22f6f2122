"""The clock of a back-test: what is to happen when, and in which order at one moment."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from engine.values.units import Ns

STEPS_MAX = 100_000
"""So many things at one moment are a loop between engine and venue, a fault of ours."""
NEVER: tuple[Ns, int] = (2**63 - 1, 0)
Act = Callable[[Any], None]


class Clock:
    """`count` numbers all that was ever planned: what falls on one moment happens in that order.

    `tick` is when the one thing happens that comes again and again, and its number. It stands apart
    because a kernel may let it pass where it would find nothing to do.
    """

    def __init__(self) -> None:
        self.now_ns: Ns = 0
        self.count = 0
        self.tick = NEVER
        self._on_tick: Act | None = None
        self._heap: list[tuple[Ns, int, Act, Any]] = []
        self._steps = 0

    def at(self, at_ns: Ns, act: Act, what: Any) -> None:
        self.count += 1
        self.at_turn(at_ns, self.count, act, what)

    def tick_at(self, at_ns: Ns, act: Act) -> None:
        """Plan the thing that comes again, in place of when it was to come."""
        self.count += 1
        self.tick, self._on_tick = (at_ns, self.count), act

    def at_turn(self, at_ns: Ns, turn: int, act: Act, what: Any) -> None:
        """Plan what was numbered before."""
        heappush(self._heap, (at_ns, turn, act, what))

    @property
    def due(self) -> tuple[Ns, int]:
        """When the next thing happens but for the tick, and its number."""
        return self._heap[0][:2] if self._heap else NEVER

    def step(self) -> None:
        """Let the next thing happen."""
        if self.tick < self.due:
            assert self._on_tick is not None
            (at_ns, _), act, what = self.tick, self._on_tick, None
            self.tick = NEVER
        else:
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
        while min(self.due, self.tick)[0] <= until_ns:
            self.step()
