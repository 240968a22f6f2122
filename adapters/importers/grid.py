"""Prices and sizes of foreign files to ticks and lots: exactly, or rounded by a stated rule.

A file names no tick and no lot, so both are as fine as its finest text: every price is then a
whole number of ticks. Files that were written from floats hold texts like `1e-05` and
`1.7885566900000001`; those are read as the decimals that they stand for.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from engine.values.instrument import Instrument
from engine.values.units import Lot, Tick

EXPONENT_MAX = 12
"""Finer sizes are what is left of float arithmetic; they are rounded to this many decimals."""
WHOLE_MAX = 2**62
CACHED_MAX = 100_000
QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "BTC", "ETH", "BNB", "EUR", "TRY")


class Grid:
    """Texts of one market to whole numbers, remembering what it has converted.

    Raises ValueError for what is no number, for a price off the grid or not above zero, and for a
    negative size. A size between two lots goes to the nearest, halves to the even one.
    """

    def __init__(self, price_exponent: int, size_exponent: int) -> None:
        self._price_exponent = price_exponent
        self._size_exponent = size_exponent
        self._ticks: dict[str, Tick] = {}
        self._lots: dict[str, Lot] = {}
        self.rounded = 0
        """Different texts of a size that were no whole lots."""

    def tick(self, text: str) -> Tick:
        found = self._ticks.get(text)
        return self._learn_tick(text) if found is None else found

    def lots(self, text: str) -> Lot:
        found = self._lots.get(text)
        return self._learn_lots(text) if found is None else found

    def _learn_tick(self, text: str) -> Tick:
        scaled = number(text).scaleb(self._price_exponent)
        tick = int(scaled)
        if tick != scaled:
            raise ValueError(f"price {text[:40]} is finer than 10^-{self._price_exponent}")
        if not 0 < tick <= WHOLE_MAX:
            raise ValueError(f"price {text[:40]} is out of range")
        return _remember(self._ticks, text, tick)

    def _learn_lots(self, text: str) -> Lot:
        scaled = number(text).scaleb(self._size_exponent)
        lots = int(scaled.to_integral_value(ROUND_HALF_EVEN))
        if not 0 <= scaled <= WHOLE_MAX:
            raise ValueError(f"size {text[:40]} is out of range")
        self.rounded += lots != scaled
        return _remember(self._lots, text, lots)


class Decimals:
    """The finest price and size seen of one market."""

    def __init__(self) -> None:
        self.price = self.size = 0

    def see(self, price: str, size: str) -> None:
        """Texts that are no number say nothing: reading them will tell."""
        digits = len(price) - price.find(".") - 1 if "." in price else 0
        if digits > self.price or "e" in price or "E" in price:
            self.price = max(self.price, decimals(price))
        digits = len(size) - size.find(".") - 1 if "." in size else 0
        if digits > self.size or "e" in size or "E" in size:
            self.size = max(self.size, decimals(size))


def number(text: str) -> Decimal:
    """A finite decimal number. Raises ValueError."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a number: {text[:40]!r}") from None
    if not found.is_finite() or abs(found.adjusted()) > 60:
        raise ValueError(f"not a number that can be: {text[:40]!r}")
    return found


def decimals(text: str) -> int:
    """Decimals that a text needs, trailing zeros aside: 0 for what is no number."""
    try:
        exponent = number(text).normalize().as_tuple().exponent
    except ValueError:
        return 0
    return min(max(-int(exponent), 0), EXPONENT_MAX)


def instrument_of(symbol: str, venue: str, exponents: tuple[int, int]) -> Instrument:
    """A market of a file. Fees and filters are unknown there: no fee, and no limit."""
    base, quote = assets_of(symbol)
    return Instrument(
        symbol=symbol,
        venue=venue,
        venue_symbol=symbol,
        base=base,
        quote=quote,
        price_exponent=exponents[0],
        tick=1,
        size_exponent=exponents[1],
        lot=1,
        tick_max=WHOLE_MAX,
        lots_max=WHOLE_MAX,
        maker_fee_ppm=0,
        taker_fee_ppm=0,
    )


def assets_of(symbol: str) -> tuple[str, str]:
    """Base and quote by the separator, or by a known quote at the end; quote "" where unknown."""
    for mark in ("/", "-", "_"):
        base, found, quote = symbol.partition(mark)
        if found and base and quote:
            return base.upper(), quote.upper()
    return _split_by_end(symbol.upper(), QUOTES)


def _split_by_end(symbol: str, quotes: Iterable[str]) -> tuple[str, str]:
    quote = next((each for each in quotes if symbol.endswith(each) and symbol != each), "")
    return symbol.removesuffix(quote) if quote else symbol, quote


def _remember(known: dict[str, int], text: str, value: int) -> int:
    if len(known) >= CACHED_MAX:
        known.clear()
    known[text] = value
    return value
