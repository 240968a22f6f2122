"""The short example: the same quotes at a fixed distance from mid, whatever happens."""

import msgspec

from engine.trading.strategy import Ladder, Level, Reason, Side, View, Wake, quote_level


class FixedParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`half_spread_ticks` from mid to either quote, `lots` on each side.

    The mid is taken in steps of `step_ticks`, so that the quotes do not chase every flicker.
    """

    half_spread_ticks: float
    step_ticks: float
    lots: int

    def __post_init__(self) -> None:
        if self.half_spread_ticks <= 0 or self.lots < 1:
            raise ValueError("half_spread_ticks and lots must be above 0")


class FixedStrategy:
    Params = FixedParams
    wake = Wake()

    def __init__(self, params: FixedParams) -> None:
        self.params = params

    def quote(self, view: View) -> Ladder:
        if not view.mid:
            return Ladder(bids_absent="no mid price", asks_absent="no mid price")
        return Ladder(bids=(self._at(Side.BUY, view),), asks=(self._at(Side.SELL, view),))

    def _at(self, side: Side, view: View) -> Level:
        width, step = self.params.half_spread_ticks, self.params.step_ticks
        reference = round(view.mid / step) * step if step else view.mid
        reason = Reason(reference=reference, skew=0.0, width=width, rounding=0.0, stance="unused")
        return quote_level(side, self.params.lots, view, reason)
