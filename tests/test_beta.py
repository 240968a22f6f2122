"""Beta on the broad market: against numpy, against a planted truth, and across holes."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.beta import Beta, BetaOfSeries, fit_of
from tests.outlook_builders import HOUR_NS, START_NS, bars, beta_params, candle, candles, walks


def fed(btc, token, **changes) -> Beta:
    beta = Beta(beta_params(**changes))
    for x, y in zip(candles(btc), candles(token), strict=True):
        beta.push(y, x)
    return beta


def returns(closes):
    return np.diff(np.log(closes))


@given(st.integers(0, 10_000), st.floats(2, 500), st.integers(31, 300))
def test_stream_and_batch_agree(seed, half_life, count):
    btc, token = walks(seed, count, 1.3, 0.02)
    stream = fed(btc, token, half_life_bars=half_life).fit()
    assert stream == pytest.approx(fit_of(returns(btc), returns(token), half_life), rel=1e-6)


def test_beta_is_the_weighted_regression_through_the_origin():
    btc, token = walks(1, 400, 1.5, 0.01)
    x, y = returns(btc), returns(token)
    root = 0.5 ** (np.arange(399)[::-1] / 100 / 2)
    slope = np.linalg.lstsq((root * x)[:, None], root * y, rcond=None)[0][0]
    fit = fed(btc, token, half_life_bars=100.0).fit()
    assert fit.beta == pytest.approx(slope, rel=1e-9)
    assert fit.correlation == pytest.approx(np.corrcoef(x, y)[0, 1], abs=0.1)


def test_a_long_memory_is_the_plain_regression():
    btc, token = walks(1, 400, 1.5, 0.01)
    x, y = returns(btc), returns(token)
    fit = fed(btc, token, half_life_bars=10_000.0).fit()
    assert fit.beta == pytest.approx(x @ y / (x @ x), rel=1e-2)
    assert fit.pairs == pytest.approx(399, rel=1e-3)


def test_the_planted_beta_lies_within_its_error_as_often_as_errors_promise():
    inside = 0
    for seed in range(200):
        btc, token = walks(seed, 400, 1.2, 0.02)
        fit = fed(btc, token, half_life_bars=200.0).fit()
        inside += abs(fit.beta - 1.2) < 2 * fit.beta_error
    assert 180 <= inside <= 199


def test_the_error_of_the_correlation_is_its_spread_over_many_markets():
    fits = []
    for seed in range(200):
        btc, token = walks(seed, 300, 1.0, 0.01)
        fits.append(fed(btc, token, half_life_bars=100.0).fit())
    spread = np.std([fit.correlation for fit in fits])
    assert np.mean([fit.correlation_error for fit in fits]) == pytest.approx(spread, rel=0.25)


def test_a_hedge_by_the_ratio_leaves_the_share_that_it_tells():
    btc, token = walks(3, 2_000, 1.4, 0.01)
    hedge = fed(btc, token, half_life_bars=10_000.0).hedge_ratio()
    x, y = returns(btc), returns(token)
    share = {
        times: math.sqrt(np.mean((y - times * hedge.ratio * x) ** 2) / np.mean(y**2))
        for times in (0.9, 1.0, 1.1)
    }
    assert hedge.residual_share == pytest.approx(share[1.0], rel=5e-3)
    assert share[1.0] < min(share[0.9], share[1.1])


def test_a_perfect_copy_leaves_nothing():
    btc, _ = walks(4, 100, 1.0, 0.0)
    ratio, error, left = fed(btc, btc).hedge_ratio()
    assert ratio == pytest.approx(1)
    assert error == pytest.approx(0, abs=1e-6)
    assert left == pytest.approx(0, abs=1e-6)


def test_a_missing_bar_is_no_return_of_zero():
    btc, token = walks(5, 200, 1.0, 0.01)
    whole = list(zip(candles(btc), candles(token), strict=True))
    holed = Beta(beta_params(half_life_bars=100.0))
    for x, y in whole[:100] + whole[101:]:
        holed.push(y, x)
    x, y = returns(btc), returns(token)
    kept = np.r_[0:99, 101:199]
    assert holed.returns == 197
    assert holed.fit().beta == pytest.approx(fit_of(x[kept], y[kept], 100.0).beta, rel=1e-9)


def test_too_few_returns_and_a_market_that_stands_still_say_nothing():
    btc, token = walks(6, 30, 1.0, 0.01)
    assert fed(btc, token).fit() is None
    assert fed(*walks(6, 31, 1.0, 0.01)).fit() is not None
    assert fed(np.full(60, 5.0), walks(6, 60, 1.0, 0.01)[1]).fit() is None
    assert fed(walks(6, 60, 1.0, 0.01)[0], np.full(60, 5.0)).hedge_ratio() is None


def test_bars_of_different_openings_are_our_own_mistake():
    beta = Beta(beta_params())
    with pytest.raises(AssertionError):
        beta.push(candle(START_NS, 1.0), candle(START_NS + HOUR_NS, 1.0))


@given(st.data())
def test_bars_that_come_in_any_order_give_the_beta_of_the_whole(data):
    btc, token = walks(7, 80, 1.0, 0.01)
    left = {"btc": bars(btc), "token": bars(token)}
    joined = BetaOfSeries(beta_params())
    while left["btc"] or left["token"]:
        side = data.draw(st.sampled_from([name for name, found in left.items() if found]))
        count = data.draw(st.integers(1, 40))
        told, left[side] = left[side][:count], left[side][count:]
        (joined.on_btc if side == "btc" else joined.on_token)(told)
    straight = BetaOfSeries(beta_params())
    straight.on_btc(bars(btc))
    straight.on_token(bars(token))
    assert joined.beta.returns == 79
    assert joined.beta.fit() == pytest.approx(straight.beta.fit(), rel=1e-9)


def test_a_bar_that_comes_late_into_a_hole_is_counted():
    btc, token = (bars(closes) for closes in walks(8, 60, 1.0, 0.01))
    joined = BetaOfSeries(beta_params())
    joined.on_btc(btc)
    joined.on_token(token[:50] + token[51:])
    assert joined.beta.returns == 57
    joined.on_token([token[50]])
    assert joined.beta.returns == 59
    assert joined.beta.closed_ns == token[-1].open_ns + HOUR_NS


def test_a_bar_that_is_told_again_with_other_numbers_replaces_the_first():
    btc, token = (bars(closes) for closes in walks(9, 60, 1.0, 0.01))
    wrong = msgspec.structs.replace(token[40], close=token[40].close * 2)
    joined, straight = BetaOfSeries(beta_params()), BetaOfSeries(beta_params())
    for series, told in ((joined, [*token[:40], wrong, *token[41:]]), (straight, token)):
        series.on_btc(btc)
        series.on_token(told)
    assert joined.beta.fit() != straight.beta.fit()
    joined.on_token([token[40]])
    assert joined.beta.fit() == straight.beta.fit()
