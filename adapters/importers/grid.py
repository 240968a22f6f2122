"""Prices and sizes of foreign files to ticks and lots: exactly, or rounded by a stated rule.

A file names no tick and no lot, so both are as fine as its finest text: every price is then a
whole number of ticks. Files that were written from floats hold texts like `1e-05` and
`1.7885566900000001`; those are read as the decimals that they stand for: a text of more than 15
digits, more than 8 of them behind the point, is rounded to the 15 that a double holds.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

from engine.values.instrument import Instrument
from engine.values.units import Lot, Tick

DOUBLE_DIGITS, NOISE_DECIMALS = 15, 8
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
        if _may_need(price, self.price):
            self.price = max(self.price, decimals(price))
        if _may_need(size, self.size):
            self.size = max(self.size, decimals(size))

    def see_all(self, other: "Decimals") -> None:
        self.price, self.size = max(self.price, other.price), max(self.size, other.size)


def number(text: str) -> Decimal:
    """A finite decimal number. Raises ValueError."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"not a number: {text[:40]!r}") from None
    if not found.is_finite() or abs(found.adjusted()) > 60:
        raise ValueError(f"not a number that can be: {text[:40]!r}")
    _, digits, exponent = found.as_tuple()
    is_noisy = len(digits) > DOUBLE_DIGITS and int(exponent) < -NOISE_DECIMALS
    return Context(prec=DOUBLE_DIGITS).plus(found) if is_noisy else found


def decimals(text: str) -> int:
    """Decimals that a text needs, trailing zeros aside: 0 for what is no number."""
    try:
        exponent = number(text).normalize().as_tuple().exponent
    except ValueError:
        return 0
    return min(max(-int(exponent), 0), EXPONENT_MAX)


def _may_need(text: str, known: int) -> bool:
    """Quickly: could this text need more decimals than are known? Zeros at its end need none."""
    point = text.find(".")
    if point < 0:
        return "e" in text or "E" in text
    return len(text.rstrip("0")) - point - 1 > known or "e" in text or "E" in text


def instrument_of(symbol: str, venue: str, exponents: tuple[int, int]) -> Instrument:
    """A market of a file. Fees and filters are unknown there: no fee, and no limit."""
    base, quote = assets_of(symbol.partition(":")[0])
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


def is_bare(item: Instrument) -> bool:
    """Was it made by `instrument_of`, so that nobody knows its fees and filters?"""
    return item.lots_max == WHOLE_MAX and not item.maker_fee_ppm and not item.taker_fee_ppm


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
