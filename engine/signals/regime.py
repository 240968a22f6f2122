"""Where the broad market stands, by a rule that a person can check on a chart.

Support is the lowest low of `support_bars` closed bars before the last `support_skip_bars`.
BREAKING from `break_bars` closes in a row more than `break_atr` ATR below it. The support that
broke is then held: the break ends with a close more than `release_atr` ATR above it, or
after `break_bars_max` bars, unless the market is breaking a later support by then.
WEAK from `weak_atr` ATR below the average close or a drawdown of `weak_drawdown` from the highest
high; no more once both are back within `firm_atr` and `firm_drawdown`. Else STABLE.
ATR as in Wilder (1978), with his smoothing.
"""

import math
from collections import deque

from engine.signals.bars import BarSeries, candle_of
from engine.signals.candles import Candle
from engine.signals.outlook import Regime
from engine.signals.outlook_params import BARS_MOST, RegimeParams
from engine.signals.streams import rma
from engine.values.facts import Bar
from engine.values.units import Ns

REBUILT_FROM = 2
"""Kept for a rebuild: so many times the bars that an answer needs."""


class RegimeStream:
    """Feed it each closed bar once, oldest first.

    `support` is the level that counts now (the broken one during a break), None until known.
    """

    def __init__(self, params: RegimeParams) -> None:
        self._params = params
        self._opened_ns: Ns = 0
        self._start()

    def _start(self) -> None:
        params = self._params
        self._bars = 0
        self._newest_lows: deque[float] = deque()
        self._lows = Highest(params.support_bars)
        self._true_range = rma(params.atr_bars)
        self._average, self._highs = Mean(params.average_bars), Highest(params.high_bars)
        self._close = math.nan
        self._below = 0
        self._broken_bars = 0
        self._broken: float | None = None
        self._is_weak = False
        self.support: float | None = None
        self.average = math.nan
        self.regime = Regime.UNKNOWN

    def __repr__(self) -> str:
        return f"<{self.regime}, support {self.support}, {self._bars} bars>"

    @property
    def closed_ns(self) -> Ns:
        """Until when the last bar tells of the market, 0 before the first."""
        return self._opened_ns + self._params.span_ns if self._opened_ns else 0

    def push(self, bar: Candle) -> Regime:
        """The regime as of this bar's close. A long hole in the bars starts everything anew."""
        assert bar.at_ns > self._opened_ns, "bars come in order"
        hole_ns = bar.at_ns - self._opened_ns - self._params.span_ns
        if hole_ns > self._params.gap_bars_max * self._params.span_ns:
            self._start()
        self._opened_ns = bar.at_ns
        self._bars += 1
        atr = self._atr(bar)
        rolling = self._rolling_support(bar.low)
        self.average, high = self._average.next(bar.close), self._highs.next(bar.high)
        if rolling is None or self._bars < self._params.bars_needed:
            return self.regime
        self._break(bar.close, rolling, atr)
        self._weaken(self.average - bar.close, 1 - bar.close / high, atr)
        self.regime = self._answer()
        return self.regime

    def _atr(self, bar: Candle) -> float:
        before, self._close = self._close, bar.close
        if math.isnan(before):
            return math.nan
        return self._true_range.next(max(bar.high, before) - min(bar.low, before))

    def _rolling_support(self, low: float) -> float | None:
        """Lows count only once they are older than the newest few."""
        self._newest_lows.append(low)
        if len(self._newest_lows) <= self._params.support_skip_bars:
            return None
        return -self._lows.next(-self._newest_lows.popleft())

    def _break(self, close: float, rolling: float, atr: float) -> None:
        """Counts closes below the rolling support; holds the broken one while the break lasts."""
        params = self._params
        is_below = close < rolling - params.break_atr * atr
        self._below = self._below + 1 if is_below else 0
        if self._broken is not None:
            self._broken_bars += 1
            is_back = close > self._broken + params.release_atr * atr
            if is_back or self._broken_bars >= params.break_bars_max:
                self._broken = None
        if self._broken is None and self._below >= params.break_bars:
            self._broken, self._broken_bars = rolling, 0
        self.support = rolling if self._broken is None else self._broken

    def _weaken(self, short: float, drawdown: float, atr: float) -> None:
        params = self._params
        if self._is_weak:
            is_firm = short <= params.firm_atr * atr and drawdown <= params.firm_drawdown
            self._is_weak = not is_firm
        else:
            is_short = short > params.weak_atr * atr
            self._is_weak = is_short or drawdown >= params.weak_drawdown

    def _answer(self) -> Regime:
        if self._broken is not None:
            return Regime.BREAKING_SUPPORT
        return Regime.WEAK if self._is_weak else Regime.STABLE


class Highest:
    """The highest of the last n, in steps that do not grow with n: a start reads long histories."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._count = 0
        self._falling: deque[tuple[int, float]] = deque()

    def next(self, x: float) -> float:
        """Of fewer than n while there are no more."""
        falling = self._falling
        while falling and falling[-1][1] <= x:
            falling.pop()
        falling.append((self._count, x))
        if falling[0][0] <= self._count - self._n:
            falling.popleft()
        self._count += 1
        return falling[0][1]


class Mean:
    """Of the last n. Prices in ticks are whole, so that a running sum of them stays exact."""

    def __init__(self, n: int) -> None:
        self._values: deque[float] = deque()
        self._n = n
        self._sum = 0.0

    def next(self, x: float) -> float:
        """Of fewer than n while there are no more."""
        self._values.append(x)
        self._sum += x
        if len(self._values) > self._n:
            self._sum -= self._values.popleft()
        return self._sum / len(self._values)


class RegimeOfSeries:
    """The regime of closed bars in whatever order they come."""

    def __init__(self, params: RegimeParams) -> None:
        self.params = params
        kept = REBUILT_FROM * params.bars_needed + params.break_bars_max
        self._series = BarSeries(params.span_ns, min(BARS_MOST, kept), params.gap_bars_max)
        self.stream = RegimeStream(params)

    def on_btc(self, bars: list[Bar]) -> None:
        joined = self._series.push(bars)
        if joined.is_restart:
            self.stream = RegimeStream(self.params)
        for bar in self._series.bars() if joined.is_restart else joined.appended:
            self.stream.push(candle_of(bar))
