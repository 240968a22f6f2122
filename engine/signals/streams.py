"""Indicators one bar at a time: each takes the newest value and returns its own, NaN for none yet.

A window is small (200 at most), so sums are taken afresh at each bar: nothing drifts. Definitions
are those of `indicators`, the batch twin.
"""

import math
from collections import deque

NAN = math.nan


class Window:
    """The last n values."""

    def __init__(self, n: int) -> None:
        self._n = n
        self.values: deque[float] = deque(maxlen=n)

    def push(self, x: float) -> bool:
        """Whether the window is full of known values."""
        self.values.append(x)
        return len(self.values) == self._n and not any(map(math.isnan, self.values))


class Mean(Window):
    def next(self, x: float) -> float:
        return sum(self.values) / self._n if self.push(x) else NAN


class Highest(Window):
    def next(self, x: float) -> float:
        return max(self.values) if self.push(x) else NAN


class Lowest(Window):
    def next(self, x: float) -> float:
        return min(self.values) if self.push(x) else NAN


class Weighted(Window):
    def next(self, x: float) -> float:
        if not self.push(x):
            return NAN
        weighted = sum(weight * value for weight, value in enumerate(self.values, 1))
        return weighted / (self._n * (self._n + 1) / 2)


class Deviation(Window):
    """(mean, mean absolute deviation from it)."""

    def next(self, x: float) -> tuple[float, float]:
        if not self.push(x):
            return NAN, NAN
        mean = sum(self.values) / self._n
        return mean, sum(abs(value - mean) for value in self.values) / self._n


class Smoothed:
    """Exponential, seeded with the mean of its first n known values."""

    def __init__(self, n: int, share: float) -> None:
        self._seed: list[float] = []
        self._n = n
        self._share = share
        self._value = NAN

    def next(self, x: float) -> float:
        if math.isnan(x):
            return self._value
        if math.isnan(self._value):
            self._seed.append(x)
            if len(self._seed) == self._n:
                self._value = sum(self._seed) / self._n
        else:
            self._value += self._share * (x - self._value)
        return self._value


def ema(n: int) -> Smoothed:
    return Smoothed(n, 2 / (n + 1))


def rma(n: int) -> Smoothed:
    return Smoothed(n, 1 / n)


class Stochastic:
    """Where the value lies between the window's low (0) and high (100)."""

    def __init__(self, n: int) -> None:
        self._high, self._low = Highest(n), Lowest(n)

    def next(self, x: float, high: float, low: float) -> float:
        top, bottom = self._high.next(high), self._low.next(low)
        return 100 * divided(x - bottom, top - bottom)


class Rsi:
    def __init__(self, n: int) -> None:
        self._up, self._down = rma(n), rma(n)
        self._before = NAN

    def next(self, x: float) -> float:
        change, self._before = x - self._before, x
        if math.isnan(change):
            return NAN
        up, down = self._up.next(max(change, 0.0)), self._down.next(max(-change, 0.0))
        if math.isnan(up):
            return NAN
        if down == 0:
            return 100.0
        return 0.0 if up == 0 else 100 - 100 / (1 + up / down)


class Directional:
    """(+DI, -DI, ADX)."""

    def __init__(self, n: int) -> None:
        self._plus, self._minus, self._span, self._adx = rma(n), rma(n), rma(n), rma(n)
        self._before = (NAN, NAN, NAN)

    def next(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        high_before, low_before, close_before = self._before
        self._before = (high, low, close)
        if math.isnan(close_before):
            return NAN, NAN, NAN
        up, down = high - high_before, low_before - low
        span = max(high - low, abs(high - close_before), abs(low - close_before))
        spans = self._span.next(span)
        plus = self._di(self._plus.next(up if up > down and up > 0 else 0.0), spans)
        minus = self._di(self._minus.next(down if down > up and down > 0 else 0.0), spans)
        total = plus + minus
        return plus, minus, self._adx.next(100 * abs(plus - minus) / (total or 1.0))

    @staticmethod
    def _di(smoothed: float, spans: float) -> float:
        return 0.0 if spans == 0 else 100 * smoothed / spans


class Ultimate:
    def __init__(self) -> None:
        self._pressures = [Mean(n) for n in (7, 14, 28)]
        self._spans = [Mean(n) for n in (7, 14, 28)]
        self._before = NAN

    def next(self, high: float, low: float, close: float) -> float:
        before, self._before = self._before, close
        floor = NAN if math.isnan(before) else min(low, before)
        pressure, span = close - floor, max(high, before) - floor
        parts = [
            divided(p.next(pressure), s.next(span))
            for p, s in zip(self._pressures, self._spans, strict=True)
        ]
        return 100 * (4 * parts[0] + 2 * parts[1] + parts[2]) / 7


def divided(a: float, b: float) -> float:
    """a / b, NaN where b is 0 or unknown."""
    return NAN if b == 0 or math.isnan(b) else a / b
