"""The `[books]` section of a treasury file: how its books are kept."""

import msgspec

from engine.treasury.lots import LotMethod


class BooksParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lots` names a CSV file of what openings cost, `prices` one of prices; "" for none.

    price_age_max_s: an older price says nothing of what a fee, a reward or a payment was worth.
    """

    lot_method: LotMethod
    lots: str
    prices: str
    price_age_max_s: int

    def __post_init__(self) -> None:
        if not 1 <= self.price_age_max_s <= 31 * 86_400:
            raise ValueError("price_age_max_s must be 1 to 2678400")
