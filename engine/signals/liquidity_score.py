"""How liquid a market is in one number, 0 to 100, by a formula that a person can do on paper.

score = 100 x sum(weight x part) / sum(weights), where the part of a depth d or a turnover t is
d / (d + half), and the part of a spread s is half / (half + s). So each part lies between
0 and 1 and is a half at its own half point; more depth, more turnover and less spread never lower
the score. The depth of a width is that of its thinner side.
"""

import msgspec

from engine.signals.outlook_params import ScoreParams


class Liquidity(msgspec.Struct, frozen=True, kw_only=True):
    """`depth_lots`: thinner side within 1, 2 and 5 % of mid; `turnover` in lots a second."""

    depth_lots: tuple[float, float, float]
    spread_bps: float
    turnover_lots_per_s: float


def score_of(found: Liquidity, params: ScoreParams) -> float:
    """Depth and turnover are at least 0; a spread below 0 (crossed) counts as 0."""
    total = weights = 0.0
    for lots, half, weight in zip(
        found.depth_lots, params.depth_half_lots, params.depth_weights, strict=True
    ):
        total += weight * lots / (lots + half)
        weights += weight
    spread_bps, half_bps = max(0.0, found.spread_bps), params.spread_half_bps
    total += params.spread_weight * half_bps / (half_bps + spread_bps)
    turnover, half = found.turnover_lots_per_s, params.turnover_half_lots_per_s
    total += params.turnover_weight * turnover / (turnover + half)
    weights += params.spread_weight + params.turnover_weight
    return min(100.0, 100 * total / weights)
