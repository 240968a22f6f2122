"""When to read the venue's own state of one market again, and what the last reading left open."""

import msgspec

from engine.trading.standing import Standing
from engine.values.events import QueryFailed, VenueState
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

ASK_AGAIN_NS = 500 * NS_PER_MS
ASK_AGAIN_NS_MAX = 2 * NS_PER_S
ANSWER_NS_MAX = 10 * NS_PER_S


class Asking(msgspec.Struct):
    """One market's readings: when the last one left and how many in a row settled nothing.

    A reading that found something is followed by another, later each time: the venue's lists need
    time to agree with each other, and weigh much.
    """

    every_ns: Ns
    asked_ns: Ns = 0
    is_waiting: bool = False
    unsettled: int = 0
    answered: VenueState | None = None

    def is_due(self, standing: Standing, now_ns: Ns) -> bool:
        is_blind = standing.private_down and not standing.stopping
        if is_blind or (self.is_waiting and now_ns - self.asked_ns < ANSWER_NS_MAX):
            return False
        return now_ns - self.asked_ns >= self._wait_ns(standing)

    @property
    def due_ns(self) -> Ns:
        """Before this moment nothing is asked of a market that may quote."""
        return self.asked_ns if self.unsettled else self.asked_ns + self.every_ns

    def _wait_ns(self, standing: Standing) -> Ns:
        if standing.stopping:
            return ASK_AGAIN_NS
        is_calm = standing.is_reconciled and not self.unsettled
        if is_calm or standing.frozen:
            return self.every_ns
        return min(ASK_AGAIN_NS << min(self.unsettled, 8), ASK_AGAIN_NS_MAX, self.every_ns)

    def left(self, now_ns: Ns) -> None:
        self.asked_ns, self.is_waiting = now_ns, True

    def anew(self) -> None:
        """What was asked before proves nothing now: ask at once."""
        self.asked_ns = self.unsettled = 0
        self.is_waiting = False

    def failed(self, fact: QueryFailed) -> None:
        self.is_waiting = False
        self.unsettled += 1

    def heard(self, state: VenueState, *, is_settled: bool) -> None:
        self.is_waiting, self.answered = False, state
        self.unsettled = 0 if is_settled else self.unsettled + 1
