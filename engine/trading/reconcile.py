"""From what may stand to what stands: the fewest commands, and none that could cross ourselves."""

from collections.abc import Callable, Sequence
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
    what is missing is at least `lots_min` and, as lots times ticks, `value_min` (the venue's
    smallest new order).
    """

    over_ppm: Ppm = 20_000
    keep_ppm: Ppm = 500_000
    lots_min: Lot = 1
    value_min: int = 0


def reconcile(
    approved: Approved,
    live: Sequence[Order],
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
    market = approved.market
    kept, leaving = _sorted_out(approved, live, params)
    commands: list[Command] = [
        Cancel(market=market, client_id=order.client_id, at_ns=now_ns)
        for order in leaving
        if _may_cancel(order)
    ]
    occupied = {(order.side, order.tick) for order in leaving}
    wishes = _missing(approved, kept, occupied, params)
    if not wishes:
        return commands
    room = _Room(approved, live)
    for side, tick, lots, lots_enough in wishes:
        fitting = room.fitting_lots(side, lots)
        is_small = fitting < params.lots_min or fitting * tick < params.value_min
        if is_small or fitting < lots_enough or not room.admits(side, tick):
            continue
        room.take(side, tick, fitting)
        commands.append(
            Place(
                market=market,
                client_id=ids(),
                side=side,
                tick=tick,
                lots=fitting,
                post_only=True,
                at_ns=now_ns,
            )
        )
    return commands


def _stands_as_wished(approved: Approved, live: Sequence[Order], params: ReconcileParams) -> bool:
    """Whether each level has its one good order and nothing else is there: nothing is to be done.

    Everything below would find the same; this is the usual case, seen in one walk.
    """
    ladder = approved.ladder
    if len(live) != len(ladder.bids) + len(ladder.asks):
        return False
    bids = {level.tick: level.lots for level in ladder.bids}
    asks = {level.tick: level.lots for level in ladder.asks}
    for order in live:
        lots = (bids if order.side is BUY else asks).pop(order.tick, 0)
        if not lots or order.status not in _STANDING:
            return False
        left = order.left_lots
        if lots * params.keep_ppm > left * PPM or left > _most(lots, params):
            return False
        if order.is_given_up or order.is_external:
            return False
    return True


def _most(lots: Lot, params: ReconcileParams) -> Lot:
    return lots + lots * params.over_ppm // PPM


def _sorted_out(
    approved: Approved, live: Sequence[Order], params: ReconcileParams
) -> tuple[dict[tuple[Side, Tick], list[Order]], list[Order]]:
    """Orders that stay, by level and oldest first, and those that are to go or on their way.

    Orders of others stay where they are and are nobody's level: they only count.
    """
    wished = {(side, level.tick): level.lots for side, level in _levels(approved)}
    kept: dict[tuple[Side, Tick], list[Order]] = {}
    leaving = []
    ours = [order for order in live if order.is_live and not order.is_external]
    ours.sort(key=_by_age)
    for order in ours:
        key = (order.side, order.tick)
        lots = wished.get(key, 0)
        if not lots or _is_leaving(order):
            leaving.append(order)
            continue
        stays = kept.get(key)
        total = order.left_lots + (_left(stays) if stays else 0)
        if total > _most(lots, params) or (stays and len(stays) >= ORDERS_PER_LEVEL_MAX):
            leaving.append(order)
        elif stays:
            stays.append(order)
        else:
            kept[key] = [order]
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
    return _left(stays) * PPM >= lots * params.keep_ppm


def _left(stays: list[Order]) -> Lot:
    return sum([order.left_lots for order in stays])


def _missing(
    approved: Approved,
    kept: dict[tuple[Side, Tick], list[Order]],
    occupied: set[tuple[Side, Tick]],
    params: ReconcileParams,
) -> list[tuple[Side, Tick, Lot, Lot]]:
    """(side, tick, lots that are missing, lots that would do) of each level to be filled up."""
    missing = []
    for side, level in _levels(approved):
        key = (side, level.tick)
        stays = kept.get(key)
        if key in occupied or (stays and _is_enough(stays, level.lots, params)):
            continue
        stands = _left(stays) if stays else 0
        enough = -(-level.lots * params.keep_ppm // PPM)
        missing.append((side, level.tick, level.lots - stands, max(1, enough - stands)))
    return missing


def _levels(approved: Approved) -> list[tuple[Side, Level]]:
    """Best levels first, bid and ask in turn, so that no limit starves one side."""
    levels = []
    for bid, ask in zip_longest(approved.ladder.bids, approved.ladder.asks):
        if bid is not None:
            levels.append((BUY, bid))
        if ask is not None:
            levels.append((SELL, ask))
    return levels


class _Room:
    """What may still be added: lots a side, orders, and the ticks that cannot cross our own."""

    def __init__(self, approved: Approved, live: Sequence[Order]) -> None:
        self._bid_lots, self._ask_lots = approved.room_bid_lots, approved.room_ask_lots
        self._bid_tick = self._ask_tick = 0
        standing = 0
        for order in live:
            is_live = order.is_live
            standing += is_live
            self._count(order.side, order.working_lots, order.tick if is_live else 0)
        self._places = min(approved.places_max, approved.orders_max - standing)

    def fitting_lots(self, side: Side, lots: Lot) -> Lot:
        if self._places <= 0:
            return 0
        return min(lots, self._bid_lots if side is BUY else self._ask_lots)

    def admits(self, side: Side, tick: Tick) -> bool:
        """No bid at or above any of our asks that may be at the venue, and the reverse (I13)."""
        if side is BUY:
            return not self._ask_tick or tick < self._ask_tick
        return tick > self._bid_tick

    def take(self, side: Side, tick: Tick, lots: Lot) -> None:
        self._places -= 1
        self._count(side, lots, tick)

    def _count(self, side: Side, lots: Lot, tick: Tick) -> None:
        """An order of so many lots stands there; tick 0 is one that can meet nobody any more."""
        if side is BUY:
            self._bid_lots -= lots
            self._bid_tick = max(self._bid_tick, tick)
        else:
            self._ask_lots -= lots
            self._ask_tick = min(self._ask_tick or tick, tick) if tick else self._ask_tick
