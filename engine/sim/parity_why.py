"""Why a simulated fill is not the real one: one row for each order of ours that a trade reached."""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from engine.sim.parity import CROSSED_ID, Met, Simulated, Stood, is_reached
from engine.sim.parity_live import Key, Lived, LiveOrder
from engine.values.events import Fill, Trade
from engine.values.units import Lot, Ns, Side, Tick


class Why(StrEnum):
    """The first that holds. What `OTHER` counts is not explained."""

    SAME = "the same"
    NO_TRADE = "the recording has no public trade of this number"
    OLD_ORDER = "an order from before the session, which is not laid again"
    REFUSED = "refused in the simulation"
    NOT_YET = "not yet at the venue in the simulation"
    FILLED = "filled before in the simulation"
    CANCELLED = "cancelled before in the simulation"
    SHARED = "the trade filled another order of ours in the simulation"
    QUEUE_LONG = "the model had lots in front that were not there"
    CROSSED = "the recorded book reached the price before a trade told of it"
    REAL_REFUSED = "refused in reality"
    REAL_NOT_YET = "not yet at the venue in reality"
    REAL_FILLED = "filled before in reality"
    REAL_CANCELLED = "cancelled before in reality"
    QUEUE_SHORT = "others were in front whom the model had passed"
    OTHER = "not explained"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """`front_lots` is the model's estimate just before the trade; None where there is none.

    In reality nothing is in front of an order that a trade fills: there the estimate is its error.
    """

    key: Key
    client_id: str
    venue_ns: Ns
    side: Side
    tick: Tick
    trade_lots: Lot
    real_lots: Lot
    simulated_lots: Lot
    front_lots: Lot | None
    why: Why


class Parity:
    """Both sides of one session; `rows` is everything that either of them filled."""

    def __init__(self, lived: Lived, simulated: Simulated) -> None:
        self._lived = lived
        self._orders = simulated.orders
        self._met: dict[tuple[Key, str], list[Met]] = {}
        self._takers: Counter[Key] = Counter()
        for met in simulated.met:
            self._met.setdefault((met.key, met.client_id), []).append(met)
            self._takers[met.key] += met.lots
        self._real = {(key, fill.client_id): fill for key, fill in lived.fills.items()}

    def __repr__(self) -> str:
        return f"<parity of {len(self._real)} real fills>"

    def rows(self) -> list[Row]:
        """In the venue's order, fills in which both sides agree among them."""
        keys = dict.fromkeys([*self._real, *(k for k, m in self._met.items() if _lots(m))])
        found = (self._row(key, client_id) for key, client_id in keys)
        return sorted(found, key=lambda row: (row.venue_ns, row.key, row.client_id))

    def _row(self, key: Key, client_id: str) -> Row:
        fill, met = self._real.get((key, client_id)), self._met.get((key, client_id), [])
        trade, order = self._lived.trades.get(key), self._lived.orders.get(client_id)
        where: LiveOrder | Fill | None = fill or order
        assert where is not None, "a fill of an order that was never there"
        place = where if isinstance(where, Fill) else where.place
        real, simulated = fill.lots if fill else 0, _lots(met)
        return Row(
            key=key,
            client_id=client_id,
            venue_ns=fill.venue_ns if fill else trade.venue_ns if trade else met[0].at_ns,
            side=place.side,
            tick=place.tick,
            trade_lots=trade.lots if trade else 0,
            real_lots=real,
            simulated_lots=simulated,
            front_lots=met[0].front_lots if met and key[1] != CROSSED_ID else None,
            why=self._why(key, client_id, real, simulated),
        )

    def _why(self, key: Key, client_id: str, real: Lot, simulated: Lot) -> Why:
        if real == simulated:
            return Why.SAME
        trade, order = self._lived.trades.get(key), self._lived.orders.get(client_id)
        if order is None:
            return Why.OLD_ORDER
        if simulated > real:
            if trade is None:
                return Why.CROSSED
            return _why_not_real(order, trade)
        if trade is None:
            return Why.NO_TRADE
        return self._why_not_simulated(key, client_id, trade)

    def _why_not_simulated(self, key: Key, client_id: str, trade: Trade) -> Why:
        stood, met = self._orders.get(client_id, Stood()), self._met.get((key, client_id))
        if stood.refusal:
            return Why.REFUSED
        if met is None:
            return _why_not_there(stood, self._lived.orders[client_id], trade)
        if _lots(met) and stood.left_ns == met[-1].at_ns and stood.filled_lots == stood.lots:
            return Why.FILLED
        if met[0].front_lots:
            return Why.QUEUE_LONG
        return Why.SHARED if self._takers[key] > _lots(met) else Why.OTHER


def _why_not_there(stood: Stood, order: LiveOrder, trade: Trade) -> Why:
    if not is_reached(order.place.side, order.place.tick, trade):
        return Why.OTHER
    if not stood.left_ns:
        return Why.NOT_YET
    if stood.filled_lots == stood.lots:
        return Why.FILLED
    return Why.NOT_YET if trade.at_ns < stood.arrived_ns else Why.CANCELLED


def _why_not_real(order: LiveOrder, trade: Trade) -> Why:
    """By the venue's own clock, which stamped the order's life and the trade alike."""
    if order.refusal:
        return Why.REAL_REFUSED
    if not order.opened_venue_ns or order.opened_venue_ns > trade.venue_ns:
        return Why.REAL_NOT_YET
    if order.filled_lots(trade.trade_id) == order.place.lots:
        return Why.REAL_FILLED
    if order.ended_venue_ns and order.ended_venue_ns <= trade.venue_ns:
        return Why.REAL_CANCELLED
    return Why.QUEUE_SHORT


def _lots(met: list[Met]) -> Lot:
    return sum(each.lots for each in met)


# --- order by order -----------------------------------------------------------------------------


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One order: what it was filled in reality and in the simulation, and when it first was."""

    market: str
    client_id: str
    side: Side
    tick: Tick
    lots: Lot
    joined_lots: Lot
    answer_ns: Ns
    real_lots: Lot
    simulated_lots: Lot
    real_first_ns: Ns
    simulated_first_ns: Ns


def pairs(lived: Lived, simulated: Simulated, feed_ns: Ns | None) -> Iterator[Pair]:
    """Every order that was sent. First fills are by the venue's clock where `feed_ns` is None.

    Else they are the moments at which this host learned of them. 0 stands for no fill.
    """
    first: dict[str, Ns] = {}
    for met in simulated.met:
        if met.lots:
            first.setdefault(met.client_id, met.at_ns + (feed_ns or 0))
    for client_id, order in lived.orders.items():
        stood = simulated.orders.get(client_id, Stood())
        moments = [fill.venue_ns if feed_ns is None else fill.at_ns for fill in order.fills]
        yield Pair(
            market=order.place.market,
            client_id=client_id,
            side=order.place.side,
            tick=order.place.tick,
            lots=order.place.lots,
            joined_lots=stood.joined_lots,
            answer_ns=max(0, order.answered_ns - order.sent_ns) if order.sent_ns else 0,
            real_lots=sum(fill.lots for fill in order.fills),
            simulated_lots=stood.filled_lots,
            real_first_ns=min(moments, default=0),
            simulated_first_ns=first.get(client_id, 0),
        )
