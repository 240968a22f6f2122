"""Whether the token falls more than chance would have it: what stage 3 of a hedge asks."""

import math
from collections.abc import Sequence
from itertools import pairwise

RETURNS_MIN = 8
"""Fewer returns than this say nothing about a spread."""


def trend_sigmas(closes: Sequence[float]) -> float | None:
    """The move over these closes in standard deviations of a walk without drift; a fall is below 0.

    The sum of the log returns over the square root of the sum of their squares: the t-statistic of
    a zero mean. Closes are prices of equal spans, oldest first. None for too few, for one that is
    no price, and where nothing moved.
    """
    if len(closes) <= RETURNS_MIN or not all(0 < close < math.inf for close in closes):
        return None
    logs = [math.log(close) for close in closes]
    squares = sum((late - early) ** 2 for early, late in pairwise(logs))
    return (logs[-1] - logs[0]) / math.sqrt(squares) if squares else None
