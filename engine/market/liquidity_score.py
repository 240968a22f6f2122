"""A score of 0 to 100 out of parts, by a formula that a person can do on paper.

score = 100 x sum(weight x part) / sum(weights). Where more is better a part is x / (x + half),
where less is better half / (half + x). So each part lies between 0 and 1 and is a half at its own
half point; more of the good and less of the bad never lowers the score.
"""

from collections.abc import Iterable

import msgspec


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a score: what was `found`, and the `part` of 0 to 1 that it is worth."""

    name: str
    found: float | None
    part: float
    weight: float


def more_is_better(found: float, half: float) -> float:
    """`found` is at least 0, `half` above 0."""
    return found / (found + half)


def less_is_better(found: float, half: float) -> float:
    """`found` below 0 counts as 0; `half` is above 0."""
    return half / (half + max(0.0, found))


def score_of_parts(parts: Iterable[Part]) -> float:
    """Some weight is above 0."""
    rows = list(parts)
    return min(
        100.0, 100 * sum(row.weight * row.part for row in rows) / sum(row.weight for row in rows)
    )
