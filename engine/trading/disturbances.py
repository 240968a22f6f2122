"""What shakes the whole host for a moment: clock steps, loop lag, a slow disk, bad frames."""

from collections import deque

import msgspec

from engine.values.facts import ClockStep, JournalLag, LoopLag, Overrun, Quarantined
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

MINUTE_NS = 60 * NS_PER_S


class DisturbanceParams(msgspec.Struct, frozen=True, kw_only=True):
    """Above these the quotes are pulled, until `calm_ns` have passed without another."""

    clock_step_ns_max: Ns = 250 * NS_PER_MS
    lag_ns_max: Ns = 50 * NS_PER_MS
    journal_age_ns_max: Ns = 250 * NS_PER_MS
    calm_ns: Ns = NS_PER_S
    quarantined_per_minute_max: int = 20
    overruns_per_minute_max: int = 5


class Disturbances:
    """Sources of doubt that come from facts about ourselves and go with time."""

    def __init__(self, params: DisturbanceParams) -> None:
        self._params = params
        self._since: dict[str, Ns] = {}
        self._bad: deque[Ns] = deque(maxlen=params.quarantined_per_minute_max + 1)
        self._slow: deque[Ns] = deque(maxlen=params.overruns_per_minute_max + 1)
        self.quarantined = 0
        self.lag_ns_worst: Ns = 0

    def judge(self, fact: ClockStep | LoopLag | JournalLag) -> tuple[str, str]:
        """(source, reason) of the doubt that this fact raises; ("", "") for none."""
        if isinstance(fact, ClockStep):
            is_doubt = abs(fact.step_ns) > self._params.clock_step_ns_max
            found = ("clock", f"the wall clock stepped {fact.step_ns / NS_PER_S:+.3f} s")
        elif isinstance(fact, LoopLag):
            self.lag_ns_worst = max(self.lag_ns_worst, fact.lag_ns)
            is_doubt = fact.lag_ns > self._params.lag_ns_max
            found = ("loop", f"the loop woke {fact.lag_ns / NS_PER_MS:.0f} ms late")
        else:
            is_doubt = bool(fact.failure) or fact.age_ns > self._params.journal_age_ns_max
            found = ("journal", fact.failure or f"{fact.age_ns / NS_PER_MS:.0f} ms behind")
        if not is_doubt:
            return "", ""
        self._since[found[0]] = fact.at_ns
        return found

    @property
    def is_shaken(self) -> bool:
        """Whether something has not been calm for long enough yet."""
        return bool(self._since)

    def settled(self, now_ns: Ns) -> list[str]:
        """Sources that have been calm for long enough; each is named once."""
        calm = [
            source
            for source, since_ns in self._since.items()
            if now_ns - since_ns > self._params.calm_ns
        ]
        for source in calm:
            del self._since[source]
        return calm

    def is_flood(self, fact: Quarantined) -> bool:
        """Whether too many frames of the last minute could not be read."""
        self.quarantined += 1
        return _is_full(self._bad, fact.at_ns)

    def is_too_slow(self, fact: Overrun) -> bool:
        """Whether deciding overran its budget too often in the last minute."""
        return _is_full(self._slow, fact.at_ns)


def _is_full(moments: deque[Ns], now_ns: Ns) -> bool:
    moments.append(now_ns)
    return len(moments) == moments.maxlen and now_ns - moments[0] < MINUTE_NS
