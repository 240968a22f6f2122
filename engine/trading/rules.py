"""The numbers of a playbook: how long a rating must hold, and what one may bring about at most."""

import math

import msgspec

from engine.values.instrument import Instrument
from engine.values.units import Lot

VOTES_MOST = 26
FACTORS_MOST = 6
"""How many other factors can agree with a buy: see `factors_for`."""


class RulesParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[rules]` table of a playbook file. Nothing here has a default. Raises ValueError.

    votes_min: fewer of the 26 votes than this make a rating unknown.
    votes_needed: whether a rating that does not tell its votes (a person's) is unknown, too.
    rating_age_max_s: a rating older than this is unknown, however long its source let it live.
    persistence_s: above the target a buy adds nothing before its side has held so long; a buy that
        comes back sooner after neutral or sell than this is still the same signal event.
    confirmations_min: so many of the six other factors must agree before bids show more than the
        strategy's own size.
    signal_cap: what one signal event may add to the position, in the base asset, as decimal text.
    size_step, size_step_every_s: displayed sizes grow by this share at most, this often at most.
    """

    votes_min: int
    votes_needed: bool
    rating_age_max_s: float
    persistence_s: float
    confirmations_min: int
    signal_cap: str
    size_step: float
    size_step_every_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.votes_min <= VOTES_MOST:
            raise ValueError(f"votes_min lies between 0 and {VOTES_MOST}")
        if not 0 <= self.confirmations_min <= FACTORS_MOST:
            raise ValueError(f"confirmations_min lies between 0 and {FACTORS_MOST}")
        if not 0 < self.size_step <= 1:
            raise ValueError("size_step lies above 0 and up to 1")
        for name in ("rating_age_max_s", "persistence_s", "size_step_every_s"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and 0 < seconds <= 366 * 86_400):
                raise ValueError(f"{name} lies above 0 and up to a year of seconds")


def signal_cap_lots(rules: RulesParams, instrument: Instrument) -> Lot:
    """The cap of a signal event in lots. Raises ValueError off the lot grid or below one lot."""
    try:
        lots = instrument.lots(rules.signal_cap)
    except ValueError as error:
        raise ValueError(f"rules.signal_cap: {error}") from error
    if lots < 1:
        raise ValueError("rules.signal_cap: must be at least one lot")
    return lots
