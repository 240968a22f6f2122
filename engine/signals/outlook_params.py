"""The numbers by which a market's context is judged: an operator's choice, so none has a default.

Every threshold comes as a pair, one to enter a state and one to leave it (hysteresis), and every
number has an age beyond which it is unknown. Times are seconds, ratios plain numbers (1.0 is "as
usual"), shares fractions of one. Mistakes raise ValueError, which names the key.
"""

import math

import msgspec

from engine.signals.spans import SPANS
from engine.values.units import NS_PER_S, Lot, Ns

YEAR_S = 366 * 86_400
BARS_MOST = 10_000
DEPTHS = (1, 2, 5)
"""Percent of mid: the three widths at which depth is measured."""


class BetaParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Beta and correlation on bars of one span. The first table is the one that rows speak of.

    span: length of a bar, as "1h".
    half_life_bars: a return counts half as much after so many bars.
    bars_min: fewer returns than this say nothing.
    age_max_s: unknown when the last bar that both markets have closed longer ago than this.
    """

    span: str
    half_life_bars: float
    bars_min: int
    age_max_s: float

    def __post_init__(self) -> None:
        _check_span(self.span)
        _check_above("half_life_bars", self.half_life_bars, BARS_MOST)
        _check_bars(2, bars_min=self.bars_min)
        _check_seconds(age_max_s=self.age_max_s)

    @property
    def span_ns(self) -> Ns:
        return SPANS[self.span]


class CorrelationParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HIGH from `high_at` on; LOW again below `low_below`. Signed: -0.9 does not follow, so LOW."""

    high_at: float
    low_below: float

    def __post_init__(self) -> None:
        if not -1 < self.low_below < self.high_at < 1:
            raise ValueError("low_below must be less than high_at, both between -1 and 1")


class RegimeParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the broad market stands, from its closed bars. Distances in ATR of `atr_bars` (Wilder).

    span: length of a bar, as "1h".
    age_max_s: unknown when the last bar closed longer ago than this.
    gap_bars_max: after a hole of more bars than this everything starts anew, and is unknown.
    support_bars, support_skip_bars: support is the lowest low of so many bars before the last few,
        which are as many as `break_bars` or more, so that a fall does not lower its own mark.
    break_atr, break_bars: breaking after so many closes in a row more than this below support.
    release_atr: and until a close more than this above the support that broke,
    break_bars_max: or until so many bars have passed: then the fall is the new range.
    average_bars: the simple average of closes by which weakness is told.
    weak_atr, firm_atr: weak from this far below the average; no more from this far below it.
    high_bars: the drawdown is the share lost since the highest high of so many bars.
    weak_drawdown, firm_drawdown: weak, too, from this drawdown on; no more from this one down.
    """

    span: str
    age_max_s: float
    gap_bars_max: int
    atr_bars: int
    support_bars: int
    support_skip_bars: int
    break_atr: float
    break_bars: int
    release_atr: float
    break_bars_max: int
    average_bars: int
    weak_atr: float
    firm_atr: float
    high_bars: int
    weak_drawdown: float
    firm_drawdown: float

    def __post_init__(self) -> None:
        _check_span(self.span)
        _check_seconds(age_max_s=self.age_max_s)
        _check_bars(0, gap_bars_max=self.gap_bars_max, support_skip_bars=self.support_skip_bars)
        _check_bars(
            1,
            atr_bars=self.atr_bars,
            support_bars=self.support_bars,
            break_bars=self.break_bars,
            break_bars_max=self.break_bars_max,
            average_bars=self.average_bars,
            high_bars=self.high_bars,
        )
        if self.support_skip_bars < self.break_bars:
            raise ValueError(
                "support_skip_bars must be at least break_bars: its own fall lowers none"
            )
        if not (0 <= self.break_atr <= 100 and 0 <= self.release_atr <= 100):
            raise ValueError("break_atr and release_atr must lie between 0 and 100")
        if not 0 <= self.firm_atr < self.weak_atr <= 100:
            raise ValueError("firm_atr must be at least 0 and less than weak_atr, at most 100")
        if not 0 <= self.firm_drawdown < self.weak_drawdown < 1:
            raise ValueError("firm_drawdown must be less than weak_drawdown, both from 0 up to 1")

    @property
    def span_ns(self) -> Ns:
        return SPANS[self.span]

    @property
    def bars_needed(self) -> int:
        """Fewer bars in a stretch than this say nothing."""
        support = self.support_bars + self.support_skip_bars
        return max(support, self.average_bars, self.high_bars, self.atr_bars + 1)


class TrendParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fast average over a slow one, both fading by half in their half-life of observed time.

    high_at, high_below: the ratio is high from the first on, until it falls below the second.
    low_at, low_above: it is low from the first down, until it rises above the second.
    warm_up_s: nothing is known before so much observed time.
    age_max_s: unknown when the last sample is older; a hole counts as no more than this.
    """

    fast_half_life_s: float
    slow_half_life_s: float
    warm_up_s: float
    age_max_s: float
    high_at: float
    high_below: float
    low_above: float
    low_at: float

    def __post_init__(self) -> None:
        _check_seconds(
            fast_half_life_s=self.fast_half_life_s,
            slow_half_life_s=self.slow_half_life_s,
            warm_up_s=self.warm_up_s,
            age_max_s=self.age_max_s,
        )
        if self.fast_half_life_s >= self.slow_half_life_s:
            raise ValueError("fast_half_life_s must be less than slow_half_life_s")
        if not 0 <= self.low_at < self.low_above <= self.high_below < self.high_at <= 1000:
            raise ValueError("wanted: low_at < low_above <= high_below < high_at")


class ThicknessParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the book can take what we might have to do in it, by its thinner side.

    within_percent: 1, 2 or 5 from mid; the trend of depth is read at the same width.
    thin_below_lots, deep_from_lots: THIN below the first; DEEP again from the second on.
    Depth is the fast average of the depth trend; a lot is the instrument's size step.
    """

    within_percent: int
    thin_below_lots: Lot
    deep_from_lots: Lot

    def __post_init__(self) -> None:
        if self.within_percent not in DEPTHS:
            raise ValueError("within_percent is 1, 2 or 5")
        if not 0 < self.thin_below_lots < self.deep_from_lots:
            raise ValueError("thin_below_lots must be above 0 and less than deep_from_lots")

    @property
    def rank(self) -> int:
        """Which of the three depths."""
        return DEPTHS.index(self.within_percent)


class ScoreParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The liquidity score: each part is worth half its weight at its own half point.

    depth_half_lots: thinner side within 1, 2 and 5 % of mid.  spread_half_bps: the market's spread.
    turnover_half_lots_per_s: trades of anybody. The weights need not add up to one.
    """

    depth_half_lots: tuple[float, float, float]
    depth_weights: tuple[float, float, float]
    spread_half_bps: float
    spread_weight: float
    turnover_half_lots_per_s: float
    turnover_weight: float

    def __post_init__(self) -> None:
        halves = (*self.depth_half_lots, self.spread_half_bps, self.turnover_half_lots_per_s)
        weights = (*self.depth_weights, self.spread_weight, self.turnover_weight)
        if not all(math.isfinite(half) and half > 0 for half in halves):
            raise ValueError("half points must be finite and above 0")
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights):
            raise ValueError("weights must be finite and not negative")
        if not any(weights):
            raise ValueError("some weight must be above 0")


class OutlookParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[outlook]` table of a playbook file.

    `depth`, `volatility` and `turnover` turn the ratio of now to usual into improving / thinning,
    rising / falling and high / low.
    """

    beta: list[BetaParams]
    correlation: CorrelationParams
    regime: RegimeParams
    depth: TrendParams
    volatility: TrendParams
    turnover: TrendParams
    thickness: ThicknessParams
    score: ScoreParams

    def __post_init__(self) -> None:
        spans = [frame.span for frame in self.beta]
        if not spans or len(spans) > len(SPANS):
            raise ValueError("beta needs at least one time frame")
        if len(set(spans)) != len(spans):
            raise ValueError("beta has one span twice")


def ns_of(seconds: float) -> Ns:
    return round(seconds * NS_PER_S)


def _check_span(span: str) -> None:
    if span not in SPANS:
        raise ValueError(f"span must be one of {', '.join(SPANS)}")


def _check_bars(at_least: int, **counts: int) -> None:
    for name, count in counts.items():
        if not at_least <= count <= BARS_MOST:
            raise ValueError(f"{name} must lie between {at_least} and {BARS_MOST}")


def _check_seconds(**spans: float) -> None:
    for name, seconds in spans.items():
        _check_above(name, seconds, YEAR_S)


def _check_above(name: str, value: float, high: float) -> None:
    if not (math.isfinite(value) and 0 < value <= high):
        raise ValueError(f"{name} must be above 0 and at most {high:g}")
