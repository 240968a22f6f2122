"""The trend that stage 3 asks for."""

import math
from random import Random

import pytest

from engine.trading.hedge_trend import RETURNS_MIN, trend_sigmas


def test_a_steady_fall_of_n_returns_is_the_root_of_n():
    closes = [100 * 0.99**number for number in range(17)]
    assert trend_sigmas(closes) == pytest.approx(-4.0)


def test_there_and_back_is_no_trend():
    assert trend_sigmas([1.0, 2.0] * 10 + [1.0]) == 0.0


@pytest.mark.parametrize(
    "closes", [[], [1.0] * 20, [1.0, 2.0], [1.0] * 9 + [0.0], [2.0, 1.0] * 5 + [math.nan]]
)
def test_what_cannot_be_said_is_not_known(closes):
    assert trend_sigmas(closes) is None


def test_a_walk_without_drift_is_beyond_two_about_one_time_in_twenty():
    dice, beyond = Random(1), 0
    for _ in range(2_000):
        close, closes = 1.0, [1.0]
        for _ in range(40):
            close *= math.exp(dice.gauss(0, 0.01))
            closes.append(close)
        found = trend_sigmas(closes)
        assert found is not None
        beyond += abs(found) > 2
    assert 0.03 < beyond / 2_000 < 0.07


def test_just_enough_returns_are_enough():
    assert trend_sigmas([1.1**number for number in range(RETURNS_MIN + 1)]) is not None
    assert trend_sigmas([1.1**number for number in range(RETURNS_MIN)]) is None
