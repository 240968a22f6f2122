"""Private facts of a venue without a user codec: ccxt's parsed orders, trades and balances."""

from typing import Any

from adapters.ccxt_pro import unified
from adapters.ccxt_pro.parsed import CacheTap, ParsedStream, Watch
from adapters.ccxt_pro.session import Session
from adapters.common.client_ids import ClientIds
from engine.values.events import Balances, Event, Stream
from engine.values.instrument import Instrument
from engine.values.ports import Inbox
from engine.values.units import NS_PER_MS, Ns


class ParsedPrivate:
    def __init__(self, session: Session, client_ids: ClientIds) -> None:
        self._session = session
        self._client_ids = client_ids
        self._stream = ParsedStream(session, Stream.PRIVATE, self)
        self._orders = CacheTap(self._on_order)
        self._trades = CacheTap(self._on_trade)
        self._facts: list[Event] = []

    async def run(self, inbox: Inbox) -> None:
        exchange = self._session.exchange
        names = {
            "watchOrders": "watch_orders",
            "watchMyTrades": "watch_my_trades",
            "watchBalance": "watch_balance",
        }
        watches: list[Watch] = [
            getattr(exchange, method) for name, method in names.items() if exchange.has.get(name)
        ]
        await self._stream.run(inbox, watches)

    def results(self, result: Any, at_ns: Ns) -> list[Event]:
        exchange = self._session.exchange
        if result is exchange.orders and result is not None:
            self._orders.see(result)
        elif result is exchange.myTrades and result is not None:
            self._trades.see(result)
        elif isinstance(result, dict) and "free" in result and "used" in result:
            return [self._balances(result, at_ns)]
        facts, self._facts = self._facts, []
        return facts

    def losses(self, reason: str) -> list[Event]:
        """Only the Disconnected fact, which the stream itself reports."""
        self._facts.clear()
        return []

    def _on_order(self, row: Any) -> None:
        item = self._instrument(row)
        if item is not None:
            report = unified.order_report(item, row, self._session.clock.now_ns())
            self._client_ids.learn(item.market, report.venue_id, report.client_id)
            self._facts.append(report)

    def _on_trade(self, row: Any) -> None:
        item = self._instrument(row)
        if item is not None:
            venue_id = str(row.get("order") or "")
            client_id = row.get("clientOrderId") or self._client_ids.find(item.market, venue_id)
            now_ns = self._session.clock.now_ns()
            self._facts.append(unified.fill(item, row, now_ns, client_id or ""))

    def _balances(self, structure: Any, at_ns: Ns) -> Balances:
        moment = int(structure.get("timestamp") or self._session.venue_ns() // NS_PER_MS)
        return Balances(
            venue=self._session.options.name,
            at_ns=at_ns,
            update_ns=moment * NS_PER_MS,
            balances=unified.balances(structure, list(self._session.instruments.values())),
        )

    def _instrument(self, row: Any) -> Instrument | None:
        """Orders of markets that we do not trade are none of our business here."""
        market = f"{row.get('symbol')}@{self._session.options.name}"
        return self._session.instruments.get(market)
