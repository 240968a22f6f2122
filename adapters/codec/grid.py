"""Decimal texts of one market to ticks and lots: exactly, and fast where texts repeat."""

from engine.values.instrument import Instrument
from engine.values.units import DECIMALS_MAX, Levels, Lot, Tick

CACHED_MAX = 50_000
TEXT_MAX = 2 * DECIMALS_MAX
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
        self._ticks: dict[str, Tick] = {}
        self._lots: dict[str, Lot] = {}
        self._tick_units = _units_by_decimals(instrument.price_exponent, instrument.tick)
        self._lot_units = _units_by_decimals(instrument.size_exponent, instrument.lot)

    def tick(self, text: str) -> Tick:
        """A price; zero is none."""
        found = self._ticks.get(text)
        return self._learn_tick(text) if found is None else found

    def lots(self, text: str) -> Lot:
        """A size; zero is allowed, it removes a level."""
        found = self._lots.get(text)
        return self._learn_lots(text) if found is None else found

    def levels(self, pairs: Pairs) -> Levels:
        known_tick, known_lots = self._ticks.get, self._lots.get
        found: Levels = []
        for price, size in pairs:
            tick, lots = known_tick(price), known_lots(size)
            if tick is None:
                tick = self._learn_tick(price)
            if lots is None:
                lots = self._learn_lots(size)
            found.append((tick, lots))
        return found

    def _learn_tick(self, text: str) -> Tick:
        tick, rest = _divided(text, self._tick_units)
        if rest:
            raise ValueError(f"price {text[:60]} is off the tick grid")
        if not 0 < tick <= WHOLE_MAX:
            raise ValueError(f"price {text[:60]} is out of range")
        return _remember(self._ticks, text, tick)

    def _learn_lots(self, text: str) -> Lot:
        lots, rest = _divided(text, self._lot_units)
        if lots > WHOLE_MAX:
            raise ValueError(f"size {text[:60]} is out of range")
        return _remember(self._lots, text, max(lots, 1) if rest else lots)


def _units_by_decimals(exponent: int, unit: int) -> list[tuple[int, int]]:
    """For a text of n decimals, read as one whole number: multiply, then divide by these."""
    return [
        (10 ** max(exponent - decimals, 0), unit * 10 ** max(decimals - exponent, 0))
        for decimals in range(TEXT_MAX)
    ]


def _divided(text: str, units: list[tuple[int, int]]) -> tuple[int, int]:
    """Whole units and what is left over. Plain digits with one dot at most are all it reads."""
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not digits.isdigit() or not digits.isascii() or len(digits) >= TEXT_MAX:
        raise ValueError(f"not a plain decimal: {text[:60]!r}")
    times, unit = units[len(fraction)]
    return divmod(int(digits) * times, unit)


def _remember(known: dict[str, int], text: str, value: int) -> int:
    if len(known) >= CACHED_MAX:
        known.clear()
    known[text] = value
    return value
