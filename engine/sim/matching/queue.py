# cython: language_level=3, annotation_typing=False
"""Where an order stands in a queue that is only seen as a total, and how it moves up.

Formulas: spec quant.md section 4; the probability models are those of hftbacktest's documentation.
"""

from math import log1p
from typing import Protocol

import msgspec

from engine.values.units import Lot


class QueueModel(Protocol):
    def prob(self, front: float, back: float) -> float:
        """The chance that a cancel at our price was behind us, between 0 and 1."""
        ...


class RiskAverse(msgspec.Struct, frozen=True):
    """Every cancel is behind us, so that only trades bring us forward."""

    def prob(self, front: float, back: float) -> float:
        return 1.0


class Power(msgspec.Struct, frozen=True):
    """back^n / (back^n + front^n); n = 1 spreads cancels evenly over the queue."""

    n: float = 1.0

    def prob(self, front: float, back: float) -> float:
        whole = back**self.n + front**self.n
        return back**self.n / whole if whole else 1.0


class Log(msgspec.Struct, frozen=True):
    """ln(1+back) / (ln(1+back) + ln(1+front))."""

    def prob(self, front: float, back: float) -> float:
        whole = log1p(back) + log1p(front)
        return log1p(back) / whole if whole else 1.0


class QueuePlace:
    """The lots in front of one order. It never moves back, and never in front of the queue."""

    __slots__ = ("_model", "front_lots")

    def __init__(self, model: QueueModel, shown_lots: Lot) -> None:
        """A new order joins behind everything that is shown."""
        self._model = model
        self.front_lots = float(shown_lots)

    def on_trade(self, lots: float) -> float:
        """Lots traded at this price. Returns what was traded after the front was exhausted."""
        passed = max(lots - self.front_lots, 0.0)
        self.front_lots = max(self.front_lots - lots, 0.0)
        return passed

    def on_depth(self, prev: Lot, new: Lot, traded: Lot) -> None:
        """The level went from `prev` to `new`, with `traded` of it told by `on_trade` before."""
        gone = prev - new - traded
        if gone < 0:
            self.front_lots = min(self.front_lots, float(new))
            return
        back = max(prev - self.front_lots, 0.0)
        behind = self._model.prob(self.front_lots, back)
        front = self.front_lots - (1.0 - behind) * gone + min(back - behind * gone, 0.0)
        # A cancel can exhaust the front but not fill us: below nothing there is nothing.
        self.front_lots = min(max(front, 0.0), float(new))
