"""How much of a Sharpe ratio is left once one counts how many runs it was picked from.

Bailey and Lopez de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting and Non-Normality", Journal of Portfolio Management 40(5), 2014. All Sharpe ratios here
are of one step of the data, never annual: mean over standard deviation of the profit of a step.

For a sweep: `moments_of(profits by step)` for each run, then `best_of(moments of all runs)`; all in
steps of one length. Runs that failed or never traded were tried as well: None stands for them.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec
import numpy as np

EULER_GAMMA = 0.5772156649015329
STEPS_MIN = 3


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """Of the profits of `steps` steps. `kurtosis` is 3 for a normal distribution, not 0."""

    steps: int
    sharpe: float
    skew: float
    kurtosis: float

    @property
    def sharpe_error(self) -> float:
        """Standard error of `sharpe`, by the paper's equation 2 (Mertens 2002), steps alike."""
        return math.sqrt(_spread(self) / (self.steps - 1))


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """`place` of the best of `trials` runs. `deflated` is the chance that it has any skill at all.

    `expected_max` is the Sharpe ratio that the best of so many runs without skill would show.
    """

    place: int
    trials: int
    sharpe: float
    sharpe_variance: float
    expected_max: float
    probabilistic: float
    deflated: float


def moments_of(profits: Sequence[float]) -> Moments | None:
    """None for fewer than three steps, or where all are alike: no ratio exists then."""
    values = np.asarray(profits, dtype=float)
    if len(values) < STEPS_MIN or np.ptp(values) == 0:
        return None
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    return Moments(
        steps=len(values),
        sharpe=float(values.mean() / values.std(ddof=1)),
        skew=float(np.mean(centred**3)) / variance**1.5,
        kurtosis=float(np.mean(centred**4)) / variance**2,
    )


def expected_max_sharpe(trials: int, sharpe_variance: float) -> float:
    """The best Sharpe ratio that so many independent runs without any skill would show (eq. 1).

    `sharpe_variance` is the variance of the ratios over the trials. One trial expects 0.
    """
    assert trials >= 1
    assert sharpe_variance >= 0
    if trials == 1:
        return 0.0
    normal = NormalDist()
    first, second = (normal.inv_cdf(1 - 1 / (trials * each)) for each in (1.0, math.e))
    return math.sqrt(sharpe_variance) * ((1 - EULER_GAMMA) * first + EULER_GAMMA * second)


def probabilistic_sharpe(found: Moments, benchmark: float) -> float:
    """The chance that the true Sharpe ratio is above `benchmark` (eq. 2 with SR0 given)."""
    lead = (found.sharpe - benchmark) * math.sqrt(found.steps - 1)
    return NormalDist().cdf(lead / math.sqrt(_spread(found)))


def deflated_sharpe(found: Moments, trials: int, sharpe_variance: float) -> float:
    """The chance that the best of `trials` independent runs has any skill at all (eq. 2).

    Runs that resemble each other count as fewer trials than there were of them.
    """
    return probabilistic_sharpe(found, expected_max_sharpe(trials, sharpe_variance))


def _spread(found: Moments) -> float:
    """(steps - 1) times the variance of the estimate. Moments of real data keep it above 0."""
    square = (found.kurtosis - 1) / 4 * found.sharpe**2
    return max(1 - found.skew * found.sharpe + square, 1e-12)


def best_of(runs: Sequence[Moments | None]) -> Best | None:
    """The best of all runs that were tried, deflated by their number and by how they differ.

    None stands for a run without a Sharpe ratio, which counts as one of 0; it comes back where no
    run has one.
    """
    ratios = np.asarray([each.sharpe if each else 0.0 for each in runs], dtype=float)
    places = [place for place, each in enumerate(runs) if each is not None]
    if not places:
        return None
    place = max(places, key=lambda each: ratios[each])
    found = runs[place]
    assert found is not None
    variance = float(ratios.var(ddof=1)) if len(runs) > 1 else 0.0
    return Best(
        place=place,
        trials=len(runs),
        sharpe=found.sharpe,
        sharpe_variance=variance,
        expected_max=expected_max_sharpe(len(runs), variance),
        probabilistic=probabilistic_sharpe(found, 0.0),
        deflated=deflated_sharpe(found, len(runs), variance),
    )
