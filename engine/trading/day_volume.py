"""What anybody traded on one market in a day, counted from its public trades as far as we heard.

A lower bound: of hours in which nobody listened (before the start, while the link was down) nothing
is counted and nothing is guessed. How much of the day was heard is told with it, and who uses it
decides when that is enough (`engine.treasury.facts.HEARD_NS_MIN`).
"""

from collections import deque

from engine.treasury.dates import NS_PER_DAY
from engine.treasury.facts import Volume
from engine.values.units import NS_PER_S, Atoms, Ns

STEP_NS = 60 * NS_PER_S
STEPS = NS_PER_DAY // STEP_NS
GAP_NS_MAX = 10 * NS_PER_S
"""We listened between two looks if they are no further apart."""


class _Step:
    """One minute: what was traded, and for how long we listened."""

    __slots__ = ("atoms", "heard_ns", "number")

    def __init__(self, number: int) -> None:
        self.number, self.atoms, self.heard_ns = number, 0, 0


class DayVolume:
    """Told every public trade and the time; bounded by the minutes of a day."""

    def __init__(self) -> None:
        self._steps: deque[_Step] = deque(maxlen=STEPS)
        self._from_ns: Ns | None = None

    def add(self, atoms: Atoms, at_ns: Ns) -> None:
        self._step(at_ns).atoms += atoms

    def pass_time(self, now_ns: Ns, *, is_heard: bool) -> None:
        """Whether the stream of trades can be relied on since the last look."""
        if self._from_ns is not None and is_heard and 0 < now_ns - self._from_ns <= GAP_NS_MAX:
            self._step(now_ns).heard_ns += now_ns - self._from_ns
        self._from_ns = now_ns if is_heard else None

    def volume(self, now_ns: Ns) -> Volume:
        """Of the last 24 hours, whole minutes."""
        first = now_ns // STEP_NS - STEPS + 1
        steps = [step for step in self._steps if step.number >= first]
        return Volume(
            atoms=sum(step.atoms for step in steps),
            at_ns=now_ns,
            heard_ns=min(NS_PER_DAY, sum(step.heard_ns for step in steps)),
            is_tally=True,
        )

    def _step(self, at_ns: Ns) -> _Step:
        """A fact that comes late counts in the newest minute."""
        number = at_ns // STEP_NS
        if not self._steps or number > self._steps[-1].number:
            self._steps.append(_Step(number))
        return self._steps[-1]
