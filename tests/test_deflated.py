"""The deflated Sharpe ratio against the numbers that its authors printed, and the bootstrap."""

import numpy as np
import pytest

from engine.sim import bootstrap
from engine.sim.deflated import (
    Moments,
    best_of,
    deflated_sharpe,
    expected_max_sharpe,
    moments_of,
    probabilistic_sharpe,
)

DAYS = 250
PAPER_VARIANCE = 0.5 / DAYS
"""The example of Bailey and Lopez de Prado (2014): the annual ratios of all trials vary by 1/2."""


def found(skew, kurtosis, steps=1_250, sharpe=2.5 / DAYS**0.5):
    return Moments(steps=steps, sharpe=sharpe, skew=skew, kurtosis=kurtosis)


def test_the_best_of_a_hundred_is_expected_where_the_paper_says():
    assert expected_max_sharpe(100, PAPER_VARIANCE) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("skew", "kurtosis", "trials", "printed"),
    [(-3, 10, 100, 0.9004), (-3, 10, 46, 0.9505), (0, 3, 88, 0.9505)],
)
def test_the_deflated_ratio_is_the_one_in_the_paper(skew, kurtosis, trials, printed):
    told = deflated_sharpe(found(skew, kurtosis), trials, PAPER_VARIANCE)
    assert told == pytest.approx(printed, abs=5e-5)


@pytest.mark.parametrize(("skew", "kurtosis", "printed"), [(0, 3, 0.982), (-2.448, 10.164, 0.913)])
def test_the_probabilistic_ratio_is_the_one_of_their_paper_of_2012(skew, kurtosis, printed):
    told = probabilistic_sharpe(found(skew, kurtosis, steps=24, sharpe=0.458), 0.0)
    assert told == pytest.approx(printed, abs=5e-4)


def test_moments_are_those_of_numpy():
    values = [1.0, 2.0, 4.0, 9.0]
    told = moments_of(values)
    centred = np.asarray(values) - 4
    assert told.steps == 4
    assert told.sharpe == pytest.approx(4 / np.std(values, ddof=1))
    assert told.skew == pytest.approx((centred**3).mean() / np.std(values) ** 3)
    assert told.kurtosis == pytest.approx((centred**4).mean() / np.std(values) ** 4)


@pytest.mark.parametrize("profits", [[], [1, 2], [3, 3, 3, 3]])
def test_there_is_no_ratio_of_too_little_or_of_what_never_moves(profits):
    assert moments_of(profits) is None


def test_the_best_of_many_runs_without_skill_is_not_taken_for_skill():
    dice = np.random.default_rng(5)
    runs = [moments_of(list(dice.normal(size=500))) for _ in range(200)]
    told = best_of(runs)
    assert told.sharpe == max(each.sharpe for each in runs)
    assert told.probabilistic > 0.99
    assert told.deflated < 0.9


def test_a_run_that_never_traded_was_tried_as_well():
    run = found(0, 3)
    alone, among = best_of([run]), best_of([None, run, None, None])
    assert (alone.place, alone.trials, alone.expected_max) == (0, 1, 0.0)
    assert (among.place, among.trials) == (1, 4)
    assert among.deflated < alone.deflated
    assert best_of([None, None]) is None


# --- the bootstrap ------------------------------------------------------------------------------


def test_the_interval_covers_the_true_sum_about_as_often_as_it_says():
    """A series of known dependence: 0.5 of each value is left in the next one."""
    dice, hits, worlds = np.random.default_rng(7), 0, 100
    for _ in range(worlds):
        noise, values = dice.normal(size=300), [0.0]
        for each in noise:
            values.append(0.5 * values[-1] + float(each))
        wanted = bootstrap.Params(seed=1, samples=200, block_mean=15.0)
        hits += bootstrap.intervals({"x": values[1:]}, wanted)["x"].has_zero
    assert 84 <= hits <= 99


def test_one_seed_is_one_interval_and_all_series_are_drawn_alike():
    values = list(np.random.default_rng(3).normal(size=60))
    wanted = bootstrap.Params(seed=4)
    first = bootstrap.intervals({"a": values, "b": [-each for each in values]}, wanted)
    again = bootstrap.intervals({"a": values}, wanted)
    assert first["a"] == again["a"]
    assert first["b"].low == pytest.approx(-first["a"].high)
    assert bootstrap.intervals({"a": values}, bootstrap.Params(seed=5))["a"] != first["a"]


def test_too_few_buckets_give_no_interval():
    assert bootstrap.intervals({"a": [1, 2, 3]}, bootstrap.Params(seed=1)) is None
