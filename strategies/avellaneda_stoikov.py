"""Avellaneda and Stoikov (2008): quotes around a price that inventory has moved.

"High-frequency trading in a limit order book", Quantitative Finance 8(3), equations (29) and (30).
The paper ends at a time T; a desk does not, so what is left of it is always `horizon_s` here.
"""

import math

import msgspec

from engine.trading.strategy import (
    BUY,
    NS_PER_S,
    SELL,
    Ladder,
    Level,
    Reason,
    Side,
    View,
    Wake,
    Zone,
    quote_level,
)


def reservation_price(mid: float, q: float, gamma: float, variance_left: float) -> float:
    """`mid - q gamma sigma^2 (T-t)`: what the token is worth to one who holds `q` orders of it.

    `variance_left` is sigma^2 (T-t), in squared prices; gamma in 1/price.
    """
    return mid - q * gamma * variance_left


def total_spread(gamma: float, k: float, variance_left: float) -> float:
    """`gamma sigma^2 (T-t) + (2/gamma) ln(1 + gamma/k)`, ask minus bid, in prices."""
    return gamma * variance_left + 2.0 / gamma * math.log1p(gamma / k)


class AvellanedaStoikovParams(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Prices in ticks, sizes in lots.

    gamma: aversion to risk, per tick. k: how fast fills grow rare with distance, per tick (arrivals
    are A exp(-k d)). horizon_s: the time that inventory is feared for. lots: one quote, and the
    unit of inventory. volatility_unknown: ticks per square root of a second until it is known.
    """

    gamma: float
    k: float
    horizon_s: float
    lots: int
    volatility_unknown: float

    def __post_init__(self) -> None:
        numbers = (self.gamma, self.k, self.horizon_s, self.volatility_unknown)
        if not all(math.isfinite(number) and number > 0 for number in numbers) or self.lots < 1:
            raise ValueError("gamma, k, horizon_s, lots and volatility_unknown must be above 0")


class AvellanedaStoikovStrategy:
    """One bid and one ask. Inventory counts from the bands' target."""

    Params = AvellanedaStoikovParams
    wake = Wake(top_moved_ticks=1, microprice_moved_ticks=0.25, timer_ns=NS_PER_S)

    def __init__(self, params: AvellanedaStoikovParams) -> None:
        self.params = params

    def quote(self, view: View) -> Ladder:
        if not view.mid:
            return Ladder(bids_absent="no mid price", asks_absent="no mid price")
        params = self.params
        sigma = params.volatility_unknown if view.volatility is None else view.volatility
        variance_left = sigma * sigma * params.horizon_s
        q = (view.position_lots - view.bands.target_lots) / params.lots
        skew = reservation_price(0.0, q, params.gamma, variance_left)
        width = total_spread(params.gamma, params.k, variance_left) / 2
        bids = () if view.zone is Zone.CAP else (self._at(BUY, view, skew, width),)
        asks = () if view.zone is Zone.FLOOR else (self._at(SELL, view, skew, width),)
        return Ladder(
            bids=bids,
            asks=asks,
            bids_absent="" if bids else "inventory is at its cap",
            asks_absent="" if asks else "inventory is at its floor",
        )

    def _at(self, side: Side, view: View, skew: float, width: float) -> Level:
        reason = Reason(reference=view.mid, skew=skew, width=width, rounding=0.0, stance="unused")
        return quote_level(side, self.params.lots, view, reason)
