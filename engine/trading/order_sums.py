"""What the active orders of one market amount to: counted in one walk, and again after a change."""

from collections.abc import Iterable

import msgspec

from engine.trading.order_table import Order, Status
from engine.values.units import BUY, Lot, Side, Tick

_STANDING = frozenset({Status.OPEN, Status.PARTIAL})


class OrderSums(msgspec.Struct, frozen=True, kw_only=True):
    """`active` are live orders and ended ones whose fills have not all arrived.

    `is_calm` says that all live ones stand in the book by the venue's own word: none is awaited.

    `own_levels` is what of the public book is ours, as far as we know; `working_*_lots` what may
    still change the booked position (law 3). `bid_tick` is the highest and `ask_tick` the lowest of
    the orders that may be live, 0 for none. Shared by all who ask: read it only.
    """

    active: tuple[Order, ...]
    live: tuple[Order, ...]
    own_levels: dict[tuple[Side, Tick], Lot]
    working_bid_lots: Lot
    working_ask_lots: Lot
    bid_tick: Tick
    ask_tick: Tick
    is_calm: bool


def sums_of(orders: Iterable[Order]) -> OrderSums:
    active = tuple(orders)
    live: list[Order] = []
    own_levels: dict[tuple[Side, Tick], Lot] = {}
    bid_lots = ask_lots = bid_tick = ask_tick = 0
    is_calm = True
    for order in active:
        side, tick, left_lots = order.side, order.tick, order.left_lots
        if side is BUY:
            bid_lots += order.working_lots
        else:
            ask_lots += order.working_lots
        if order.is_live:
            live.append(order)
            is_calm = is_calm and order.status in _STANDING
            if side is BUY:
                bid_tick = max(bid_tick, tick)
            else:
                ask_tick = min(ask_tick or tick, tick)
        if left_lots and order.is_on_book:
            key = (side, tick)
            own_levels[key] = own_levels.get(key, 0) + left_lots
    return OrderSums(
        active=active,
        live=tuple(live),
        own_levels=own_levels,
        working_bid_lots=bid_lots,
        working_ask_lots=ask_lots,
        bid_tick=bid_tick,
        ask_tick=ask_tick,
        is_calm=is_calm,
    )
