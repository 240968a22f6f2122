"""Gueant, Lehalle and Fernandez-Tapia (2013): the quotes of a maker who never has to stop.

"Dealing with the inventory risk", Mathematics and Financial Economics 7(4): the asymptotic quotes,
closed (section 5) and exact (theorem 1 and proposition 3). Arrivals are A exp(-k d) a second.
"""

import math

import msgspec
import numpy as np

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


class GlftModel(msgspec.Struct, frozen=True, kw_only=True):
    """sigma: price per square root of time. a: fills per time at distance 0. k, gamma: 1/price."""

    sigma: float
    a: float
    k: float
    gamma: float

    @property
    def base(self) -> float:
        """`(1/gamma) ln(1 + gamma/k)`: the distance of one who fears no inventory."""
        return math.log1p(self.gamma / self.k) / self.gamma

    @property
    def slope(self) -> float:
        """`C = sqrt(sigma^2 gamma / (2 k A) (1 + gamma/k)^(1 + k/gamma))`."""
        grown = math.exp(self._growth)
        return math.sqrt(self.sigma**2 * self.gamma / (2 * self.k * self.a) * grown)

    @property
    def _growth(self) -> float:
        """The logarithm of `(1 + gamma/k)^(1 + k/gamma)`."""
        return (1 + self.k / self.gamma) * math.log1p(self.gamma / self.k)

    def closed(self, q: float) -> tuple[float, float]:
        """(bid, ask) distances from mid at inventory `q`, by the closed approximation."""
        half = self.slope / 2
        return self.base + (2 * q + 1) * half, self.base - (2 * q - 1) * half

    def working(self, size: float) -> tuple[float, float]:
        """(half spread, skew per unit of q) for orders of `size` units, with xi = gamma.

        `c1 = 1/(xi D) ln(1 + xi D/k)`, `c2 = sqrt(gamma/(2 A D k) (1 + xi D/k)^(k/(xi D) + 1))`:
        half spread `c1 + D/2 sigma c2`, skew `sigma c2`. At D = 1 it is the closed form.
        """
        risk = self.gamma * size
        c1 = math.log1p(risk / self.k) / risk
        grown = math.exp((1 + self.k / risk) * math.log1p(risk / self.k))
        c2 = math.sqrt(self.gamma / (2 * self.a * size * self.k) * grown)
        return c1 + size / 2 * self.sigma * c2, self.sigma * c2

    def exact(self, q_max: int) -> list[tuple[float, float]]:
        """(bid, ask) for q = -q_max .. q_max; infinite where a side would leave these bounds.

        From the eigenvector to the lowest eigenvalue of the tridiagonal M of theorem 1, by the
        ratios of its neighbours: far out its values are too small for a float, the ratios are not.
        """
        inventory = np.arange(-q_max, q_max + 1)
        eta = self.a * math.exp(-self._growth)
        diagonal = self.k * self.gamma * self.sigma**2 / 2 * inventory.astype(float) ** 2
        beside = np.full(2 * q_max, -eta)
        matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        lowest = float(np.linalg.eigvalsh(matrix)[0])
        # v_q / v_(q-1) from the outermost q inwards, which is where the recurrence is stable.
        outwards, ratio = [], 0.0
        for q in range(q_max, 0, -1):
            ratio = eta / (float(diagonal[q_max + q]) - lowest - eta * ratio)
            outwards.append(math.log(ratio) / self.k)
        gains = [*outwards, *(-gain for gain in reversed(outwards))]
        bids = [*(self.base + gain for gain in gains), math.inf]
        asks = [math.inf, *(self.base - gain for gain in gains)]
        return list(zip(bids, asks, strict=True))


class GlftParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices in ticks, sizes in lots; `ballast study glft --data` estimates a, k and sigma.

    gamma: aversion to risk, per tick. a: arrivals a second at distance 0. k: per tick. lots: one
    quote, and the unit of inventory. volatility_unknown: ticks per square root of a second until
    the market's own is known.
    """

    gamma: float
    a: float
    k: float
    lots: int
    volatility_unknown: float

    def __post_init__(self) -> None:
        numbers = (self.gamma, self.a, self.k, self.volatility_unknown)
        if not all(math.isfinite(number) and number > 0 for number in numbers) or self.lots < 1:
            raise ValueError("gamma, a, k, lots and volatility_unknown must be above 0")


class GlftStrategy:
    """One bid and one ask by the closed form. Inventory counts from the bands' target."""

    Params = GlftParams
    wake = Wake(top_moved_ticks=1, microprice_moved_ticks=0.25, timer_ns=NS_PER_S)

    def __init__(self, params: GlftParams) -> None:
        self.params = params

    def quote(self, view: View) -> Ladder:
        if not view.mid:
            return Ladder(bids_absent="no mid price", asks_absent="no mid price")
        params = self.params
        sigma = params.volatility_unknown if view.volatility is None else view.volatility
        model = GlftModel(sigma=sigma, a=params.a, k=params.k, gamma=params.gamma)
        q = (view.position_lots - view.bands.target_lots) / params.lots
        width, skew_each = model.working(1.0)
        skew = -q * skew_each
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
