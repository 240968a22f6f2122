"""Immediate orders that were sent for a purpose: hedges, conversions. Counted by the venue's fills.

The order table counts each fill once, on whatever path and under whatever name it came; this reads
what the table counted, so a late, nameless or repeated fill is the same here as anywhere.
"""

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

import msgspec

from engine.trading.keeper import Keeper
from engine.trading.orders import Order, Status
from engine.trading.risk import Gate
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import Fill, OrderFailed, OrderReport
from engine.values.units import NS_PER_S, Lot, Ns, Side

ENDED_MAX = 200
"""So many ended orders are still known, in case a fill of one comes late."""


class Sent(Protocol):
    """The record of an order that left."""

    @property
    def client_id(self) -> str: ...
    @property
    def lots(self) -> Lot: ...
    @property
    def at_ns(self) -> Ns: ...


S = TypeVar("S", bound=Sent)


class Child(msgspec.Struct, Generic[S], kw_only=True):
    """One order, and what of it the order table has counted so far."""

    sent: S
    filled_lots: Lot = 0
    is_withdrawn: bool = False


class Counted(msgspec.Struct, Generic[S], frozen=True, kw_only=True):
    """`lots` more of a child have filled. `fill` is that very fill; None where it cannot be told
    which fill it was."""

    child: Child[S]
    order: Order
    lots: Lot
    fill: Fill | None


class Children(Generic[S]):
    """The orders of one purpose at one market. Only records change them."""

    def __init__(self, keeper: Keeper, gate: Gate) -> None:
        self._keeper = keeper
        self._gate = gate
        self._open: dict[str, Child[S]] = {}
        self._ended: dict[str, Child[S]] = {}

    def __len__(self) -> int:
        return len(self._open)

    # --- records --------------------------------------------------------------------------------

    def sent(self, sent: S) -> None:
        """An order leaves. Told again, it changes nothing."""
        if sent.client_id not in self._open and sent.client_id not in self._ended:
            self._open[sent.client_id] = Child(sent=sent)

    def join(self, fact: Fill | OrderReport) -> Iterator[Counted[S]]:
        """What the order table counts since; the keeper must have joined the fact before."""
        named = self._open.get(fact.client_id) or self._ended.get(fact.client_id)
        first = [] if named is None else [named]
        for child in [*first, *self._open.values(), *self._ended.values()]:
            counted = self._count(child, fact)
            if counted is not None:
                yield counted

    def _count(self, child: Child[S], fact: Fill | OrderReport) -> Counted[S] | None:
        order = self.order(child)
        lots = 0 if order is None else order.booked_lots - child.filled_lots
        if order is None or lots <= 0:
            return None
        child.filled_lots += lots
        self._gate.note("fill", order.side, fact.at_ns)
        is_named = fact.client_id == child.sent.client_id
        is_exact = is_named and isinstance(fact, Fill) and fact.lots == lots
        fill = fact if is_exact and isinstance(fact, Fill) else None
        return Counted(child=child, order=order, lots=lots, fill=fill)

    def heed(self, fact: OrderFailed, side_of: Side) -> None:
        """A failure of an order of `side_of`: withdrawn by us, or a reject that the gate counts."""
        child = self._open.get(fact.client_id)
        if child is not None and fact.code == WITHDRAWN:
            child.is_withdrawn = True
        elif child is not None and fact.failure is not Failure.UNKNOWN:
            self._gate.note("reject", side_of, fact.at_ns)

    def known(self, client_id: str) -> Child[S] | None:
        return self._open.get(client_id)

    # --- orders ---------------------------------------------------------------------------------

    def live(self) -> list[Child[S]]:
        """Those that were not yet put aside."""
        return list(self._open.values())

    def sift(self) -> list[Child[S]]:
        """Put aside the orders that have ended; returns them."""
        ended = [child for child in self._open.values() if not self._is_open(child)]
        for child in ended:
            del self._open[child.sent.client_id]
            self._ended[child.sent.client_id] = child
        while len(self._ended) > ENDED_MAX:
            self._ended.pop(next(iter(self._ended)))
        return ended

    def doubt(self, now_ns: Ns, answer_ns_max: Ns) -> str:
        """What is wrong with an order that is still out there, "" for nothing."""
        for child in self._open.values():
            order = self.order(child)
            if order is not None and order.status is Status.UNKNOWN:
                return f"{child.sent.client_id}: no usable answer, it may have happened"
            if now_ns - child.sent.at_ns > answer_ns_max:
                return f"{child.sent.client_id}: no end after {answer_ns_max / NS_PER_S:g} s"
        return ""

    def was_refused(self, child: Child[S]) -> bool:
        """The venue did not take it, and not because we took it back."""
        order = self.order(child)
        is_rejected = order is not None and order.status is Status.REJECTED
        return is_rejected and not child.is_withdrawn

    def was_answered(self, child: Child[S]) -> bool:
        order = self.order(child)
        return order is not None and order.is_seen and order.status is not Status.REJECTED

    def order(self, child: Child[S]) -> Order | None:
        return self._keeper.orders.get(child.sent.client_id)

    def _is_open(self, child: Child[S]) -> bool:
        order = self.order(child)
        return order is not None and (order.is_live or order.pending_lots > 0)
