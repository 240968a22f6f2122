"""One symbol's public side: its book, its tape, and the messages that they cause."""

from collections import deque
from itertools import groupby

from adapters.loopback import messages
from adapters.loopback.config import SymbolSpec
from adapters.loopback.depth import DepthWindow
from adapters.loopback.klines import INTERVALS_MS, Klines, PublicTrade
from adapters.loopback.outbox import Outbox
from adapters.loopback.scale import NS_PER_MS, Scale, ms
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Flow
from engine.sim.matching.shadow import ShadowBook
from engine.sim.matching.terms import Match
from engine.values.units import Levels, Ns, Side, Tick

_TRADES_KEPT = 5_000
_KLINE_EVERY_MS = {name: 1_000 if name == "1s" else 2_000 for name in INTERVALS_MS}
DEPTH_WINDOWS = {"depth": 1_000, "depth@100ms": 100}


class Market:
    """Each change of a level raises the update id by one, and every frame says which it holds."""

    def __init__(self, spec: SymbolSpec, book: MatchingBook | ShadowBook, outbox: Outbox) -> None:
        self.spec = spec
        self.scale = Scale(spec)
        self.instrument = spec.instrument()
        self.book = book
        self.flow: Flow | None = None
        self.flow_ns: Ns = 0
        self.is_recorded = isinstance(book, ShadowBook)
        self.is_stale_next = False
        self._frozen: tuple[int, Levels, Levels] | None = None
        self.update_id = 1
        self.trades: deque[PublicTrade] = deque(maxlen=_TRADES_KEPT)
        self.klines = Klines()
        self._outbox = outbox
        self._name = spec.symbol.lower()
        self._windows = {n: DepthWindow(every, 1) for n, every in DEPTH_WINDOWS.items()}
        self._recorded_depth: set[str] = set()
        self._top = (0, 0, 0, 0)
        self._trade_id = 0
        self._aggregate_id = 0
        self._kline_ns = dict.fromkeys(INTERVALS_MS, 0)
        self._klines_shown: dict[str, tuple[int, int]] = {}

    def __repr__(self) -> str:
        return f"<market {self.spec.symbol} #{self.update_id} {self.book}>"

    def reference(self) -> Tick:
        """What the price bands are measured from: the last trade, else the middle of the book."""
        if self.trades:
            return self.trades[-1].tick
        bid, _, ask, _ = self.book.top()
        return (bid + ask) // 2 if bid and ask else bid or ask

    def record(self, match: Match, now_ns: Ns) -> int:
        """Put a match on the tape; returns its trade id. A recorded tape shows no fill of ours."""
        self._trade_id += 1
        if not self.is_recorded:
            self.print_trade(
                PublicTrade(
                    trade_id=self._trade_id,
                    tick=match.tick,
                    lots=match.lots,
                    quote_atoms=self.scale.quote_atoms(match.tick, match.lots),
                    at_ms=ms(now_ns),
                    is_buyer_maker=match.aggressor is Side.SELL,
                )
            )
        return self._trade_id

    def start_trade_ids(self, after: int) -> None:
        self._trade_id = after

    def print_trade(self, seen: PublicTrade) -> None:
        self.trades.append(seen)
        self.klines.add(seen)

    def announce_trades(self, count: int, now_ns: Ns) -> None:
        """Messages for the last `count` trades of the tape, which one taker made."""
        if not count or self.is_recorded:
            return
        seen = [self.trades[i] for i in range(-min(count, len(self.trades)), 0)]
        for one in seen:
            self._put("trade", messages.trade(self.spec.symbol, self.scale, one, ms(now_ns)))
        for _, alike in groupby(seen, key=lambda one: one.tick):
            self._aggregate_id += 1
            message = messages.aggregate_trade(
                self.spec.symbol, self.scale, list(alike), self._aggregate_id
            )
            self._put("aggTrade", message)

    def announce_book(self, now_ns: Ns) -> None:
        """Number what changed since the last call and show the new top."""
        if self.is_recorded:
            return
        changes: tuple[Levels, Levels] = self.book.take_changes()
        count = len(changes[0]) + len(changes[1])
        if not count:
            return
        self.update_id += count
        for window in self._windows.values():
            window.add(changes, self.update_id, now_ns)
        top = self.book.top()
        if top != self._top:
            self._top = top
            self._put(
                "bookTicker",
                messages.book_ticker(self.spec.symbol, self.scale, self.update_id, top),
            )

    def restart_windows(self) -> None:
        """The update id jumped: the next frames follow on from it."""
        self._windows = {n: DepthWindow(ms_, self.update_id) for n, ms_ in DEPTH_WINDOWS.items()}

    def derive_depth(self, kind: str, changes: tuple[Levels, Levels], now_ns: Ns) -> None:
        """Slower depth frames of a recorded market, made from the faster ones that it has."""
        self._recorded_depth.add(kind)
        for name, window in self._windows.items():
            if name not in self._recorded_depth:
                window.add(changes, self.update_id, now_ns)

    def derive_aggregate(self, seen: PublicTrade) -> None:
        """A recorded trade as an aggregate of its own."""
        name, scale = self.spec.symbol, self.scale
        self._put("aggTrade", messages.aggregate_trade(name, scale, [seen], seen.trade_id))

    def tape_ms(self, now_ns: Ns) -> int:
        """The time on the tape: a recorded one has its own."""
        return self.trades[-1].at_ms if self.is_recorded and self.trades else ms(now_ns)

    def flush(self, now_ns: Ns) -> None:
        """Send the depth frames and candles that are due."""
        for name, window in self._windows.items():
            frame = window.take(now_ns)
            if frame is not None:
                message = messages.depth_update(self.spec.symbol, self.scale, frame, ms(now_ns))
                self._put(name, message)
        for interval, due_ns in self._kline_ns.items():
            if now_ns >= due_ns:
                self._kline_ns[interval] = now_ns + _KLINE_EVERY_MS[interval] * NS_PER_MS
                self._announce_klines(interval, self.tape_ms(now_ns))

    def next_ns(self) -> Ns:
        """The next moment at which `flush` may have something to send."""
        due = [window.due_ns for window in self._windows.values() if window.due_ns]
        return min([*due, *self._kline_ns.values()])

    def snapshot(self, count: int) -> messages.Json:
        if self.is_stale_next and self._frozen is not None:
            self.is_stale_next = False
            update_id, bids, asks = self._frozen
        else:
            bids = self.book.levels(Side.BUY, count)
            update_id, asks = self.update_id, self.book.levels(Side.SELL, count)
        return {
            "lastUpdateId": update_id,
            "bids": messages.rows(self.scale, bids[:count]),
            "asks": messages.rows(self.scale, asks[:count]),
        }

    def freeze(self) -> None:
        """Remember this moment's book, for a fault that answers with it later."""
        self._frozen = self.update_id, self.book.levels(Side.BUY), self.book.levels(Side.SELL)

    def _announce_klines(self, interval: str, now_ms: int) -> None:
        """Every candle since the last one shown: none closes unseen, however late we look."""
        stream = f"kline_{interval}"
        if f"{self._name}@{stream}" not in self._outbox.wanted:
            self._klines_shown.pop(interval, None)
            return
        candles = list(self.klines.until(interval, now_ms))
        newest_ms = candles[-1].open_ms if candles else 0
        shown = self._klines_shown.get(interval, (newest_ms, -1))
        for candle in candles:
            mark = (candle.open_ms, candle.count + (now_ms > candle.close_ms))
            if mark > shown:
                self._klines_shown[interval] = mark
                args = (self.spec.symbol, self.scale, interval, candle, now_ms)
                self._put(stream, messages.kline(*args))

    def _put(self, stream: str, message: messages.Json) -> None:
        self._outbox.publish(self.spec.symbol, f"{self._name}@{stream}", message)
