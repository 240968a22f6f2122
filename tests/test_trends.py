"""Fast against slow in observed time, switches that do not flap, and a monotone score."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.signals.liquidity_score import Liquidity, score_of
from engine.signals.outlook_params import BetaParams, RegimeParams, ScoreParams, ThicknessParams
from engine.signals.trends import Average, RatioSwitch, Switch, Trend, TurnoverTrend
from engine.values.units import NS_PER_S
from tests.outlook_builders import beta_params, regime_params, score_params, trend_params

START_NS = 1_000 * NS_PER_S


def sampled(values, step_s: float = 1.0, **changes) -> Trend:
    trend = Trend(trend_params(**changes))
    for i, value in enumerate(values):
        trend.sample(value, START_NS + round(i * step_s * NS_PER_S))
    return trend


def traded(rates, **changes) -> TurnoverTrend:
    """One trade a second of so many lots."""
    trend = TurnoverTrend(trend_params(**changes))
    for i, lots in enumerate(rates):
        at_ns = START_NS + i * NS_PER_S
        trend.sample(at_ns)
        trend.on_trade(int(lots), at_ns)
    return trend


def test_nothing_is_known_before_warm_up():
    assert sampled([5.0] * 100).state is None
    assert sampled([5.0] * 102).state == 0
    assert traded([5] * 100).state is None
    assert traded([5] * 102).state == 0


def test_a_fall_is_low_and_a_rise_is_high_and_both_pass():
    assert sampled([100.0] * 300 + [20.0] * 20).state == -1
    assert sampled([100.0] * 300 + [300.0] * 20).state == 1
    assert sampled([100.0] * 300 + [20.0] * 900).state == 0
    assert traded([100] * 300 + [10] * 20).state == -1
    assert traded([100] * 300 + [400] * 20).state == 1


def test_a_busy_second_weighs_no_more_than_a_quiet_one():
    busy, quiet = Trend(trend_params()), Trend(trend_params())
    for i in range(200):
        value, at_ns = 10.0 + i % 7, START_NS + i * NS_PER_S
        quiet.sample(value, at_ns)
        for part in range(50):
            busy.sample(value, at_ns + part * NS_PER_S // 50)
    end_ns = START_NS + 200 * NS_PER_S
    busy.sample(10.0, end_ns)
    quiet.sample(10.0, end_ns)
    assert busy.ratio == pytest.approx(quiet.ratio, rel=1e-9)


@given(st.lists(st.tuples(st.floats(0, 1e9), st.integers(1, 5_000)), min_size=2, max_size=30))
def test_the_average_is_the_integral_of_what_stood(held):
    average, half_life_ns = Average(1_000), 1_000
    for value, span_ns in held:
        average.hold(value, span_ns)
    end, total, weights = 0, 0.0, 0.0
    for value, span_ns in reversed(held):
        weight = 0.5 ** (end / half_life_ns) - 0.5 ** ((end + span_ns) / half_life_ns)
        total, weights, end = total + weight * value, weights + weight, end + span_ns
    assume(weights > 0.51)
    assert average.value == pytest.approx(total / weights, rel=1e-9, abs=1e-6)


def test_a_hole_counts_as_no_more_than_the_age_at_which_a_sample_is_too_old():
    trend = sampled([100.0] * 300)
    end_ns = START_NS + 299 * NS_PER_S
    trend.sample(500.0, end_ns + 3_600 * NS_PER_S)
    assert trend.ratio == pytest.approx(1.0)


def test_what_is_not_known_now_is_unknown_at_once_and_known_again_with_the_next():
    trend = sampled([*[100.0] * 300, None])
    assert (trend.ratio, trend.state, trend.fast) == (None, None, None)
    trend.sample(100.0, START_NS + 400 * NS_PER_S)
    assert trend.state == 0


def test_a_usual_of_nothing_compares_with_nothing():
    assert sampled([0.0] * 200).state is None
    assert traded([0] * 200).state is None


def test_time_that_goes_back_changes_no_average():
    trend = sampled([100.0] * 300)
    before = trend.fast
    trend.sample(900.0, START_NS)
    assert trend.fast == before


def test_turnover_is_told_in_lots_a_second():
    assert traded([7] * 400).rate == pytest.approx(7, rel=0.05)


def test_trades_out_of_sight_count_for_nothing():
    trend = traded([10] * 300)
    trend.lose()
    trend.on_trade(1_000_000, START_NS + 301 * NS_PER_S)
    trend.sample(START_NS + 302 * NS_PER_S)
    assert trend.rate == pytest.approx(10, rel=0.1)


@given(st.lists(st.floats(0.95, 1.25), max_size=50))
def test_a_ratio_between_its_thresholds_never_flips(ratios):
    switch = RatioSwitch(trend_params())
    assert {switch.turn(ratio) for ratio in ratios} <= {0}
    switch.turn(1.4)
    assert {switch.turn(max(1.1, ratio)) for ratio in ratios} <= {1}


def test_a_jump_goes_from_high_to_low_at_once():
    switch = RatioSwitch(trend_params())
    assert [switch.turn(ratio) for ratio in (1.3, 1.1, 1.09, 0.7, 0.9, 0.91, 0.5, 2.0)] == [
        1, 1, 0, -1, -1, 0, -1, 1,
    ]  # fmt: skip


@given(st.lists(st.floats(0.4, 0.599), min_size=1, max_size=50), st.booleans())
def test_a_switch_stays_between_its_thresholds(values, is_on):
    switch = Switch(0.6, 0.4)
    switch.turn(0.7 if is_on else 0.3)
    assert {switch.turn(value) for value in values} == {is_on}


def test_noise_around_a_threshold_flips_without_hysteresis_and_not_with_it():
    noise = 1.3 + np.random.default_rng(2).normal(0, 0.02, 500)
    bare, kept = RatioSwitch(trend_params(high_below=1.2999)), RatioSwitch(trend_params())
    bare_states, kept_states = ([s.turn(x) for x in noise] for s in (bare, kept))
    assert np.abs(np.diff(bare_states)).sum() > 50
    assert np.abs(np.diff(kept_states)).sum() <= 1


AMOUNTS = st.floats(0, 1e12)
MARKETS = st.builds(
    Liquidity,
    depth_lots=st.tuples(AMOUNTS, AMOUNTS, AMOUNTS),
    spread_bps=st.floats(0, 20_000),
    turnover_lots_per_s=AMOUNTS,
)


@given(MARKETS, st.integers(0, 4), st.floats(0, 1e12))
def test_no_input_ever_moves_the_score_the_wrong_way(market, which, more):
    depths = list(market.depth_lots)
    if which < 3:
        depths[which] += more
    better = Liquidity(
        depth_lots=tuple(depths),
        spread_bps=market.spread_bps / (1 + more) if which == 3 else market.spread_bps,
        turnover_lots_per_s=market.turnover_lots_per_s + (more if which == 4 else 0),
    )
    worse_score, better_score = (score_of(found, score_params()) for found in (market, better))
    assert 0 <= worse_score <= better_score + 1e-9 <= 100 + 1e-9


def test_the_score_is_what_the_formula_says_on_paper():
    at_half = Liquidity(
        depth_lots=(1_000.0, 2_000.0, 5_000.0), spread_bps=100.0, turnover_lots_per_s=10.0
    )
    assert score_of(at_half, score_params()) == pytest.approx(50)
    nothing = Liquidity(depth_lots=(0.0, 0.0, 0.0), spread_bps=math.inf, turnover_lots_per_s=0.0)
    assert score_of(nothing, score_params()) == 0
    deep = msgspec.structs.replace(nothing, depth_lots=(3_000.0, 0.0, 0.0))
    assert score_of(deep, score_params()) == pytest.approx(100 * 2 * 0.75 / 7)


@pytest.mark.parametrize(
    ("make", "changes"),
    [
        (beta_params, {"span": "7m"}),
        (beta_params, {"half_life_bars": math.nan}),
        (beta_params, {"bars_min": 1}),
        (regime_params, {"support_skip_bars": 1}),
        (regime_params, {"firm_atr": 2.0}),
        (regime_params, {"weak_drawdown": 1.0}),
        (regime_params, {"break_bars": 0}),
        (trend_params, {"slow_half_life_s": 10.0}),
        (trend_params, {"low_above": 1.2}),
        (trend_params, {"high_at": math.nan}),
        (trend_params, {"age_max_s": -1.0}),
        (score_params, {"spread_half_bps": 0.0}),
        (score_params, {"turnover_weight": -1.0}),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make, changes):
    known = msgspec.structs.asdict(make())
    with pytest.raises(ValueError):
        type(make())(**{**known, **changes})


@pytest.mark.parametrize("struct", [BetaParams, RegimeParams, ScoreParams, ThicknessParams])
def test_no_number_has_a_default(struct):
    assert all(field.required for field in msgspec.structs.fields(struct))
