"""What a rating means now: its label, its age, and neutral once it is late."""

import msgspec

from engine.values.events import RatingLabel, RatingSet
from engine.values.units import Ns


class Stance(msgspec.Struct, frozen=True, kw_only=True):
    """`label` is NEUTRAL wherever the rating is missing or stale; `was` keeps what it said."""

    label: RatingLabel
    was: str
    age_ns: Ns
    is_stale: bool
    source: str

    @property
    def bias(self) -> int:
        """-2 for strong sell to +2 for strong buy."""
        return _BIAS[self.label]


_BIAS = {
    RatingLabel.STRONG_SELL: -2,
    RatingLabel.SELL: -1,
    RatingLabel.NEUTRAL: 0,
    RatingLabel.BUY: 1,
    RatingLabel.STRONG_BUY: 2,
}
NO_RATING = Stance(label=RatingLabel.NEUTRAL, was="none", age_ns=0, is_stale=True, source="")


def stance_at(rating: RatingSet | None, now_ns: Ns) -> Stance:
    """The stance that `rating` gives at `now_ns`. A rating from the future counts as just set."""
    if rating is None:
        return NO_RATING
    is_stale = now_ns >= rating.expires_ns
    return Stance(
        label=RatingLabel.NEUTRAL if is_stale else rating.label,
        was=rating.label.value,
        age_ns=max(0, now_ns - rating.at_ns),
        is_stale=is_stale,
        source=rating.source,
    )
