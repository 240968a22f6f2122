"""Avellaneda-Stoikov and Gueant-Lehalle-Fernandez-Tapia against the numbers in print."""

import math

import numpy as np
import pytest

from engine.sim.as2008 import Market, simulated, symmetric_exact
from strategies.avellaneda_stoikov import (
    AvellanedaStoikovParams,
    AvellanedaStoikovStrategy,
    reservation_price,
    total_spread,
)
from strategies.glft import GlftModel, GlftParams, GlftStrategy
from tests.trading_builders import view

GAMMA, PAPER = 0.1, Market()
MODEL = GlftModel(sigma=0.3, a=0.9, k=0.3, gamma=0.01)
AS = AvellanedaStoikovStrategy(
    AvellanedaStoikovParams(gamma=0.1, k=1.5, horizon_s=4.0, lots=1_000_000, volatility_unknown=1.0)
)
GLFT = GlftStrategy(GlftParams(gamma=0.01, a=0.9, k=0.3, lots=1_000_000, volatility_unknown=0.3))


def inventory_quotes(q, left):
    variance_left = PAPER.sigma**2 * left
    return reservation_price(0.0, q, GAMMA, variance_left), total_spread(
        GAMMA, PAPER.k, variance_left
    )


@pytest.mark.parametrize(("q", "price"), [(-2, 100.8), (0, 100.0), (1, 99.6), (5, 98.0)])
def test_the_reservation_price_is_the_papers(q, price):
    assert reservation_price(100.0, q, GAMMA, 4.0) == pytest.approx(price, abs=1e-12)


def test_the_spread_at_the_start_is_the_papers():
    assert total_spread(GAMMA, 1.5, 4.0) == pytest.approx(1.6907704227514233, abs=1e-12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_simulation_lands_within_four_sigma_of_the_published_table(seed):
    row = simulated(PAPER, inventory_quotes, 1000, seed)
    assert row.spread == pytest.approx(1.49, abs=0.005)
    assert row.profit == pytest.approx(65.0, abs=1.2)
    assert row.profit_std == pytest.approx(6.6, abs=0.84)
    assert row.final_q_std == pytest.approx(2.9, abs=0.4)
    spread = row.spread
    even = simulated(PAPER, lambda q, left: (np.zeros_like(q), spread), 1000, seed)
    assert even.profit == pytest.approx(68.4, abs=2.4)
    assert even.profit_std == pytest.approx(12.7, abs=2.5)
    assert even.final_q_std == pytest.approx(8.4, abs=1.1)


def test_the_symmetric_strategy_has_its_exact_moments():
    row = symmetric_exact(PAPER, 1.4917704227514232)
    assert row.profit == pytest.approx(68.2228, abs=5e-5)
    assert row.final_q_std == pytest.approx(8.3994, abs=5e-5)
    assert row.profit_std == pytest.approx(13.4558, abs=5e-5)


def test_fills_by_the_exponential_would_miss_the_papers_profit():
    """The trap that the spec names: the same run with 1 - exp(-lambda dt) earns far less."""
    chance = PAPER.a * math.exp(-PAPER.k * 0.745) * PAPER.step
    less = (1 - math.exp(-chance)) / chance
    assert 0.85 < less < 0.9


def test_the_closed_form_has_the_published_base_and_slope():
    assert pytest.approx(3.27898228, abs=5e-9) == MODEL.base
    assert pytest.approx(0.06786583, abs=5e-9) == MODEL.slope


@pytest.mark.parametrize(
    ("q", "bid", "ask"),
    [(0, 3.313045, 3.313045), (1, 3.381168, 3.244919), (5, 3.653480, 2.972522)],
)
def test_the_exact_quotes_are_the_published_ones(q, bid, ask):
    found = MODEL.exact(30)[30 + q]
    assert found == (pytest.approx(bid, abs=1e-6), pytest.approx(ask, abs=1e-6))


def test_the_exact_quotes_solve_their_equations_where_the_eigenvector_is_too_small_for_a_float():
    model = GlftModel(sigma=600.0, a=1.7, k=0.0026, gamma=0.00026)
    bids = [bid for bid, _ in model.exact(30)]
    gains = [bid - model.base for bid in bids[:-1]]
    assert all(math.isfinite(gain) for gain in gains)
    assert gains == sorted(gains)
    eta = model.a * (1 + model.gamma / model.k) ** -(1 + model.k / model.gamma)
    ups, lowest = [math.exp(-model.k * gain) for gain in gains], []  # v_(q+1) / v_q
    for q in range(-29, 30):
        own = model.k * model.gamma * model.sigma**2 / 2 * q * q
        lowest.append(own - eta * (ups[q + 30] + 1 / ups[q + 29]))
    assert lowest == pytest.approx([lowest[29]] * 59, rel=1e-6)


def test_closed_and_exact_quotes_mirror_each_other():
    exact = MODEL.exact(20)
    for q in range(-19, 20):
        bid, ask = exact[20 + q]
        assert (ask, bid) == pytest.approx(exact[20 - q], rel=1e-6)
        assert MODEL.closed(q) == (
            pytest.approx(MODEL.closed(-q)[1]),
            pytest.approx(MODEL.closed(-q)[0]),
        )


@pytest.mark.parametrize("strategy", [AS, GLFT])
def test_both_models_lower_their_quotes_as_inventory_grows(strategy):
    ladders = [
        strategy.quote(view(position_lots=lots)) for lots in (10_000_000, 20_000_000, 30_000_000)
    ]
    references = [ladder.bids[0].reason.skew for ladder in ladders]
    assert references[0] > references[1] > references[2]
    assert abs(references[1]) == 0.0


@pytest.mark.parametrize("strategy", [AS, GLFT])
def test_both_models_say_why_a_side_is_missing(strategy):
    assert strategy.quote(view(ask_tick=0, ask_lots=0)).bids_absent
