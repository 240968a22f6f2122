"""Time in foreign data: the local clock against itself and against the venue's.

Facts stand in the order in which this host learned them, never in the venue's. Three things can be
wrong, and each has one rule:
- the local time steps back: by at most `back_ns_max` the fact is told at the latest time before it;
  by more the data are refused, since they are not in the order of their clock;
- a fact was learned before the venue says that it was: the local clock is wrong by a constant, and
  is put forward by the least that makes no latency of the source negative;
- the venue's time steps back while ours goes on: messages overtook each other, which they did in
  truth. It is counted and stays.
"""

from collections.abc import Iterable, Iterator

import msgspec

from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

BACK_NS_MAX = NS_PER_S


class Clock(msgspec.Struct, kw_only=True):
    """What was seen of the times of one source. Latencies are of facts that tell both times."""

    back: int = 0
    back_ns_max: Ns = 0
    negative: int = 0
    stamped: int = 0
    latency_ns_min: Ns = 0
    latency_ns_max: Ns = 0
    venue_back: int = 0
    shift_ns: Ns = 0
    """By how much the local clock was put forward."""

    @property
    def has_violations(self) -> bool:
        return bool(self.back or self.negative)

    @property
    def shift_needed_ns(self) -> Ns:
        return max(0, -self.latency_ns_min)

    def words(self) -> str:
        """The violations, for people."""
        found = []
        if self.back:
            found.append(f"local time steps back {self.back} times, by {_ms(self.back_ns_max)}")
        if self.negative:
            worst = _ms(-self.latency_ns_min)
            found.append(f"{self.negative} facts are known {worst} before the venue's time")
        return "; ".join(found)


def watched(facts: Iterable[Event], clock: Clock) -> Iterator[Event]:
    """The facts as they are; what their times say is written down in `clock`."""
    latest_ns: Ns = 0
    venue_latest: dict[tuple[str, type[Event]], Ns] = {}
    for fact in facts:
        at_ns: Ns = fact.at_ns
        if at_ns < latest_ns:
            clock.back += 1
            clock.back_ns_max = max(clock.back_ns_max, latest_ns - at_ns)
        latest_ns = max(latest_ns, at_ns)
        venue_ns: Ns = getattr(fact, "venue_ns", 0)
        if venue_ns:
            _compare(clock, at_ns - venue_ns)
            key = getattr(fact, "market", ""), type(fact)
            clock.venue_back += venue_ns < venue_latest.get(key, 0)
            venue_latest[key] = venue_ns
        yield fact


def _compare(clock: Clock, latency_ns: Ns) -> None:
    if not clock.stamped:
        clock.latency_ns_min = clock.latency_ns_max = latency_ns
    clock.stamped += 1
    clock.negative += latency_ns < 0
    clock.latency_ns_min = min(clock.latency_ns_min, latency_ns)
    clock.latency_ns_max = max(clock.latency_ns_max, latency_ns)


def corrected(facts: Iterable[Event], shift_ns: Ns, name: str) -> Iterator[Event]:
    """By the two rules above, so that no local time is before the one before. Raises UserError."""
    latest_ns: Ns = 0
    for fact in facts:
        at_ns = fact.at_ns + shift_ns
        if at_ns < latest_ns:
            if latest_ns - at_ns > BACK_NS_MAX:
                raise UserError(
                    f"{name}: local time steps back by {_ms(latest_ns - at_ns)} at {fact.at_ns}: "
                    "not in the order of its clock"
                )
            at_ns = latest_ns
        latest_ns = at_ns
        yield fact if at_ns == fact.at_ns else msgspec.structs.replace(fact, at_ns=at_ns)


def _ms(span_ns: Ns) -> str:
    return f"{span_ns / NS_PER_MS:,.3f} ms"
