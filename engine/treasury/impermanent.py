"""What a place in a constant-product pool loses against simply holding both sides.

A pool holds x tokens and y of money with x y = k; arbitrage keeps y / x at the price p, so
x = sqrt(k / p), y = sqrt(k p), and all of it is worth 2 sqrt(k p). With r = p1 / p0 the pool is
then worth sqrt(r) of what it was, while both sides held apart would be worth (1 + r) / 2. The
quotient less one is the impermanent loss, 2 sqrt(r) / (1 + r) - 1 (Pintail, "Uniswap: A Good Deal
for Liquidity Providers?", 2019; Angeris et al., "An Analysis of Uniswap Markets", 2019).

Floats: these are models, and what they limit is rounded down by whoever uses them. Fees that the
pool earns are not in here.
"""

import math


def impermanent_loss(ratio: float) -> float:
    """Against holding, for a price that went to `ratio` of what it was: 0 or below, above -1."""
    _check(ratio)
    return 2 * math.sqrt(ratio) / (1 + ratio) - 1


def pool_worth(ratio: float) -> float:
    """What the pool is worth, as a share of what was put in."""
    _check(ratio)
    return math.sqrt(ratio)


def drawdown(fall: float) -> float:
    """The share of the capital that is gone when the price falls by the share `fall`."""
    return 1 - pool_worth(1 - fall)


def expected_loss(volatility: float, years: float) -> float:
    """The mean loss against holding after so long, as a share of what was put in: 0 or above.

    For a price without drift, E[r] = 1 and E[sqrt(r)] = exp(-volatility^2 years / 8), so it is
    1 - exp(-volatility^2 years / 8). Its rate at the beginning, volatility^2 / 8, is that of the
    loss-versus-rebalancing of Milionis, Moallemi, Roughgarden and Zhang (2022). `volatility` is the
    standard deviation of the logarithm of the price over one year.
    """
    if volatility < 0 or years < 0:
        raise ValueError("volatility and years must not be negative")
    return -math.expm1(-volatility * volatility * years / 8)


def _check(ratio: float) -> None:
    if not ratio > 0:
        raise ValueError("a price is more than 0")
