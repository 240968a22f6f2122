"""Every request that is made of Binance, as rows: its names on both wires, its cost, its way."""

from enum import Enum, auto

import msgspec

from adapters.common import reconciliation
from adapters.common.budget import Cost


class Way(Enum):
    """Which wire carries a request, and what may stand in for it (fault O26)."""

    SOCKET_ONLY = auto()
    """New orders: on a healthy WS-API session or not at all."""
    SOCKET_FIRST = auto()
    """Cancels and queries: over REST where the session is not healthy."""
    HTTP_FIRST = auto()
    """Long answers, which must not hold up acks: over the session where REST does not answer."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    verb: str
    path: str
    cost: Cost
    way: Way
    is_signed: bool = True


PLACE = Call(
    method="order.place", verb="POST", path="/order",
    cost=Cost(weight=1, orders=1), way=Way.SOCKET_ONLY,
)  # fmt: skip
REPLACE = Call(
    method="order.cancelReplace", verb="POST", path="/order/cancelReplace",
    cost=Cost(weight=1, orders=1), way=Way.SOCKET_ONLY,
)  # fmt: skip
CANCEL = Call(
    method="order.cancel", verb="DELETE", path="/order",
    cost=Cost(weight=1, is_urgent=True, is_cancel=True), way=Way.SOCKET_FIRST,
)  # fmt: skip
CANCEL_ALL = Call(
    method="openOrders.cancelAll", verb="DELETE", path="/openOrders",
    cost=Cost(weight=1, is_urgent=True, is_cancel=True), way=Way.SOCKET_FIRST,
)  # fmt: skip
ORDER = Call(
    method="order.status", verb="GET", path="/order",
    cost=reconciliation.ORDER, way=Way.SOCKET_FIRST,
)  # fmt: skip
OPEN_ORDERS = Call(
    method="openOrders.status", verb="GET", path="/openOrders",
    cost=reconciliation.OPEN_ORDERS, way=Way.HTTP_FIRST,
)  # fmt: skip
TRADES = Call(
    method="myTrades", verb="GET", path="/myTrades",
    cost=reconciliation.TRADES, way=Way.HTTP_FIRST,
)  # fmt: skip
ACCOUNT = Call(
    method="account.status", verb="GET", path="/account",
    cost=reconciliation.BALANCES, way=Way.HTTP_FIRST,
)  # fmt: skip
TIME = Call(
    method="time", verb="GET", path="/time",
    cost=Cost(is_urgent=True), way=Way.SOCKET_FIRST, is_signed=False,
)  # fmt: skip
INFO = Call(
    method="exchangeInfo", verb="GET", path="/exchangeInfo",
    cost=Cost(weight=20, is_urgent=True), way=Way.HTTP_FIRST, is_signed=False,
)  # fmt: skip
DAY = Call(
    method="ticker.24hr", verb="GET", path="/ticker/24hr",
    cost=Cost(weight=2), way=Way.HTTP_FIRST, is_signed=False,
)  # fmt: skip
DEPTH = Call(
    method="depth", verb="GET", path="/depth",
    cost=Cost(weight=250), way=Way.HTTP_FIRST, is_signed=False,
)  # fmt: skip
