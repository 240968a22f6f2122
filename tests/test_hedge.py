"""The stages of a hedge, each driven by a script: what should be covered, and what is let go."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.trading.hedge import Cover, HedgeScene, Stages
from engine.trading.posture import HedgeStance, Signal
from engine.values.units import NS_PER_S
from tests.hedge_builders import hedge_params
from tests.trading_builders import BANDS, NOW_NS

TARGET, WAY = BANDS.target_lots, BANDS.cap_lots - BANDS.target_lots
HELD_NS = 1_000 * NS_PER_S
FALLING: dict[str, Any] = {"trend_sigmas": -2.0, "turnover_ratio": 2.0}
SELL: dict[str, Any] = {"signal": Signal.SELL, "signal_held_ns": HELD_NS}


def scene(gone: float, at_s: float = 0.0, **changes: Any) -> HedgeScene:
    """`gone` is the share of the way from target to cap that the position has gone."""
    fields: dict[str, Any] = {
        "now_ns": NOW_NS + round(at_s * NS_PER_S),
        "position_lots": TARGET + round(gone * WAY),
        "bands": BANDS,
        "stance": HedgeStance.STAGED,
        "signal": Signal.NEUTRAL,
        "signal_held_ns": 0,
        "trend_sigmas": None,
        "turnover_ratio": None,
        "cover_lots": 0,
        "converted_lots": 0,
    }
    return HedgeScene(**(fields | changes))


def climbed(*moments: HedgeScene, **changes: Any) -> tuple[Stages, Cover]:
    """Stages after these moments, and the last answer."""
    stages = Stages(hedge_params(**changes))
    covers = [stages.decide(moment) for moment in moments]
    return stages, covers[-1]


def share(cover: Cover, gone: float) -> float:
    return cover.target_lots / (gone * WAY)


# --- the stages ---------------------------------------------------------------------------------


def test_inside_the_first_threshold_nothing_is_covered():
    _, cover = climbed(scene(0.24))
    assert (cover.stage, cover.target_lots, cover.change_lots) == (0, 0, 0)
    assert cover.unhedged_lots == round(0.24 * WAY)


def test_the_first_threshold_begins_stage_one():
    _, cover = climbed(scene(0.25))
    assert cover.stage == 1
    assert share(cover, 0.25) == pytest.approx(0.3)
    assert cover.change_lots == cover.target_lots


def test_stage_two_waits_for_a_sell_that_has_held():
    _, cover = climbed(scene(0.6), scene(0.6, 1, signal=Signal.SELL, signal_held_ns=HELD_NS // 2))
    assert cover.stage == 1
    _, cover = climbed(scene(0.6), scene(0.6, 1, **SELL))
    assert cover.stage == 2
    assert share(cover, 0.6) == pytest.approx(0.6)


@pytest.mark.parametrize("signal", [Signal.NEUTRAL, Signal.BUY, Signal.UNKNOWN])
def test_no_other_signal_begins_stage_two_however_long_it_held(signal):
    _, cover = climbed(scene(0.6), scene(0.6, 1, signal=signal, signal_held_ns=100 * HELD_NS))
    assert cover.stage == 1


@pytest.mark.parametrize(
    "trend",
    [
        {"trend_sigmas": -2.0, "turnover_ratio": 1.0},
        {"trend_sigmas": -1.0, "turnover_ratio": 2.0},
        {"trend_sigmas": 2.0, "turnover_ratio": 2.0},
        {"trend_sigmas": -2.0, "turnover_ratio": None},
        {"trend_sigmas": None, "turnover_ratio": 2.0},
    ],
)
def test_stage_three_wants_the_trend_and_the_volume(trend):
    _, cover = climbed(*(scene(0.9, at, **SELL, **trend) for at in range(5)))
    assert cover.stage == 2
    _, cover = climbed(*(scene(0.9, at, **SELL, **FALLING) for at in range(5)))
    assert cover.stage == 3
    assert share(cover, 0.9) == pytest.approx(1.0)


def test_stages_come_one_after_the_other():
    stages = Stages(hedge_params())
    moments = [scene(0.9, at, **SELL, **FALLING) for at in range(4)]
    assert [stages.decide(moment).stage for moment in moments] == [1, 2, 3, 3]


# --- hysteresis and cool-down -------------------------------------------------------------------


def test_between_release_and_threshold_a_stage_stays_as_it_is():
    stages, _ = climbed(scene(0.25))
    assert stages.decide(scene(0.11, 10_000)).stage == 1
    assert stages.decide(scene(0.09, 10_001)).stage == 0
    assert stages.decide(scene(0.24, 20_000)).stage == 0


def test_a_stage_neither_ends_nor_begins_again_within_its_cool_down():
    stages, _ = climbed(scene(0.25))
    assert stages.decide(scene(0.05, 599)).stage == 1
    assert stages.decide(scene(0.05, 600)).stage == 0
    assert stages.decide(scene(0.5, 1_199)).stage == 0
    assert stages.decide(scene(0.5, 1_200)).stage == 1


def test_below_the_target_no_stage_stands_whatever_the_cool_down():
    stages, _ = climbed(scene(0.25))
    assert stages.decide(scene(0.0, 1)).stage == 0


def test_a_difference_below_the_smallest_change_waits():
    stages, _ = climbed(scene(0.5))
    at = scene(0.5, 1, cover_lots=round(0.135 * WAY))
    assert stages.decide(at).change_lots == 0
    at = scene(0.5, 1, cover_lots=round(0.125 * WAY))
    assert stages.decide(at).change_lots == round(0.025 * WAY)


# --- stances ------------------------------------------------------------------------------------


def test_hold_starts_no_cover_though_a_stage_stands():
    _, cover = climbed(scene(0.4, stance=HedgeStance.HOLD, signal=Signal.BUY))
    assert (cover.stage, cover.target_lots) == (1, 0)


def test_bullish_but_over_exposed_still_hedges_a_part():
    at = scene(0.6, stance=HedgeStance.HOLD, signal=Signal.BUY)
    _, cover = climbed(at)
    assert share(cover, 0.6) == pytest.approx(0.5)
    assert "over-exposed" in cover.why
    _, cover = climbed(scene(0.4, signal=Signal.BUY))
    assert share(cover, 0.4) == pytest.approx(0.15)


@pytest.mark.parametrize("stance", HedgeStance)
def test_bearish_but_underweight_holds_off(stance):
    at = scene(-0.5, stance=stance, signal=Signal.STRONG_SELL, signal_held_ns=HELD_NS, **FALLING)
    _, cover = climbed(at, at)
    assert (cover.stage, cover.target_lots, cover.change_lots) == (0, 0, 0)


@pytest.mark.parametrize("stance", [HedgeStance.EXCESS, HedgeStance.ACCELERATE])
def test_excess_covers_all_over_the_target_whatever_the_stage(stance):
    _, cover = climbed(scene(0.1, stance=stance))
    assert cover.stage == 0
    assert share(cover, 0.1) == 1.0


def test_more_comes_sooner_and_larger_but_still_in_stages():
    stages = Stages(hedge_params())
    at = scene(0.35, stance=HedgeStance.MORE, signal=Signal.SELL, signal_held_ns=600 * NS_PER_S)
    assert [stages.decide(at).stage for _ in range(3)] == [1, 2, 2]
    assert share(stages.decide(at), 0.35) == pytest.approx(0.9)


def test_a_row_of_the_gate_can_ask_for_more_than_the_stage():
    _, cover = climbed(scene(0.2, demanded_lots=round(0.2 * WAY)))
    assert share(cover, 0.2) == 1.0


# --- letting go ---------------------------------------------------------------------------------


@pytest.mark.parametrize("signal", [Signal.BUY, Signal.NEUTRAL, Signal.SELL])
def test_no_signal_ends_cover_while_inventory_stands_over_its_target(signal):
    stages, _ = climbed(scene(0.5))
    at = scene(0.5, 10_000, signal=signal, cover_lots=round(0.4 * WAY))
    cover = stages.decide(at)
    assert (cover.change_lots, cover.may_let_go) == (0, False)
    assert "kept" in cover.why


def test_a_buy_keeps_cover_until_inventory_is_below_its_target():
    held = round(0.04 * WAY)
    buy = {"stance": HedgeStance.HOLD, "signal": Signal.BUY, "cover_lots": held}
    _, cover = climbed(scene(0.05, **buy))
    assert cover.change_lots == 0
    _, cover = climbed(scene(-0.01, **buy))
    assert (cover.target_lots, cover.change_lots, cover.may_let_go) == (0, -held, True)


def test_cover_beyond_what_stands_over_the_target_goes():
    at = scene(0.3, stance=HedgeStance.EXCESS, signal=Signal.BUY, cover_lots=round(0.4 * WAY))
    _, cover = climbed(at)
    assert cover.change_lots == -round(0.1 * WAY)


def test_inventory_that_is_back_lets_cover_go():
    _, cover = climbed(scene(0.05, cover_lots=round(0.04 * WAY)))
    assert cover.change_lots == -round(0.04 * WAY)


# --- conversion ---------------------------------------------------------------------------------


def test_what_was_converted_is_not_converted_a_second_time():
    stages, first = climbed(scene(0.5))
    sold = first.change_lots
    at = scene(0.5, 1, converted_lots=sold)
    at = replace(at, position_lots=at.position_lots - sold)
    assert abs(stages.decide(at).target_lots) <= 1


# --- restart ------------------------------------------------------------------------------------


def test_a_remembered_stage_goes_on_with_its_cool_down():
    stages = Stages(hedge_params())
    stages.remember(1, NOW_NS)
    assert stages.decide(scene(0.05, 599)).stage == 1
    assert stages.decide(scene(0.05, 601)).stage == 0


MOMENTS = st.lists(
    st.tuples(
        st.floats(-0.5, 1.2),
        st.sampled_from(HedgeStance),
        st.sampled_from(Signal),
        st.integers(0, 3_000),
        st.sampled_from([None, -3.0, 0.0, 3.0]),
        st.integers(0, BANDS.cap_lots),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(MOMENTS)
def test_the_target_never_exceeds_what_is_over_the_target_and_stages_move_by_one(moments):
    stages, cover_lots, at_s, before = Stages(hedge_params()), 0, 0.0, 0
    for gone, stance, signal, wait_s, number, demanded in moments:
        at_s += wait_s
        at = scene(
            gone, at_s, stance=stance, signal=signal, signal_held_ns=wait_s * NS_PER_S,
            trend_sigmas=number, turnover_ratio=number, cover_lots=cover_lots,
            demanded_lots=demanded,
        )  # fmt: skip
        cover = stages.decide(at)
        assert 0 <= cover.target_lots <= at.excess_lots
        assert cover.change_lots in (0, cover.target_lots - cover_lots)
        assert cover.change_lots >= 0 or cover.may_let_go
        assert abs(cover.stage - before) <= 1 or not cover.stage
        assert cover.unhedged_lots == max(0, at.excess_lots - cover_lots)
        cover_lots, before = cover_lots + cover.change_lots, cover.stage
