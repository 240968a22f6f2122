"""What an asset was worth at a moment: for fees, rewards and payments that are not in money."""

from bisect import bisect_right, insort

from engine.treasury.amounts import Price
from engine.values.units import Atoms, Ns


class PriceHistory:
    """Prices in money by asset. A price speaks for the moments after it, up to `age_ns_max`.

    Unknown is None and stays unknown: nothing is interpolated and nothing reaches back in time.
    """

    def __init__(self, money: str, age_ns_max: Ns) -> None:
        self.money = money
        self._age_ns_max = age_ns_max
        self._prices: dict[str, list[Price]] = {}

    def add(self, price: Price) -> None:
        insort(self._prices.setdefault(price.asset, []), price, key=_moment)

    def at(self, asset: str, at_ns: Ns) -> Price | None:
        prices = self._prices.get(asset, [])
        index = bisect_right(prices, at_ns, key=_moment)
        if not index or at_ns - prices[index - 1].at_ns > self._age_ns_max:
            return None
        return prices[index - 1]

    def worth(self, asset: str, atoms: Atoms, at_ns: Ns) -> Atoms | None:
        """In money, rounded down. Money is worth itself."""
        if asset == self.money:
            return atoms
        price = self.at(asset, at_ns)
        return None if price is None else price.worth_atoms(atoms)


def _moment(price: Price) -> Ns:
    return price.at_ns
