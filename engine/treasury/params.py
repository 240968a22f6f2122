"""What a treasury is made of, as its file says: money, assets, places, buckets. No defaults.

Amounts are decimal text in whole tokens ("20000000"), which becomes atoms with the asset's own
exponent; shares are ppm; horizons are days. Mistakes raise ValueError, which names the key.
"""

from enum import StrEnum

import msgspec

from engine.treasury.amounts import Asset
from engine.values.units import DECIMALS_MAX, PPM, Ppm, scaled

DAYS_MAX = 3_660
HOURS_MAX = 24 * DAYS_MAX
NAMES_MAX = 100


class MoneyParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[money]`: the one stable asset that everything is valued in, and its smallest unit."""

    name: str
    exponent: int

    def __post_init__(self) -> None:
        Asset(self.name, self.exponent)

    @property
    def asset(self) -> Asset:
        return Asset(self.name, self.exponent)


class AssetParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[assets]]`: every asset but money, which needs no price.

    is_stable: counts towards the stable buffer, at its market price and never at par.
    price_age_max_s: an older price or book is unknown, and what it would value counts for nothing.
    haircut_ppm: taken off what a sale brings, after the book is walked and the fee is paid.
    """

    name: str
    exponent: int
    is_stable: bool
    price_age_max_s: int
    haircut_ppm: Ppm

    def __post_init__(self) -> None:
        Asset(self.name, self.exponent)
        if not 1 <= self.price_age_max_s <= 86_400:
            raise ValueError("price_age_max_s must be 1 to 86400")
        if not 0 <= self.haircut_ppm <= PPM:
            raise ValueError(f"haircut_ppm must be 0 to {PPM}")

    @property
    def asset(self) -> Asset:
        return Asset(self.name, self.exponent)


class PlaceKind(StrEnum):
    """Who holds it: an exchange, our own keys, or a custodian."""

    VENUE = "venue"
    WALLET = "wallet"
    CUSTODY = "custody"


class PlaceParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[places]]`: where assets lie. A venue is named as in the main config.

    cash_h: hours from asking until what lies here can be sold (0 where it is sold on the spot).
    sells_at: the venue in whose book it is sold; a venue names itself.
    """

    name: str
    kind: PlaceKind
    cash_h: int
    sells_at: str

    def __post_init__(self) -> None:
        if not self.name or not self.sells_at:
            raise ValueError("name and sells_at must not be empty")
        if not 0 <= self.cash_h <= HOURS_MAX:
            raise ValueError(f"cash_h must be 0 to {HOURS_MAX}")
        if self.kind is PlaceKind.VENUE and self.sells_at != self.name:
            raise ValueError("sells_at of a venue is the venue itself")


class FloatParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[buckets.float]]`: what the market maker works with on one venue.

    target: tokens. Under lower_ppm of it selling stops, over upper_ppm the excess is converted
    (80 % and 120 % as shipped), and more than cap_ppm of it is never bought.
    """

    venue: str
    target: str
    lower_ppm: Ppm
    upper_ppm: Ppm
    cap_ppm: Ppm

    def __post_init__(self) -> None:
        check_amount("target", self.target)
        if not 0 <= self.lower_ppm <= PPM <= self.upper_ppm <= self.cap_ppm <= 10 * PPM:
            raise ValueError(f"wanted: lower_ppm <= {PPM} <= upper_ppm <= cap_ppm <= {10 * PPM}")


class BucketParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[buckets]]`: how all of one asset falls into four buckets, each with its horizon.

    reserve_days: what falls due within so many days is reserved. discretionary: at most so many
    tokens. What is in a bucket must turn into cash within its horizon: the float within
    float_days, discretionary inventory within discretionary_days; the rest is surplus, which is
    looked at again after surplus_days.
    """

    asset: str
    reserve_days: int
    float_days: int
    discretionary: str
    discretionary_days: int
    surplus_days: int
    float: list[FloatParams]

    def __post_init__(self) -> None:
        check_amount("discretionary", self.discretionary)
        days = (self.float_days, self.discretionary_days, self.surplus_days)
        if list(days) != sorted(days) or not 0 <= days[0] <= days[-1] <= DAYS_MAX:
            raise ValueError("wanted: float_days <= discretionary_days <= surplus_days")
        if not 0 <= self.reserve_days <= DAYS_MAX:
            raise ValueError(f"reserve_days must be 0 to {DAYS_MAX}")
        if len({row.venue for row in self.float}) < len(self.float):
            raise ValueError("float names a venue twice")


def check_amount(name: str, text: str) -> None:
    """Raises ValueError for anything but a plain decimal of 0 or more."""
    if scaled(text, DECIMALS_MAX) < 0:
        raise ValueError(f"{name} must not be negative")
