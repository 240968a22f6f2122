"""From what may stand to what stands: the fewest commands, and none that could cross ourselves."""

from collections.abc import Callable, Iterator
from itertools import zip_longest
from operator import attrgetter

import msgspec

from engine.trading.order_table import During, Order, Status
from engine.trading.risk import Approved
from engine.values.commands import Cancel, Command, Place
from engine.values.intents import Level
from engine.values.units import BUY, PPM, SELL, Lot, Ns, Ppm, Side, Tick

ORDERS_PER_LEVEL_MAX = 2
_STANDING = frozenset({Status.INTENT, Status.SENT, Status.OPEN, Status.PARTIAL})
_by_age = attrgetter("intent_ns", "client_id")


class ReconcileParams(msgspec.Struct, frozen=True, kw_only=True):
    """When an order is still good: its place in the queue is worth more than its exact size.

    The orders of a level are kept while they sum up to at most `over_ppm` more than wished. From
    `keep_ppm` of the wish on nothing is added; below that one more order fills the level up, if
    what is missing is at least `lots_min` (the venue's minimum for a new order).
    """

    over_ppm: Ppm = 20_000
    keep_ppm: Ppm = 500_000
    lots_min: Lot = 1


def reconcile(
    approved: Approved,
    live: list[Order],
    ids: Callable[[], str],
    now_ns: Ns,
    params: ReconcileParams,
) -> list[Command]:
    """Cancels first, then new orders, best levels first and the sides in turn.

    `live` are the market's active orders: each counts in the room until the venue has ended it and
    its fills are booked, also those whose cancel is in flight or in this very list. A level with an
    order that is leaving or in doubt is occupied: its successor waits. New orders are post-only.
    """
    if _stands_as_wished(approved, live, params):
        return []
    kept, leaving = _sorted_out(approved, live, params)
    cancels: list[Command] = [
        Cancel(market=approved.market, client_id=order.client_id, at_ns=now_ns)
        for order in leaving
        if _may_cancel(order)
    ]
    occupied = {(order.side, order.tick) for order in leaving}
    wishes = list(_missing(approved, kept, occupied, params))
    if not wishes:
        return cancels
    room = _Room(approved, live)
    places: list[Command] = []
    for side, tick, lots, lots_enough in wishes:
        fitting = room.fitting_lots(side, lots)
        if fitting < max(lots_enough, params.lots_min) or not room.admits(side, tick):
            continue
        room.take(side, tick, fitting)
        places.append(
            Place(
                market=approved.market,
                client_id=ids(),
                side=side,
                tick=tick,
                lots=fitting,
                post_only=True,
                at_ns=now_ns,
            )
        )
    return cancels + places


def _stands_as_wished(approved: Approved, live: list[Order], params: ReconcileParams) -> bool:
    """Whether each level has its one good order and nothing else is there: nothing is to be done.

    Everything below would find the same; this is the usual case, seen in one walk.
    """
    ladder = approved.ladder
    if len(live) != len(ladder.bids) + len(ladder.asks):
        return False
    wished = {BUY: {level.tick: level.lots for level in ladder.bids}}
    wished[SELL] = {level.tick: level.lots for level in ladder.asks}
    for order in live:
        lots, left = wished[order.side].pop(order.tick, 0), order.left_lots
        is_good = lots * params.keep_ppm <= left * PPM and left <= _most(lots, params)
        if not (lots and is_good and order.status in _STANDING):
            return False
        if order.is_given_up or order.is_external:
            return False
    return True


def _most(lots: Lot, params: ReconcileParams) -> Lot:
    return lots + lots * params.over_ppm // PPM


def _sorted_out(
    approved: Approved, live: list[Order], params: ReconcileParams
) -> tuple[dict[tuple[Side, Tick], list[Order]], list[Order]]:
    """Orders that stay, by level and oldest first, and those that are to go or on their way.

    Orders of others stay where they are and are nobody's level: they only count.
    """
    wished = {(side, level.tick): level.lots for side, level in _levels(approved)}
    kept: dict[tuple[Side, Tick], list[Order]] = {}
    leaving = []
    ours = [order for order in live if order.is_live and not order.is_external]
    for order in sorted(ours, key=_by_age):
        key = (order.side, order.tick)
        lots = wished.get(key, 0)
        stays = kept.get(key, [])
        total = order.left_lots + sum(other.left_lots for other in stays)
        is_good = total <= _most(lots, params)
        if lots and is_good and len(stays) < ORDERS_PER_LEVEL_MAX and not _is_leaving(order):
            kept.setdefault(key, []).append(order)
        else:
            leaving.append(order)
    for key, stays in kept.items():
        if len(stays) == ORDERS_PER_LEVEL_MAX and not _is_enough(stays, wished[key], params):
            leaving.append(stays.pop())
    return kept, leaving


def _is_leaving(order: Order) -> bool:
    is_doubtful = order.status in (Status.CANCEL_SENT, Status.UNKNOWN)
    return is_doubtful or order.is_given_up


def _may_cancel(order: Order) -> bool:
    """A cancel would say something new: none is in flight, and the venue can know the order.

    What was sent and not yet answered is left until its answer: a cancel that overtakes it proves
    nothing. A doubted send is cancelled once, which is always safe and the first thing to do; a
    doubted cancel is resolved by asking.
    """
    if order.status is Status.UNKNOWN:
        return order.unknown_during is During.SEND and not order.cancel_wanted
    return order.status in (Status.OPEN, Status.PARTIAL)


def _is_enough(stays: list[Order], lots: Lot, params: ReconcileParams) -> bool:
    return sum(order.left_lots for order in stays) * PPM >= lots * params.keep_ppm


def _missing(
    approved: Approved,
    kept: dict[tuple[Side, Tick], list[Order]],
    occupied: set[tuple[Side, Tick]],
    params: ReconcileParams,
) -> Iterator[tuple[Side, Tick, Lot, Lot]]:
    """(side, tick, lots that are missing, lots that would do) of each level to be filled up."""
    for side, level in _levels(approved):
        key = (side, level.tick)
        stays = kept.get(key, [])
        if key in occupied or (stays and _is_enough(stays, level.lots, params)):
            continue
        stands = sum(order.left_lots for order in stays)
        enough = -(-level.lots * params.keep_ppm // PPM)
        yield side, level.tick, level.lots - stands, max(1, enough - stands)


def _levels(approved: Approved) -> Iterator[tuple[Side, Level]]:
    """Best levels first, bid and ask in turn, so that no limit starves one side."""
    ladder = approved.ladder
    for bid, ask in zip_longest(ladder.bids, ladder.asks):
        if bid is not None:
            yield BUY, bid
        if ask is not None:
            yield SELL, ask


class _Room:
    """What may still be added: lots a side, orders, and the ticks that cannot cross our own."""

    def __init__(self, approved: Approved, live: list[Order]) -> None:
        self._lots = {BUY: approved.room_bid_lots, SELL: approved.room_ask_lots}
        for order in live:
            self._lots[order.side] -= order.working_lots
        standing = [order for order in live if order.is_live]
        self._places = min(approved.places_max, approved.orders_max - len(standing))
        self._ticks = {
            side: [order.tick for order in standing if order.side is side] for side in Side
        }

    def fitting_lots(self, side: Side, lots: Lot) -> Lot:
        return min(lots, self._lots[side]) if self._places > 0 else 0

    def admits(self, side: Side, tick: Tick) -> bool:
        """No bid at or above any of our asks that may be at the venue, and the reverse (I13)."""
        if side is BUY:
            return all(tick < ask for ask in self._ticks[SELL])
        return all(tick > bid for bid in self._ticks[BUY])

    def take(self, side: Side, tick: Tick, lots: Lot) -> None:
        self._lots[side] -= lots
        self._places -= 1
        self._ticks[side].append(tick)
