"""The broad market's regime: planted histories, a naive twin, and no flapping."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.outlook import Regime
from engine.signals.regime import RegimeOfSeries, RegimeStream
from tests.outlook_builders import HOUR_NS, bars, candle, candles, regime_params

STABLE, WEAK, BREAKING = Regime.STABLE, Regime.WEAK, Regime.BREAKING_SUPPORT
FLAT = [100.0] * 30


def regimes(closes, **changes) -> list[Regime]:
    stream = RegimeStream(regime_params(**changes))
    return [stream.push(bar) for bar in candles(closes)]


def flips(found) -> int:
    return sum(a != b for a, b in pairwise(found))


def test_a_flat_market_is_stable_once_enough_bars_are_known():
    found = regimes(FLAT)
    assert found[:19] == [Regime.UNKNOWN] * 19
    assert set(found[19:]) == {STABLE}


def test_a_market_without_any_movement_is_stable():
    stream = RegimeStream(regime_params())
    assert [stream.push(bar) for bar in candles(FLAT, reach=0.0)][-1] is STABLE


def test_one_close_below_support_is_no_break_and_two_are():
    # Support is 99; the range of a bar, and so about the ATR, is 2.
    assert BREAKING not in regimes([*FLAT, 96.0, 99.5, 99.5])
    assert regimes([*FLAT, 96.0, 95.5])[-2:] != [BREAKING, BREAKING]
    assert regimes([*FLAT, 96.0, 95.5])[-1] is BREAKING


def test_a_low_below_support_that_closes_above_it_is_no_break():
    stream = RegimeStream(regime_params())
    spikes = [candle(bar.at_ns, 99.0, 5.0) for bar in candles([99.0] * 34)[30:]]
    found = [stream.push(bar) for bar in candles(FLAT) + spikes]
    assert BREAKING not in found


def test_a_break_ends_only_well_above_the_support_that_broke():
    stream = RegimeStream(regime_params())
    for bar in candles([*FLAT, 96.0, 95.5]):
        stream.push(bar)
    assert stream.support == 99.0
    later = candles([99.0] * 32 + [98.0, 99.2, 103.0])[32:]
    assert [stream.push(bar) for bar in later[:2]] == [BREAKING, BREAKING]
    assert stream.support == 99.0
    assert stream.push(later[2]) is not BREAKING


def test_a_fall_that_ends_becomes_the_new_range():
    found = regimes([*FLAT, *[95.0] * 40])
    assert found[31] is BREAKING
    assert found[31 + 12 - 1] is BREAKING
    assert BREAKING not in found[31 + 12 :]


def test_a_fall_that_goes_on_breaks_on():
    falling = [100.0 - 1.5 * i for i in range(1, 41)]
    found = regimes([*FLAT, *falling])
    start = found.index(BREAKING)
    assert set(found[start:]) == {BREAKING}


def test_far_below_the_average_is_weak_without_a_break():
    slowly = [100.0 - 0.3 * i for i in range(40)]
    found = regimes([*FLAT, *slowly], weak_atr=0.5, firm_atr=0.2, break_atr=5.0)
    assert found[-1] is WEAK


def test_a_drawdown_is_weak_until_most_of_it_is_won_back():
    rise = [100 + i for i in range(20)]
    # The high is 120: 108 is the line of 10 %, 114 that of 5 %.
    tail = [107.0, 109.0, 112.0, 115.0]
    found = regimes([*FLAT, *rise, *tail], weak_atr=90.0, firm_atr=80.0, break_atr=50.0)
    assert found[-4:] == [WEAK, WEAK, WEAK, STABLE]


def test_a_close_that_flickers_around_a_threshold_does_not_flap():
    # The high is 121, and 108.9 the line of 10 %.
    noise = np.random.default_rng(1).uniform(108.3, 109.5, 80)
    path = [*[120.0] * 100, *noise]
    only_drawdown = {"high_bars": 100, "weak_atr": 90.0, "break_atr": 50.0}
    kept = regimes(path, **only_drawdown)[99:]
    bare = regimes(path, **only_drawdown, firm_drawdown=0.09999)[99:]
    assert flips(bare) > 20
    assert flips(kept) == 1


def test_a_long_hole_starts_anew_and_a_short_one_does_not():
    start = candles(FLAT)
    stream = RegimeStream(regime_params())
    for bar in start:
        stream.push(bar)
    assert stream.push(candle(start[-1].at_ns + 3 * HOUR_NS, 100.0)) is STABLE
    assert stream.push(candle(start[-1].at_ns + 7 * HOUR_NS, 100.0)) is Regime.UNKNOWN


def test_a_bar_told_twice_is_our_own_mistake():
    stream = RegimeStream(regime_params())
    stream.push(candle(HOUR_NS, 100.0))
    with pytest.raises(AssertionError):
        stream.push(candle(HOUR_NS, 100.0))


def naive(closes, params) -> list[Regime]:
    """The rule over again from slices of the whole history, with its own memory written out."""
    lows, highs = np.array(closes) - 1, np.array(closes) + 1
    spans = [
        max(highs[i], closes[i - 1]) - min(lows[i], closes[i - 1]) for i in range(1, len(closes))
    ]
    n, k, m = params.support_bars, params.support_skip_bars, params.break_bars
    found, broken, since, weak, atr = [], None, 0, False, None
    below = []
    for i, close in enumerate(closes):
        if i == params.atr_bars:
            atr = sum(spans[: params.atr_bars]) / params.atr_bars
        elif i > params.atr_bars:
            atr += (spans[i - 1] - atr) / params.atr_bars
        if i + 1 < params.bars_needed:
            found.append(Regime.UNKNOWN)
            continue
        support = min(lows[i + 1 - k - n : i + 1 - k])
        below.append(close < support - params.break_atr * atr)
        if broken is not None:
            since += 1
            if close > broken + params.release_atr * atr or since >= params.break_bars_max:
                broken = None
        if broken is None and len(below) >= m and all(below[-m:]):
            broken, since = support, 0
        short = np.mean(closes[i + 1 - params.average_bars : i + 1]) - close
        fall = 1 - close / max(highs[i + 1 - params.high_bars : i + 1])
        if weak:
            weak = not (short <= params.firm_atr * atr and fall <= params.firm_drawdown)
        else:
            weak = short > params.weak_atr * atr or fall >= params.weak_drawdown
        found.append(BREAKING if broken is not None else WEAK if weak else STABLE)
    return found


@given(st.integers(0, 100_000), st.floats(0.3, 4.0))
def test_the_stream_is_the_naive_rule(seed, step):
    closes = 200 + np.cumsum(np.random.default_rng(seed).normal(0, step, 150))
    closes = np.maximum(closes, 20.0)
    assert regimes(closes) == naive(list(closes), regime_params())


def test_bars_in_any_order_end_in_the_same_regime():
    told = bars([*[1000] * 30, 960, 950])
    for parts in ([told], [told[20:], told[:20]], [told[:10], told[12:], told[10:12]]):
        series = RegimeOfSeries(regime_params())
        for part in parts:
            series.on_btc(part)
        assert series.stream.regime is BREAKING
        assert series.stream.support == 999
