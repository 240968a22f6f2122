"""Numbers and bars from which the tests of a market's context are built."""

from typing import Any

import msgspec
import numpy as np

from engine.signals.candles import Candle
from engine.signals.outlook_params import (
    BetaParams,
    CorrelationParams,
    OutlookParams,
    RegimeParams,
    ScoreParams,
    ThicknessParams,
    TrendParams,
)
from engine.values.facts import Bar
from engine.values.units import NS_PER_S, Ns

HOUR_NS: Ns = 3_600 * NS_PER_S
START_NS: Ns = 1_000 * HOUR_NS


def beta_params(**changes: Any) -> BetaParams:
    known = BetaParams(span="1h", half_life_bars=50.0, bars_min=30, age_max_s=7_200.0)
    return msgspec.structs.replace(known, **changes)


def regime_params(**changes: Any) -> RegimeParams:
    known = RegimeParams(
        span="1h",
        age_max_s=7_200.0,
        gap_bars_max=2,
        atr_bars=5,
        support_bars=10,
        support_skip_bars=3,
        break_atr=0.5,
        break_bars=2,
        release_atr=0.5,
        break_bars_max=12,
        average_bars=10,
        weak_atr=2.0,
        firm_atr=1.0,
        high_bars=20,
        weak_drawdown=0.10,
        firm_drawdown=0.05,
    )
    return msgspec.structs.replace(known, **changes)


def trend_params(**changes: Any) -> TrendParams:
    known = TrendParams(
        fast_half_life_s=10.0,
        slow_half_life_s=100.0,
        warm_up_s=100.0,
        age_max_s=2.0,
        high_at=1.3,
        high_below=1.1,
        low_above=0.9,
        low_at=0.7,
    )
    return msgspec.structs.replace(known, **changes)


def score_params(**changes: Any) -> ScoreParams:
    known = ScoreParams(
        depth_half_lots=(1_000.0, 2_000.0, 5_000.0),
        depth_weights=(2.0, 1.0, 1.0),
        spread_half_bps=100.0,
        spread_weight=2.0,
        turnover_half_lots_per_s=10.0,
        turnover_weight=1.0,
    )
    return msgspec.structs.replace(known, **changes)


def outlook_params(**changes: Any) -> OutlookParams:
    known = OutlookParams(
        beta=[beta_params()],
        correlation=CorrelationParams(high_at=0.6, low_below=0.4),
        regime=regime_params(),
        depth=trend_params(),
        volatility=trend_params(),
        turnover=trend_params(),
        thickness=ThicknessParams(within_percent=2, thin_below_lots=500, deep_from_lots=800),
        score=score_params(),
    )
    return msgspec.structs.replace(known, **changes)


def candle(at_ns: Ns, close: float, reach: float = 1.0) -> Candle:
    """A bar of a range of two `reach` around its close."""
    return Candle(
        at_ns=at_ns, open=close, high=close + reach, low=close - reach, close=close, volume=1.0
    )


def candles(closes: Any, reach: float = 1.0, start_ns: Ns = START_NS) -> list[Candle]:
    return [candle(start_ns + i * HOUR_NS, float(c), reach) for i, c in enumerate(closes)]


def bars(closes: Any, reach: int = 1, start_ns: Ns = START_NS) -> list[Bar]:
    return [
        Bar(start_ns + i * HOUR_NS, int(c), int(c) + reach, int(c) - reach, int(c), 1)
        for i, c in enumerate(closes)
    ]


def walks(
    seed: int, count: int, beta: float, own: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(BTC closes, token closes): token returns are beta x BTC's plus noise of its own."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.01, count)
    y = beta * x + rng.normal(0, own, count)
    return 1e6 * np.exp(np.cumsum(x)), 1e6 * np.exp(np.cumsum(y))
