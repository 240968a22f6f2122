# cython: language_level=3, annotation_typing=False, wraparound=False, cdivision=True
"""Depth frames to ticks and lots in one pass over their bytes, without a text for each number.

Compiled by Cython with the types of `depth_kernel.pxd`; the same file runs interpreted, where
msgspec is faster, so that the codec asks `IS_COMPILED` first. It knows one shape of frame, the one
that Binance sends, and gives up (None) at the first byte that differs: the codec then reads the
frame its general way, which alone decides what is wrong with it. So the worst that a strange frame
can cost is time.

Every read of a byte is checked against the frame's length, the place in the frame only grows, and
numbers end after `DIGITS_MAX` digits, so that none can leave a signed 64-bit integer.
"""

from engine.values.events import BookDelta
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, Levels, Ns

IS_COMPILED = not __file__.endswith(".py")
DIGITS_MAX = 18
TEXT_MAX = 50
"""Bytes of one decimal. Longer ones go the general way, which has a limit of its own."""
MS_MAX = 2**43
NO_NUMBER = -1
SLOTS_LAST = 1023


class DepthReader:
    """Reads the depth frames of one market. `first_id` and `previous_id` are those of the last."""

    def __init__(self, instrument: Instrument) -> None:
        self._market = instrument.market
        self._symbol = f',"s":"{instrument.venue_symbol}"'.encode()
        exponents = (instrument.price_exponent, instrument.size_exponent)
        units = (instrument.tick, instrument.lot)
        self._is_able = (
            0 <= min(exponents) <= max(exponents) < DIGITS_MAX
            and 0 < min(units) <= max(units) < 10**DIGITS_MAX
        )
        self._price_exponent, self._size_exponent = exponents if self._is_able else (0, 0)
        self._tick_unit, self._lot_unit = units if self._is_able else (1, 1)
        self.first_id = self.previous_id = NO_NUMBER
        self._ticks = [0] * (SLOTS_LAST + 1)
        self._frame = self._data = b""
        self._at = self._end = self._rest = 0

    def read(self, frame: bytes, at: int, at_ns: Ns) -> BookDelta | None:
        """The facts of a well-known frame, or None where it is anything else.

        `at` is 0 where the message is the whole frame, or where the name of its stream ends.
        """
        if at < 0 or not self._is_able:
            return None
        self._frame = self._data = frame
        self._at, self._end = at, len(frame)
        delta = self._message(at_ns) if at == 0 or self._passes(b'","data":') else None
        is_whole = self._passes(b"}}" if at else b"}") and self._at == self._end
        self._frame = self._data = b""
        return delta if is_whole else None

    def _message(self, at_ns: Ns) -> BookDelta | None:
        venue_ms = self._number_after(b'{"e":"depthUpdate","E":')
        if self._passes(b',"T":') and self._number() < 0:
            return None
        if not 0 <= venue_ms <= MS_MAX or not self._passes(self._symbol):
            return None
        if self._passes(b',"ps":"') and not self._passes_name():
            return None
        self.first_id = self._number_after(b',"U":')
        last_id = self._number_after(b',"u":')
        self.previous_id = NO_NUMBER
        if self._passes(b',"pu":'):
            self.previous_id = self._number()
            if self.previous_id < 0:
                return None
        if self.first_id < 0 or last_id < 0:
            return None
        bids = self._levels_after(b',"b":')
        asks = None if bids is None else self._levels_after(b',"a":')
        if bids is None or asks is None:
            return None
        return BookDelta(
            market=self._market,
            at_ns=at_ns,
            venue_ns=venue_ms * NS_PER_MS,
            sequence=last_id,
            bids=bids,
            asks=asks,
        )

    def _passes(self, text: bytes) -> bool:
        """Does `text` come next? Then it is passed; else the place stays."""
        length, data, at = len(text), self._data, self._at
        if self._end - at < length:
            return False
        for i in range(length):
            if data[at + i] != text[i]:
                return False
        self._at = at + length
        return True

    def _passes_name(self) -> bool:
        """A name of capitals, digits and underscores, with the quote that ends it."""
        data, at, end = self._data, self._at, self._end
        while at < end:
            code = data[at]
            at += 1
            if code == ord('"'):
                self._at = at
                return True
            if not (
                ord("A") <= code <= ord("Z") or ord("0") <= code <= ord("9") or code == ord("_")
            ):
                return False
        return False

    def _number_after(self, text: bytes) -> int:
        return self._number() if self._passes(text) else NO_NUMBER

    def _number(self) -> int:
        """A whole number as JSON writes it: no sign, and no zero in front."""
        data, start, end, value = self._data, self._at, self._end, 0
        at, stop = start, min(end, start + DIGITS_MAX)
        while at < stop:
            code = data[at]
            if not ord("0") <= code <= ord("9"):
                break
            value = value * 10 + code - ord("0")
            at += 1
        if at == start or (at > start + 1 and data[start] == ord("0")):
            return NO_NUMBER
        self._at = at
        return value

    def _levels_after(self, text: bytes) -> Levels | None:
        """`[["price","size"],...]`: None where one price is zero, off the grid or unreadable."""
        levels: Levels = []
        if not self._passes(text):
            return None
        if self._passes(b"[]"):
            return levels
        if not self._passes(b'[["'):
            return None
        while True:
            tick = self._tick()
            if tick <= 0 or not self._passes(b'","'):
                return None
            lots = self._lots()
            if lots < 0:
                return None
            levels.append((self._known(tick), lots))
            if not self._passes(b'"],["'):
                return levels if self._passes(b'"]]') else None

    def _tick(self) -> int:
        tick = self._decimal(self._price_exponent, self._tick_unit)
        return NO_NUMBER if self._rest else tick

    def _lots(self) -> int:
        """Whole lots, at least one where there is anything: as `Grid.lots`, and for its reason."""
        lots = self._decimal(self._size_exponent, self._lot_unit)
        return 1 if lots == 0 and self._rest else lots

    def _known(self, tick: int) -> int:
        """The same number as one object: markets name the same ticks over and over."""
        known = self._ticks[tick & SLOTS_LAST]
        value = known
        if value != tick:
            known = self._ticks[tick & SLOTS_LAST] = tick
        return known

    def _decimal(self, exponent: int, unit: int) -> int:
        """Whole units of a plain decimal; what is left over, by any measure, is in `_rest`."""
        data, at, end = self._data, self._at, self._end
        start, value, rest, missing = at, 0, 0, exponent
        stop = min(end, at + DIGITS_MAX - exponent)
        while at < stop and ord("0") <= data[at] <= ord("9"):
            value = value * 10 + data[at] - ord("0")
            at += 1
        if at == start:
            return NO_NUMBER
        if at < end and data[at] == ord("."):
            at += 1
            stop = min(end, at + exponent)
            while at < stop and ord("0") <= data[at] <= ord("9"):
                value = value * 10 + data[at] - ord("0")
                at += 1
                missing -= 1
            stop = min(end, start + TEXT_MAX)
            while at < stop and ord("0") <= data[at] <= ord("9"):
                rest |= data[at] - ord("0")
                at += 1
        while missing > 0:
            value *= 10
            missing -= 1
        if unit != 1:
            rest |= value % unit
            value //= unit
        self._at, self._rest = at, rest
        return value
