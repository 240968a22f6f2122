"""How often fills come at a distance, and how far the mid wanders: A, k and sigma from a recording.

Arrivals are lambda(d) = A exp(-k d) a second, for a quote d ticks from mid: Avellaneda and Stoikov
(2008), section 2.5. Every market order of the recording would have filled the quotes that it went
through, so lambda(d) is the number of those that reached d, over time and halved, as a quote is
filled by one of both sides; ln A and -k are intercept and slope of ln(lambda) on d, each distance
weighted by what it rests on.
"""

import math

import msgspec
import numpy as np

from engine.values.units import NS_PER_MS, NS_PER_S, Lot, Ns, Side, Tick

SAMPLE_NS = 100 * NS_PER_MS
ORDERS_MIN = 20
"""A distance that fewer market orders reached says nothing."""
DISTANCES_MIN = 3
SIDES = 2
REACH_TICKS_MAX = 10_000


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """a: a second, for one quote. k: per tick. sigma: ticks per square root of a second.

    `orders` went into the fit over `distances`; `fit` is the weighted R squared of the line.
    """

    a: float
    k: float
    sigma: float
    orders: int
    distances: int
    fit: float
    seconds: float


class Calibration:
    """Feed it tops and trades in the order of their moments, then `fitted`."""

    def __init__(self) -> None:
        self._reached: dict[int, int] = {}
        self._began_ns: Ns = 0
        self._ended_ns: Ns = 0
        self._mid: float | None = None
        self._sampled: tuple[Ns, float] | None = None
        self._squares, self._sampled_s = 0.0, 0.0
        self._order: tuple[Ns, Side] | None = None
        self._order_mid = 0.0
        self._far = 0.0

    def __repr__(self) -> str:
        return f"<calibration {sum(self._reached.values())} orders in {self.seconds:.0f} s>"

    @property
    def seconds(self) -> float:
        return (self._ended_ns - self._began_ns) / NS_PER_S

    def on_top(self, at_ns: Ns, bid_tick: Tick, ask_tick: Tick) -> None:
        """A best bid and ask; 0 for an empty side, which is no mid."""
        self._pass(at_ns)
        self._mid = (bid_tick + ask_tick) / 2 if bid_tick and ask_tick else None
        if self._mid is None:
            self._sampled = None
        elif self._sampled is None:
            self._sampled = at_ns, self._mid
        elif at_ns - self._sampled[0] >= SAMPLE_NS:
            self._squares += (self._mid - self._sampled[1]) ** 2
            self._sampled_s += (at_ns - self._sampled[0]) / NS_PER_S
            self._sampled = at_ns, self._mid

    def on_trade(self, at_ns: Ns, venue_ns: Ns, tick: Tick, lots: Lot, aggressor: Side) -> None:
        """Trades of one venue moment and side are one market order; it reached its worst price."""
        self._pass(at_ns)
        if self._order != (venue_ns, aggressor):
            self._close()
            if self._mid is None or not lots:
                return
            self._order, self._order_mid = (venue_ns, aggressor), self._mid
        self._far = max(self._far, aggressor.sign * (tick - self._order_mid))

    def fitted(self) -> Calibrated:
        """Raises ValueError where the recording holds too little to fit anything."""
        self._close()
        far = sorted(self._reached)
        counts = np.cumsum([self._reached[at] for at in reversed(far)])[::-1].astype(float)
        kept = counts >= ORDERS_MIN
        distances, weights = np.array(far, dtype=float)[kept], counts[kept]
        if len(distances) < DISTANCES_MIN or not self._sampled_s:
            orders = int(counts[0]) if len(counts) else 0
            raise ValueError(
                f"{orders} market orders reach {len(distances)} distances often enough; "
                f"{DISTANCES_MIN} distances of {ORDERS_MIN} orders are needed"
            )
        rates = np.log(weights / (SIDES * self.seconds))
        slope, intercept = np.polyfit(distances, rates, 1, w=np.sqrt(weights))
        centre = np.average(rates, weights=weights)
        scatter = np.average((rates - intercept - slope * distances) ** 2, weights=weights)
        spread = np.average((rates - centre) ** 2, weights=weights)
        return Calibrated(
            a=math.exp(intercept),
            k=float(-slope),
            sigma=math.sqrt(self._squares / self._sampled_s),
            orders=int(counts[0]),
            distances=len(distances),
            fit=float(1 - scatter / spread) if spread else 1.0,
            seconds=self.seconds,
        )

    def _pass(self, at_ns: Ns) -> None:
        self._began_ns = self._began_ns or at_ns
        self._ended_ns = max(self._ended_ns, at_ns)

    def _close(self) -> None:
        """The market order that was being heard is whole: it reached every half tick up to here."""
        if self._order is not None and 0 < self._far <= REACH_TICKS_MAX:
            far = math.floor(self._far)
            self._reached[far] = self._reached.get(far, 0) + 1
        self._order, self._far = None, 0.0
