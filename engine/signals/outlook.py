"""What can be said of the market around a token, as the words that a playbook's rows are made of.

Every question has a finite set of answers, and "unknown" is one of them: a missing or stale number
is never read as a good one.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from engine.values.units import Lot, Ns


class Regime(StrEnum):
    """Where the broad market (BTC) stands."""

    STABLE = "stable"
    WEAK = "weak"
    BREAKING_SUPPORT = "breaking support"
    UNKNOWN = "unknown"


class Correlation(StrEnum):
    """How closely the token follows the broad market now."""

    LOW = "low"
    HIGH = "high"
    UNKNOWN = "unknown"


class DepthTrend(StrEnum):
    IMPROVING = "improving"
    STEADY = "steady"
    THINNING = "thinning"
    UNKNOWN = "unknown"


class VolatilityTrend(StrEnum):
    FALLING = "falling"
    STEADY = "steady"
    RISING = "rising"
    UNKNOWN = "unknown"


class Thickness(StrEnum):
    """Whether the book can take what we might have to do in it."""

    DEEP = "deep"
    THIN = "thin"
    UNKNOWN = "unknown"


class Turnover(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    UNKNOWN = "unknown"


class Known(msgspec.Struct, frozen=True, gc=False):
    """A number and how old it is. Where it is too old to be believed it is not there at all."""

    value: float
    age_ns: Ns


class HedgeRatio(NamedTuple):
    """`ratio`: value of BTC to sell for a value of token held. `error`: its standard error.

    `residual_share`: the part of the token's volatility that such a hedge leaves, 0 to 1.
    """

    ratio: float
    error: float
    residual_share: float


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to questions 3 and 4 at one moment, and the numbers behind them.

    `beta` and `correlation_value` are against the broad market; `depth_ratio` and
    `volatility_ratio` compare the present with the usual; `spread_bps` is the market's, without
    us; `depth_lots` are (bid, ask) within 1, 2 and 5 % of mid; `score` is the liquidity score,
    0 to 100.
    """

    btc: Regime = Regime.UNKNOWN
    correlation: Correlation = Correlation.UNKNOWN
    depth: DepthTrend = DepthTrend.UNKNOWN
    volatility: VolatilityTrend = VolatilityTrend.UNKNOWN
    book: Thickness = Thickness.UNKNOWN
    turnover: Turnover = Turnover.UNKNOWN
    beta: Known | None = None
    correlation_value: Known | None = None
    depth_ratio: Known | None = None
    volatility_ratio: Known | None = None
    spread_bps: Known | None = None
    score: Known | None = None
    turnover_ratio: Known | None = None
    depth_lots: tuple[tuple[Lot, Lot], ...] = ()


NOTHING_KNOWN = Outlook()
