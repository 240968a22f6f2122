"""The words between a venue and its matching core: orders in, matches and ends out."""

from enum import StrEnum

import msgspec

from engine.values.units import Lot, Side, Tick


class Kind(StrEnum):
    LIMIT = "limit"
    LIMIT_MAKER = "limit_maker"
    """Rests or is refused: it never takes and is never re-priced."""
    MARKET = "market"


class TimeInForce(StrEnum):
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class SelfTrade(StrEnum):
    """What happens when an owner meets itself. The taker's mode decides."""

    NONE = "none"
    EXPIRE_TAKER = "expire_taker"
    EXPIRE_MAKER = "expire_maker"
    EXPIRE_BOTH = "expire_both"
    DECREMENT = "decrement"
    """Both lose the smaller size; whoever has nothing left expires."""


WOULD_CROSS = "would_cross"
ENDED_SELF_TRADE = "self_trade"
ENDED_IOC = "ioc"
ENDED_FOK = "fok"
ENDED_MARKET = "market"


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue accepted it. `tick` is 0 for MARKET; `tif` matters for LIMIT only."""

    order_id: int
    owner: str
    side: Side
    tick: Tick
    lots: Lot
    kind: Kind = Kind.LIMIT
    tif: TimeInForce = TimeInForce.GTC
    self_trade: SelfTrade = SelfTrade.NONE


class CancelOf(msgspec.Struct, frozen=True):
    """Somebody's wish to cancel; an order that is gone by then is no error."""

    order_id: int
    owner: str


class Match(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One maker met one taker at the maker's price.

    Against the recorded market the nameless side has the id 0 and the owner "".
    """

    maker_id: int
    maker_owner: str
    taker_id: int
    taker_owner: str
    tick: Tick
    lots: Lot
    aggressor: Side
    maker_left_lots: Lot
    taker_left_lots: Lot


class Prevented(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A match of an owner with itself that did not happen, and the lots that each side lost."""

    owner: str
    maker_id: int
    taker_id: int
    tick: Tick
    maker_lots: Lot
    taker_lots: Lot


class Ended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The venue expired this order. `lots_left` is what it still had open just before.

    After a self-trade those lots are also in the last `Prevented` of the order: count them once.
    """

    order_id: int
    owner: str
    lots_left: Lot
    reason: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that one submitted order did, in order. `rejected` is "" or why nothing happened."""

    matches: tuple[Match, ...] = ()
    ended: tuple[Ended, ...] = ()
    prevented: tuple[Prevented, ...] = ()
    rested_lots: Lot = 0
    rejected: str = ""


class Resting(msgspec.Struct, kw_only=True):
    """An open order. Only the book that holds it may change it."""

    order_id: int
    owner: str
    side: Side
    tick: Tick
    lots_left: Lot

    @classmethod
    def of(cls, order: NewOrder, lots: Lot) -> "Resting":
        """What of an order comes to rest."""
        return cls(
            order_id=order.order_id,
            owner=order.owner,
            side=order.side,
            tick=order.tick,
            lots_left=lots,
        )
