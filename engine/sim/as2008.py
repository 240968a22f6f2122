"""The simulation of Avellaneda and Stoikov (2008), section 3.3, path by path as the paper ran it.

Each step the mid moves by +-sigma sqrt(dt) and either quote fills with probability lambda dt, which
is literal: 1 - exp(-lambda dt) would lower the profit by about 12 %.
"""

from collections.abc import Callable

import msgspec
import numpy as np

Array = np.ndarray[tuple[int], np.dtype[np.float64]]
Quotes = Callable[[Array, float], tuple[Array, float]]
"""(inventory of each path, time left) to (shift of the centre, total spread), in prices."""


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """The paper's market. Arrivals at distance d are A exp(-k d) per unit of time."""

    mid: float = 100.0
    horizon: float = 1.0
    sigma: float = 2.0
    step: float = 0.005
    k: float = 1.5
    a: float = 140.0

    @property
    def steps(self) -> int:
        return round(self.horizon / self.step)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the paper's table: means and standard deviations over the paths."""

    spread: float
    profit: float
    profit_std: float
    final_q: float
    final_q_std: float


def simulated(market: Market, quotes: Quotes, paths: int, seed: int) -> Row:
    """The table's line for one way of quoting. The same seed moves the mid in the same way."""
    dice = np.random.default_rng(seed)
    mid = np.full(paths, market.mid)
    q, cash, spreads = np.zeros(paths), np.zeros(paths), 0.0
    move = market.sigma * np.sqrt(market.step)
    for i in range(market.steps):
        shift, spread = quotes(q, market.horizon - i * market.step)
        bid_far, ask_far = spread / 2 - shift, spread / 2 + shift
        spreads += spread
        bought = _fills(market, bid_far, dice.random(paths))
        sold = _fills(market, ask_far, dice.random(paths))
        cash += sold * (mid + ask_far) - bought * (mid - bid_far)
        q += bought - sold
        mid += np.where(dice.random(paths) < 0.5, move, -move)
    profit = cash + q * mid
    return Row(
        spread=spreads / market.steps,
        profit=float(profit.mean()),
        profit_std=float(profit.std(ddof=1)),
        final_q=float(q.mean()),
        final_q_std=float(q.std(ddof=1)),
    )


def symmetric_exact(market: Market, spread: float) -> Row:
    """What `simulated` must come to on average for a constant spread around mid, in closed form.

    With d = spread/2, p = A exp(-k d) dt and N = T/dt: E[profit] = 2 N p d, Var[q] = 2 N p (1-p),
    Var[profit] = 2 N p (1-p) d^2 + sigma^2 dt p (1-p) N (N+1).
    """
    far, n = spread / 2, market.steps
    p = market.a * np.exp(-market.k * far) * market.step
    held = market.sigma**2 * market.step * p * (1 - p) * n * (n + 1)
    return Row(
        spread=spread,
        profit=float(2 * n * p * far),
        profit_std=float(np.sqrt(2 * n * p * (1 - p) * far**2 + held)),
        final_q=0.0,
        final_q_std=float(np.sqrt(2 * n * p * (1 - p))),
    )


def _fills(market: Market, far: Array, dice: Array) -> Array:
    chance = np.minimum(1.0, market.a * np.exp(-market.k * far) * market.step)
    return (dice < chance).astype(float)
