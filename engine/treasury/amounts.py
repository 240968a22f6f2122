"""What the treasury counts in: whole atoms of an asset, and money as atoms of one stable asset."""

import msgspec

from engine.values.units import Atoms, Ns


class Asset(msgspec.Struct, frozen=True):
    """An asset and its smallest unit: one atom is 10**-exponent of it."""

    name: str
    exponent: int

    def __post_init__(self) -> None:
        if not self.name or not 0 <= self.exponent <= 30:
            raise ValueError("an asset needs a name, and an exponent from 0 to 30")


class Amount(msgspec.Struct, frozen=True):
    """So many atoms of one asset. Never negative where it names something held or owed."""

    asset: str
    atoms: Atoms


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """`base_atoms` of an asset are worth `money_atoms` of money, as seen at `at_ns`.

    A ratio of whole numbers, so that what one token costs far below one atom stays exact. A
    price that is not known is None and never 0: what it would value counts for nothing.
    """

    asset: str
    money_atoms: Atoms
    base_atoms: Atoms
    at_ns: Ns

    def __post_init__(self) -> None:
        if self.money_atoms <= 0 or self.base_atoms <= 0:
            raise ValueError("a price is a ratio of two positive amounts")

    def worth_atoms(self, atoms: Atoms) -> Atoms:
        """In money, rounded down: what is held is never worth more than it is."""
        return atoms * self.money_atoms // self.base_atoms

    def cost_atoms(self, atoms: Atoms) -> Atoms:
        """In money, rounded up: what is owed never costs less than it does."""
        return -(-atoms * self.money_atoms // self.base_atoms)
