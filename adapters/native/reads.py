"""What a start and a reconciliation ask of Binance, natively."""

import msgspec

from adapters.common.reconciliation import TRADES_PER_PAGE
from adapters.native import rows
from adapters.native.calls import ACCOUNT, DAY, INFO, OPEN_ORDERS, ORDER, TRADES
from adapters.native.session import Params, Session
from engine.values.errors import Rejected, UserError
from engine.values.events import Balance, Fill, OrderReport
from engine.values.instrument import Instrument

_NO_SUCH_SYMBOL = "-1121"


class NativeReads:
    def __init__(self, session: Session) -> None:
        self._session = session

    async def instruments(self, symbols: list[str]) -> list[Instrument]:
        """Raises VenueError; UserError for an unknown symbol, and without a key to know fees."""
        session = self._session
        if session.signer is None:
            raise UserError(f'venue {session.venue}: adapter "native" needs a key')
        info = await self._info(symbols)
        session.limits.learn(info.limits)
        rates = rows.read(await session.ask(ACCOUNT, {}), rows.AccountRow).rates
        known = {f"{row.base}/{row.quote}": row for row in info.symbols}
        for symbol in symbols:
            if symbol not in known:
                raise UserError(f"{session.venue} has no market {symbol}")
        return [rows.instrument(symbol, session.venue, known[symbol], rates) for symbol in symbols]

    async def open_orders(self, item: Instrument) -> list[OrderReport]:
        body = await self._session.ask(OPEN_ORDERS, {"symbol": item.venue_symbol})
        now_ns = self._session.clock.now_ns()
        return [
            rows.order_report(item, row, now_ns) for row in rows.read(body, list[rows.OrderRow])
        ]

    async def page(self, item: Instrument, after_id: int) -> tuple[list[Fill], bool]:
        asked: Params = {
            "symbol": item.venue_symbol, "fromId": after_id + 1, "limit": TRADES_PER_PAGE,
        }  # fmt: skip
        page = rows.read(await self._session.ask(TRADES, asked), list[rows.TradeRow])
        now_ns = self._session.clock.now_ns()
        return [rows.fill(item, row, now_ns) for row in page], len(page) >= TRADES_PER_PAGE

    async def client_id_of(self, item: Instrument, venue_id: str) -> str:
        asked: Params = {"symbol": item.venue_symbol, "orderId": int(venue_id)}
        return rows.read(await self._session.ask(ORDER, asked), rows.OrderRow).client_id

    async def balances(self, item: Instrument) -> list[Balance]:
        account = rows.read(await self._session.ask(ACCOUNT, {}), rows.AccountRow)
        return rows.balances(item, account.balances)

    async def day_volume(self, symbol: str) -> str:
        """What anybody traded of the base asset in 24 hours, in whole tokens."""
        asked: Params = {"symbol": symbol.replace("/", "")}
        return rows.read(await self._session.ask(DAY, asked), rows.DayRow).volume

    async def _info(self, symbols: list[str]) -> rows.InfoRow:
        names = [symbol.replace("/", "") for symbol in symbols]
        asked: Params = {"symbol": names[0]}
        if len(names) > 1:
            asked = {"symbols": msgspec.json.encode(names).decode()}
        try:
            return rows.read(await self._session.ask(INFO, asked), rows.InfoRow)
        except Rejected as error:
            if error.code != _NO_SUCH_SYMBOL:
                raise
        raise UserError(f"{self._session.venue} has no market {' or '.join(symbols)}")
