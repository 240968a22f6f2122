"""What is traded, and how its decimal texts become ticks, lots and atoms."""

from functools import cached_property

import msgspec

from engine.values.units import PPM, Atoms, Lot, Ppm, Side, Tick, decimal_text, scaled

COUNT_MAX = 10**18
"""Ticks and lots stay below it, so that books may hold them in 64 bits."""
ASSET_EXPONENT = 8
"""Venues print balances and fees with eight decimals; finer books raise the quote's exponent."""


class Instrument(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One market of one venue. Sizes and prices on the wire are multiples of `lot` and `tick`.

    `tick` and `lot` are in units of 10**-price_exponent and 10**-size_exponent: BTT/USDT with a
    tick of 0.00000001 and a lot of 1 has price_exponent 8, tick 1, size_exponent 0, lot 1.
    What follows from the fields is worked out once and kept beside them (`dict`), never encoded.
    """

    symbol: str
    venue: str
    venue_symbol: str
    base: str
    quote: str
    price_exponent: int
    tick: int
    size_exponent: int
    lot: int
    tick_min: Tick = 1
    tick_max: Tick = 10**12
    lots_min: Lot = 1
    lots_max: Lot = 10**15
    notional_min: Atoms = 0
    maker_fee_ppm: Ppm
    taker_fee_ppm: Ppm

    @cached_property
    def market(self) -> str:
        """The market's name in every event, command and record: `BTT/USDT@binance`."""
        return f"{self.symbol}@{self.venue}"

    @cached_property
    def base_exponent(self) -> int:
        return max(ASSET_EXPONENT, self.size_exponent)

    @cached_property
    def quote_exponent(self) -> int:
        """Fine enough that tick x lot is a whole number of quote atoms."""
        return max(ASSET_EXPONENT, self.price_exponent + self.size_exponent)

    @cached_property
    def lot_base_atoms(self) -> Atoms:
        """What one lot is in atoms of the base asset."""
        return int(self.lot * 10 ** (self.base_exponent - self.size_exponent))

    @cached_property
    def tick_lot_atoms(self) -> Atoms:
        """What one lot costs at a price of one tick, in atoms of the quote asset."""
        raise_by = self.quote_exponent - self.price_exponent - self.size_exponent
        return int(self.tick * self.lot * 10**raise_by)

    def ticks(self, text: str) -> Tick:
        """Price text to ticks. Raises ValueError off the grid."""
        return _whole(scaled(text, self.price_exponent), self.tick, text, "tick")

    def lots(self, text: str) -> Lot:
        """Size text to lots. Raises ValueError off the grid."""
        return _whole(scaled(text, self.size_exponent), self.lot, text, "lot")

    def price_text(self, tick: Tick) -> str:
        return decimal_text(tick * self.tick, self.price_exponent)

    def size_text(self, lots: Lot) -> str:
        return decimal_text(lots * self.lot, self.size_exponent)

    def base_atoms(self, lots: Lot) -> Atoms:
        return lots * self.lot_base_atoms

    def quote_atoms(self, tick: Tick, lots: Lot) -> Atoms:
        """Money that `lots` cost at `tick`, exactly."""
        return tick * lots * self.tick_lot_atoms

    def flows(self, side: Side, tick: Tick, lots: Lot) -> tuple[Atoms, Atoms]:
        """(base, quote) atoms that a fill moves into the account, before fees."""
        sign = side.sign
        return sign * self.base_atoms(lots), -sign * self.quote_atoms(tick, lots)

    def fee_ticks(self, tick: Tick) -> float:
        """The maker fee of one fill, as a distance in ticks at this price."""
        return tick * self.maker_fee_ppm / PPM


def _whole(value: int, unit: int, text: str, name: str) -> int:
    count, rest = divmod(value, unit)
    if rest:
        raise ValueError(f"{text} is off the {name} grid")
    if count >= COUNT_MAX:
        raise ValueError(f"{text} is more than any market has")
    return count
