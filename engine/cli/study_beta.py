"""What a history of bars says of a token's beta and of the broad market's regimes, bar by bar."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from engine.signals.beta import Beta, Fit
from engine.signals.candles import Candle
from engine.signals.outlook import HedgeRatio, Regime
from engine.signals.outlook_params import BetaParams, CorrelationParams, RegimeParams
from engine.signals.regime import RegimeStream
from engine.signals.spans import NAMES, SPANS
from engine.values.errors import UserError
from engine.values.units import NS_PER_S, Ns

SHARED_MIN = 3


class StudyRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that a study is made by: the same numbers as a playbook's `[outlook]`."""

    beta: BetaParams
    correlation: CorrelationParams
    regime: RegimeParams


def usual_rules(span: str) -> StudyRules:
    """For a look at a history without a playbook: nothing is quoted by these numbers."""
    return StudyRules(
        beta=BetaParams(span=span, half_life_bars=168.0, bars_min=72, age_max_s=1.0),
        correlation=CorrelationParams(high_at=0.6, low_below=0.5),
        regime=RegimeParams(
            span=span,
            age_max_s=1.0,
            gap_bars_max=6,
            atr_bars=14,
            support_bars=168,
            support_skip_bars=3,
            break_atr=0.5,
            break_bars=2,
            release_atr=1.0,
            break_bars_max=72,
            average_bars=100,
            weak_atr=2.0,
            firm_atr=0.5,
            high_bars=168,
            weak_drawdown=0.10,
            firm_drawdown=0.06,
        ),
    )


class RegimeBar(msgspec.Struct, frozen=True, kw_only=True):
    """One BTC bar, told at its close."""

    at_ns: Ns
    close: float
    regime: Regime
    support: float | None
    average: float


class BetaBar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar that both markets have. `btc` and `token` are closes."""

    at_ns: Ns
    btc: float
    token: float
    fit: Fit | None


class BetaStudy(msgspec.Struct, frozen=True, kw_only=True):
    span: str
    rules: StudyRules
    regimes: list[RegimeBar]
    betas: list[BetaBar]
    returns: int
    holes: int
    """Returns that lack between the first and the last shared bar, on either side."""
    hedge: HedgeRatio | None

    @property
    def last(self) -> Fit | None:
        return self.betas[-1].fit

    def shares(self) -> dict[Regime, float]:
        """The share of BTC's bars in each regime; they add up to one."""
        counts = Counter(bar.regime for bar in self.regimes)
        return {regime: counts[regime] / len(self.regimes) for regime in Regime}


def span_of(candles: Sequence[Candle], name: str) -> str:
    """The span of a file's bars, by the distance that most of them keep. Raises UserError."""
    distances = Counter(later.at_ns - bar.at_ns for bar, later in pairwise(candles))
    if not distances:
        raise UserError(f"{name}: one bar has no span")
    span_ns = distances.most_common(1)[0][0]
    if span_ns not in NAMES:
        raise UserError(
            f"{name}: bars {span_ns / NS_PER_S:g} s apart; known are {', '.join(SPANS)}"
        )
    return NAMES[span_ns]


def study_beta(token: Sequence[Candle], btc: Sequence[Candle], rules: StudyRules) -> BetaStudy:
    """Both histories, oldest first, of the rules' span. Raises UserError where they do not meet."""
    stream, beta = RegimeStream(rules.regime), Beta(rules.beta)
    regimes = [_regime_bar(stream, bar) for bar in btc]
    others = {bar.at_ns: bar for bar in btc}
    shared = [(bar, others[bar.at_ns]) for bar in token if bar.at_ns in others]
    if len(shared) < SHARED_MIN:
        raise UserError(f"the two files share {len(shared)} bars; {SHARED_MIN} are the least")
    betas = []
    for mine, theirs in shared:
        beta.push(mine, theirs)
        betas.append(BetaBar(at_ns=mine.at_ns, btc=theirs.close, token=mine.close, fit=beta.fit()))
    steps = (betas[-1].at_ns - betas[0].at_ns) // rules.beta.span_ns
    return BetaStudy(
        span=rules.beta.span,
        rules=rules,
        regimes=regimes,
        betas=betas,
        returns=beta.returns,
        holes=steps - beta.returns,
        hedge=beta.hedge_ratio(),
    )


def _regime_bar(stream: RegimeStream, bar: Candle) -> RegimeBar:
    regime = stream.push(bar)
    return RegimeBar(
        at_ns=bar.at_ns,
        close=bar.close,
        regime=regime,
        support=stream.support,
        average=stream.average,
    )
