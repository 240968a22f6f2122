# cython: language_level=3, annotation_typing=False
"""What the top of the book and the trades say: fair value, pressure, volatility.

Formulas: weighted mid and imbalance as in Stoikov (2018), order-flow imbalance as in Cont, Kukanov
and Stoikov (2014), volatility as an EWMA of squared mid moves in clock time.
"""

from math import sqrt

import msgspec

from engine.market.book import Book, BookView
from engine.market.microprice import Microprice
from engine.values.units import NS_PER_S, Lot, Ns, Side, Tick

BPS = 10_000


class FeaturesParams(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of the estimates. A past moment weighs half as much after each half-life."""

    volatility_half_life_ns: Ns
    volatility_sample_ns: Ns
    """Mid moves are measured over at least this long, so that a flickering quote is no risk."""
    volatility_warm_up_ns: Ns
    """Volatility is unknown (None) until so much time has been observed."""
    flow_half_life_ns: Ns
    microprice: Microprice | None
    """Fitted from recorded tops; without it the microprice is the weighted mid."""


class Decayed:
    """A sum whose old terms fade by half each half-life."""

    def __init__(self, half_life_ns: Ns) -> None:
        self._half_life_ns = half_life_ns
        self._value = 0.0
        self._at_ns: Ns = 0

    def add(self, amount: float, at_ns: Ns) -> None:
        self._value = self.at(at_ns) + amount
        self._at_ns = max(self._at_ns, at_ns)

    def at(self, at_ns: Ns) -> float:
        """The sum as of `at_ns`; time that goes back fades nothing."""
        if not self._value or at_ns <= self._at_ns:
            return self._value
        return self._value * decay(at_ns - self._at_ns, self._half_life_ns)


class Volatility:
    """Squared mid moves over the time they took, both fading: ticks squared a second.

    Each move is measured over `sample_ns` or more, and quiet time counts. Unknown before warm-up.
    """

    def __init__(self, params: FeaturesParams) -> None:
        self._half_life_ns = params.volatility_half_life_ns
        self._sample_ns = params.volatility_sample_ns
        self._warm_up_ns = params.volatility_warm_up_ns
        self._squares = self._seconds = 0.0
        self._observed_ns: Ns = 0
        self._mid = 0.0
        self._at_ns: Ns = 0

    def observe(self, mid: float, at_ns: Ns) -> None:
        span_ns = at_ns - self._at_ns
        if self._mid and span_ns < self._sample_ns:
            return
        if self._mid:
            fade, moved = decay(span_ns, self._half_life_ns), mid - self._mid
            self._squares = self._squares * fade + moved * moved
            self._seconds = self._seconds * fade + span_ns / NS_PER_S
            self._observed_ns += span_ns
        self._mid, self._at_ns = mid, at_ns

    def pause(self) -> None:
        """The next mid starts a new stretch: a move across a gap is nobody's volatility."""
        self._mid = 0.0

    def ticks_per_root_second(self, at_ns: Ns) -> float | None:
        """As of `at_ns`, where the mid has not moved since it was last observed."""
        quiet_ns = max(0, at_ns - self._at_ns) if self._mid else 0
        if self._observed_ns + quiet_ns < self._warm_up_ns:
            return None
        fade = decay(quiet_ns, self._half_life_ns)
        seconds = self._seconds * fade + quiet_ns / NS_PER_S
        return sqrt(self._squares * fade / seconds) if seconds else None


class Features:
    """Fed by every book message and trade of one market; read when a decision is due.

    Values are None while unknown: a side is empty, or an estimate is not warm. Times are engine
    time. `order_flow_last` is e of the last change of the top, in lots.
    """

    def __init__(self, params: FeaturesParams) -> None:
        self._microprice = params.microprice
        self._volatility = Volatility(params)
        self._order_flow = Decayed(params.flow_half_life_ns)
        self._signed = Decayed(params.flow_half_life_ns)
        self._volume = Decayed(params.flow_half_life_ns)
        self.bid_tick: Tick = 0
        self.bid_lots: Lot = 0
        self.ask_tick: Tick = 0
        self.ask_lots: Lot = 0
        self.order_flow_last: Lot = 0
        self._marked_bid: Tick = 0
        self._marked_bid_lots: Lot = 0
        self._marked_ask: Tick = 0
        self._marked_ask_lots: Lot = 0
        self._saw_bid: Tick = 0
        self._saw_bid_lots: Lot = 0
        self._saw_ask: Tick = 0
        self._saw_ask_lots: Lot = 0

    def mark(self) -> None:
        """Remember the top as it is."""
        self._marked_bid, self._marked_bid_lots = self.bid_tick, self.bid_lots
        self._marked_ask, self._marked_ask_lots = self.ask_tick, self.ask_lots

    def has_left_mark(self) -> bool:
        """Whether the top is another than at the last `mark`; 0 everywhere before the first."""
        same_sizes = (
            self.bid_lots == self._marked_bid_lots and self.ask_lots == self._marked_ask_lots
        )
        return not (
            same_sizes and self.bid_tick == self._marked_bid and self.ask_tick == self._marked_ask
        )

    def saw(self, book: Book) -> bool:
        """Whether the whole book's top is the one of the last call. From now on it is."""
        bid, bid_lots, ask, ask_lots = book.bid_tick, book.bid_lots, book.ask_tick, book.ask_lots
        same_sizes = bid_lots == self._saw_bid_lots and ask_lots == self._saw_ask_lots
        if same_sizes and bid == self._saw_bid and ask == self._saw_ask:
            return True
        self._saw_bid, self._saw_bid_lots = bid, bid_lots
        self._saw_ask, self._saw_ask_lots = ask, ask_lots
        return False

    def on_book(self, book: Book | BookView, at_ns: Ns) -> None:
        """After each message that was applied. Ends at once where the top has not changed."""
        self._on_top(at_ns, book.bid_tick, book.bid_lots, book.ask_tick, book.ask_lots)

    def on_whole_book(self, book: Book, at_ns: Ns) -> None:
        """As `on_book`, for compiled callers: it reads the very book, no view of it."""
        self._on_top(at_ns, book.bid_tick, book.bid_lots, book.ask_tick, book.ask_lots)

    def _on_top(self, at_ns: Ns, bid: Tick, bid_lots: Lot, ask: Tick, ask_lots: Lot) -> None:
        same_sizes = bid_lots == self.bid_lots and ask_lots == self.ask_lots
        if same_sizes and bid == self.bid_tick and ask == self.ask_tick:
            return
        if not bid or not ask:
            self.pause()
            return
        if self.bid_tick:
            bought = side_flow(self.bid_tick, self.bid_lots, bid, bid_lots)
            sold = side_flow(-self.ask_tick, self.ask_lots, -ask, ask_lots)
            self.order_flow_last = bought - sold
            self._order_flow.add(self.order_flow_last, at_ns)
        self.bid_tick, self.bid_lots = bid, bid_lots
        self.ask_tick, self.ask_lots = ask, ask_lots
        self._volatility.observe((bid + ask) / 2, at_ns)

    def on_trade(self, aggressor: Side, lots: Lot, at_ns: Ns) -> None:
        self.on_flow(aggressor.sign * lots, at_ns)

    def on_flow(self, signed_lots: Lot, at_ns: Ns) -> None:
        """A trade of so many lots, below 0 where they were sold."""
        self._signed.add(signed_lots, at_ns)
        self._volume.add(abs(signed_lots), at_ns)

    def pause(self) -> None:
        """The book is lost or one-sided: nothing is compared across the hole."""
        self.bid_tick = self.ask_tick = self.bid_lots = self.ask_lots = 0
        self.order_flow_last = 0
        self._volatility.pause()

    @property
    def mid(self) -> float | None:
        return (self.bid_tick + self.ask_tick) / 2 if self.bid_tick else None

    @property
    def imbalance(self) -> float | None:
        """Share of the bid in the size at the top, 0 to 1."""
        return self.bid_lots / (self.bid_lots + self.ask_lots) if self.bid_tick else None

    @property
    def weighted_mid(self) -> float | None:
        imbalance = self.imbalance
        if imbalance is None:
            return None
        return self.bid_tick * (1 - imbalance) + self.ask_tick * imbalance

    @property
    def microprice(self) -> float | None:
        """Expected mid some moves from now, from the fitted table; else the weighted mid."""
        imbalance = self.imbalance
        if imbalance is None or self._microprice is None:
            return self.weighted_mid
        spread = self.ask_tick - self.bid_tick
        return (self.bid_tick + self.ask_tick) / 2 + self._microprice.shift(imbalance, spread)

    def volatility_ticks(self, at_ns: Ns) -> float | None:
        """Ticks per square root of a second."""
        return self._volatility.ticks_per_root_second(at_ns)

    def volatility_bps(self, at_ns: Ns) -> float | None:
        """Basis points of mid per square root of a second."""
        ticks, mid = self.volatility_ticks(at_ns), self.mid
        return None if ticks is None or not mid else ticks / mid * BPS

    def order_flow(self, at_ns: Ns) -> float:
        """Order-flow imbalance in lots, fading; above 0 where buyers press."""
        return self._order_flow.at(at_ns)

    def trade_flow(self, at_ns: Ns) -> float:
        """Bought minus sold lots, fading."""
        return self._signed.at(at_ns)

    def trade_volume(self, at_ns: Ns) -> float:
        """Traded lots, fading alike: `trade_flow / trade_volume` is the one-sidedness."""
        return self._volume.at(at_ns)


Top = tuple[Tick, Lot, Tick, Lot]


def order_flow_of(before: Top, now: Top) -> Lot:
    """e of Cont, Kukanov and Stoikov (2014), equation 4, from (bid, lots, ask, lots)."""
    bought = side_flow(before[0], before[1], now[0], now[1])
    return bought - side_flow(-before[2], before[3], -now[2], now[3])


def side_flow(key_before: int, lots_before: Lot, key: int, lots: Lot) -> Lot:
    """One side's part of it. A key is a bid's tick or an ask's negated one: higher is better."""
    flow = 0
    if key >= key_before:
        flow += lots
    if key <= key_before:
        flow -= lots_before
    return flow


def decay(span_ns: Ns, half_life_ns: Ns) -> float:
    return float(0.5 ** (span_ns / half_life_ns))
