"""Small builders for hedging: a whole `[hedge]` table, changed where a test says so."""

from typing import Any

from engine.trading.hedge_params import HedgeParams, HedgeStage


def stage(threshold: float, release: float, cover: float, cool_down_s: float = 600.0) -> HedgeStage:
    return HedgeStage(threshold=threshold, release=release, cover=cover, cool_down_s=cool_down_s)


def hedge_params(**changes: Any) -> HedgeParams:
    fields: dict[str, Any] = {
        "stage_1": stage(0.25, 0.1, 0.3),
        "stage_2": stage(0.5, 0.3, 0.6),
        "stage_3": stage(0.75, 0.5, 1.0),
        "persistence_s": 900.0,
        "trend_sigmas_min": 1.5,
        "turnover_ratio_min": 1.5,
        "buy_cover": 0.5,
        "buy_over_threshold": 0.5,
        "more_sooner": 0.6,
        "more_larger": 1.5,
        "change_min": 0.02,
        "day_cost_max": "5",
        "let_go_reserve": 0.3,
        "slippage_bps_max": 50.0,
        "child_value": "20",
        "child_every_s": 5.0,
        "urgent_every_s": 1.0,
        "answer_s_max": 2.0,
        "retry_s": 30.0,
        "ratio_confidence_min": 2.0,
        "residual_share_max": 0.8,
        "residual_bps": 20.0,
        "carry_horizon_s": 28_800.0,
        "liquidation_distance_min": 0.3,
    }
    return HedgeParams(**(fields | changes))
