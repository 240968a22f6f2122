"""Finds out what a recorded Binance wire is about: its symbols, their decimals, its dialect."""

from collections.abc import Iterable

import msgspec

from adapters.codec.continuity import Dialect
from engine.values.instrument import Instrument

EXPONENT_MAX = 12


class _Data(msgspec.Struct):
    symbol: str = msgspec.field(name="s", default="")
    previous_id: int | None = msgspec.field(name="pu", default=None)
    bids: list[tuple[str, str]] | str | int = msgspec.field(name="b", default=0)
    asks: list[tuple[str, str]] | str | int = msgspec.field(name="a", default=0)
    size: str = msgspec.field(name="q", default="")
    price: str = msgspec.field(name="p", default="")
    bid_size: str = msgspec.field(name="B", default="")


class _Frame(msgspec.Struct):
    data: _Data | None = None


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    instruments: list[Instrument]
    dialect: Dialect


def survey(frames: Iterable[bytes], venue: str) -> Survey:
    """Read some frames leniently; whatever cannot be read says nothing.

    Prices and sizes get as many decimals as the wire prints (Binance pads them to the same number
    everywhere), so that every text is whole ticks and lots. Fees are unknown here and zero.
    """
    wrapped, bare = msgspec.json.Decoder(_Frame), msgspec.json.Decoder(_Data)
    decimals: dict[str, tuple[int, int]] = {}
    dialect = Dialect.SPOT
    for frame in frames:
        try:
            data = wrapped.decode(frame).data or bare.decode(frame)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        if data.previous_id is not None:
            dialect = Dialect.FUTURES
        if data.symbol:
            price, size = decimals.get(data.symbol, (0, 0))
            prices, sizes = _texts(data)
            decimals[data.symbol] = (max([price, *prices]), max([size, *sizes]))
    instruments = [_instrument(symbol, venue, *both) for symbol, both in decimals.items()]
    return Survey(instruments=instruments, dialect=dialect)


def _texts(data: _Data) -> tuple[list[int], list[int]]:
    """Decimals of the prices and of the sizes that one message names."""
    prices, sizes = [_decimals(data.price)], [_decimals(data.size), _decimals(data.bid_size)]
    for side in (data.bids, data.asks):
        if isinstance(side, str):
            prices.append(_decimals(side))
        elif isinstance(side, list):
            prices += [_decimals(price) for price, _ in side]
            sizes += [_decimals(size) for _, size in side]
    return prices, sizes


def _decimals(text: str) -> int:
    return min(len(text.partition(".")[2]), EXPONENT_MAX)


def _instrument(symbol: str, venue: str, price: int, size: int) -> Instrument:
    return Instrument(
        symbol=symbol,
        venue=venue,
        venue_symbol=symbol,
        base=symbol,
        quote="",
        price_exponent=price,
        tick=1,
        size_exponent=size,
        lot=1,
        maker_fee_ppm=0,
        taker_fee_ppm=0,
    )
