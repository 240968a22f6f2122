"""The `[execution]` section: how conversions are cut up, what stops them, who gets them then.

Nothing has a default. Sizes are shares in ppm, times are seconds.
"""

import msgspec

from engine.values.units import PPM, Ppm

SECONDS_MAX = 7 * 86_400
CHILDREN_MAX = 2_000


class EstimateParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the estimate adds to the walked book.

    volatility_ppm: so much of the price's usual way (one standard deviation) over the plan's time.
    impact_ppm: the Y of the square-root law (`estimate`), 1000000 is 1: how far our own size moves
    the price, by its share of a day's volume and the volatility of a day. 0 leaves that out.
    fragmentation_ppm: for each venue beyond the first: they are never all there at once.
    daily_share_ppm: over this share of a day's volume each further share as large adds
    daily_excess_ppm. unknown_volume_ppm is added where nobody told the volume.
    ceiling_ppm_max: a plan that would need more is not made. lesson_ppm_max bounds what reviews of
    earlier orders may add or take off; lesson_weight_ppm is what one review weighs.
    """

    volatility_ppm: Ppm
    impact_ppm: Ppm
    fragmentation_ppm: Ppm
    daily_share_ppm: Ppm
    daily_excess_ppm: Ppm
    unknown_volume_ppm: Ppm
    ceiling_ppm_max: Ppm
    lesson_ppm_max: Ppm
    lesson_weight_ppm: Ppm

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative")
        if not 0 < self.ceiling_ppm_max < PPM:
            raise ValueError(f"ceiling_ppm_max must be 1 to {PPM - 1}")
        if not 0 < self.daily_share_ppm <= PPM or not 0 < self.lesson_weight_ppm <= PPM:
            raise ValueError(f"daily_share_ppm and lesson_weight_ppm must be 1 to {PPM}")


class ExecutionParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a parent is worked.

    child_depth_ppm: a child is at most this share of what stands within the ceiling at the start.
    child_every_s: mean time between two children; jitter_ppm: how far time and size stray from it.
    participation_ppm: of what others traded in the last volume_window_s, no more than this is ours.
    gap_ppm: a price that moves further between two looks pauses the parent for pause_s.
    stale_s: so does a book that was last vouched for longer ago, or a doubt about it that lasts
    longer; one that settles before only delays the next child.
    hand_over_s: a pause that lasts longer, or a parent that is so late, goes to a person.
    answer_s_max: a child without an end after that is unanswered.
    """

    child_depth_ppm: Ppm
    child_every_s: int
    jitter_ppm: Ppm
    participation_ppm: Ppm
    volume_window_s: int
    gap_ppm: Ppm
    stale_s: int
    pause_s: int
    hand_over_s: int
    answer_s_max: int
    estimate: EstimateParams

    def __post_init__(self) -> None:
        shares = {
            "child_depth_ppm": self.child_depth_ppm,
            "participation_ppm": self.participation_ppm,
            "gap_ppm": self.gap_ppm,
        }
        for name, share in shares.items():
            if not 0 < share <= PPM:
                raise ValueError(f"{name} must be 1 to {PPM}")
        if not 0 <= self.jitter_ppm < PPM:
            raise ValueError(f"jitter_ppm must be 0 to {PPM - 1}")
        for name in ("child_every_s", "volume_window_s", "stale_s", "pause_s", "hand_over_s",
                     "answer_s_max"):  # fmt: skip
            if not 1 <= getattr(self, name) <= SECONDS_MAX:
                raise ValueError(f"{name} must be 1 to {SECONDS_MAX}")
        if self.hand_over_s <= self.pause_s:
            raise ValueError("hand_over_s must be more than pause_s")
