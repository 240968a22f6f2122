"""How far prices move: from bars by their ranges, and from mids by each change of them.

By the clock, `engine.market.features` keeps it for the quotes. A range says more than two closes:
Parkinson (1980), Journal of Business 53(1), uses high and low, Garman and Klass (1980), the same
issue, all four prices; their variances are some 5 and 7 times smaller for a driftless walk.
"""

import math
from collections.abc import Sequence

import numpy as np

from engine.signals.candles import Candle, Column


def close_to_close(candles: Sequence[Candle]) -> float:
    """Standard deviation of the log return of one bar around nothing. Needs two bars."""
    closes = np.log([each.close for each in candles])
    if len(closes) < 2:
        raise ValueError("two bars are the least")
    return math.sqrt(float(np.mean(np.diff(closes) ** 2)))


def parkinson(candles: Sequence[Candle]) -> float:
    """The same from high and low: `sqrt(mean(ln(H/L)^2) / (4 ln 2))`. Needs one bar."""
    return math.sqrt(float(np.mean(_ranges(candles) ** 2)) / (4 * math.log(2)))


def garman_klass(candles: Sequence[Candle]) -> float:
    """From all four: `sqrt(mean(ln(H/L)^2 / 2 - (2 ln 2 - 1) ln(C/O)^2))`. Needs one bar."""
    bodies = np.log([each.close / each.open for each in candles])
    squares = _ranges(candles) ** 2 / 2 - (2 * math.log(2) - 1) * bodies**2
    return math.sqrt(max(0.0, float(np.mean(squares))))


def _ranges(candles: Sequence[Candle]) -> Column:
    if not candles:
        raise ValueError("one bar is the least")
    return np.array([math.log(each.high / each.low) for each in candles], dtype=float)


class EventVolatility:
    """EWMA of squared changes of the mid, an event at a time whatever the clock says.

    A change of `half_life_events` ago counts half. Weights add up to one from the first change on.
    """

    def __init__(self, half_life_events: float) -> None:
        if not half_life_events > 0:
            raise ValueError("a half life above 0 is wanted")
        self._fade = 0.5 ** (1 / half_life_events)
        self._squares = self._weight = 0.0
        self._mid: float | None = None

    def __repr__(self) -> str:
        return f"<volatility {self.per_event} an event>"

    def observe(self, mid: float) -> None:
        """A mid that differs from the last one is an event."""
        if self._mid is not None and mid != self._mid:
            self._squares = self._squares * self._fade + (mid - self._mid) ** 2
            self._weight = self._weight * self._fade + 1.0
        self._mid = mid

    def pause(self) -> None:
        """Nobody saw what comes next: the move over the hole is no event."""
        self._mid = None

    @property
    def per_event(self) -> float | None:
        """In the unit of the mids per square root of an event; None before the first."""
        return math.sqrt(self._squares / self._weight) if self._weight else None
