"""Indicators over a whole history, as the rating's rules define them: the batch twin.

Every function takes and returns columns of one float a bar, NaN where the value does not exist. A
window with a NaN in it has no value. Sources and definitions: `rating.py`.
"""

import math

import numpy as np

from engine.signals.candles import Column


def windows(x: Column, n: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    return np.lib.stride_tricks.sliding_window_view(x, n)


def _tail(x: Column, n: int, values: Column) -> Column:
    """`values` of the full windows, after NaN for the bars before the first."""
    out = np.full(len(x), math.nan)
    out[n - 1 :] = values
    return out


def sma(x: Column, n: int) -> Column:
    return _nothing(x) if len(x) < n else _tail(x, n, windows(x, n).mean(axis=1))


def highest(x: Column, n: int) -> Column:
    return _nothing(x) if len(x) < n else _tail(x, n, windows(x, n).max(axis=1))


def lowest(x: Column, n: int) -> Column:
    return _nothing(x) if len(x) < n else _tail(x, n, windows(x, n).min(axis=1))


def wma(x: Column, n: int) -> Column:
    """Weights 1 to n, the newest heaviest."""
    if len(x) < n:
        return _nothing(x)
    weights = np.arange(1, n + 1, dtype=float)
    return _tail(x, n, windows(x, n) @ weights / weights.sum())


def hma(x: Column, n: int) -> Column:
    """Hull: WMA(2 WMA(x, n/2) - WMA(x, n), sqrt n), both divisors floored."""
    return wma(2 * wma(x, n // 2) - wma(x, n), math.isqrt(n))


def vwma(x: Column, volume: Column, n: int) -> Column:
    """NaN where nothing was traded in the window."""
    return divided(sma(x * volume, n), sma(volume, n))


def smoothed(x: Column, n: int, share: float) -> Column:
    """An exponential average that is seeded with the mean of the first n values."""
    out = np.full(len(x), math.nan)
    known = np.flatnonzero(~np.isnan(x))
    if len(known) < n:
        return out
    first = int(known[0]) + n - 1
    value = float(x[known[0] : first + 1].mean())
    out[first] = value
    for i in range(first + 1, len(x)):
        value += share * (float(x[i]) - value)
        out[i] = value
    return out


def ema(x: Column, n: int) -> Column:
    return smoothed(x, n, 2 / (n + 1))


def rma(x: Column, n: int) -> Column:
    """Wilder's average."""
    return smoothed(x, n, 1 / n)


def back(x: Column, bars: int) -> Column:
    """The value `bars` earlier."""
    out = np.full(len(x), math.nan)
    if bars < len(x):
        out[bars:] = x[: len(x) - bars]
    return out


def stochastic(x: Column, high: Column, low: Column, n: int) -> Column:
    """0 at the window's low, 100 at its high; NaN where it has no range."""
    bottom = lowest(low, n)
    return 100 * divided(x - bottom, highest(high, n) - bottom)


def rsi(x: Column, n: int) -> Column:
    change = x - back(x, 1)
    up, down = rma(np.maximum(change, 0), n), rma(np.maximum(-change, 0), n)
    out = 100 - 100 / (1 + divided(up, down))
    out = np.where(up == 0, 0.0, out)
    out = np.where(down == 0, 100.0, out)
    return np.where(np.isnan(up), math.nan, out)


def cci(x: Column, n: int) -> Column:
    """Of the closing price itself; NaN where the window does not deviate."""
    if len(x) < n:
        return _nothing(x)
    view = windows(x, n)
    deviation = np.abs(view - view.mean(axis=1)[:, None]).mean(axis=1)
    return divided(x - sma(x, n), 0.015 * _tail(x, n, deviation))


def true_range(high: Column, low: Column, close: Column) -> Column:
    before = back(close, 1)
    return np.maximum(high - low, np.maximum(np.abs(high - before), np.abs(low - before)))


def directional(high: Column, low: Column, close: Column, n: int) -> tuple[Column, Column, Column]:
    """(+DI, -DI, ADX), all smoothed by Wilder's average. Without any range both DI are 0."""
    up, down = high - back(high, 1), back(low, 1) - low
    known = ~np.isnan(up)
    plus = np.where((up > down) & (up > 0), up, np.where(known, 0.0, math.nan))
    minus = np.where((down > up) & (down > 0), down, np.where(known, 0.0, math.nan))
    span = rma(true_range(high, low, close), n)
    plus_di = np.where(span == 0, 0.0, 100 * divided(rma(plus, n), span))
    minus_di = np.where(span == 0, 0.0, 100 * divided(rma(minus, n), span))
    total = plus_di + minus_di
    index = 100 * np.abs(plus_di - minus_di) / np.where(total == 0, 1.0, total)
    return plus_di, minus_di, rma(index, n)


def ultimate(high: Column, low: Column, close: Column) -> Column:
    """Over 7, 14 and 28 bars, weighted 4, 2 and 1; NaN where a window has no range."""
    before = back(close, 1)
    floor = np.minimum(low, before)
    floor = np.where(np.isnan(before), math.nan, floor)
    pressure, span = close - floor, np.maximum(high, before) - floor
    parts = [divided(sma(pressure, n), sma(span, n)) for n in (7, 14, 28)]
    return 100 * (4 * parts[0] + 2 * parts[1] + parts[2]) / 7


def divided(a: Column, b: Column) -> Column:
    """a / b, NaN where b is 0."""
    out = np.full(len(a), math.nan)
    np.divide(a, b, out=out, where=(b != 0) & ~np.isnan(b))
    return out


def _nothing(x: Column) -> Column:
    return np.full(len(x), math.nan)
