"""A fitted micro-price: how far from mid the price tends to go, by imbalance and spread."""

import msgspec

from engine.values.units import Tick


class Microprice(msgspec.Struct, frozen=True, kw_only=True):
    """`shifts[spread - 1][bucket]` in ticks; wider spreads than were fitted use the widest."""

    shifts: tuple[tuple[float, ...], ...]

    def shift(self, imbalance: float, spread: Tick) -> float:
        row = self.shifts[min(max(spread, 1), len(self.shifts)) - 1]
        return row[min(int(imbalance * len(row)), len(row) - 1)]
