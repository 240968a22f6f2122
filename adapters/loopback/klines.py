"""Candles of one symbol in every interval that the venue has, quiet periods filled in."""

from collections import deque
from collections.abc import Iterable

import msgspec

from engine.values.units import Atoms, Lot, Tick

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
INTERVALS_MS = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}
_MONDAY_MS = 4 * DAY_MS
_KEPT = 1_000


class PublicTrade(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A trade as everybody sees it."""

    trade_id: int
    tick: Tick
    lots: Lot
    quote_atoms: Atoms
    at_ms: int
    is_buyer_maker: bool


class Candle(msgspec.Struct, kw_only=True):
    open_ms: int
    close_ms: int
    first: Tick
    high: Tick
    low: Tick
    last: Tick
    lots: Lot = 0
    quote_atoms: Atoms = 0
    count: int = 0
    taker_lots: Lot = 0
    taker_quote_atoms: Atoms = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, trade: PublicTrade) -> None:
        self.first = self.first if self.count else trade.tick
        self.high = max(self.high, trade.tick) if self.count else trade.tick
        self.low = min(self.low, trade.tick) if self.count else trade.tick
        self.last = trade.tick
        self.first_id = self.first_id if self.count else trade.trade_id
        self.last_id = trade.trade_id
        self.lots += trade.lots
        self.quote_atoms += trade.quote_atoms
        self.count += 1
        if not trade.is_buyer_maker:
            self.taker_lots += trade.lots
            self.taker_quote_atoms += trade.quote_atoms


class Klines:
    """The last thousand candles of each interval. No candle exists before the first trade."""

    def __init__(self) -> None:
        self._candles: dict[str, deque[Candle]] = {
            name: deque(maxlen=_KEPT) for name in INTERVALS_MS
        }

    def add(self, trade: PublicTrade) -> None:
        for name, candles in self._candles.items():
            self._roll(name, trade.at_ms, trade.tick)
            candles[-1].add(trade)

    def load(self, interval: str, candles: Iterable[Candle]) -> None:
        """A history of one interval, oldest first, to begin with: trades go on after it.

        Raises ValueError for candles off the interval's grid or out of order.
        """
        span = INTERVALS_MS[interval]
        history: deque[Candle] = deque(maxlen=_KEPT)
        for candle in candles:
            is_next = not history or candle.open_ms == history[-1].open_ms + span
            if start_of(interval, candle.open_ms) != candle.open_ms or not is_next:
                raise ValueError(f"candle at {candle.open_ms} is none of {interval} or not next")
            history.append(candle)
        self._candles[interval] = history

    def until(self, interval: str, now_ms: int) -> Iterable[Candle]:
        """All that are kept, oldest first, the running one last."""
        candles = self._candles[interval]
        if candles:
            self._roll(interval, now_ms, candles[-1].last)
        return candles

    def _roll(self, name: str, at_ms: int, tick: Tick) -> None:
        """Append flat candles until one covers `at_ms`."""
        candles, span = self._candles[name], INTERVALS_MS[name]
        start = start_of(name, at_ms)
        if not candles:
            candles.append(_flat(start, span, tick))
            return
        following = max(candles[-1].open_ms + span, start - (_KEPT - 1) * span)
        for open_ms in range(following, start + 1, span):
            candles.append(_flat(open_ms, span, candles[-1].last))


def start_of(interval: str, at_ms: int) -> int:
    """The opening of the candle that holds this moment; weeks open on Mondays."""
    offset = _MONDAY_MS if interval == "1w" else 0
    return at_ms - (at_ms - offset) % INTERVALS_MS[interval]


def _flat(open_ms: int, span_ms: int, tick: Tick) -> Candle:
    return Candle(
        open_ms=open_ms,
        close_ms=open_ms + span_ms - 1,
        first=tick,
        high=tick,
        low=tick,
        last=tick,
    )
