"""The technical rating (TradingView methodology): 26 votes on one bar, and what they add up to.

Rules of 2024 are those of TradingView's library TechnicalRating v3; those of 2020 are the first
indicator's. The rules read a `Snapshot` of named values, so that the batch twin and the streaming
twin answer to the same law and can only differ in their arithmetic.
"""

from collections.abc import Iterable

import msgspec

from engine.signals.votes import EPS, MOVING_AVERAGES, OSCILLATORS, Rules, Snapshot
from engine.values.events import RatingLabel

LABEL_EDGES = (-0.5, -0.1, 0.1, 0.5)
LABELS = (
    RatingLabel.STRONG_SELL,
    RatingLabel.SELL,
    RatingLabel.NEUTRAL,
    RatingLabel.BUY,
    RatingLabel.STRONG_BUY,
)


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """Means in -1 to 1, None where nobody of the group voted; `votes` by name, None alike."""

    moving_averages: float | None
    oscillators: float | None
    all: float | None
    label: RatingLabel | None
    votes: dict[str, int | None]

    @property
    def voted(self) -> int:
        return sum(vote is not None for vote in self.votes.values())


def rate(values: Snapshot, rules: Rules) -> Rated:
    """All 26 votes on one bar. `all` is the mean of the two groups' means, not of the votes."""
    averages = {c.name: c.vote(values) for c in MOVING_AVERAGES[rules]}
    oscillators = {c.name: c.vote(values) for c in OSCILLATORS[rules]}
    means = _mean(averages.values()), _mean(oscillators.values())
    whole = _mean(means)
    return Rated(
        moving_averages=means[0],
        oscillators=means[1],
        all=whole,
        label=None if whole is None else label_of(whole),
        votes=averages | oscillators,
    )


def label_of(score: float) -> RatingLabel:
    """Neutral from -0.1 to 0.1 with both ends; strong only beyond 0.5."""
    if score < 0:
        below = sum(score < edge - EPS for edge in LABEL_EDGES[:2])
        return LABELS[2 - below]
    return LABELS[2 + sum(score > edge + EPS for edge in LABEL_EDGES[2:])]


def _mean(votes: Iterable[float | None]) -> float | None:
    known = [vote for vote in votes if vote is not None]
    return sum(known) / len(known) if known else None
