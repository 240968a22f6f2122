"""The present against the usual: a fast average over a slow one, of samples at irregular times.

Each value counts for as long as it stood (exponential average of a step function: Mueller 1991,
Eckner 2014), so many samples in a busy second weigh no more than one in a quiet second. Only time
that was observed counts: a hole adds at most the age at which a sample is too old.
"""

import math

from engine.market.features import decay
from engine.signals.outlook_params import TrendParams, ns_of
from engine.values.units import NS_PER_S, Lot, Ns

SHARE_MIN = 0.5
"""An average says nothing before one half-life was observed: its weights add up to this by then."""


class Switch:
    """On from `on_from`, off below `off_below`; between the two it stays what it was."""

    def __init__(self, on_from: float, off_below: float) -> None:
        self._on_from, self._off_below = on_from, off_below
        self.is_on = False

    def turn(self, value: float) -> bool:
        self.is_on = value >= (self._off_below if self.is_on else self._on_from)
        return self.is_on


class RatioSwitch:
    """+1 for high, -1 for low, 0 between, each with its own way back."""

    def __init__(self, params: TrendParams) -> None:
        self._params = params
        self.state = 0

    def turn(self, ratio: float) -> int:
        params = self._params
        high = params.high_below if self.state > 0 else params.high_at
        low = params.low_above if self.state < 0 else params.low_at
        if ratio >= high:
            self.state = 1
        else:
            self.state = -1 if ratio <= low else 0
        return self.state


class Average:
    """Fades by half in each half-life; `value` is None until one half-life was observed."""

    def __init__(self, half_life_ns: Ns) -> None:
        self._half_life_ns = half_life_ns
        self._sum = self._share = 0.0

    def hold(self, value: float, span_ns: Ns) -> None:
        """`value` stood for so long."""
        fade = decay(span_ns, self._half_life_ns)
        self._sum = self._sum * fade + value * (1 - fade)
        self._share = self._share * fade + 1 - fade

    @property
    def value(self) -> float | None:
        return self._sum / self._share if self._share >= SHARE_MIN else None


class Trend:
    """Of a number that is sampled, such as depth. `at_ns` is the last sample, 0 while unknown."""

    def __init__(self, params: TrendParams) -> None:
        self.age_max_ns = ns_of(params.age_max_s)
        self._warm_up_ns = ns_of(params.warm_up_s)
        self._fast = Average(ns_of(params.fast_half_life_s))
        self._slow = Average(ns_of(params.slow_half_life_s))
        self._switch = RatioSwitch(params)
        self._value = 0.0
        self._observed_ns: Ns = 0
        self.at_ns: Ns = 0

    def sample(self, value: float | None, at_ns: Ns) -> None:
        """None: not known now. What it was stands no longer, and nothing counts until it is."""
        if self.at_ns:
            span_ns = max(0, min(at_ns - self.at_ns, self.age_max_ns))
            self._fast.hold(self._value, span_ns)
            self._slow.hold(self._value, span_ns)
            self._observed_ns += span_ns
        if value is None:
            self.at_ns = 0
            return
        self._value, self.at_ns = value, max(at_ns, self.at_ns)
        if (ratio := self.ratio) is not None:
            self._switch.turn(ratio)

    @property
    def fast(self) -> float | None:
        return self._fast.value if self.at_ns else None

    @property
    def ratio(self) -> float | None:
        """None before warm-up, and where the usual is nothing at all."""
        if not self.at_ns or self._observed_ns < self._warm_up_ns:
            return None
        return _ratio(self._fast.value, self._slow.value)

    @property
    def state(self) -> int | None:
        return None if self.ratio is None else self._switch.state


class TurnoverTrend:
    """Of lots traded a second, by anybody. Time without trades counts, as long as we can see."""

    def __init__(self, params: TrendParams) -> None:
        self.age_max_ns = ns_of(params.age_max_s)
        self._warm_up_ns = ns_of(params.warm_up_s)
        self._fast = _Rate(ns_of(params.fast_half_life_s))
        self._slow = _Rate(ns_of(params.slow_half_life_s))
        self._switch = RatioSwitch(params)
        self._observed_ns: Ns = 0
        self.at_ns: Ns = 0
        self.rate: float | None = None
        """Lots a second, the fast average, as of the last sample."""
        self.ratio: float | None = None

    def on_trade(self, lots: Lot, at_ns: Ns) -> None:
        """Trades in a market that is not in sight count for nothing."""
        if self.at_ns:
            self._pass(at_ns)
            self._fast.add(lots)
            self._slow.add(lots)

    def sample(self, at_ns: Ns) -> None:
        """The market is in sight at this moment."""
        self._pass(at_ns)
        self.rate = self._fast.value
        is_warm = self._observed_ns >= self._warm_up_ns
        self.ratio = _ratio(self.rate, self._slow.value) if is_warm else None
        if self.ratio is not None:
            self._switch.turn(self.ratio)

    def lose(self) -> None:
        """The market is out of sight."""
        self.at_ns, self.rate, self.ratio = 0, None, None

    def _pass(self, at_ns: Ns) -> None:
        if self.at_ns and at_ns > self.at_ns:
            span_ns = min(at_ns - self.at_ns, self.age_max_ns)
            self._fast.pass_by(span_ns)
            self._slow.pass_by(span_ns)
            self._observed_ns += span_ns
        self.at_ns = max(at_ns, self.at_ns)

    @property
    def state(self) -> int | None:
        return None if self.ratio is None else self._switch.state


class _Rate:
    """Lots a second: each trade fades by half in a half-life, over the observed share of time."""

    def __init__(self, half_life_ns: Ns) -> None:
        self._half_life_ns = half_life_ns
        self._lots_per_s = math.log(2) * NS_PER_S / half_life_ns
        self._sum = self._share = 0.0

    def pass_by(self, span_ns: Ns) -> None:
        fade = decay(span_ns, self._half_life_ns)
        self._sum *= fade
        self._share = self._share * fade + 1 - fade

    def add(self, lots: Lot) -> None:
        self._sum += lots * self._lots_per_s

    @property
    def value(self) -> float | None:
        return self._sum / self._share if self._share >= SHARE_MIN else None


def _ratio(fast: float | None, slow: float | None) -> float | None:
    return None if fast is None or not slow else fast / slow
