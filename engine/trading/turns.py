"""When it is a market's turn: markets do the same things as often, and no two at one moment."""

from collections import deque
from collections.abc import Iterable, Iterator

from engine.values.units import PPM, Ns, Ppm

BUSY_MAX = 12
"""So many markets that have something to do at one timer: its turn stays below a millisecond."""


def next_turn_ns(now_ns: Ns, period_ns: Ns, phase_ppm: Ppm) -> Ns:
    """The first moment after `now_ns` that lies `phase_ppm` into a period: a period away at most.

    With hundreds of markets, work that all of them do each second would fall on one tick, and hold
    up whatever arrives then. Facts about all markets at once would bring them into step again, so
    the moment is the market's own and does not follow from when it last acted.
    """
    phase_ns = period_ns * phase_ppm // PPM
    return now_ns + period_ns - (now_ns - phase_ns) % period_ns


class Turns:
    """One round over all markets, in as many turns as its work needs; facts come in between.

    A market that only has to see that nothing is to be done costs next to nothing and is not
    counted. A round that a timer finds unfinished is finished first.
    """

    def __init__(self) -> None:
        self._left: deque[str] = deque()
        self._busy = 0

    def begin(self, markets: Iterable[str]) -> Iterator[str]:
        """The markets of this turn. Say of each whether it had something to do (`took`)."""
        if not self._left:
            self._left.extend(markets)
        self._busy = 0
        while self._left and self._busy < BUSY_MAX:
            yield self._left.popleft()

    def took(self, was_busy: bool) -> None:
        self._busy += was_busy

    @property
    def is_left(self) -> bool:
        return bool(self._left)
