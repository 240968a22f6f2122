"""What the gate asks of an order that takes: no row is spared, and nothing rounds in its favour."""

from collections.abc import Sequence

import msgspec

from engine.trading.risk_checks import Scene, Span
from engine.trading.risk_cut import Caps, Leave
from engine.trading.risk_rows import Reading
from engine.trading.risk_watch import Watch
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.intents import Sweep
from engine.values.units import BUY, Lot, Side, Tick


class ApprovedSweep(msgspec.Struct, frozen=True, kw_only=True):
    """The one immediate order that may go out now: at most so many lots, at no worse a price."""

    market: str
    side: Side
    lots: Lot
    tick_limit: Tick


class SweepRefused(msgspec.Struct, frozen=True):
    """Why nothing may go out; the rule's name stands before the colon."""

    why: str


def sweep_offence(sweep: Sweep, watches: Sequence[Watch], scene: Scene) -> str:
    """Why this order breaks a row of single quotes, "" for none of them. It is refused whole."""
    item, tick, lots = scene.instrument, sweep.tick_limit, sweep.lots
    if sweep.market != item.market:
        return f"wrong market: {sweep.market}"
    if not (max(1, item.tick_min) <= tick <= item.tick_max and 0 < lots <= item.lots_max):
        return "nonsense: price or size is outside the instrument's limits"
    span = Span(tick_best=tick, tick_worst=tick, lots_least=lots, lots_most=lots, lots_sum=lots)
    for watch in watches:
        value = watch.quoted(sweep.side, span, scene)
        if watch.is_breach(value, Grade.VERIFIED):
            return watch.offence(value, Grade.VERIFIED)
    return ""


def sweep_part(sweep: Sweep, leave: Leave, caps: Caps, reading: Reading) -> tuple[Lot, str]:
    """(lots that may fill, ""), or (0, why none may).

    Everything of ours on this side that may still fill comes first (law 3): quotes, too.
    """
    if leave.barred:
        return 0, leave.barred
    if reading.open_orders >= caps.orders_max:
        return 0, "open orders: as many live as may be"
    working = reading.working_bid_lots if sweep.side is BUY else reading.working_ask_lots
    item, tick = caps.instrument, sweep.tick_limit
    bounds = (
        (sweep.lots, "order size"),
        (leave.room_lots - working, leave.room_by),
        (caps.size_lots_max, "order size of a snapshot-grade market"),
        (caps.value_atoms_max // item.quote_atoms(max(1, tick), 1), "order value"),
    )
    lots, by = min(bounds, key=lambda bound: bound[0])
    return (0, small) if (small := _smallness(item, tick, lots, by)) else (lots, "")


def _smallness(item: Instrument, tick: Tick, lots: Lot, by: str) -> str:
    if lots < max(1, item.lots_min):
        return f"{by}: leaves {max(0, lots)} lots, below the venue's smallest size"
    if item.quote_atoms(tick, lots) < item.notional_min:
        return f"{by}: leaves {lots} lots, below the venue's smallest value"
    return ""
