"""Reads what a venue says of one market: open orders, then our trades, then balances.

In that order, so that a fill in between shows in the later parts and never only in the first.
"""

from typing import Protocol

import msgspec

from adapters.common.budget import Cost
from adapters.common.client_ids import ClientIds
from adapters.common.refusals import unreadable
from engine.values.commands import Reconcile
from engine.values.errors import Failure, Unknown, VenueError
from engine.values.events import Balance, Fill, OrderReport, VenueState
from engine.values.instrument import Instrument
from engine.values.ports import Clock

OPEN_ORDERS = Cost(weight=6, is_urgent=True)
TRADES = Cost(weight=20, is_urgent=True)
ORDER = Cost(weight=4, is_urgent=True)
BALANCES = Cost(weight=20, is_urgent=True)
TRADES_PER_PAGE = 1000
PAGES_MAX = 50
LOOK_UPS_MAX = 200


class Reads(Protocol):
    """What a venue is asked for. All raise VenueError, and ValueError and its like where a row
    cannot be read."""

    async def open_orders(self, item: Instrument) -> list[OrderReport]: ...

    async def page(self, item: Instrument, after_id: int) -> tuple[list[Fill], bool]:
        """Own trades above `after_id`, and whether there may be more. A fill's client id may be
        missing."""
        ...

    async def client_id_of(self, item: Instrument, venue_id: str) -> str: ...

    async def balances(self, item: Instrument) -> list[Balance]: ...


class Reconciliation:
    def __init__(
        self, reads: Reads, client_ids: ClientIds, instruments: dict[str, Instrument], clock: Clock
    ) -> None:
        self._reads = reads
        self._client_ids = client_ids
        self._instruments = instruments
        self._clock = clock

    async def read(self, command: Reconcile) -> VenueState:
        """Raises VenueError; UNKNOWN where a row cannot be read, since then nothing is certain."""
        item = self._instruments[command.market]
        asked_ns = self._clock.now_ns()
        try:
            orders = await self._reads.open_orders(item)
            for report in orders:
                self._client_ids.learn(item.market, report.venue_id, report.client_id)
            fills = await self._named(item, await self._fills(item, command.trade_id_from))
            balances = await self._reads.balances(item)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise unreadable(error) from None
        return VenueState(
            market=command.market,
            asked_ns=asked_ns,
            at_ns=self._clock.now_ns(),
            open_orders=orders,
            fills=fills,
            balances=balances,
        )

    async def _fills(self, item: Instrument, after_id: int) -> list[Fill]:
        """All own trades above `after_id`, page by page where the venue can page by id."""
        found: list[Fill] = []
        for _ in range(PAGES_MAX):
            page, has_more = await self._reads.page(item, after_id)
            found += [fill for fill in page if fill.trade_id > after_id]
            if not has_more:
                return sorted(found, key=lambda fill: fill.trade_id)
            after_id = max(fill.trade_id for fill in page)
        raise Unknown("more trades than can be read at once", code="pages")

    async def _named(self, item: Instrument, fills: list[Fill]) -> list[Fill]:
        """Client ids of the orders behind trades; asked one by one where we do not know them."""
        names = {fill.venue_id: fill.client_id for fill in fills if fill.venue_id}
        for venue_id in names:
            names[venue_id] = self._client_ids.find(item.market, venue_id) or names[venue_id]
        for venue_id in sorted(name for name in names if not names[name])[-LOOK_UPS_MAX:]:
            names[venue_id] = await self._look_up(item, venue_id)
        return [
            msgspec.structs.replace(fill, client_id=names.get(fill.venue_id, "")) for fill in fills
        ]

    async def _look_up(self, item: Instrument, venue_id: str) -> str:
        try:
            client_id = await self._reads.client_id_of(item, venue_id)
        except VenueError as error:
            if error.failure is Failure.REJECTED:
                return ""
            raise
        self._client_ids.learn(item.market, venue_id, client_id)
        return client_id
