"""From what may stand to what stands: the fewest commands, and none that could cross ourselves."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from operator import attrgetter
from typing import TypeAlias

import msgspec

from engine.trading.order_sums import OrderSums
from engine.trading.order_table import During, Order, Status
from engine.trading.risk import Approved
from engine.values.commands import Cancel, Command, Place
from engine.values.intents import Level
from engine.values.units import BUY, PPM, SELL, Lot, Ns, Ppm, Side, Tick

_SideLevel: TypeAlias = tuple[Side, Level]
_Place: TypeAlias = tuple[Side, Tick]
_LEAVING = frozenset({Status.CANCEL_SENT, Status.UNKNOWN})
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
    sums: OrderSums,
    ids: Callable[[], str],
    now_ns: Ns,
    params: ReconcileParams,
) -> list[Command]:
    """Cancels first, then new orders, best levels first and the sides in turn.

    `sums` are of the market's active orders: each counts in the room until the venue has ended it
    and its fills are booked, also those whose cancel is in flight or in this list. A level with
    an order that is leaving or in doubt is occupied: its successor waits. New orders are post-only.
    """
    live = sums.active
    if _best_stand(approved, sums) and _stands_as_wished(approved, live, params):
        return []
    market = approved.market
    levels = _levels(approved)
    stands, leaving = _sorted_out(levels, sums.live, params)
    commands: list[Command] = [
        Cancel(market=market, client_id=order.client_id, at_ns=now_ns)
        for order in leaving
        if _may_cancel(order)
    ]
    occupied = {(order.side, order.tick) for order in leaving}
    wishes = _missing(levels, stands, occupied, params)
    if not wishes:
        return commands
    room = _Room(approved, sums)
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


def _best_stand(approved: Approved, sums: OrderSums) -> bool:
    """Whether the best of our orders are where the best levels are: else not all is as wished."""
    bids, asks = approved.ladder.bids, approved.ladder.asks
    bid_tick, ask_tick = (bids[0].tick if bids else 0), (asks[0].tick if asks else 0)
    return sums.bid_tick == bid_tick and sums.ask_tick == ask_tick


def needs_nothing(approved: Approved, sums: OrderSums, params: ReconcileParams) -> bool:
    """Whether all that may stand does, and what else is there is on its way out.

    Then no level waits for a place that an order leaves, and an order that has left asks nobody.
    """
    staying = [order for order in sums.active if order.status is not Status.CANCEL_SENT]
    return not approved.refused and _stands_as_wished(approved, staying, params)


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
    levels: list[_SideLevel], live: Sequence[Order], params: ReconcileParams
) -> tuple[dict[_Place, Lot], list[Order]]:
    """Lots that stay, by level, and the orders that are to go or on their way.

    The oldest orders stay. Orders of others stay where they are and are nobody's level: they only
    count.
    """
    wished = {(side, level.tick): level.lots for side, level in levels}
    stands: dict[_Place, Lot] = {}
    seconds: dict[_Place, Order] = {}
    leaving: list[Order] = []
    ours = [order for order in live if not order.is_external]
    ours.sort(key=_by_age)
    for order in ours:
        key = order.side, order.tick
        lots = wished.get(key)
        if not lots or order.status in _LEAVING or order.is_given_up:
            leaving.append(order)
            continue
        stood = stands.get(key)
        left = order.left_lots
        if (stood or 0) + left > _most(lots, params) or key in seconds:
            leaving.append(order)
        elif stood is None:
            stands[key] = left
        else:
            stands[key], seconds[key] = stood + left, order
    for key, order in seconds.items():
        if stands[key] * PPM < wished[key] * params.keep_ppm:
            leaving.append(order)
            stands[key] -= order.left_lots
    return stands, leaving


def _may_cancel(order: Order) -> bool:
    """A cancel would say something new: none is in flight, and the venue can know the order.

    What was sent and not yet answered is left until its answer: a cancel that overtakes it proves
    nothing. A doubted send is cancelled once, which is always safe and the first thing to do; a
    doubted cancel is resolved by asking.
    """
    if order.status is Status.UNKNOWN:
        return order.unknown_during is During.SEND and not order.cancel_wanted
    return order.status in (Status.OPEN, Status.PARTIAL)


def _missing(
    levels: list[_SideLevel],
    stands: dict[_Place, Lot],
    occupied: set[_Place],
    params: ReconcileParams,
) -> list[tuple[Side, Tick, Lot, Lot]]:
    """(side, tick, lots that are missing, lots that would do) of each level to be filled up."""
    missing = []
    for side, level in levels:
        lots, key = level.lots, (side, level.tick)
        stood = stands.get(key)
        if key in occupied or (stood is not None and stood * PPM >= lots * params.keep_ppm):
            continue
        stood = stood or 0
        enough = -(-lots * params.keep_ppm // PPM) - stood
        missing.append((side, level.tick, lots - stood, enough if enough > 1 else 1))
    return missing


def _levels(approved: Approved) -> list[_SideLevel]:
    """Best levels first, bid and ask in turn, so that no limit starves one side."""
    levels: list[_SideLevel] = []
    for bid, ask in zip_longest(approved.ladder.bids, approved.ladder.asks):
        if bid is not None:
            levels.append((BUY, bid))
        if ask is not None:
            levels.append((SELL, ask))
    return levels


class _Room:
    """What may still be added: lots a side, orders, and the ticks that cannot cross our own."""

    def __init__(self, approved: Approved, sums: OrderSums) -> None:
        self._bid_lots = approved.room_bid_lots - sums.working_bid_lots
        self._ask_lots = approved.room_ask_lots - sums.working_ask_lots
        self._bid_tick, self._ask_tick = sums.bid_tick, sums.ask_tick
        self._places = min(approved.places_max, approved.orders_max - len(sums.live))

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
        if side is BUY:
            self._bid_lots -= lots
            self._bid_tick = max(self._bid_tick, tick)
        else:
            self._ask_lots -= lots
            self._ask_tick = min(self._ask_tick or tick, tick)
