"""Orders and fills as the venue keeps them, and where to find them again."""

from enum import StrEnum

import msgspec

from engine.sim.matching.terms import Kind, SelfTrade, TimeInForce
from engine.values.units import Atoms, Lot, Ns, Side, Tick


class Status(StrEnum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


OPEN = (Status.NEW, Status.PARTIALLY_FILLED)


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """An account's side of a match, as `myTrades` shows it."""

    trade_id: int
    order_id: int
    symbol: str
    account: str
    side: Side
    tick: Tick
    lots: Lot
    quote_atoms: Atoms
    fee_atoms: Atoms
    fee_asset: str
    is_maker: bool
    at_ns: Ns


class Order(msgspec.Struct, kw_only=True):
    """The venue's record of an order. Only the exchange changes it."""

    order_id: int
    account: str
    symbol: str
    client_id: str
    side: Side
    kind: Kind
    tif: TimeInForce
    tick: Tick
    lots: Lot
    self_trade: SelfTrade
    created_ns: Ns
    updated_ns: Ns
    quote_wanted_atoms: Atoms = 0
    status: Status = Status.NEW
    filled_lots: Lot = 0
    filled_quote_atoms: Atoms = 0
    prevented_lots: Lot = 0
    locked_atoms: Atoms = 0
    cancel_client_id: str = ""

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def lots_left(self) -> Lot:
        return self.lots - self.filled_lots - self.prevented_lots


class OrderStore:
    """All orders and fills of the venue's accounts, by id, by client id while open, by symbol."""

    def __init__(self) -> None:
        self.by_id: dict[int, Order] = {}
        self.fills: dict[str, list[Fill]] = {}
        self._open: dict[tuple[str, str], dict[int, Order]] = {}
        self._open_client_ids: dict[tuple[str, str, str], Order] = {}
        self._latest: dict[tuple[str, str, str], Order] = {}
        self._history: dict[tuple[str, str], list[Order]] = {}

    def add(self, order: Order) -> None:
        place = (order.account, order.symbol)
        name = (*place, order.client_id)
        assert order.order_id not in self.by_id, order
        assert name not in self._open_client_ids, order
        self.by_id[order.order_id] = order
        self._open.setdefault(place, {})[order.order_id] = order
        self._open_client_ids[name] = order
        self._latest[name] = order
        self._history.setdefault(place, []).append(order)

    def close(self, order: Order) -> None:
        """It is no longer open: its client id may be used again."""
        assert not order.is_open, order
        self._open[(order.account, order.symbol)].pop(order.order_id, None)
        self._open_client_ids.pop((order.account, order.symbol, order.client_id), None)

    def add_fill(self, fill: Fill) -> None:
        self.fills.setdefault(fill.account, []).append(fill)

    def open_orders(self, account: str, symbol: str = "") -> list[Order]:
        """Oldest first; a `symbol` of "" is all of them."""
        if symbol:
            return list(self._open.get((account, symbol), {}).values())
        return sorted(
            (o for (a, _), kept in self._open.items() if a == account for o in kept.values()),
            key=lambda order: order.order_id,
        )

    def is_open_id(self, account: str, symbol: str, client_id: str) -> bool:
        return (account, symbol, client_id) in self._open_client_ids

    def find(self, account: str, symbol: str, order_id: int, client_id: str) -> Order | None:
        """By order id, else the latest order that had this client id."""
        if order_id:
            order = self.by_id.get(order_id)
            mine = order is not None and (order.account, order.symbol) == (account, symbol)
            return order if mine else None
        return self._latest.get((account, symbol, client_id))

    def history(self, account: str, symbol: str) -> list[Order]:
        return self._history.get((account, symbol), [])

    def fill_count(self, account: str) -> int:
        return len(self.fills.get(account, ()))

    def fills_after(self, account: str, count: int) -> list[Fill]:
        return self.fills.get(account, [])[count:]

    def fills_of(self, account: str, symbol: str = "") -> list[Fill]:
        return [f for f in self.fills.get(account, []) if not symbol or f.symbol == symbol]
