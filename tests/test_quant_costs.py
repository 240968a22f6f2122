"""What the literature says of ranges, hedges, pools and funding, against our own arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.candles import Candle
from engine.signals.volatility import EventVolatility, close_to_close, garman_klass, parkinson
from engine.sim.funding import funding_rate
from engine.treasury.impermanent import impermanent_loss
from strategies.glft import GlftModel
from tests.test_beta import fed, returns, walks

SIGMA, STEPS, BARS = 0.01, 1_600, 500


def bar(first, high, low, last):
    return Candle(at_ns=0, open=first, high=high, low=low, close=last, volume=1.0)


@pytest.fixture(scope="module")
def walked():
    """Bars of a driftless walk whose return in a bar has the deviation SIGMA."""
    dice, price, made = np.random.default_rng(5), 100.0, []
    for _ in range(BARS):
        path = price * np.exp(np.cumsum(dice.normal(0, SIGMA / math.sqrt(STEPS), STEPS)))
        made.append(bar(price, max(price, path.max()), min(price, path.min()), path[-1]))
        price = path[-1]
    return made


# --- volatility -----------------------------------------------------------------------------------


def test_ranges_of_one_bar_are_those_of_the_formulas():
    one = bar(100.0, 110.0, 95.0, 104.0)
    spread, body = math.log(110 / 95), math.log(104 / 100)
    assert parkinson([one]) == pytest.approx(spread / math.sqrt(4 * math.log(2)), rel=1e-12)
    squares = spread**2 / 2 - (2 * math.log(2) - 1) * body**2
    assert garman_klass([one]) == pytest.approx(math.sqrt(squares), rel=1e-12)


@pytest.mark.parametrize("estimate", [close_to_close, parkinson, garman_klass])
def test_every_estimate_finds_the_volatility_of_a_walk(walked, estimate):
    assert estimate(walked) == pytest.approx(SIGMA, rel=0.07)


def test_ranges_scatter_less_than_closes(walked):
    def scatter(estimate):
        found = [estimate(walked[n : n + 20]) for n in range(0, BARS, 20)]
        return np.std(found) / np.mean(found)

    assert scatter(garman_klass) < scatter(parkinson) < scatter(close_to_close)


def test_a_market_that_stands_still_does_not_move():
    still = [bar(5.0, 5.0, 5.0, 5.0)] * 3
    assert [each(still) for each in (close_to_close, parkinson, garman_klass)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("estimate", [close_to_close, parkinson, garman_klass])
def test_no_bars_are_no_volatility(estimate):
    with pytest.raises(ValueError, match="the least"):
        estimate([])


def test_event_time_counts_changes_and_not_seconds():
    seen = EventVolatility(10.0)
    assert seen.per_event is None
    for mid in (100.0, 100.0, 103.0, 103.0, 100.0, 103.0):
        seen.observe(mid)
    assert seen.per_event == pytest.approx(3.0)


def test_event_volatility_is_the_weighted_mean_of_squares_and_forgets_by_half_lives():
    dice, mid, squares = np.random.default_rng(2), 0.0, []
    seen = EventVolatility(5.0)
    seen.observe(mid)
    for move in dice.normal(0, 2.0, 200):
        mid += move
        squares.append(move**2)
        seen.observe(mid)
    weights = 0.5 ** (np.arange(200)[::-1] / 5.0)
    assert seen.per_event == pytest.approx(math.sqrt(np.average(squares, weights=weights)))


def test_a_move_over_a_hole_is_no_event():
    seen = EventVolatility(5.0)
    for mid in (1.0, 2.0):
        seen.observe(mid)
    seen.pause()
    seen.observe(500.0)
    assert seen.per_event == pytest.approx(1.0)


# --- quotes for orders of any size ----------------------------------------------------------------


@given(st.floats(0.1, 20.0), st.floats(-30, 30))
def test_the_working_form_is_the_closed_form_of_one_who_counts_in_orders(size, orders):
    model = GlftModel(sigma=0.3, a=0.9, k=0.3, gamma=0.01)
    half, skew = model.working(size)
    counted = GlftModel(sigma=0.3, a=0.9, k=0.3, gamma=0.01 * size)
    bid, ask = counted.closed(orders)
    q = orders * size
    assert half + skew * q == pytest.approx(bid, rel=1e-9, abs=1e-9)
    assert half - skew * q == pytest.approx(ask, rel=1e-9, abs=1e-9)


def test_the_working_form_by_hand():
    half, skew = GlftModel(sigma=2.0, a=10.0, k=1.5, gamma=0.1).working(4.0)
    c1 = 1 / 0.4 * math.log(1 + 0.4 / 1.5)
    c2 = math.sqrt(0.1 / (2 * 10 * 4 * 1.5) * (1 + 0.4 / 1.5) ** (1.5 / 0.4 + 1))
    assert half == pytest.approx(c1 + 4 / 2 * 2.0 * c2, rel=1e-12)
    assert skew == pytest.approx(2.0 * c2, rel=1e-12)


# --- hedge, pool, funding -------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.floats(-2, 2), st.floats(0.001, 0.05), st.floats(20, 500))
def test_the_hedged_variance_is_never_above_the_unhedged(seed, beta, noise, half_life):
    btc, token = walks(seed, 120, beta, noise)
    hedge = fed(btc, token, half_life_bars=half_life).hedge_ratio()
    x, y = returns(btc), returns(token)
    weights = 0.5 ** (np.arange(len(x))[::-1] / half_life)
    hedged = np.average((y - hedge.ratio * x) ** 2, weights=weights)
    assert hedged <= np.average(y**2, weights=weights) * (1 + 1e-9)


@pytest.mark.parametrize(("ratio", "loss"), [(2.0, -0.0571909584), (4.0, -0.2), (1.0, 0.0)])
def test_the_loss_of_a_pool_is_the_published_one(ratio, loss):
    assert impermanent_loss(ratio) == pytest.approx(loss, abs=5e-11)


@pytest.mark.parametrize(
    ("premium", "rate"),
    [
        (0.0, 0.0001), (0.0005, 0.0001), (-0.0003, 0.0001), (0.0006, 0.0001), (0.0007, 0.0002),
        (0.01, 0.0095), (-0.0004, 0.0001), (-0.0006, -0.0001), (-0.01, -0.0095),
    ],
)  # fmt: skip
def test_funding_is_the_interest_within_the_clamp_and_the_premium_less_it_outside(premium, rate):
    assert funding_rate(premium) == pytest.approx(rate, abs=1e-15)
