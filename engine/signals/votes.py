"""The 26 rules of the rating, by version: what each component calls a buy and what a sell."""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from itertools import pairwise

import msgspec

Snapshot = Mapping[str, float]
"""Values of one bar by name; a digit behind a name is bars earlier (`rsi1`). NaN is "not there"."""
Rule = Callable[[Snapshot], bool]

EPS = 1e-9
"""Two ways of adding may differ by this much; a vote must not hang on it."""
EPS_PRICE = 100.0
"""The price at which EPS is meant: a token of 0.0000006 needs a finer one, in proportion."""
UNITLESS = frozenset(
    {
        "rsi",
        "k",
        "d",
        "cci",
        "adx",
        "plus_di",
        "minus_di",
        "rsi_k",
        "rsi_d",
        "williams",
        "ultimate",
    }
)
PERIODS = (10, 20, 30, 50, 100, 200)


class Rules(StrEnum):
    R2024 = "2024"
    R2020 = "2020"


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One vote: not there until `guard` is, then +1, -1 or 0."""

    name: str
    guard: str
    buy: Rule
    sell: Rule

    def vote(self, values: Snapshot) -> int | None:
        if math.isnan(values[self.guard]):
            return None
        return 1 if self.buy(values) else -1 if self.sell(values) else 0


def above(values: Snapshot, *names: str) -> bool:
    """Each named value is more than the next, strictly; a missing one makes it false."""
    tiny = _tiny(values, names[0])
    return all(values[a] - values[b] > tiny for a, b in pairwise(names))


def more(values: Snapshot, name: str, bound: float) -> bool:
    return values[name] - bound > _tiny(values, name)


def less(values: Snapshot, name: str, bound: float) -> bool:
    return bound - values[name] > _tiny(values, name)


def _tiny(values: Snapshot, name: str) -> float:
    """EPS in the unit of the named value: prices scale, percentages do not."""
    return EPS if name.rstrip("12") in UNITLESS else EPS * values["close"] / EPS_PRICE


def _average(name: str) -> Component:
    return Component(
        name=name,
        guard=name,
        buy=lambda v: above(v, "close", name),
        sell=lambda v: above(v, name, "close"),
    )


def _cloud_2024() -> Component:
    return Component(
        name="ichimoku",
        guard="span_b",
        buy=lambda v: above(v, "close", "conversion", "base", "span_a26", "span_b26"),
        sell=lambda v: above(v, "span_b26", "span_a26", "base", "conversion", "close"),
    )


def _cloud_2020() -> Component:
    return Component(
        name="ichimoku",
        guard="span_b",
        buy=lambda v: (
            above(v, "span_a", "span_b")
            and above(v, "base", "close", "span_a")
            and above(v, "conversion", "close1")
            and above(v, "close", "conversion")
        ),
        sell=lambda v: (
            above(v, "span_b", "span_a", "close")
            and above(v, "close", "base")
            and above(v, "close1", "conversion")
            and above(v, "conversion", "close")
        ),
    )


def _bounded(name: str, x: str, low: float, high: float) -> Component:
    """Turns up below `low`, or down above `high`."""
    return Component(
        name=name,
        guard=f"{x}1",
        buy=lambda v: less(v, x, low) and above(v, x, f"{x}1"),
        sell=lambda v: more(v, x, high) and above(v, f"{x}1", x),
    )


def _stochastic(*, crosses: bool) -> Component:
    """Both lines below 20 and K over D; the old rules also want K to have just come from below."""
    return Component(
        name="stochastic",
        guard="d1",
        buy=lambda v: (
            less(v, "k", 20)
            and less(v, "d", 20)
            and above(v, "k", "d")
            and (not crosses or above(v, "d1", "k1"))
        ),
        sell=lambda v: (
            more(v, "k", 80)
            and more(v, "d", 80)
            and above(v, "d", "k")
            and (not crosses or above(v, "k1", "d1"))
        ),
    )


def _stochastic_rsi(*, crosses: bool) -> Component:
    return Component(
        name="stochastic_rsi",
        guard="ema50",
        buy=lambda v: (
            above(v, "ema50", "close")
            and less(v, "rsi_k", 20)
            and less(v, "rsi_d", 20)
            and above(v, "rsi_k", "rsi_d")
            and (not crosses or above(v, "rsi_d1", "rsi_k1"))
        ),
        sell=lambda v: (
            above(v, "close", "ema50")
            and more(v, "rsi_k", 80)
            and more(v, "rsi_d", 80)
            and above(v, "rsi_d", "rsi_k")
            and (not crosses or above(v, "rsi_k1", "rsi_d1"))
        ),
    )


def _adx(*, crosses: bool) -> Component:
    """A trend stronger than 20: rising with its direction now, or a fresh cross of the two DI."""
    return Component(
        name="adx",
        guard="adx",
        buy=lambda v: (
            more(v, "adx", 20)
            and above(v, "plus_di", "minus_di")
            and (above(v, "minus_di1", "plus_di1") if crosses else above(v, "adx", "adx1"))
        ),
        sell=lambda v: (
            more(v, "adx", 20)
            and above(v, "minus_di", "plus_di")
            and (above(v, "plus_di1", "minus_di1") if crosses else above(v, "adx", "adx1"))
        ),
    )


AWESOME = Component(
    name="awesome",
    guard="ao1",
    buy=lambda v: (
        more(v, "ao", 0)
        and (
            not more(v, "ao1", 0)
            or (more(v, "ao1", 0) and above(v, "ao", "ao1") and above(v, "ao2", "ao1"))
        )
    ),
    sell=lambda v: (
        less(v, "ao", 0)
        and (
            not less(v, "ao1", 0)
            or (less(v, "ao1", 0) and above(v, "ao1", "ao") and above(v, "ao1", "ao2"))
        )
    ),
)
MOMENTUM = Component(
    name="momentum",
    guard="momentum1",
    buy=lambda v: above(v, "momentum", "momentum1"),
    sell=lambda v: above(v, "momentum1", "momentum"),
)
MACD = Component(
    name="macd",
    guard="signal",
    buy=lambda v: above(v, "macd", "signal"),
    sell=lambda v: above(v, "signal", "macd"),
)
BULL_BEAR = Component(
    name="bull_bear",
    guard="ema50",
    buy=lambda v: above(v, "close", "ema50") and less(v, "bear", 0) and above(v, "bear", "bear1"),
    sell=lambda v: above(v, "ema50", "close") and more(v, "bull", 0) and above(v, "bull1", "bull"),
)
ULTIMATE = Component(
    name="ultimate",
    guard="ultimate",
    buy=lambda v: more(v, "ultimate", 70),
    sell=lambda v: less(v, "ultimate", 30),
)
AVERAGES = (*(f"sma{n}" for n in PERIODS), *(f"ema{n}" for n in PERIODS), "hma9", "vwma20")
MOVING_AVERAGES = {
    Rules.R2024: (*map(_average, AVERAGES), _cloud_2024()),
    Rules.R2020: (*map(_average, AVERAGES), _cloud_2020()),
}
OSCILLATORS = {
    rules: (
        _bounded("rsi", "rsi", 30, 70),
        _stochastic(crosses=rules is Rules.R2020),
        _bounded("cci", "cci", -100, 100),
        _adx(crosses=rules is Rules.R2020),
        AWESOME,
        MOMENTUM,
        MACD,
        _stochastic_rsi(crosses=rules is Rules.R2020),
        _bounded("williams", "williams", -80, -20),
        BULL_BEAR,
        ULTIMATE,
    )
    for rules in Rules
}
