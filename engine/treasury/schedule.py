"""When so much should be done: equal steps over time, with a jitter that a seed decides.

The jitter keeps others from telling the time by us. It comes from SHA-256 of the seed and the
step's number, so the same parent has the same schedule in every process and after every restart.
"""

import hashlib
from bisect import bisect_right

import msgspec

from engine.values.units import PPM, Atoms, Ns, Ppm

SPREAD = 2**32


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Moments, and how much should be done altogether by each of them. Both never fall."""

    moments_ns: tuple[Ns, ...]
    done_atoms: tuple[Atoms, ...]

    def due_atoms(self, now_ns: Ns) -> Atoms:
        """How much of the whole should be done by now."""
        index = bisect_right(self.moments_ns, now_ns)
        return self.done_atoms[index - 1] if index else 0

    def next_ns(self, now_ns: Ns) -> Ns | None:
        """The next step's moment, None after the last."""
        index = bisect_right(self.moments_ns, now_ns)
        return self.moments_ns[index] if index < len(self.moments_ns) else None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`count` steps from begin to end. Jitter is a share of a step's time and of its size."""

    seed: str
    begin_ns: Ns
    end_ns: Ns
    atoms: Atoms
    count: int
    jitter_ppm: Ppm


def schedule(plan: Plan) -> Schedule:
    """Raises ValueError where there is nothing to do, or no time for it."""
    if plan.count < 1 or plan.atoms < plan.count or plan.end_ns <= plan.begin_ns:
        raise ValueError("a schedule needs an amount, at least one step, and time")
    step_ns = (plan.end_ns - plan.begin_ns) // plan.count
    moments = [
        plan.begin_ns + index * step_ns + _dice(plan.seed, "t", index) * _reach(step_ns, plan)
        // SPREAD
        for index in range(plan.count)
    ]  # fmt: skip
    weights = [PPM + _signed(plan, index) for index in range(plan.count)]
    total, sums, done = sum(weights), 0, []
    for weight in weights:
        sums += weight
        done.append(plan.atoms * sums // total)
    return Schedule(moments_ns=tuple(moments), done_atoms=tuple(done))


def _reach(step_ns: Ns, plan: Plan) -> Ns:
    """A step comes no later than the next one could begin."""
    return step_ns * plan.jitter_ppm // PPM


def _signed(plan: Plan, index: int) -> Ppm:
    """From minus to plus the jitter."""
    return (2 * _dice(plan.seed, "s", index) - SPREAD) * plan.jitter_ppm // SPREAD


def _dice(seed: str, what: str, index: int) -> int:
    """From 0 to 2**32 - 1."""
    digest = hashlib.sha256(f"{seed} {what} {index}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
