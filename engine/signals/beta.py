"""How a token moves with the broad market: beta, correlation and what a hedge would leave.

Covariances are exponentially weighted with mean zero, as in RiskMetrics Technical Document (1996),
section 5.2, divided by the sum of their weights, so that a short history is not read as a calm
one. Beta is the slope of token on BTC log returns; its standard error is White's (1980),
which holds where volatility comes in clusters. That slope is also the minimum-variance hedge ratio
(Hull, Options, Futures and Other Derivatives, chapter 3: rho x sigma_S / sigma_F).
"""

import math
from typing import NamedTuple

import numpy as np

from engine.signals.bars import BarSeries, candle_of
from engine.signals.candles import Candle, Column
from engine.signals.outlook import HedgeRatio
from engine.signals.outlook_params import BARS_MOST, BetaParams
from engine.values.facts import Bar
from engine.values.units import Ns

HALF_LIVES_KEPT = 12
"""What is older than this weighs less than a four-thousandth."""


class Fit(NamedTuple):
    """`pairs` weighs the returns by age: as if so many counted in full."""

    beta: float
    beta_error: float
    correlation: float
    correlation_error: float
    pairs: float


class Beta:
    """Feed it each pair of closed bars once, oldest first. Unknown is None."""

    def __init__(self, params: BetaParams) -> None:
        self._span_ns = params.span_ns
        self._bars_min = params.bars_min
        self._fade = 0.5 ** (1 / params.half_life_bars)
        self._weights = self._xx = self._xy = self._yy = 0.0
        self._squares = self._x4 = self._x3y = self._x2y2 = 0.0
        self._before: tuple[float, float] | None = None
        self._opened_ns: Ns = 0
        self.returns = 0

    def __repr__(self) -> str:
        return f"<beta of {self.returns} returns: {self.fit()}>"

    @property
    def opened_ns(self) -> Ns:
        """Opening of the last pair, 0 before the first."""
        return self._opened_ns

    @property
    def closed_ns(self) -> Ns:
        """Until when the last pair tells of the market, 0 before the first."""
        return self._opened_ns + self._span_ns if self._opened_ns else 0

    def push(self, token: Candle, btc: Candle) -> None:
        """Two bars of one opening. Across a hole there is no return, and so none of zero."""
        assert token.at_ns == btc.at_ns > self._opened_ns, "bars come in pairs and in order"
        closes = (math.log(btc.close), math.log(token.close))
        before, self._before = self._before, closes
        is_next = token.at_ns == self._opened_ns + self._span_ns
        self._opened_ns = token.at_ns
        if before is not None and is_next:
            self._add(closes[0] - before[0], closes[1] - before[1])

    def _add(self, x: float, y: float) -> None:
        fade, fade2 = self._fade, self._fade * self._fade
        self._weights = self._weights * fade + 1.0
        self._xx = self._xx * fade + x * x
        self._xy = self._xy * fade + x * y
        self._yy = self._yy * fade + y * y
        self._squares = self._squares * fade2 + 1.0
        self._x4 = self._x4 * fade2 + x**4
        self._x3y = self._x3y * fade2 + x**3 * y
        self._x2y2 = self._x2y2 * fade2 + (x * y) ** 2
        self.returns += 1

    def fit(self) -> Fit | None:
        """None before `bars_min` returns, and where one of the two has not moved at all."""
        if self.returns < self._bars_min or not (self._xx > 0 and self._yy > 0):
            return None
        beta = self._xy / self._xx
        squared_errors = self._x2y2 - 2 * beta * self._x3y + beta * beta * self._x4
        pairs = self._weights**2 / self._squares
        error = math.sqrt(max(0.0, squared_errors) * pairs / (pairs - 1)) / self._xx
        correlation = _bounded(self._xy / math.sqrt(self._xx * self._yy))
        return Fit(beta, error, correlation, (1 - correlation**2) / math.sqrt(pairs - 1), pairs)

    def hedge_ratio(self) -> HedgeRatio | None:
        fit = self.fit()
        if fit is None:
            return None
        return HedgeRatio(fit.beta, fit.beta_error, math.sqrt(1 - fit.correlation**2))


class BetaOfSeries:
    """Joins the closed bars of both markets by their opening, in whatever order they come."""

    def __init__(self, params: BetaParams) -> None:
        kept = min(BARS_MOST, max(params.bars_min, round(HALF_LIVES_KEPT * params.half_life_bars)))
        self.params = params
        self._token = BarSeries(params.span_ns, kept + 1)
        self._btc = BarSeries(params.span_ns, kept + 1)
        self.beta = Beta(params)

    def on_token(self, bars: list[Bar]) -> None:
        self._take(self._token, bars)

    def on_btc(self, bars: list[Bar]) -> None:
        self._take(self._btc, bars)

    def _take(self, series: BarSeries, bars: list[Bar]) -> None:
        if series.push(bars).is_restart:
            self.beta = Beta(self.params)
        known_ns = self.beta.opened_ns
        others = {bar.open_ns: bar for bar in self._btc.bars() if bar.open_ns > known_ns}
        for bar in self._token.bars():
            if bar.open_ns in others:
                self.beta.push(candle_of(bar), candle_of(others[bar.open_ns]))


def fit_of(x: Column, y: Column, half_life_bars: float) -> Fit:
    """The batch twin of `Beta`: BTC returns x, token returns y, oldest first. For whole histories.

    Weights are laid out and summed anew, so that no error of the stream's can hide here.
    """
    weights = 0.5 ** (np.arange(len(x))[::-1] / half_life_bars)
    xx, xy, yy = ((weights * a * b).sum() for a, b in ((x, x), (x, y), (y, y)))
    beta = xy / xx
    pairs = weights.sum() ** 2 / (weights**2).sum()
    meat = ((weights * x * (y - beta * x)) ** 2).sum()
    error = math.sqrt(meat * pairs / (pairs - 1)) / xx
    correlation = _bounded(xy / math.sqrt(xx * yy))
    spread = (1 - correlation**2) / math.sqrt(pairs - 1)
    return Fit(float(beta), float(error), float(correlation), float(spread), float(pairs))


def _bounded(correlation: float) -> float:
    """Rounding may carry a perfect correlation a hair beyond one."""
    return max(-1.0, min(1.0, correlation))
