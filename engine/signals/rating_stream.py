"""The values of one market's bars as they close: the streaming twin of `rating_batch`."""

import math
from collections import deque

from engine.signals import streams as st
from engine.signals.candles import Candle
from engine.signals.rating import Rated, rate
from engine.signals.rating_batch import CLOUD_BARS
from engine.signals.votes import PERIODS, Rules, Snapshot

EARLIER = (
    "close", "rsi", "k", "d", "cci", "adx", "plus_di", "minus_di", "ao", "momentum",
    "rsi_k", "rsi_d", "williams", "bull", "bear",
)  # fmt: skip
"""Values that some rule also reads one bar earlier."""


class RatingStream:
    """Feed it each closed bar once, oldest first. `rated` is the answer for the last one."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._averages = {f"sma{n}": st.Mean(n) for n in PERIODS}
        self._smoothed = {f"ema{n}": st.ema(n) for n in PERIODS}
        self._hull_half, self._hull_whole, self._hull = (st.Weighted(n) for n in (4, 9, 3))
        self._turnover, self._volume = st.Mean(20), st.Mean(20)
        self._tops = {n: st.Highest(n) for n in (9, 26, 52)}
        self._bottoms = {n: st.Lowest(n) for n in (9, 26, 52)}
        self._cloud: deque[tuple[float, float]] = deque(maxlen=CLOUD_BARS + 1)
        self._rsi, self._directional, self._ultimate = st.Rsi(14), st.Directional(14), st.Ultimate()
        self._stochastic, self._rsi_stochastic = st.Stochastic(14), st.Stochastic(14)
        self._k, self._d, self._rsi_k, self._rsi_d = (st.Mean(3) for _ in range(4))
        self._deviation = st.Deviation(20)
        self._middle_fast, self._middle_slow = st.Mean(5), st.Mean(34)
        self._closes: deque[float] = deque(maxlen=11)
        self._ema12, self._ema13, self._ema26 = st.ema(12), st.ema(13), st.ema(26)
        self._signal = st.ema(9)
        self._last: dict[str, float] = {}
        self.bars = 0
        self.rated: Rated | None = None

    def push(self, candle: Candle) -> Rated:
        """The rating on this bar, which has closed."""
        self.bars += 1
        self.rated = rate(self._values(candle), self._rules)
        return self.rated

    def _values(self, candle: Candle) -> Snapshot:
        high, low, close = candle.high, candle.low, candle.close
        values = {"close": close}
        values |= {name: mean.next(close) for name, mean in self._averages.items()}
        values |= {name: mean.next(close) for name, mean in self._smoothed.items()}
        half, whole = self._hull_half.next(close), self._hull_whole.next(close)
        values["hma9"] = self._hull.next(2 * half - whole)
        turnover = self._turnover.next(close * candle.volume)
        values["vwma20"] = st.divided(turnover, self._volume.next(candle.volume))
        values |= self._clouds(high, low)
        values |= self._oscillators(high, low, close)
        before = self._last
        values |= {f"{name}1": before.get(name, math.nan) for name in EARLIER}
        values["ao2"] = before.get("ao1", math.nan)
        self._last = values
        return values

    def _clouds(self, high: float, low: float) -> dict[str, float]:
        conversion, base, span_b = (
            (self._tops[n].next(high) + self._bottoms[n].next(low)) / 2 for n in (9, 26, 52)
        )
        span_a = (conversion + base) / 2
        self._cloud.append((span_a, span_b))
        is_deep = len(self._cloud) > CLOUD_BARS
        span_a26, span_b26 = self._cloud[0] if is_deep else (math.nan, math.nan)
        return {
            "conversion": conversion,
            "base": base,
            "span_a": span_a,
            "span_b": span_b,
            "span_a26": span_a26,
            "span_b26": span_b26,
        }

    def _oscillators(self, high: float, low: float, close: float) -> dict[str, float]:
        stochastic, rsi = self._stochastic.next(close, high, low), self._rsi.next(close)
        k = self._k.next(stochastic)
        plus_di, minus_di, adx = self._directional.next(high, low, close)
        mean, deviation = self._deviation.next(close)
        self._closes.append(close)
        macd = self._ema12.next(close) - self._ema26.next(close)
        ema13 = self._ema13.next(close)
        middle = (high + low) / 2
        rsi_k = self._rsi_k.next(self._rsi_stochastic.next(rsi, rsi, rsi))
        return {
            "rsi": rsi,
            "k": k,
            "d": self._d.next(k),
            "cci": st.divided(close - mean, 0.015 * deviation),
            "adx": adx,
            "plus_di": plus_di,
            "minus_di": minus_di,
            "ao": self._middle_fast.next(middle) - self._middle_slow.next(middle),
            "momentum": close - self._closes[0] if len(self._closes) == 11 else math.nan,
            "macd": macd,
            "signal": self._signal.next(macd),
            "rsi_k": rsi_k,
            "rsi_d": self._rsi_d.next(rsi_k),
            "williams": stochastic - 100,
            "bull": high - ema13,
            "bear": low - ema13,
            "ultimate": self._ultimate.next(high, low, close),
        }
