"""The risk gate: between a wish and the venue. It alone makes `Approved`, and only out of rows."""

import msgspec

from engine.trading.risk_rows import MANDATORY, Action, Check, Reading, RiskRow, rows_problem
from engine.values.intents import Ladder
from engine.values.units import Lot

__all__ = [
    "MANDATORY",
    "Action",
    "Approved",
    "Check",
    "Reading",
    "RiskRow",
    "rows_problem",
]


class Approved(msgspec.Struct, frozen=True, kw_only=True):
    """What may stand in a market: the only thing that `reconcile` takes (law 2).

    `ladder` is what should stand in the end; each side's lots sum up to no more than its room.
    `room_*_lots` bound everything on that side that may still fill (INTENT, SENT, OPEN, CANCEL_SENT
    and UNKNOWN, kept or new): an order goes out only while all of these and it fit in the room.
    `orders_max` bounds the orders that may be live at once, both sides together, and `places_max`
    the new orders of this decision (an amendment is one); cancels always pass. `refused` says why
    each level of the wish that is missing here was dropped.
    """

    market: str
    ladder: Ladder
    room_bid_lots: Lot
    room_ask_lots: Lot
    orders_max: int
    places_max: int
    refused: tuple[str, ...]
