"""Intervals for sums of a time series whose neighbours depend on each other.

The stationary bootstrap of Politis and Romano, "The Stationary Bootstrap", Journal of the American
Statistical Association 89(428), 1994: blocks of geometric length, wrapped around the end, so that a
resampled series is as stationary as the given one.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

Row = np.ndarray[tuple[int], np.dtype[np.int64]]
BUCKETS_MIN = 10


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """`block_mean` is the mean length of a block in buckets; None takes the cube root of all."""

    seed: int
    samples: int = 2_000
    confidence: float = 0.95
    block_mean: float | None = None


class Interval(msgspec.Struct, frozen=True):
    """Percentile interval of a sum."""

    low: float
    high: float

    @property
    def has_zero(self) -> bool:
        return self.low <= 0 <= self.high


def block_mean(params: Params, buckets: int) -> float:
    return params.block_mean or max(1.0, round(buckets ** (1 / 3), 1))


def intervals(
    series: Mapping[str, Sequence[int | float]], params: Params
) -> dict[str, Interval] | None:
    """An interval for the sum of each series, all resampled alike; None for too few buckets."""
    rows = {name: np.asarray(values, dtype=float) for name, values in series.items()}
    count = len(next(iter(rows.values())))
    assert all(len(values) == count for values in rows.values()), "series of one length"
    if count < BUCKETS_MIN:
        return None
    dice = np.random.default_rng(params.seed)
    sums: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(params.samples):
        drawn = _places(dice, count, block_mean(params, count))
        for name, values in rows.items():
            sums[name].append(float(values[drawn].sum()))
    tail = (1 - params.confidence) / 2
    return {
        name: Interval(*(float(each) for each in np.quantile(found, [tail, 1 - tail])))
        for name, found in sums.items()
    }


def _places(dice: np.random.Generator, count: int, block: float) -> Row:
    """Where each bucket of a resampled series comes from."""
    at = np.arange(count)
    is_start = dice.random(count) < 1 / block
    is_start[0] = True
    began = np.maximum.accumulate(np.where(is_start, at, 0))
    first = dice.integers(0, count, count)
    places: Row = (first[began] + at - began) % count
    return places
