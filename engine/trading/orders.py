"""Every order of one venue account that may still matter: facts go in, changes come out.

The life of a single order is in `order_table`. Here orders are found by our id or the venue's,
trades are counted once, and everything that could still fill is added up (law 3).
"""

import hashlib
from collections.abc import Iterator
from typing import assert_never

import msgspec

from engine.trading.order_claim import settled
from engine.trading.order_evidence import (
    Change,
    Kind,
    adopted,
    answered,
    booked,
    kind_of,
    kind_of_fill,
    merged,
    reported,
)
from engine.trading.order_shelf import Shelf
from engine.trading.order_sums import OrderSums
from engine.trading.order_table import During, IllegalMove, Order, Params, Status
from engine.trading.trade_ids import TradeIds
from engine.values.commands import Place
from engine.values.events import (
    CancelFailed,
    Fill,
    OrderAbsent,
    OrderFact,
    OrderFailed,
    OrderReport,
    OrderSent,
    QueryFailed,
)
from engine.values.units import Lot, Ns, Side, Tick

__all__ = ["Change", "During", "IllegalMove", "Kind", "Order", "Orders", "Params", "Status"]


class _Asking(msgspec.Struct, frozen=True):
    """When an unresolved order may be asked for again, and the wait after that."""

    next_ns: Ns
    wait_ns: Ns


class Orders:
    """Open, in-flight and recently ended orders. Not about time: every moment comes in a fact."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self._shelf = Shelf(params.ended_max)
        self._asking: dict[str, _Asking] = {}
        self._missing: dict[str, int] = {}
        self._trades: dict[str, TradeIds] = {}
        self._read_to: dict[str, int] = {}

    # --- our own acts

    def intend(self, place: Place) -> Order:
        """Count an order from before its first byte leaves. Raises IllegalMove on a used id."""
        if self.get(place.client_id) or not place.client_id or place.lots <= 0:
            raise IllegalMove(f"cannot intend {place.client_id!r} of {place.lots} lots")
        order = Order(
            client_id=place.client_id, market=place.market, side=place.side, tick=place.tick,
            lots=place.lots, intent_ns=place.at_ns, is_ioc=place.is_ioc,
        )  # fmt: skip
        self._shelf.put(order, place.at_ns)  # nothing follows from no evidence: it is settled
        return order

    def cancel_sent(self, client_id: str, at_ns: Ns, during: During = During.CANCEL) -> Order:
        """We asked the venue to end it (by a cancel or an amend). Repeating changes nothing more.

        Raises IllegalMove for an order that we do not have; an ended order stays as it is.
        """
        order = self._mine(client_id)
        asked = msgspec.structs.replace(
            order,
            cancel_ns=at_ns if at_ns > order.cancel_ns else order.cancel_ns,
            is_amended=order.is_amended or during is During.AMEND,
        )
        return self._put(asked, at_ns)

    def doubt_unacknowledged(self, market: str, at_ns: Ns) -> list[Order]:
        """After a restart or a lost connection: what was never answered may be out there."""
        waiting = [o for o in self.live(market) if not o.is_seen and not o.is_doubted]
        return [
            self._put(msgspec.structs.replace(order, is_doubted=True), at_ns) for order in waiting
        ]

    # --- facts

    def apply(self, fact: OrderFact) -> Change:
        """Join one fact; any order, any repetition. Raises IllegalMove for our own faults only."""
        match fact:
            case Fill():
                return self._apply_fill(fact)
            case OrderReport():
                return self._apply_report(fact)
            case OrderSent():
                mine = self._mine(fact.client_id)
                return self._change(mine, msgspec.structs.replace(mine, is_sent=True), fact.at_ns)
            case OrderFailed() | CancelFailed() | OrderAbsent():
                order = self.get(fact.client_id)
                if order is None or order.market != fact.market:
                    return Change(before=None, after=None, kind=Kind.UNEXPECTED)
                return self._change(order, answered(order, fact), fact.at_ns)
            case QueryFailed():
                asked = self.get(fact.client_id)
                return Change(before=asked, after=asked, kind=Kind.UNCHANGED)
            case _:
                assert_never(fact)

    def _apply_report(self, report: OrderReport) -> Change:
        before = self._named(report)
        order = before if before is not None else adopted(self._new_key(report), report)
        if self._missing:
            self._missing.pop(order.client_id, None)
        change = self._change(before, reported(order, report), report.at_ns)
        wanted = (order.side, order.tick, order.lots)
        if not order.is_external and wanted != (report.side, report.tick, report.lots):
            return msgspec.structs.replace(change, kind=Kind.UNEXPECTED)
        return change

    def _apply_fill(self, fill: Fill) -> Change:
        before = self._named(fill)
        if not self.trades(fill.market).add(fill.trade_id):
            return Change(before=before, after=before, kind=Kind.DUPLICATE)
        order = before if before is not None else adopted(self._new_key(fill), fill)
        after = self._put(booked(order, fill), fill.at_ns)
        return Change(before=before, after=after, kind=kind_of_fill(before, after), new_fill=fill)

    def _named(self, fact: OrderReport | Fill) -> Order | None:
        """The order that the fact is about, after joining to it what was a stray until now."""
        ids = (fact.market, fact.client_id, fact.venue_id)
        order = self._shelf.find(*ids)
        if order is None:
            return None
        stray = self._shelf.stray_of(*ids)
        if stray is None:
            return order
        named = order if order is not stray else adopted(fact.client_id, fact)
        self._shelf.remove(stray.client_id)
        return self._put(merged(named, stray), fact.at_ns)

    def _new_key(self, fact: OrderReport | Fill) -> str:
        return self._shelf.new_key(fact.market, fact.client_id, fact.venue_id)

    def _mine(self, client_id: str) -> Order:
        order = self.get(client_id)
        if order is None:
            raise IllegalMove(f"{client_id!r} was never intended")
        return order

    def _change(self, before: Order | None, after: Order, at_ns: Ns) -> Change:
        after = self._put(after, at_ns)
        return Change(before=before, after=after, kind=kind_of(before, after))

    def _put(self, order: Order, at_ns: Ns) -> Order:
        """Settle first, so that an illegal move leaves nothing behind."""
        order = settled(order, self.params)
        self._shelf.put(order, at_ns)
        if (self._missing or self._asking) and not order.is_live:
            self._missing.pop(order.client_id, None)
            self._asking.pop(order.client_id, None)
        return order

    # --- questions

    def get(self, client_id: str) -> Order | None:
        return self._shelf.get(client_id)

    def active(self, market: str) -> list[Order]:
        """Live orders, and ended ones whose fills have not all arrived."""
        return list(self._shelf.sums(market).active)

    def live(self, market: str) -> list[Order]:
        return list(self._shelf.sums(market).live)

    def has_live(self, market: str) -> bool:
        return self._shelf.has_live(market)

    def has_leaving(self, market: str) -> bool:
        return self._shelf.has_leaving(market)

    def sums(self, market: str) -> OrderSums:
        """All of that and what it adds up to, counted anew only after a change."""
        return self._shelf.sums(market)

    def unknown(self, market: str) -> list[Order]:
        return [order for order in self.active(market) if order.status is Status.UNKNOWN]

    def fills_missing(self, market: str) -> list[Order]:
        """Orders that the venue calls filled further than the fills that we have (P06)."""
        return [order for order in self.active(market) if order.pending_lots > 0]

    def working_lots(self, market: str) -> tuple[Lot, Lot]:
        """(bid, ask) lots that may still change the booked position: law 3."""
        sums = self._shelf.sums(market)
        return sums.working_bid_lots, sums.working_ask_lots

    def own_levels(self, market: str) -> dict[tuple[Side, Tick], Lot]:
        """What of the public book is ours, as far as we know; the same object until a change."""
        return self._shelf.own_levels(market)

    def is_calm(self, market: str) -> bool:
        """Whether the venue has to be asked about none of these orders, however late it gets."""
        return self._shelf.sums(market).is_calm and not (self._asking or self._missing)

    def due_queries(self, market: str, now_ns: Ns) -> list[str]:
        """Whom to ask the venue about now. Being named starts the wait until the next time."""
        if self.is_calm(market):
            return []
        sums = self._shelf.sums(market)
        due = []
        for order in sums.live:
            if not self._is_unresolved(order, now_ns):
                self._asking.pop(order.client_id, None)
                continue
            asking = self._asking.get(order.client_id, _Asking(now_ns, self.params.query_ns_min))
            if now_ns >= asking.next_ns:
                due.append(order.client_id)
                wait_ns = min(2 * asking.wait_ns, self.params.query_ns_max)
                asking = _Asking(now_ns + asking.wait_ns, wait_ns)
            self._asking[order.client_id] = asking
        return due

    def _is_unresolved(self, order: Order, now_ns: Ns) -> bool:
        """Doubtful, missing from two readings, or without an answer for longer than it takes."""
        if order.status is Status.UNKNOWN or self._missing.get(order.client_id, 0) >= 2:
            return True
        if order.status in (Status.INTENT, Status.SENT):
            return now_ns > order.intent_ns + self.params.settle_ns
        is_canceling = order.status is Status.CANCEL_SENT
        return is_canceling and now_ns > order.cancel_ns + self.params.settle_ns

    # --- readings of the venue's lists

    def miss(self, client_id: str) -> int:
        """A reading of the open orders lacked this live order; how often in a row by now (P08)."""
        self._missing[client_id] = self._missing.get(client_id, 0) + 1
        return self._missing[client_id]

    def trades(self, market: str) -> TradeIds:
        return self._trades.setdefault(market, TradeIds(self.params.trade_ids_max))

    def settle_trades(self, market: str, trade_id: int) -> None:
        """All trades up to this id are in the opening balances or booked: never book them again."""
        self.trades(market).settle(trade_id)
        self._read_to[market] = max(trade_id, self._read_to.get(market, -1))

    def trades_read(self, market: str, trade_id: int) -> None:
        """The venue's own list was read and booked up to this id.

        Only what the reading before had reached is settled: lists lag behind streams, and one may
        show a trade before another of a smaller id.
        """
        self.trades(market).settle(self._read_to.get(market, -1))
        self._read_to[market] = max(trade_id, self._read_to.get(market, -1))

    def trade_id_from(self, market: str) -> int:
        """Trades above this id are to be read again; 0 at the very start."""
        return max(0, self.trades(market).mark)

    # --- limits and proofs

    def forget_ended(self, before_ns: Ns) -> int:
        """Drop orders that ended earlier. Their trades stay known; returns how many went."""
        old = self._shelf.ended_before(before_ns)
        for client_id in old:
            self._shelf.remove(client_id)
        return len(old)

    def state_hash(self) -> str:
        """Equal for equal knowledge, whatever the order in which it came (I2, I21)."""
        trades = [
            (market, ids.mark, ids.above_mark()) for market, ids in sorted(self._trades.items())
        ]
        return hashlib.sha256(msgspec.json.encode((self._shelf.all(), trades))).hexdigest()

    def check(self) -> None:
        """Assert what must hold between any two facts."""
        for order in self._shelf.all():
            assert settled(order, self.params) == order
            assert order.filled_lots == max(order.booked_lots, order.reported_lots)
        self._shelf.check()
        for ids in self._trades.values():
            ids.check()

    def __iter__(self) -> Iterator[Order]:
        return iter(self._shelf.all())
