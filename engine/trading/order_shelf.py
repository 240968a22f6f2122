"""Where orders are kept and found again: by our id, by the venue's, by market while they matter."""

from collections.abc import Iterable
from itertools import takewhile
from typing import TypeAlias

from engine.trading.order_sums import OrderSums, sums_of
from engine.trading.order_table import LIVE, Order, Status
from engine.values.units import Lot, Ns, Side, Tick

OwnLevels: TypeAlias = dict[tuple[Side, Tick], Lot]
Shown: TypeAlias = tuple[Side, Tick, Lot]
NO_LEVELS: OwnLevels = {}
"""Shared by all markets that have shown nothing: read it only."""
_CANCEL_SENT = Status.CANCEL_SENT


class Shelf:
    """Orders by client id. A stray is one that is known by the venue's id alone."""

    def __init__(self, ended_max: int) -> None:
        self._ended_max = ended_max
        self._orders: dict[str, Order] = {}
        self._by_venue_id: dict[tuple[str, str], str] = {}
        self._active: dict[str, dict[str, None]] = {}
        self._ended: dict[str, Ns] = {}
        self._sums: dict[str, OrderSums] = {}
        self._own: dict[str, OwnLevels] = {}

    def get(self, client_id: str) -> Order | None:
        return self._orders.get(client_id)

    def sums(self, market: str) -> OrderSums:
        """Live orders, and ended ones whose fills have not all arrived; in order of arrival."""
        sums = self._sums.get(market)
        if sums is None:
            active = self._active.get(market, ())
            orders = self._orders
            sums = self._sums[market] = sums_of([orders[client_id] for client_id in active])
        return sums

    def own_levels(self, market: str) -> OwnLevels:
        """What of the public book is ours, as far as we know; the same object until a change."""
        return self._own.get(market, NO_LEVELS)

    def has_live(self, market: str) -> bool:
        """Whether there is one: usually the first that is looked at."""
        for client_id in self._active.get(market, ()):
            if self._orders[client_id].status in LIVE:
                return True
        return False

    def has_leaving(self, market: str) -> bool:
        """Whether the end of one was asked for, and the venue has not answered yet."""
        for client_id in self._active.get(market, ()):
            if self._orders[client_id].status is _CANCEL_SENT:
                return True
        return False

    def all(self) -> list[Order]:
        """Every order, sorted by client id."""
        return [self._orders[client_id] for client_id in sorted(self._orders)]

    def put(self, order: Order, at_ns: Ns) -> None:
        """Keep this state of an order; at the limit the one that ended first is forgotten."""
        client_id, market = order.client_id, order.market
        before = self._orders.get(client_id)
        self._show(before, order)
        self._orders[client_id] = order
        self._sums.pop(market, None)
        if order.venue_id:
            self._by_venue_id[market, order.venue_id] = client_id
        is_live = order.status in LIVE
        if is_live and before is not None and before.status in LIVE:
            return  # it stands among the active ones already
        active = self._active.setdefault(market, {})
        if is_live or order.working_lots > 0:
            active[client_id] = None
            self._ended.pop(client_id, None)
            return
        active.pop(client_id, None)
        self._ended.setdefault(client_id, at_ns)
        if len(self._ended) > self._ended_max:
            self.remove(next(iter(self._ended)))

    def remove(self, client_id: str) -> Order:
        order = self._orders.pop(client_id)
        self._show(order, None)
        self._sums.pop(order.market, None)
        self._active.get(order.market, {}).pop(client_id, None)
        self._ended.pop(client_id, None)
        self._by_venue_id.pop((order.market, order.venue_id), None)
        return order

    def ended_before(self, before_ns: Ns) -> list[str]:
        """Those that stand in front of all that ended later: time does not go back."""
        old = takewhile(lambda ended: ended[1] < before_ns, self._ended.items())
        return [client_id for client_id, _ in old]

    def find(self, market: str, client_id: str, venue_id: str) -> Order | None:
        """The order that the venue means; its own id is the surer name.

        A venue may take one client id twice: then the second order is not this one.
        """
        by_venue = self._orders.get(self._by_venue_id.get((market, venue_id), ""))
        if by_venue is not None and not self.is_stray(by_venue):
            return by_venue
        ours = self._orders.get(client_id)
        if ours is None or ours.market != market:
            return by_venue
        is_same = not venue_id or ours.venue_id in ("", venue_id)
        return ours if is_same else by_venue

    def stray_of(self, market: str, client_id: str, venue_id: str) -> Order | None:
        """The stray that this pair of ids shows to be an order with a name."""
        known = self._by_venue_id.get((market, venue_id), "")
        if not client_id or known == client_id:
            return None
        stray = self._orders.get(known)
        return stray if stray is not None and self.is_stray(stray) else None

    def new_key(self, market: str, client_id: str, venue_id: str) -> str:
        if client_id and client_id not in self._orders:
            return client_id
        return f"#{market}#{venue_id or client_id}"

    def is_stray(self, order: Order) -> bool:
        return order.client_id.startswith("#")

    def _show(self, before: Order | None, after: Order | None) -> None:
        """Keep `own_levels` when an order changes. Whoever holds the old ones keeps them."""
        gone = _shown(before) if before is not None else None
        come = _shown(after) if after is not None else None
        order = before or after
        if gone == come or order is None:
            return
        own = dict(self.own_levels(order.market))
        for shown, sign in ((gone, -1), (come, 1)):
            if shown is None:
                continue
            side, tick, lots = shown
            place = side, tick
            stands = own.get(place, 0) + sign * lots
            if stands:
                own[place] = stands
            else:
                del own[place]
        self._own[order.market] = own

    def check(self) -> None:
        for client_id, order in self._orders.items():
            assert order.client_id == client_id
            is_active = client_id in self._active.get(order.market, ())
            assert is_active == _is_active(order)
            assert is_active != (client_id in self._ended)
        for market, sums in self._sums.items():
            active = self._active.get(market, ())
            assert sums == sums_of(self._orders[client_id] for client_id in active)
        for market, own in self._own.items():
            shown = [_shown(order) for order in self._orders.values() if order.market == market]
            assert own == added_up(each for each in shown if each is not None)
        assert len(self._ended) <= self._ended_max
        assert all(client_id in self._orders for client_id in self._by_venue_id.values())


def added_up(shown: Iterable[Shown]) -> OwnLevels:
    """Lots by level."""
    own: OwnLevels = {}
    for side, tick, lots in shown:
        own[side, tick] = own.get((side, tick), 0) + lots
    return own


def _shown(order: Order) -> Shown | None:
    """Where the public book should show it, and how many lots of it."""
    lots = order.left_lots if order.is_on_book else 0
    return (order.side, order.tick, lots) if lots else None


def _is_active(order: Order) -> bool:
    return order.is_live or order.working_lots > 0
