"""The words of the risk gate: checks, actions, config rows, and the one moment that is judged."""

import math
from enum import StrEnum

import msgspec

from engine.values.events import Grade
from engine.values.intents import Ladder
from engine.values.units import Atoms, Lot, Ns, Tick

COUNT_MAX = 1_000_000
"""No row may ask for a longer memory than this many happenings."""


class Action(StrEnum):
    """What a tripped row does, from mild to final."""

    REFUSE = "refuse"
    """A check of single quotes drops the quote; a check of the market lets no new order out."""
    PULL_SIDE = "pull side"
    """Nothing on the side at fault; where none is, nothing that takes us off the target."""
    HEDGE = "hedge"
    """PULL_SIDE, and a Hedge intent for what stands off the target."""
    PULL_MARKET = "pull market"
    CANCEL_ONLY = "cancel only"
    HALT = "halt"
    """Nothing until a person resumes."""


RANK = {action: rank for rank, action in enumerate(Action)}
STOPS = RANK[Action.PULL_MARKET]
"""From this rank on an action stops the whole market."""
SIDE_ACTIONS = (Action.PULL_SIDE, Action.HEDGE)


class Check(StrEnum):
    """What can be limited, each with the unit of its threshold."""

    PRICE_COLLAR = "price collar"
    """A quote's distance from the reference, bp. `window_s` is the reference's greatest age."""
    ORDER_SIZE = "order size"
    """One quote, lots."""
    ORDER_VALUE = "order value"
    """One quote, quote currency."""
    SELF_CROSS = "self cross"
    """Ticks by which a wish crosses itself or an order of ours that may live. Always 0."""
    WORST_POSITION = "worst position"
    """Share (0 to 1) of the way from target to cap or floor, everything that can fill counted."""
    WORST_VALUE = "worst value"
    """The greatest position that can come about, either sign, quote currency at the reference."""
    OPEN_ORDERS = "open orders"
    """Orders that may be live, count."""
    MESSAGE_RATE = "message rate"
    """Requests to the venue in `window_s`, count. Above it only cancels pass."""
    TURNOVER = "turnover"
    """Traded today, quote currency."""
    LOSS = "loss"
    """Fall of profit and loss from the day's high, quote currency."""
    VOLATILITY = "volatility"
    """bp per square root of a second."""
    IMBALANCE = "imbalance"
    """Absolute, 0 to 1; the side that the market leans on is the one at fault."""
    INVENTORY = "inventory"
    """Share of the way from target to cap or floor that the position itself has gone."""
    SPREAD_WIDE = "spread wide"
    """The market's spread without us, bp."""
    SPREAD_THIN = "spread thin"
    """The same; trips below its threshold and lets go above its release."""
    BOOK_VALID = "book valid"
    """1 while the book is not vouched for. Always 0."""
    BOOK_DELAY = "book delay"
    """Age of the market's facts on arrival, seconds."""
    REJECTS = "rejects"
    """Rejected orders in `window_s`, count."""
    FILLS = "fills"
    """Fills on one side in `window_s`, count."""


MANDATORY: frozenset[Check] = frozenset(Check) - {Check.IMBALANCE, Check.SPREAD_THIN}
"""Every market must have these: none of them may be left out by forgetting it."""

_WINDOWED = {Check.PRICE_COLLAR, Check.MESSAGE_RATE, Check.REJECTS, Check.FILLS}
_COUNTED = {Check.MESSAGE_RATE, Check.REJECTS, Check.FILLS, Check.OPEN_ORDERS}
_ALWAYS_ZERO = {Check.SELF_CROSS, Check.BOOK_VALID}
_SHARES = {Check.WORST_POSITION, Check.IMBALANCE}
_ONLY_STRONG = {Check.BOOK_VALID, Check.BOOK_DELAY}
_OF_QUOTES = {Check.PRICE_COLLAR, Check.ORDER_SIZE, Check.ORDER_VALUE, Check.SELF_CROSS}
_STRONG = {Action.PULL_MARKET, Action.CANCEL_ONLY, Action.HALT}


class RiskRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[markets.risk]]` row: trips beyond `threshold`, lets go at `release`.

    It lets go only after `cool_down_s` without a value beyond `release`. Raises ValueError.
    """

    check: Check
    threshold: float
    release: float
    cool_down_s: float
    window_s: float = 0.0
    action: Action

    def __post_init__(self) -> None:
        if problem := _row_problem(self):
            raise ValueError(f"{self.check}: {problem}")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All that the gate looks at, at one moment. None means "not known" and counts as a breach.

    Ticks are the market's without our orders, 0 for an empty side. `own_bid_tick` is the highest
    and `own_ask_tick` the lowest of our orders that may be live, 0 for none; `working_*_lots` are
    what all of those may still fill (law 3). `volatility` is in ticks per square root of a second,
    `imbalance` from -1 (all asks) to 1 (all bids). `reference_tick` may lie between ticks. Money is
    in quote atoms; `drawdown_atoms` is how far profit and loss fell from the day's high, >= 0.
    """

    now_ns: Ns
    grade: Grade
    book_valid: bool
    delay_ns: Ns | None
    bid_tick: Tick
    ask_tick: Tick
    imbalance: float | None
    volatility: float | None
    reference_tick: float | None
    reference_age_ns: Ns | None
    position_lots: Lot
    working_bid_lots: Lot
    working_ask_lots: Lot
    own_bid_tick: Tick
    own_ask_tick: Tick
    open_orders: int
    pnl_atoms: Atoms | None
    drawdown_atoms: Atoms | None
    turnover_atoms: Atoms | None

    @property
    def mid(self) -> float | None:
        if not (self.bid_tick and self.ask_tick):
            return None
        return (self.bid_tick + self.ask_tick) / 2

    @property
    def spread_bps(self) -> float | None:
        mid = self.mid
        return None if mid is None else (self.ask_tick - self.bid_tick) / mid * 10_000


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


def rows_problem(rows: list[RiskRow]) -> str:
    """What is wrong with a market's rows taken together, "" for nothing."""
    missing = sorted(MANDATORY - {row.check for row in rows})
    return f"no row for {', '.join(missing)}" if missing else ""


def _row_problem(row: RiskRow) -> str:
    numbers = (row.threshold, row.release, row.cool_down_s, row.window_s)
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        return "numbers must be finite and not negative"
    turned = row.release < row.threshold
    if row.release != row.threshold and turned == (row.check is Check.SPREAD_THIN):
        return "release must lie on the calm side of threshold"
    if row.check in _WINDOWED and not row.window_s:
        return "window_s must be given"
    return _range_problem(row) or _action_problem(row)


def _range_problem(row: RiskRow) -> str:
    if row.check in _ALWAYS_ZERO and row.threshold:
        return "threshold is always 0"
    if row.check in _SHARES and row.threshold > 1:
        return "threshold is a share, at most 1"
    if row.check in _COUNTED and row.threshold > COUNT_MAX:
        return f"threshold is at most {COUNT_MAX}"
    return ""


def _action_problem(row: RiskRow) -> str:
    if row.check in _ONLY_STRONG and row.action not in _STRONG:
        return f'action "{row.action}" would keep quoting on doubt'
    if row.check in _OF_QUOTES and row.action is Action.HEDGE:
        return "a check of single quotes has nothing to hedge"
    return ""
