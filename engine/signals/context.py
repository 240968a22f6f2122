"""Joins all that is known of a market's surroundings into one `Outlook`, with the age of each part.

What is missing or too old is unknown. Bars come as they close, the book some times a second, each
trade at once; the answer is kept until something is told, an age shows, or something turns stale.
"""

from typing import TypeAlias

from engine.signals.beta import BetaOfSeries, Fit
from engine.signals.liquidity_score import Liquidity, score_of
from engine.signals.outlook import (
    NOTHING_KNOWN,
    Correlation,
    DepthTrend,
    HedgeRatio,
    Known,
    Outlook,
    Regime,
    Thickness,
    Turnover,
    VolatilityTrend,
)
from engine.signals.outlook_params import OutlookParams, ns_of
from engine.signals.regime import RegimeOfSeries
from engine.signals.trends import Average, Switch, Trend, TurnoverTrend
from engine.values.facts import Bar
from engine.values.units import Lot, Ns

Depths: TypeAlias = tuple[tuple[Lot, Lot], tuple[Lot, Lot], tuple[Lot, Lot]]
"""(bid, ask) lots within 1, 2 and 5 % of mid."""

AGE_STEP_NS: Ns = 100_000_000
"""Ages are told as of the last whole step, so that an answer can serve more than one decision."""
BPS = 10_000
_DEPTH = {1: DepthTrend.IMPROVING, 0: DepthTrend.STEADY, -1: DepthTrend.THINNING}
_VOLATILITY = {1: VolatilityTrend.RISING, 0: VolatilityTrend.STEADY, -1: VolatilityTrend.FALLING}
_TURNOVER = {1: Turnover.HIGH, 0: Turnover.NORMAL, -1: Turnover.LOW}


class ContextMeter:
    """One market's surroundings. Times are engine time; nothing here reads a clock."""

    def __init__(self, params: OutlookParams) -> None:
        self._frames = {frame.span_ns: BetaOfSeries(frame) for frame in params.beta}
        self._frame = self._frames[params.beta[0].span_ns]
        self._is_high = Switch(params.correlation.high_at, params.correlation.low_below)
        self._regime = RegimeOfSeries(params.regime)
        self._book = BookContext(params)
        self._fit: Fit | None = None
        self._answer = NOTHING_KNOWN
        self._from_ns: Ns = 0
        self._until_ns: Ns = 0
        """The answer holds from the one to just before the other; nowhere where they are equal."""

    def on_token_bars(self, span_ns: Ns, bars: list[Bar], at_ns: Ns) -> None:
        """Closed bars of this market, oldest first; told again, late or corrected is fine."""
        frame = self._frames.get(span_ns)
        if frame is not None:
            frame.on_token(_told(bars, at_ns))
            self._on_bars()

    def on_btc_bars(self, span_ns: Ns, bars: list[Bar], at_ns: Ns) -> None:
        """Closed bars of the broad market."""
        told = _told(bars, at_ns)
        if span_ns == self._regime.params.span_ns:
            self._regime.on_btc(told)
        frame = self._frames.get(span_ns)
        if frame is not None:
            frame.on_btc(told)
        self._on_bars()

    def on_market(
        self,
        now_ns: Ns,
        depth_lots: Depths,
        spread_bps: float | None,
        volatility: float | None,
        mid: float,
    ) -> None:
        """The book without our own orders, sampled. `volatility` in ticks per root second.

        `mid` in ticks, 0.0 where a side is empty: then nothing is known of the book.
        """
        self._from_ns = self._until_ns = 0
        if mid <= 0:
            self._book.lose(now_ns)
            return
        volatility_bps = None if volatility is None else volatility / mid * BPS
        self._book.sample(now_ns, depth_lots, spread_bps, volatility_bps)

    def on_trade(self, lots: Lot, at_ns: Ns) -> None:
        """Anybody's trade. It shows in the outlook from the next `on_market` on."""
        self._book.turnover.on_trade(lots, at_ns)

    def outlook(self, now_ns: Ns) -> Outlook:
        """The answers as of `now_ns`. Cheap: most calls hand out the answer of the call before."""
        if self._from_ns <= now_ns < self._until_ns:
            return self._answer
        self._from_ns = now_ns - now_ns % AGE_STEP_NS
        aged = Aged(now_ns, self._from_ns)
        self._answer = self._outlook(aged)
        # Within a step a number can turn stale: this answer may not serve on both sides of that.
        self._from_ns, self._until_ns = now_ns, min(self._from_ns + AGE_STEP_NS, aged.until_ns)
        return self._answer

    def hedge_ratio(self, now_ns: Ns, span_ns: Ns | None = None) -> HedgeRatio | None:
        """Of one time frame (the first without a span); None where unknown or stale."""
        frame = self._frame if span_ns is None else self._frames.get(span_ns)
        if frame is None or not frame.beta.closed_ns:
            return None
        is_stale = now_ns - frame.beta.closed_ns > ns_of(frame.params.age_max_s)
        return None if is_stale else frame.beta.hedge_ratio()

    def _on_bars(self) -> None:
        self._from_ns = self._until_ns = 0
        fit = self._frame.beta.fit()
        if fit is not None and fit != self._fit:
            self._is_high.turn(fit.correlation)
        self._fit = fit

    def _outlook(self, aged: "Aged") -> Outlook:
        fit, beta, stream = self._fit, self._frame.beta, self._regime.stream
        is_btc_known = aged.is_fresh(stream.closed_ns, ns_of(self._regime.params.age_max_s))
        is_fit_known = aged.is_fresh(beta.closed_ns, ns_of(self._frame.params.age_max_s))
        if fit is None or not is_fit_known:
            fit, correlation = None, Correlation.UNKNOWN
        else:
            correlation = Correlation.HIGH if self._is_high.is_on else Correlation.LOW
        return self._book.outlook(
            aged,
            Outlook(
                btc=stream.regime if is_btc_known else Regime.UNKNOWN,
                correlation=correlation,
                beta=aged.known(fit and fit.beta, beta.closed_ns),
                correlation_value=aged.known(fit and fit.correlation, beta.closed_ns),
            ),
        )


class Aged:
    """Tells ages at one moment, and until when what it called fresh will be so."""

    def __init__(self, now_ns: Ns, told_ns: Ns) -> None:
        self._now_ns = now_ns
        self._told_ns = told_ns
        self.until_ns: Ns = told_ns + AGE_STEP_NS

    def is_fresh(self, at_ns: Ns, age_max_ns: Ns) -> bool:
        """Whether a number of `at_ns` (0: never) is to be believed."""
        stale_ns = at_ns + age_max_ns + 1
        if not at_ns or self._now_ns >= stale_ns:
            return False
        self.until_ns = min(self.until_ns, stale_ns)
        return True

    def known(self, value: float | None, at_ns: Ns) -> Known | None:
        return None if value is None else Known(value, max(0, self._told_ns - at_ns))


class BookContext:
    """What the token's own book and trades say."""

    def __init__(self, params: OutlookParams) -> None:
        self._params = params
        self._depth = Trend(params.depth)
        self._volatility = Trend(params.volatility)
        self.turnover = TurnoverTrend(params.turnover)
        self._is_deep = Switch(params.thickness.deep_from_lots, params.thickness.thin_below_lots)
        fast_ns = ns_of(params.depth.fast_half_life_s)
        self._depths = [Average(fast_ns) for _ in range(3)]
        self._lots: Depths = ((0, 0), (0, 0), (0, 0))
        self._spread_bps: float | None = None
        self._score: float | None = None
        self._at_ns: Ns = 0

    def sample(
        self, now_ns: Ns, lots: Depths, spread_bps: float | None, volatility_bps: float | None
    ) -> None:
        held_ns = max(0, min(now_ns - self._at_ns, self._depth.age_max_ns)) if self._at_ns else 0
        for average, pair in zip(self._depths, self._lots, strict=True):
            average.hold(min(pair), held_ns)
        self._lots, self._spread_bps, self._at_ns = lots, spread_bps, now_ns
        self._depth.sample(min(lots[self._params.thickness.rank]), now_ns)
        self._volatility.sample(volatility_bps, now_ns)
        self.turnover.sample(now_ns)
        if self._depth.fast is not None:
            self._is_deep.turn(self._depth.fast)
        self._score = self._scored()

    def lose(self, now_ns: Ns) -> None:
        self._at_ns = 0
        self._depth.sample(None, now_ns)
        self._volatility.sample(None, now_ns)
        self.turnover.lose()

    def _scored(self) -> float | None:
        depths = tuple(average.value for average in self._depths)
        spread_bps, rate = self._spread_bps, self.turnover.rate
        one, two, five = depths
        if one is None or two is None or five is None or spread_bps is None or rate is None:
            return None
        found = Liquidity(
            depth_lots=(one, two, five), spread_bps=spread_bps, turnover_lots_per_s=rate
        )
        return score_of(found, self._params.score)

    def outlook(self, aged: Aged, broad: Outlook) -> Outlook:
        """`broad`, which is of the broad market alone, and what is known of this one."""
        at_ns, depth, volatility, turnover = (
            self._at_ns, self._depth, self._volatility, self.turnover,
        )  # fmt: skip
        has_depth = aged.is_fresh(at_ns, depth.age_max_ns)
        moves = volatility.state if aged.is_fresh(at_ns, volatility.age_max_ns) else None
        has_trades = aged.is_fresh(at_ns, turnover.age_max_ns)
        trades = turnover.state if has_trades else None
        trend = depth.state if has_depth else None
        return Outlook(
            btc=broad.btc,
            correlation=broad.correlation,
            depth=DepthTrend.UNKNOWN if trend is None else _DEPTH[trend],
            volatility=VolatilityTrend.UNKNOWN if moves is None else _VOLATILITY[moves],
            book=self._thickness() if has_depth else Thickness.UNKNOWN,
            turnover=Turnover.UNKNOWN if trades is None else _TURNOVER[trades],
            beta=broad.beta,
            correlation_value=broad.correlation_value,
            depth_ratio=aged.known(None if trend is None else depth.ratio, at_ns),
            volatility_ratio=aged.known(None if moves is None else volatility.ratio, at_ns),
            spread_bps=aged.known(self._spread_bps if has_depth else None, at_ns),
            score=aged.known(self._score if has_depth and has_trades else None, at_ns),
            turnover_ratio=aged.known(None if trades is None else turnover.ratio, at_ns),
            depth_lots=self._lots if has_depth else (),
        )

    def _thickness(self) -> Thickness:
        if self._depth.fast is None:
            return Thickness.UNKNOWN
        return Thickness.DEEP if self._is_deep.is_on else Thickness.THIN


def _told(bars: list[Bar], at_ns: Ns) -> list[Bar]:
    """A bar that opens after it was told would never turn stale: a wrong clock or wrong data."""
    return [bar for bar in bars if bar.open_ns <= at_ns]
