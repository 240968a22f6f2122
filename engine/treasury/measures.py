"""How the books count each asset: one exponent for all venues, whatever a market's own is."""

from collections.abc import Iterable

from engine.treasury.amounts import Asset
from engine.values.instrument import ASSET_EXPONENT, Instrument
from engine.values.units import Atoms, decimal_text


class Measures:
    """Turns a market's atoms into those of the books. The money asset is one of the assets."""

    def __init__(self, assets: Iterable[Asset], money: str) -> None:
        self.money = money
        self._exponents = {asset.name: asset.exponent for asset in assets}

    def exponent(self, asset: str) -> int:
        """Eight decimals for what nobody named: what venues print fees in."""
        return self._exponents.get(asset, ASSET_EXPONENT)

    def fits(self, instrument: Instrument) -> bool:
        """Whether all that the market can move is a whole number of our atoms."""
        return all(
            exponent_in(instrument, asset) <= self.exponent(asset)
            for asset in (instrument.base, instrument.quote)
        )

    def atoms(self, instrument: Instrument, asset: str, atoms: Atoms) -> Atoms:
        """Of the books, from those that this market counts the asset in.

        Raises ValueError where it does not come out whole: the books are coarser than the market.
        """
        by = self.exponent(asset) - exponent_in(instrument, asset)
        if by >= 0:
            return int(atoms * 10**by)
        whole, rest = divmod(atoms, int(10**-by))
        if rest:
            raise ValueError(f"{asset} is counted too coarsely for {instrument.market}")
        return whole

    def text(self, asset: str, atoms: Atoms | None) -> str:
        """As people read it; "unknown" for what is not known."""
        return "unknown" if atoms is None else decimal_text(atoms, self.exponent(asset))


def exponent_in(instrument: Instrument, asset: str) -> int:
    if asset == instrument.base:
        return instrument.base_exponent
    return instrument.quote_exponent if asset == instrument.quote else ASSET_EXPONENT


def measures_of(instruments: Iterable[Instrument], money: str) -> Measures:
    """Fine enough for every one of these markets."""
    finest: dict[str, int] = {money: ASSET_EXPONENT}
    for item in instruments:
        for asset in (item.base, item.quote):
            known = finest.get(asset, ASSET_EXPONENT)
            finest[asset] = max(known, exponent_in(item, asset))
    return Measures([Asset(name, exponent) for name, exponent in finest.items()], money)
