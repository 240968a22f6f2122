"""The values of a whole history at once: the batch twin of `rating_stream`."""

from collections.abc import Sequence

from engine.signals import indicators as ind
from engine.signals.candles import Candle, Column, columns_of
from engine.signals.rating import Rated, rate
from engine.signals.votes import PERIODS, Rules, Snapshot

CLOUD_BARS = 26
"""The spans are read so many bars back: the cloud drawn under the present bar."""


def history(candles: Sequence[Candle]) -> dict[str, Column]:
    """Every value that a rule names, one column each."""
    bars = columns_of(candles)
    values = {"close": bars.close}
    for n in PERIODS:
        values[f"sma{n}"] = ind.sma(bars.close, n)
        values[f"ema{n}"] = ind.ema(bars.close, n)
    values["hma9"] = ind.hma(bars.close, 9)
    values["vwma20"] = ind.vwma(bars.close, bars.volume, 20)
    values |= _cloud(bars.high, bars.low)
    values |= _oscillators(bars.high, bars.low, bars.close)
    for name in (
        "close", "rsi", "k", "d", "cci", "adx", "plus_di", "minus_di", "ao", "momentum",
        "rsi_k", "rsi_d", "williams", "bull", "bear",
    ):  # fmt: skip
        values[f"{name}1"] = ind.back(values[name], 1)
    values["ao2"] = ind.back(values["ao"], 2)
    return values


def at_bar(values: dict[str, Column], index: int) -> Snapshot:
    return {name: float(column[index]) for name, column in values.items()}


def rate_last(candles: Sequence[Candle], rules: Rules) -> Rated:
    """The rating on the last of these bars, which the caller knows to be closed."""
    return rate(at_bar(history(candles), -1), rules)


def _cloud(high: Column, low: Column) -> dict[str, Column]:
    conversion, base = _middle(high, low, 9), _middle(high, low, 26)
    span_a, span_b = (conversion + base) / 2, _middle(high, low, 52)
    return {
        "conversion": conversion,
        "base": base,
        "span_a": span_a,
        "span_b": span_b,
        "span_a26": ind.back(span_a, CLOUD_BARS),
        "span_b26": ind.back(span_b, CLOUD_BARS),
    }


def _middle(high: Column, low: Column, n: int) -> Column:
    return (ind.highest(high, n) + ind.lowest(low, n)) / 2


def _oscillators(high: Column, low: Column, close: Column) -> dict[str, Column]:
    k = ind.sma(ind.stochastic(close, high, low, 14), 3)
    rsi = ind.rsi(close, 14)
    rsi_k = ind.sma(ind.stochastic(rsi, rsi, rsi, 14), 3)
    plus_di, minus_di, adx = ind.directional(high, low, close, 14)
    middle = (high + low) / 2
    macd = ind.ema(close, 12) - ind.ema(close, 26)
    ema13 = ind.ema(close, 13)
    return {
        "rsi": rsi,
        "k": k,
        "d": ind.sma(k, 3),
        "cci": ind.cci(close, 20),
        "adx": adx,
        "plus_di": plus_di,
        "minus_di": minus_di,
        "ao": ind.sma(middle, 5) - ind.sma(middle, 34),
        "momentum": close - ind.back(close, 10),
        "macd": macd,
        "signal": ind.ema(macd, 9),
        "rsi_k": rsi_k,
        "rsi_d": ind.sma(rsi_k, 3),
        "williams": ind.stochastic(close, high, low, 14) - 100,
        "bull": high - ema13,
        "bear": low - ema13,
        "ultimate": ind.ultimate(high, low, close),
    }
