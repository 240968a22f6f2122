"""Units: prices are ticks, sizes lots, times nanoseconds, money atoms; all of them integers.

A decimal text becomes an integer here and nowhere else, and never by way of a float.
"""

import math
from enum import StrEnum
from typing import TypeAlias

Tick: TypeAlias = int
"""A price, in multiples of the instrument's tick size."""
Lot: TypeAlias = int
"""A size, in multiples of the instrument's lot size."""
Ns: TypeAlias = int
"""A moment (nanoseconds since 1970, engine clock) or a span of nanoseconds."""
Ppm: TypeAlias = int
"""A ratio in millionths: fees and shares. 1 bp is 100 ppm."""
Atoms: TypeAlias = int
"""An amount of one asset, in units of 10**-exponent of that asset."""
Levels: TypeAlias = list[tuple[Tick, Lot]]
"""Price levels as (tick, lots). In a delta, lots 0 removes the level."""

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
PPM = 1_000_000
DECIMALS_MAX = 30


class Side(StrEnum):
    """BUY is our bid or an aggressor that lifts; SELL is our ask or an aggressor that hits."""

    BUY = "buy"
    SELL = "sell"

    sign: int
    """+1 for a buy, -1 for a sell: what one filled lot does to the position."""

    def __init__(self, value: str) -> None:
        self.sign = 1 if value == "buy" else -1

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


BUY, SELL = Side.BUY, Side.SELL
"""For the hot path: Python 3.11 takes longer to find a member in its enum than to use it."""


def scaled(text: str, exponent: int) -> int:
    """The decimal `text` in units of 10**-exponent, exactly.

    Raises ValueError for anything but plain decimal digits (no NaN, no exponent form), and where
    the value does not fall on a whole unit.
    """
    body = text[1:] if text.startswith("-") else text
    whole, _, fraction = body.partition(".")
    digits = fraction.rstrip("0")
    if not (whole + digits).isdigit() or not body.isascii() or len(body) > 2 * DECIMALS_MAX:
        raise ValueError(f"not a plain decimal: {text[:60]!r}")
    if len(digits) > exponent:
        raise ValueError(f"{text} is finer than 10^-{exponent}")
    value = int(whole + digits.ljust(exponent, "0")) if exponent else int(whole)
    return -value if body is not text else value


def decimal_text(value: int, exponent: int) -> str:
    """The inverse of `scaled`, without trailing zeros: decimal_text(62, 8) is '0.00000062'."""
    sign, digits = ("-", str(-value)) if value < 0 else ("", str(value))
    digits = digits.rjust(exponent + 1, "0")
    whole, fraction = digits[: len(digits) - exponent], digits[len(digits) - exponent :]
    fraction = fraction.rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def away_from_market(side: Side, price_ticks: float) -> Tick:
    """A model price as a tick never better for the other side: floor a bid, ceil an ask."""
    return math.floor(price_ticks) if side is Side.BUY else math.ceil(price_ticks)
