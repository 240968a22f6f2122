"""Real fills beside simulated ones, trade by trade, and what explains each difference.

The very orders of a session are laid into the recorded market again, at the moments at which they
reached the venue, and a queue model fills them. A venue numbers its public trades, and a fill of
ours carries the number of the trade that it was: so both sides are told of the same trade.
"""

from collections.abc import Iterable, Sequence

import msgspec

from engine.sim.account import Account
from engine.sim.parity_live import Act, Key
from engine.values.commands import Command, Place
from engine.values.events import BookDelta, BookSnapshot, Event, Fill, OrderFailed, Trade
from engine.values.units import Lot, Ns, Side, Tick

CROSSED_ID = -1
"""Stands for a trade's number where the recorded book itself reached our price."""


class Stood(msgspec.Struct, kw_only=True):
    """One order in the simulation, at its moments there; 0 for what never came.

    `joined_lots` is the queue that it joined behind, by the recorded book.
    """

    arrived_ns: Ns = 0
    left_ns: Ns = 0
    refusal: str = ""
    joined_lots: Lot = 0
    lots: Lot = 0
    filled_lots: Lot = 0


class Met(msgspec.Struct, frozen=True, kw_only=True):
    """One order of ours that a trade reached; `front_lots` is what the model had in front of it.

    `lots` may be 0: then the trade was not long enough for the model's queue.
    """

    key: Key
    client_id: str
    at_ns: Ns
    lots: Lot
    front_lots: Lot


class Simulated(msgspec.Struct, kw_only=True):
    """`met` is in order; what the recorded book crossed is keyed by `CROSSED_ID`."""

    orders: dict[str, Stood] = {}
    met: list[Met] = []


class SameOrders:
    """Lays the orders of a session into its market.

    `feed_ns` is the age of a public fact; None where the venue's own stamps order everything.
    """

    def __init__(self, account: Account, feed_ns: Ns | None) -> None:
        self.found = Simulated()
        self._account = account
        self._feed_ns = feed_ns
        self._now_ns: Ns = 0
        self._open: set[str] = set()

    def __repr__(self) -> str:
        return f"<same orders: {len(self.found.orders)} laid, {len(self.found.met)} met>"

    def run(self, facts: Iterable[Event], acts: Sequence[Act], known: set[str]) -> Simulated:
        """`facts` are public and clean of our orders; `acts` by moment; `known` markets only."""
        due = [act for act in acts if act.command.market in known][::-1]
        for fact in facts:
            if not isinstance(fact, BookDelta | BookSnapshot | Trade) or fact.market not in known:
                continue
            now_ns = self._moment(fact)
            while due and (due[-1].at_ns, due[-1].ends) <= (now_ns, False):
                self._act(due[-1].at_ns, due.pop().command)
            self._public(fact, now_ns)
        for act in reversed(due):
            self._act(act.at_ns, act.command)
        return self.found

    def _moment(self, fact: BookDelta | BookSnapshot | Trade) -> Ns:
        """When it happened at the venue; what has no stamp happened with what came before it."""
        at_ns = fact.venue_ns if self._feed_ns is None else fact.at_ns - self._feed_ns
        self._now_ns = max(self._now_ns, at_ns)
        return self._now_ns

    def _act(self, at_ns: Ns, command: Command) -> None:
        for told in self._account.execute(command, at_ns):
            if isinstance(told, OrderFailed):
                self._stood(told.client_id).refusal = f"{told.code} {told.text}".strip()
            elif isinstance(told, Fill):
                self._fill(told, (told.market, CROSSED_ID), 0, at_ns)
        place = command if isinstance(command, Place) else getattr(command, "replacement", None)
        if place is not None:
            self._joined(place, at_ns)
        self._leave(at_ns)

    def _joined(self, place: Place, at_ns: Ns) -> None:
        stood = self._stood(place.client_id)
        stood.arrived_ns, stood.lots = at_ns, place.lots
        order = self._account.orders.get(place.client_id)
        book = self._account.books[place.market]
        if order is not None:
            stood.joined_lots = book.front(order.order_id) or 0
            self._open.add(place.client_id)

    def _public(self, fact: BookDelta | BookSnapshot | Trade, now_ns: Ns) -> None:
        fronts = self._reached(fact) if isinstance(fact, Trade) else {}
        number = fact.trade_id if isinstance(fact, Trade) else CROSSED_ID
        for told in self._account.public(fact, now_ns):
            if isinstance(told, Fill):
                front = fronts.pop(told.client_id, 0)
                self._fill(told, (fact.market, number), front, now_ns)
        for client_id, front in fronts.items():
            key = fact.market, number
            self.found.met.append(
                Met(key=key, client_id=client_id, at_ns=now_ns, lots=0, front_lots=front)
            )
        self._leave(now_ns)

    def _reached(self, trade: Trade) -> dict[str, Lot]:
        """Our open orders at the trade's price or better, and what is in front of each."""
        book, found = self._account.books[trade.market], {}
        for order in self._account.open_orders(trade.market):
            if is_reached(order.place.side, order.place.tick, trade):
                at_price = order.place.tick == trade.tick
                found[order.place.client_id] = (book.front(order.order_id) or 0) * at_price
        return found

    def _fill(self, told: Fill, key: Key, front: Lot, at_ns: Ns) -> None:
        self._stood(told.client_id).filled_lots += told.lots
        self.found.met.append(
            Met(key=key, client_id=told.client_id, at_ns=at_ns, lots=told.lots, front_lots=front)
        )

    def _leave(self, at_ns: Ns) -> None:
        """Note the moment at which an order stopped being open."""
        for client_id in list(self._open):
            if not self._account.orders[client_id].is_open:
                self.found.orders[client_id].left_ns = at_ns
                self._open.remove(client_id)

    def _stood(self, client_id: str) -> Stood:
        return self.found.orders.setdefault(client_id, Stood())


def is_reached(side: Side, tick: Tick, trade: Trade) -> bool:
    """Whether a trade's aggressor was on the other side and came to this price."""
    return trade.aggressor is not side and side.sign * (tick - trade.tick) >= 0
