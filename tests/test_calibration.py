"""A, k and sigma come back from a market that was made with them."""

import math
from random import Random

import pytest

from engine.sim.calibration import Calibration
from engine.values.units import NS_PER_MS, NS_PER_S, Side

A, K, SIGMA = 4.0, 0.4, 12.0


def made(seed, seconds=6_000):
    """A mid that walks in half ticks and market orders of exponential reach, both from one seed."""
    dice, calibration, mid, due = Random(seed), Calibration(), 20_000.0, 0.0
    for i in range(seconds * 10):
        at_ns = NS_PER_S + i * 100 * NS_PER_MS
        mid += dice.gauss(0, SIGMA * math.sqrt(0.1))
        bid = round(mid - 0.5)
        calibration.on_top(at_ns, bid, bid + 1)
        while due < i * 0.1:
            due += dice.expovariate(2 * A)  # market orders of both sides
            side = dice.choice(list(Side))
            reach = dice.expovariate(K)
            tick = bid + 0.5 + side.sign * reach
            tick = math.floor(tick) if side is Side.BUY else math.ceil(tick)
            calibration.on_trade(at_ns, at_ns + dice.randrange(10**6), tick, 1, side)
    return calibration


def test_the_made_market_is_found_again():
    found = made(3).fitted()
    assert found.k == pytest.approx(K, rel=0.05)
    assert found.sigma == pytest.approx(SIGMA, rel=0.05)
    assert found.a == pytest.approx(A, rel=0.35)  # whole ticks cut each reach by half a tick or so
    assert found.fit > 0.99


def test_the_trades_of_one_market_order_count_once():
    calibration = Calibration()
    calibration.on_top(1, 100, 102)
    for _ in range(100):
        for tick in (102, 103, 104):
            calibration.on_trade(2, 7, tick, 5, Side.BUY)
    calibration.on_trade(3, 8, 100, 5, Side.SELL)
    with pytest.raises(ValueError, match="2 market orders"):
        calibration.fitted()


def test_a_recording_with_too_little_in_it_is_refused():
    with pytest.raises(ValueError, match="0 market orders"):
        Calibration().fitted()
