"""Cover at one hedge market: one immediate order at a time, counted by the venue's own fills."""

from fractions import Fraction

import msgspec

from engine.trading.children import Child, Children
from engine.trading.hedge_params import HedgeInstrument
from engine.trading.hedge_sizes import cost_of, cost_worst
from engine.trading.keeper import Keeper
from engine.trading.quoter import Quoter
from engine.trading.risk import Gate
from engine.values.events import Fill, OrderFailed, OrderReport
from engine.values.records import HedgeSent, Record
from engine.values.units import NS_PER_S, Lot, Ns, Side

NS_PER_DAY = 86_400 * NS_PER_S


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One way to hedge: its market as the engine runs it, and the gate with the table of hedges."""

    way: HedgeInstrument
    keeper: Keeper
    quoter: Quoter
    gate: Gate

    @property
    def market(self) -> str:
        return self.quoter.market


def _tokens(sent: HedgeSent, lots: Lot) -> Lot:
    """What so many of its lots stand for, towards nothing."""
    tokens = abs(sent.token_lots) * lots // sent.lots
    return tokens if sent.token_lots > 0 else -tokens


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
        self._children: Children[HedgeSent] = Children(leg.keeper, leg.gate)
        self._spent: tuple[int, Fraction] = (0, Fraction(0))

    def __repr__(self) -> str:
        live = len(self._children)
        return f"<{self.leg.way.kind} {self.leg.market} covers {self.cover_lots} live {live}>"

    # --- records --------------------------------------------------------------------------------

    def remember(self, record: Record) -> None:
        """Join a record, of now or of the journal; the keeper must have joined it before."""
        match record:
            case HedgeSent() if self._is_mine(record):
                self._children.sent(record)
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
        for each in self._children.join(fact):
            sent, filled = each.child.sent, each.child.filled_lots
            self._move(sent, each.lots, _tokens(sent, filled) - _tokens(sent, filled - each.lots))
            item, mid = self.leg.quoter.setup.instrument, sent.mid_half_ticks
            if each.fill is not None:
                cost = cost_of(item, mid, each.fill)
            else:  # which fill it was cannot be told: it counts as the worst that it can have been
                cost = cost_worst(item, each.order.side, mid, each.order.tick) * each.lots
            self._pay(cost, fact.at_ns)

    def _move(self, sent: HedgeSent, lots: Lot, tokens: Lot) -> None:
        if self.is_direct:
            self.converted_lots += tokens
            return
        self.cover_lots += tokens
        self.sold_lots += lots if sent.token_lots > 0 else -lots

    def _pay(self, cost: Fraction, at_ns: Ns) -> None:
        day = at_ns // NS_PER_DAY
        if day >= self._spent[0]:
            self._spent = (day, self.spent(at_ns) + cost)

    def _heed(self, fact: OrderFailed) -> None:
        child = self._children.known(fact.client_id)
        if child is not None:
            side = Side.SELL if child.sent.token_lots > 0 else Side.BUY
            self._children.heed(fact, side)

    # --- orders ---------------------------------------------------------------------------------

    def sift(self) -> list[Child[HedgeSent]]:
        """Put aside the orders that have ended; returns them."""
        return self._children.sift()

    def doubt(self, now_ns: Ns, answer_ns_max: Ns) -> str:
        """What is wrong with an order that is still out there, "" for nothing."""
        return self._children.doubt(now_ns, answer_ns_max)

    def was_refused(self, child: Child[HedgeSent]) -> bool:
        """The venue did not take it, and not because we took it back."""
        return self._children.was_refused(child)

    def was_answered(self, child: Child[HedgeSent]) -> bool:
        return self._children.was_answered(child)

    @property
    def is_waiting(self) -> bool:
        return bool(len(self._children))

    def working_lots(self) -> tuple[Lot, Lot]:
        """(more, less) lots of the token that orders still out there may cover or let go."""
        more = less = 0
        for child in self._children.live():
            sent = child.sent
            tokens = _tokens(sent, sent.lots) - _tokens(sent, child.filled_lots)
            more, less = more + max(0, tokens), less + max(0, -tokens)
        return more, less

    # --- money ----------------------------------------------------------------------------------

    def spent(self, now_ns: Ns) -> Fraction:
        """Paid on the UTC day of this moment, in the quote asset."""
        day, spent = self._spent
        return spent if day == now_ns // NS_PER_DAY else Fraction(0)

    def reserved(self) -> Fraction:
        """The most that orders still out there may cost."""
        total = Fraction(0)
        for child in self._children.live():
            order = self._children.order(child)
            if order is not None:
                item, mid = self.leg.quoter.setup.instrument, child.sent.mid_half_ticks
                left = child.sent.lots - child.filled_lots
                total += left * cost_worst(item, order.side, mid, order.tick)
        return total

    def check(self) -> None:
        """Assert what must hold between any two records."""
        assert min(self.cover_lots, self.sold_lots, self.converted_lots) >= 0, self
        assert not (self.is_direct and (self.cover_lots or self.sold_lots)), self
