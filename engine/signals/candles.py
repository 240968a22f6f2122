"""Candles as every indicator takes them: one struct a bar, or one array a column."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from engine.values.units import Ns

Column = np.ndarray[tuple[int], np.dtype[np.float64]]
"""One float for each bar, oldest first; NaN where the value does not exist."""


class Candle(msgspec.Struct, frozen=True, kw_only=True):
    """One bar. `at_ns` is its opening; prices and volume in any one unit, floats."""

    at_ns: Ns
    open: float
    high: float
    low: float
    close: float
    volume: float

    def problem(self) -> str:
        """Why this cannot be a bar, "" if it can."""
        prices = (self.open, self.high, self.low, self.close)
        if not all(math.isfinite(price) and price > 0 for price in prices):
            return "prices must be finite and more than 0"
        if not (math.isfinite(self.volume) and self.volume >= 0):
            return "volume must be finite and not negative"
        if self.low > min(self.open, self.close) or self.high < max(self.open, self.close):
            return "high and low must hold open and close between them"
        return ""


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """The same bars, column by column, for whole-history arithmetic."""

    high: Column
    low: Column
    close: Column
    volume: Column


def columns_of(candles: Sequence[Candle]) -> Columns:
    rows = np.array([(c.high, c.low, c.close, c.volume) for c in candles], dtype=float)
    rows = rows.reshape(len(candles), 4)
    return Columns(high=rows[:, 0], low=rows[:, 1], close=rows[:, 2], volume=rows[:, 3])
