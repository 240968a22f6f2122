# cython: language_level=3, annotation_typing=False
"""Inventory bands: where a position stands between what the treasury released and its cap."""

from enum import StrEnum

import msgspec

from engine.values.units import Lot, Side


class Zone(StrEnum):
    FLOOR = "at the floor"
    BELOW = "below"
    INSIDE = "inside"
    ABOVE = "above"
    CAP = "at the cap"


# Named once: Python 3.11 takes longer to find a member in its enum than to use it.
_ABOVE, _BELOW, _CAP = Zone.ABOVE, Zone.BELOW, Zone.CAP
_FLOOR, _INSIDE = Zone.FLOOR, Zone.INSIDE


class Bands(msgspec.Struct, frozen=True, kw_only=True):
    """Positions in lots, floor <= lower <= target <= upper <= cap. None has a default."""

    floor_lots: Lot
    lower_lots: Lot
    target_lots: Lot
    upper_lots: Lot
    cap_lots: Lot

    def __post_init__(self) -> None:
        row = (self.floor_lots, self.lower_lots, self.target_lots, self.upper_lots, self.cap_lots)
        if list(row) != sorted(row) or self.floor_lots == self.cap_lots:
            raise ValueError("bands must rise: floor <= lower <= target <= upper <= cap")

    def zone(self, position_lots: Lot) -> Zone:
        if position_lots <= self.floor_lots:
            return _FLOOR
        if position_lots < self.lower_lots:
            return _BELOW
        if position_lots <= self.upper_lots:
            return _INSIDE
        return _ABOVE if position_lots < self.cap_lots else _CAP

    def room_lots(self, side: Side, position_lots: Lot) -> Lot:
        """How much a side may still fill before the position meets its cap (or floor)."""
        if side is Side.BUY:
            return max(0, self.cap_lots - position_lots)
        return max(0, position_lots - self.floor_lots)

    def lean(self, position_lots: Lot) -> float:
        """-1 at the cap (wants to sell), 0 at the target, +1 at the floor (wants to buy)."""
        gap = self.target_lots - position_lots
        span = self.target_lots - self.floor_lots if gap > 0 else self.cap_lots - self.target_lots
        return max(-1.0, min(1.0, gap / span)) if span else 0.0
