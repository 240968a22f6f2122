"""What the journal keeps of the rebalancing loop: a float that left its bands, and daily checks."""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.treasury_words import Day
from engine.values.units import Atoms, Ns


class BandZone(StrEnum):
    UNDER = "under its lower band"
    INSIDE = "inside its bands"
    OVER = "over its upper band"


class BandMoved(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A float passed one of its bands, or came back."""

    at_ns: Ns
    venue: str
    asset: str
    before: BandZone
    after: BandZone
    held_atoms: Atoms
    target_atoms: Atoms


class BandsChecked(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The daily check of a UTC day was made: it is made once, over any restart. `why` by float."""

    at_ns: Ns
    day: Day
    why: dict[str, str]


RebalanceRecord: TypeAlias = BandMoved | BandsChecked
