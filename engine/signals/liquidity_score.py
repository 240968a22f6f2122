"""How liquid one market is in one number, 0 to 100: the formula is `engine.market.liquidity_score`.

Its parts are depth within 1, 2 and 5 % of mid (of the thinner side), turnover and spread.
"""

import msgspec

from engine.market.liquidity_score import Part, less_is_better, more_is_better, score_of_parts
from engine.signals.outlook_params import DEPTHS, ScoreParams


class Liquidity(msgspec.Struct, frozen=True, kw_only=True):
    """`depth_lots`: thinner side within 1, 2 and 5 % of mid; `turnover` in lots a second."""

    depth_lots: tuple[float, float, float]
    spread_bps: float
    turnover_lots_per_s: float


def score_of(found: Liquidity, params: ScoreParams) -> float:
    """Depth and turnover are at least 0; a spread below 0 (crossed) counts as 0."""
    return score_of_parts(parts_of(found, params))


def parts_of(found: Liquidity, params: ScoreParams) -> list[Part]:
    depths = zip(
        DEPTHS, found.depth_lots, params.depth_half_lots, params.depth_weights, strict=True
    )
    turnover, spread = found.turnover_lots_per_s, found.spread_bps
    rows = [
        (f"depth {percent} %", lots, more_is_better(lots, half), weight)
        for percent, lots, half, weight in depths
    ]
    worth = less_is_better(spread, params.spread_half_bps)
    rows.append(("spread", spread, worth, params.spread_weight))
    worth = more_is_better(turnover, params.turnover_half_lots_per_s)
    rows.append(("turnover", turnover, worth, params.turnover_weight))
    return [Part(name=name, found=n, part=part, weight=w) for name, n, part, w in rows]
