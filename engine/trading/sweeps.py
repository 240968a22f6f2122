"""Cover at one hedge market: one immediate order at a time, counted by the venue's own fills."""

from fractions import Fraction

import msgspec

from engine.trading.hedge_params import HedgeInstrument
from engine.trading.hedge_sizes import cost_of, cost_worst
from engine.trading.keeper import Keeper
from engine.trading.orders import Order, Status
from engine.trading.quoter import Quoter
from engine.trading.risk import Gate
from engine.values.errors import WITHDRAWN, Failure
from engine.values.events import Fill, OrderFailed, OrderReport
from engine.values.records import HedgeSent, Record
from engine.values.units import NS_PER_S, Lot, Ns, Side

NS_PER_DAY = 86_400 * NS_PER_S
ENDED_MAX = 200
"""So many ended orders are still known, in case a fill of one comes late."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One way to hedge: its market as the engine runs it, and the gate with the table of hedges."""

    way: HedgeInstrument
    keeper: Keeper
    quoter: Quoter
    gate: Gate

    @property
    def market(self) -> str:
        return self.quoter.market


class Child(msgspec.Struct, kw_only=True):
    """One order: `token_lots` are covered (or let go, below 0) once all its `lots` are filled."""

    sent: HedgeSent
    filled_lots: Lot = 0
    is_withdrawn: bool = False

    def tokens(self, lots: Lot) -> Lot:
        """What so many of its lots stand for, towards nothing."""
        tokens = abs(self.sent.token_lots) * lots // self.sent.lots
        return tokens if self.sent.token_lots > 0 else -tokens


class Sweeps:
    """What one leg has covered, sold and paid for one quoted market. Only records change it.

    `cover_lots` of the token stand here and can be let go, `sold_lots` of the hedge market stand
    for them. Where the leg is the quoted market itself nothing stands elsewhere: what was sold is
    `converted_lots`, until the stages begin anew.
    """

    def __init__(self, leg: Leg, quoted: str) -> None:
        self.leg = leg
        self.is_direct = leg.market == quoted
        self.cover_lots: Lot = 0
        self.sold_lots: Lot = 0
        self.converted_lots: Lot = 0
        self.sent_ns: Ns = 0
        self._quoted = quoted
        self._open: dict[str, Child] = {}
        self._ended: dict[str, Child] = {}
        self._spent: tuple[int, Fraction] = (0, Fraction(0))

    def __repr__(self) -> str:
        live = len(self._open)
        return f"<{self.leg.way.kind} {self.leg.market} covers {self.cover_lots} live {live}>"

    # --- records --------------------------------------------------------------------------------

    def remember(self, record: Record) -> None:
        """Join a record, of now or of the journal; the keeper must have joined it before."""
        match record:
            case HedgeSent() if self._is_mine(record):
                known = record.client_id in self._open or record.client_id in self._ended
                if not known:
                    self._open[record.client_id] = Child(sent=record)
                self.sent_ns = max(self.sent_ns, record.at_ns)
            case Fill() | OrderReport() if record.market == self.leg.market:
                self._join(record)
            case OrderFailed() if record.market == self.leg.market:
                self._heed(record)
            case _:
                pass

    def _is_mine(self, sent: HedgeSent) -> bool:
        return (sent.market, sent.hedge_market) == (self._quoted, self.leg.market)

    def _join(self, fact: Fill | OrderReport) -> None:
        """The order table counts each fill once, whatever its name; this reads what it counted."""
        named = self._open.get(fact.client_id) or self._ended.get(fact.client_id)
        if named is not None:
            self._count(named, fact)
        for child in [*self._open.values(), *self._ended.values()]:
            self._count(child, fact)

    def _count(self, child: Child, fact: Fill | OrderReport) -> None:
        order, sent = self._order(child), child.sent
        lots = 0 if order is None else order.booked_lots - child.filled_lots
        if order is None or lots <= 0:
            return
        before = child.tokens(child.filled_lots)
        child.filled_lots += lots
        self._move(child, lots, child.tokens(child.filled_lots) - before)
        item, mid = self.leg.quoter.setup.instrument, sent.mid_half_ticks
        is_named = fact.client_id == sent.client_id
        if is_named and isinstance(fact, Fill) and fact.lots == lots:
            cost = cost_of(item, mid, fact)
        else:  # which fill it was cannot be told: it counts as the worst that it can have been
            cost = cost_worst(item, order.side, mid, order.tick) * lots
        self._pay(cost, fact.at_ns)
        self.leg.gate.note("fill", order.side, fact.at_ns)

    def _move(self, child: Child, lots: Lot, tokens: Lot) -> None:
        if self.is_direct:
            self.converted_lots += tokens
            return
        self.cover_lots += tokens
        self.sold_lots += lots if child.sent.token_lots > 0 else -lots

    def _pay(self, cost: Fraction, at_ns: Ns) -> None:
        day = at_ns // NS_PER_DAY
        if day >= self._spent[0]:
            self._spent = (day, self.spent(at_ns) + cost)

    def _heed(self, fact: OrderFailed) -> None:
        child = self._open.get(fact.client_id)
        if child is not None and fact.code == WITHDRAWN:
            child.is_withdrawn = True
        elif child is not None and fact.failure is not Failure.UNKNOWN:
            side = Side.SELL if child.sent.token_lots > 0 else Side.BUY
            self.leg.gate.note("reject", side, fact.at_ns)

    # --- orders ---------------------------------------------------------------------------------

    def sift(self) -> list[Child]:
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
            order = self._order(child)
            if order is not None and order.status is Status.UNKNOWN:
                return f"{child.sent.client_id}: no usable answer, it may have happened"
            if now_ns - child.sent.at_ns > answer_ns_max:
                return f"{child.sent.client_id}: no end after {answer_ns_max / NS_PER_S:g} s"
        return ""

    def was_refused(self, child: Child) -> bool:
        """The venue did not take it, and not because we took it back."""
        order = self._order(child)
        is_rejected = order is not None and order.status is Status.REJECTED
        return is_rejected and not child.is_withdrawn

    def was_answered(self, child: Child) -> bool:
        order = self._order(child)
        return order is not None and order.is_seen and order.status is not Status.REJECTED

    @property
    def is_waiting(self) -> bool:
        return bool(self._open)

    def working_lots(self) -> tuple[Lot, Lot]:
        """(more, less) lots of the token that orders still out there may cover or let go."""
        more = less = 0
        for child in self._open.values():
            tokens = child.tokens(child.sent.lots) - child.tokens(child.filled_lots)
            more, less = more + max(0, tokens), less + max(0, -tokens)
        return more, less

    def _order(self, child: Child) -> Order | None:
        return self.leg.keeper.orders.get(child.sent.client_id)

    def _is_open(self, child: Child) -> bool:
        order = self._order(child)
        return order is not None and (order.is_live or order.pending_lots > 0)

    # --- money ----------------------------------------------------------------------------------

    def spent(self, now_ns: Ns) -> Fraction:
        """Paid on the UTC day of this moment, in the quote asset."""
        day, spent = self._spent
        return spent if day == now_ns // NS_PER_DAY else Fraction(0)

    def reserved(self) -> Fraction:
        """The most that orders still out there may cost."""
        total = Fraction(0)
        for child in self._open.values():
            order = self._order(child)
            if order is not None:
                item, mid = self.leg.quoter.setup.instrument, child.sent.mid_half_ticks
                left = child.sent.lots - child.filled_lots
                total += left * cost_worst(item, order.side, mid, order.tick)
        return total

    def check(self) -> None:
        """Assert what must hold between any two records."""
        assert min(self.cover_lots, self.sold_lots, self.converted_lots) >= 0, self
        assert not (self.is_direct and (self.cover_lots or self.sold_lots)), self
