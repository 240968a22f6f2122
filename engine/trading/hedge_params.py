"""`[hedge]` of a playbook and `[[markets.hedge]]` of a config: how cover is bought, and where."""

from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

import msgspec

from engine.values.units import DECIMALS_MAX, scaled

DAY_S = 86_400.0


class HedgeKind(StrEnum):
    """What stands against the token's risk."""

    CONVERSION = "conversion"
    """Selling the token itself for a stable coin: here it shrinks the position, elsewhere it is
    cover of the same token."""
    BETA = "beta"
    """Selling another asset by its beta; what the two do not share stays at risk."""
    PERPETUAL = "perpetual"
    """A perpetual future: basis, funding, margin and the distance to liquidation count."""


class HedgeInstrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of `[[markets.hedge]]`: a way to cover the market, `market` as in BTC/USDT@binance.

    The named market is one of the config's own `[[markets]]`, so that its book, orders and limits
    are there.
    """

    kind: HedgeKind
    market: str


class HedgeStage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stage. `threshold` and `release` are shares of the way from target to cap.

    It begins above `threshold` and ends below `release`; `cover` is the share of what stands over
    the target that it covers. It neither begins again nor ends within `cool_down_s` of a change.
    """

    threshold: float
    release: float
    cover: float
    cool_down_s: float

    def __post_init__(self) -> None:
        if not 0 < self.release < self.threshold <= 1:
            raise ValueError("0 < release < threshold <= 1 must hold")
        if not 0 < self.cover <= 1:
            raise ValueError("cover lies above 0 and up to 1")
        if not 0 < self.cool_down_s <= DAY_S:
            raise ValueError("cool_down_s lies above 0 and up to a day")


class HedgeParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[hedge]` of a playbook: nothing in it has a default. Money is decimal text, quote currency.

    stage_1..3: see HedgeStage; each begins further out and covers at least as much.
    persistence_s: so long a sell must have held before stage 2 begins.
    trend_sigmas_min, turnover_ratio_min: stage 3 needs a fall of so many standard deviations, and
      a turnover of so many times the usual.
    buy_cover: share of a stage's cover while the rating is a buy: over-exposed still hedges part.
    buy_over_threshold: so far out even HOLD covers, `buy_cover` of what stands over the target.
    more_sooner, more_larger: MORE takes thresholds and persistence times the first (below 1), and
      cover times the second (above 1, up to all of it).
    change_min: smallest change of cover worth its cost, as a share of the way from target to cap.
    day_cost_max: spread, slippage and fees that cover may cost a UTC day, all instruments together.
    let_go_reserve: share of that which only letting go may use, so that cover can still be ended.
    slippage_bps_max: no order's limit lies further than this from the hedge market's mid.
    child_value: one order's size. child_every_s: pause between two; urgent_every_s while
      ACCELERATE stands.
    answer_s_max: a venue that has not ended an immediate order by then has failed.
    retry_s: so long a failed venue is left alone before it may prove itself.
    ratio_confidence_min: a hedge ratio must be so many times its standard error.
    residual_share_max: no cross-asset hedge that leaves more than this share of the risk.
    residual_bps: what a residual share of 1 counts as in the choice between instruments.
    carry_horizon_s: funding is counted over so long. liquidation_distance_min: a perpetual whose
      liquidation is nearer than this share of the price is not chosen.
    """

    stage_1: HedgeStage
    stage_2: HedgeStage
    stage_3: HedgeStage
    persistence_s: float
    trend_sigmas_min: float
    turnover_ratio_min: float
    buy_cover: float
    buy_over_threshold: float
    more_sooner: float
    more_larger: float
    change_min: float
    day_cost_max: str
    let_go_reserve: float
    slippage_bps_max: float
    child_value: str
    child_every_s: float
    urgent_every_s: float
    answer_s_max: float
    retry_s: float
    ratio_confidence_min: float
    residual_share_max: float
    residual_bps: float
    carry_horizon_s: float
    liquidation_distance_min: float

    def __post_init__(self) -> None:
        problems = (
            _stages_problem(self.stages),
            _share_problem(self),
            _size_problem(self),
            _time_problem(self),
        )
        if problem := next(filter(None, problems), ""):
            raise ValueError(problem)

    @property
    def stages(self) -> tuple[HedgeStage, HedgeStage, HedgeStage]:
        return self.stage_1, self.stage_2, self.stage_3


def money(text: str) -> Fraction:
    """Decimal text as an exact number. Raises ValueError for anything else."""
    return Fraction(scaled(text, DECIMALS_MAX), 10**DECIMALS_MAX)


def _stages_problem(stages: tuple[HedgeStage, ...]) -> str:
    for number, (near, far) in enumerate(pairwise(stages), 2):
        if far.threshold <= near.threshold or far.release < near.release:
            return f"stage_{number} must begin and end further out than stage_{number - 1}"
        if far.cover < near.cover:
            return f"stage_{number} must cover at least as much as stage_{number - 1}"
    return ""


def _share_problem(params: HedgeParams) -> str:
    """What is wrong with the numbers that are shares."""
    up_to_one = ("buy_cover", "more_sooner", "residual_share_max")
    for name in up_to_one:
        if not 0 < getattr(params, name) <= 1:
            return f"{name} lies above 0 and up to 1"
    if not params.stage_1.threshold <= params.buy_over_threshold <= 1:
        return "buy_over_threshold lies between stage_1.threshold and 1"
    for name in ("change_min", "let_go_reserve", "liquidation_distance_min"):
        if not 0 <= getattr(params, name) < 1:
            return f"{name} lies from 0 to below 1"
    return "" if 1 <= params.more_larger <= 10 else "more_larger lies between 1 and 10"


def _size_problem(params: HedgeParams) -> str:
    """What is wrong with money, distances and strengths."""
    for name in ("day_cost_max", "child_value"):
        if money(getattr(params, name)) <= 0:
            return f"{name} must be more than 0"
    if not 0 < params.slippage_bps_max <= 1_000:
        return "slippage_bps_max lies above 0 and up to 1000"
    for name in ("trend_sigmas_min", "turnover_ratio_min", "ratio_confidence_min"):
        if not 0 < getattr(params, name) <= 100:
            return f"{name} lies above 0 and up to 100"
    return "" if 0 <= params.residual_bps <= 10_000 else "residual_bps lies between 0 and 10000"


def _time_problem(params: HedgeParams) -> str:
    names = (
        "persistence_s",
        "child_every_s",
        "urgent_every_s",
        "answer_s_max",
        "retry_s",
        "carry_horizon_s",
    )
    for name in names:
        if not 0 < getattr(params, name) <= 30 * DAY_S:
            return f"{name} lies above 0 and up to 30 days"
    if params.urgent_every_s > params.child_every_s:
        return "urgent_every_s is at most child_every_s"
    return ""
