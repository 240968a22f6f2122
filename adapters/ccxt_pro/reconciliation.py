"""Reads what a venue says of one market: open orders, then our trades, then balances.

In that order, so that a fill in between shows in the later parts and never only in the first.
"""

from typing import Any

from adapters.ccxt_pro import unified
from adapters.ccxt_pro.budget import Cost
from adapters.ccxt_pro.client_ids import ClientIds
from adapters.ccxt_pro.session import Session
from engine.values.commands import Reconcile
from engine.values.errors import Failure, Unknown, VenueError
from engine.values.events import Balance, Fill, OrderReport, VenueState
from engine.values.instrument import Instrument

OPEN_ORDERS = Cost(weight=6, is_urgent=True)
TRADES = Cost(weight=20, is_urgent=True)
ORDER = Cost(weight=4, is_urgent=True)
BALANCES = Cost(weight=20, is_urgent=True)
TRADES_PER_PAGE = 1000
PAGES_MAX = 50
LOOK_UPS_MAX = 200


class Reconciliation:
    def __init__(self, session: Session, client_ids: ClientIds) -> None:
        self._session = session
        self._exchange = session.exchange
        self._client_ids = client_ids

    async def read(self, command: Reconcile) -> VenueState:
        """Raises VenueError; UNKNOWN where a row cannot be read, since then nothing is certain."""
        item = self._session.instruments[command.market]
        asked_ns = self._session.clock.now_ns()
        try:
            orders = await self._open_orders(item)
            fills = await self._fills(item, command.trade_id_from)
            balances = await self._balances(item)
        except (ArithmeticError, KeyError, TypeError, ValueError) as error:
            raise Unknown("unreadable answer", code=type(error).__name__) from None
        return VenueState(
            market=command.market,
            asked_ns=asked_ns,
            at_ns=self._session.clock.now_ns(),
            open_orders=orders,
            fills=fills,
            balances=balances,
        )

    async def _open_orders(self, item: Instrument) -> list[OrderReport]:
        rows = await self._session.ask(
            lambda: self._exchange.fetch_open_orders(item.symbol), OPEN_ORDERS
        )
        now_ns = self._session.clock.now_ns()
        reports = [unified.order_report(item, row, now_ns) for row in rows]
        for report in reports:
            self._client_ids.learn(item.market, report.venue_id, report.client_id)
        return reports

    async def _fills(self, item: Instrument, after_id: int) -> list[Fill]:
        # ccxt sorts ids as texts; the venue's numbers tell the true order.
        rows = sorted(await self._trades(item, after_id), key=unified.trade_number)
        names = await self._names(item, rows)
        now_ns = self._session.clock.now_ns()
        return [
            unified.fill(item, row, now_ns, names.get(str(row.get("order")), "")) for row in rows
        ]

    async def _trades(self, item: Instrument, after_id: int) -> list[Any]:
        """All own trades above `after_id`, page by page where the venue can page by id."""
        found: list[Any] = []
        for _ in range(PAGES_MAX):
            page = await self._page(item, after_id)
            found += [row for row in page if unified.trade_number(row) > after_id]
            if not self._session.is_binance or len(page) < TRADES_PER_PAGE:
                return found
            after_id = max(unified.trade_number(row) for row in page)
        raise Unknown("more trades than can be read at once", code="pages")

    async def _page(self, item: Instrument, after_id: int) -> list[Any]:
        pages = self._session.is_binance
        params = {"fromId": after_id + 1} if pages else {}
        limit = TRADES_PER_PAGE if pages else None
        rows: list[Any] = await self._session.ask(
            lambda: self._exchange.fetch_my_trades(item.symbol, None, limit, params), TRADES
        )
        return rows

    async def _names(self, item: Instrument, rows: list[Any]) -> dict[str, str]:
        """Client ids of the orders behind trades; asked one by one where we do not know them."""
        venue_ids = {str(row["order"]) for row in rows if row.get("order")}
        known = {name: self._client_ids.find(item.market, name) for name in venue_ids}
        names = {row["order"]: row.get("clientOrderId") or "" for row in rows if row.get("order")}
        for venue_id in sorted(name for name in venue_ids if known[name] is None)[-LOOK_UPS_MAX:]:
            known[venue_id] = names.get(venue_id) or await self._look_up(item, venue_id)
        return {venue_id: client_id or "" for venue_id, client_id in known.items()}

    async def _look_up(self, item: Instrument, venue_id: str) -> str:
        try:
            row = await self._session.ask(
                lambda: self._exchange.fetch_order(venue_id, item.symbol), ORDER
            )
        except VenueError as error:
            if error.failure is Failure.REJECTED:
                return ""
            raise
        client_id = str(row.get("clientOrderId") or "")
        self._client_ids.learn(item.market, venue_id, client_id)
        return client_id

    async def _balances(self, item: Instrument) -> list[Balance]:
        answer = await self._session.ask(self._exchange.fetch_balance, BALANCES)
        return unified.balances(answer, [item])
