"""The public feed of snapshot grade: books and trades as ccxt parsed them (law 7)."""

from functools import partial
from typing import Any

from adapters.ccxt_pro import unified
from adapters.ccxt_pro.parsed import CacheTap, ParsedStream, Watch
from adapters.ccxt_pro.session import Session
from engine.values.events import BookLost, BookSnapshot, Event, Grade, Stream, Trade
from engine.values.instrument import Instrument
from engine.values.ports import Inbox
from engine.values.units import NS_PER_MS, Levels, Ns, Side


class SnapshotFeed:
    """The session is the feed's own, and ends with it."""

    def __init__(self, session: Session, instruments: list[Instrument]) -> None:
        self._session = session
        self._instruments = {item.symbol: item for item in instruments}
        self._stream = ParsedStream(session, Stream.PUBLIC, self)
        self._taps = {symbol: CacheTap(self._on_trade) for symbol in self._instruments}
        self._trades: list[Event] = []
        self._is_known: set[str] = set()

    async def run(self, inbox: Inbox) -> None:
        exchange = self._session.exchange
        watches: list[Watch] = []
        for symbol in self._instruments:
            watches += [partial(exchange.watch_order_book, symbol)]
            watches += [partial(exchange.watch_trades, symbol)]
        try:
            await self._stream.run(inbox, watches)
        finally:
            await self._session.close()

    def results(self, result: Any, at_ns: Ns) -> list[Event]:
        exchange = self._session.exchange
        for symbol, item in self._instruments.items():
            if result is exchange.orderbooks.get(symbol):
                return self._book(item, result, at_ns)
            if result is exchange.trades.get(symbol):
                self._taps[symbol].see(result)
                return self._drained(at_ns)
        return []

    def losses(self, reason: str) -> list[Event]:
        now_ns = self._session.clock.now_ns()
        lost = [
            BookLost(market=item.market, at_ns=now_ns, reason=reason)
            for item in self._instruments.values()
            if item.market in self._is_known
        ]
        self._is_known.clear()
        return list(lost)

    def _book(self, item: Instrument, book: Any, at_ns: Ns) -> list[Event]:
        self._is_known.add(item.market)
        return [
            BookSnapshot(
                market=item.market,
                at_ns=at_ns,
                venue_ns=int(book.get("timestamp") or 0) * NS_PER_MS,
                sequence=int(book.get("nonce") or 0),
                bids=self._levels(item, book["bids"]),
                asks=self._levels(item, book["asks"]),
                grade=Grade.SNAPSHOT,
            )
        ]

    def _levels(self, item: Instrument, side: Any) -> Levels:
        count = self._session.options.depth_levels
        return [unified.price_level(item, row[0], row[1]) for row in side[:count]]

    def _on_trade(self, row: Any) -> None:
        item = self._instruments[row["symbol"]]
        tick, lots = unified.price_level(item, row["price"], row["amount"])
        self._trades.append(
            Trade(
                market=item.market,
                at_ns=self._session.clock.now_ns(),
                venue_ns=int(row.get("timestamp") or 0) * NS_PER_MS,
                trade_id=unified.trade_number(row),
                tick=tick,
                lots=lots,
                aggressor=Side(row["side"]),
            )
        )

    def _drained(self, _at_ns: Ns) -> list[Event]:
        trades, self._trades = self._trades, []
        return trades
