"""Decimal texts of one market to ticks and lots: exactly, and fast where texts repeat."""

from collections.abc import Callable

from engine.values.instrument import Instrument
from engine.values.units import Levels, Lot, Tick, scaled

CACHED_MAX = 50_000
SIZE_EXPONENT_MAX = 18
WHOLE_MAX = 2**62
"""Ticks and lots stay inside a signed 64-bit integer wherever they are held."""

Pairs = list[tuple[str, str]]


class Grid:
    """Converts prices and sizes, remembering what it has converted.

    A market names the same few thousand prices over and over, so most texts are one look-up. All
    methods raise ValueError for what is no plain decimal or out of range, and for a price off the
    tick grid. A size finer than the lot is no fault: real books hold some (BTC/USDT has 25.426189
    at a lot of 0.00001), which we could not trade ourselves. It counts as whole lots, at least one.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._ticks: dict[str, Tick] = {}
        self._lots: dict[str, Lot] = {}

    def tick(self, text: str) -> Tick:
        """A price; zero is none."""
        found = self._ticks.get(text)
        return _price(self._instrument, text) if found is None else found

    def lots(self, text: str) -> Lot:
        """A size; zero is allowed, it removes a level."""
        found = self._lots.get(text)
        return _size(self._instrument, text) if found is None else found

    def levels(self, pairs: Pairs) -> Levels:
        ticks, lots = self._ticks, self._lots
        try:
            return [(ticks[price], lots[size]) for price, size in pairs]
        except KeyError:
            self._learn(pairs)
            return [(ticks[price], lots[size]) for price, size in pairs]

    def _learn(self, pairs: Pairs) -> None:
        for known in (self._ticks, self._lots):
            if len(known) > CACHED_MAX:
                known.clear()
        for price, size in pairs:
            _remember(self._ticks, price, self._instrument, _price)
            _remember(self._lots, size, self._instrument, _size)


def _remember(
    known: dict[str, int],
    text: str,
    instrument: Instrument,
    convert: Callable[[Instrument, str], int],
) -> None:
    if text not in known:
        known[text] = convert(instrument, text)


def _price(instrument: Instrument, text: str) -> Tick:
    tick = instrument.ticks(text)
    if not 0 < tick <= WHOLE_MAX:
        raise ValueError(f"price {text[:60]} is out of range")
    return tick


def _size(instrument: Instrument, text: str) -> Lot:
    value = scaled(text, SIZE_EXPONENT_MAX)
    unit: int = instrument.lot * 10 ** (SIZE_EXPONENT_MAX - instrument.size_exponent)
    lots, rest = divmod(value, unit)
    if value < 0 or lots > WHOLE_MAX:
        raise ValueError(f"size {text[:60]} is out of range")
    return max(lots, 1) if rest else lots
