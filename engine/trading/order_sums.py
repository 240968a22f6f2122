"""What the active orders of one market amount to: counted in one walk, and again after a change."""

from collections.abc import Iterable

import msgspec

from engine.trading.order_table import Order
from engine.values.units import BUY, SELL, Lot, Side, Tick


class OrderSums(msgspec.Struct, frozen=True, kw_only=True):
    """`active` are live orders and ended ones whose fills have not all arrived.

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


def sums_of(orders: Iterable[Order]) -> OrderSums:
    active = tuple(orders)
    live = tuple(order for order in active if order.is_live)
    working = {BUY: 0, SELL: 0}
    own_levels: dict[tuple[Side, Tick], Lot] = {}
    for order in active:
        working[order.side] += order.working_lots
        left_lots = order.left_lots
        if left_lots and order.is_on_book:
            key = (order.side, order.tick)
            own_levels[key] = own_levels.get(key, 0) + left_lots
    return OrderSums(
        active=active,
        live=live,
        own_levels=own_levels,
        working_bid_lots=working[BUY],
        working_ask_lots=working[SELL],
        bid_tick=max((order.tick for order in live if order.side is BUY), default=0),
        ask_tick=min((order.tick for order in live if order.side is SELL), default=0),
    )
