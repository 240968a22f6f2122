"""Ticks and lots of one symbol as the venue prints them: decimals with eight places."""

from adapters.loopback.config import MONEY_EXPONENT, SymbolSpec
from engine.values.units import Atoms, Lot, Ns, Side, Tick

NS_PER_MS = 1_000_000
_UNIT = 10**MONEY_EXPONENT


def text_of(amount: Atoms) -> str:
    """text_of(62) is '0.00000062'."""
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    return f"{sign}{amount // _UNIT}.{amount % _UNIT:08d}"


def ms(at_ns: Ns) -> int:
    return at_ns // NS_PER_MS


class Scale:
    """Prices and sizes in units of 1e-8; `quote_atoms` is exact because the config checked it."""

    def __init__(self, spec: SymbolSpec) -> None:
        self.base = spec.base
        self.quote = spec.quote
        self.tick_atoms: int = spec.tick * 10 ** (MONEY_EXPONENT - spec.price_exponent)
        self.lot_atoms: int = spec.lot * 10 ** (MONEY_EXPONENT - spec.size_exponent)
        finest = MONEY_EXPONENT - spec.price_exponent - spec.size_exponent
        self._cost: int = spec.tick * spec.lot * 10**finest

    def price_text(self, tick: Tick) -> str:
        return text_of(tick * self.tick_atoms)

    def size_text(self, lots: Lot) -> str:
        return text_of(lots * self.lot_atoms)

    def base_atoms(self, lots: Lot) -> Atoms:
        return lots * self.lot_atoms

    def quote_atoms(self, tick: Tick, lots: Lot) -> Atoms:
        return tick * lots * self._cost

    def needed(self, side: Side, tick: Tick, lots: Lot) -> tuple[str, Atoms]:
        """Which asset an order locks, and how much of it."""
        if side is Side.BUY:
            return self.quote, self.quote_atoms(tick, lots)
        return self.base, self.base_atoms(lots)
