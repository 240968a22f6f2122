"""What a reconciliation asks of a venue, asked through ccxt."""

from adapters.ccxt_pro import unified
from adapters.ccxt_pro.session import Session
from adapters.common.reconciliation import BALANCES, OPEN_ORDERS, ORDER, TRADES, TRADES_PER_PAGE
from engine.values.events import Balance, Fill, OrderReport
from engine.values.instrument import Instrument


class CcxtReads:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._exchange = session.exchange

    async def open_orders(self, item: Instrument) -> list[OrderReport]:
        rows = await self._session.ask(
            lambda: self._exchange.fetch_open_orders(item.symbol), OPEN_ORDERS
        )
        now_ns = self._session.clock.now_ns()
        return [unified.order_report(item, row, now_ns) for row in rows]

    async def page(self, item: Instrument, after_id: int) -> tuple[list[Fill], bool]:
        """Binance can page by id; others give what they give, once."""
        pages = self._session.is_binance
        params = {"fromId": after_id + 1} if pages else {}
        limit = TRADES_PER_PAGE if pages else None
        rows = await self._session.ask(
            lambda: self._exchange.fetch_my_trades(item.symbol, None, limit, params), TRADES
        )
        now_ns = self._session.clock.now_ns()
        fills = [
            unified.fill(item, row, now_ns, row.get("clientOrderId") or "")
            for row in rows
            if unified.trade_number(row) > after_id
        ]
        return fills, pages and len(rows) >= TRADES_PER_PAGE

    async def client_id_of(self, item: Instrument, venue_id: str) -> str:
        row = await self._session.ask(
            lambda: self._exchange.fetch_order(venue_id, item.symbol), ORDER
        )
        return str(row.get("clientOrderId") or "")

    async def balances(self, item: Instrument) -> list[Balance]:
        answer = await self._session.ask(self._exchange.fetch_balance, BALANCES)
        return unified.balances(answer, [item])
