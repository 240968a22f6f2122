"""How each fact joins the evidence about an order, and what the change is called."""

from enum import StrEnum
from typing import assert_never

import msgspec

from engine.trading.order_table import END_RANK, Order, Status
from engine.values.errors import Failure
from engine.values.events import (
    CancelFailed,
    Fill,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderState,
)

_ENDED = {
    OrderState.FILLED: Status.FILLED,
    OrderState.CANCELED: Status.CANCELED,
    OrderState.REJECTED: Status.REJECTED,
    OrderState.EXPIRED: Status.EXPIRED,
}
# Named once: Python 3.11 takes longer to find a member in its enum than to use it.
_FILLED = Status.FILLED
_CUT_SHORT = frozenset({Status.CANCELED, Status.EXPIRED})


class Kind(StrEnum):
    """What a fact turned out to be; where several hold, the one that matters most."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    """A fill that was booked before."""
    UNEXPECTED = "unexpected"
    """About an order that we do not have, or with another side, price or size than we sent."""
    UNSOLICITED = "unsolicited"
    """The venue ended an order that we did not ask to cancel (O23)."""
    REVIVED = "revived"
    """An order that we had given up lives: it is to be cancelled at once (O06)."""
    LATE = "late"
    """A fill after the end of its order (O09)."""
    EXTERNAL = "external"
    """An order or fill of this account that we never intended (P03)."""
    OVERFILL = "overfill"
    """More was filled than ordered (O22)."""


_CHANGED = Kind.CHANGED


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a fact did. `new_fill` is there to be booked, exactly once over all paths."""

    before: Order | None
    after: Order | None
    kind: Kind
    new_fill: Fill | None = None


def adopted(key: str, fact: OrderReport | Fill) -> Order:
    """An order that we never intended, before the fact itself is joined."""
    return Order(
        client_id=key,
        market=fact.market,
        side=fact.side,
        tick=fact.tick,
        lots=0,
        intent_ns=0,
        venue_id=fact.venue_id,
        is_external=True,
    )


def reported(order: Order, report: OrderReport) -> Order:
    """The venue's word joined. Nothing of it can take back what a newer one said."""
    ended = _ENDED.get(report.state)
    filled = report.lots if ended is _FILLED else report.filled_lots
    is_shaped_by_it = order.is_external and (_is_newer(report, order) or not order.lots)
    return msgspec.structs.replace(
        order,
        venue_id=order.venue_id or report.venue_id,
        tick=report.tick if is_shaped_by_it else order.tick,
        lots=max(order.lots, report.lots) if order.is_external else order.lots,
        reported_lots=max(order.reported_lots, filled),
        updated_ns=max(order.updated_ns, report.update_ns),
        seen_ns=order.seen_ns if ended else max(order.seen_ns, report.at_ns),
        ended=_stronger_end(order.ended, ended),
        ended_lots=max(order.ended_lots, filled) if ended else order.ended_lots,
    )


def _is_newer(report: OrderReport, order: Order) -> bool:
    return (report.update_ns, report.tick) > (order.updated_ns, order.tick)


def booked(order: Order, fill: Fill) -> Order:
    """A new trade joined. The caller has made sure that it is new."""
    is_shapeless = order.is_external and not order.lots
    return msgspec.structs.replace(
        order,
        venue_id=order.venue_id or fill.venue_id,
        tick=max(order.tick, fill.tick) if is_shapeless else order.tick,
        booked_lots=order.booked_lots + fill.lots,
        fill_ns=max(order.fill_ns, fill.venue_ns),
    )


def answered(order: Order, fact: OrderFailed | CancelFailed | OrderAbsent) -> Order:
    """The end of one of our requests joined."""
    match fact:
        case OrderAbsent():
            return msgspec.structs.replace(order, absent_ns=max(order.absent_ns, fact.asked_ns))
        case OrderFailed():
            if fact.failure is Failure.UNKNOWN:
                return msgspec.structs.replace(order, is_doubted=True)
            return msgspec.structs.replace(order, is_refused=True)
        case CancelFailed():
            # "Unknown order" proves nothing: it may have been filled, or not have arrived (O08).
            if fact.failure in (Failure.UNKNOWN, Failure.REJECTED):
                doubt_ns = max(order.cancel_doubt_ns, fact.at_ns)
                return msgspec.structs.replace(order, cancel_doubt_ns=doubt_ns)
            refused_ns = max(order.cancel_refused_ns, fact.at_ns)
            return msgspec.structs.replace(order, cancel_refused_ns=refused_ns)
        case _:
            assert_never(fact)


def merged(order: Order, stray: Order) -> Order:
    """The stray was known by the venue's id alone and turned out to be this order."""
    is_shaped_by_it = order.is_external and stray.lots >= order.lots
    return msgspec.structs.replace(
        order,
        tick=stray.tick if is_shaped_by_it else order.tick,
        lots=max(order.lots, stray.lots) if order.is_external else order.lots,
        venue_id=order.venue_id or stray.venue_id,
        booked_lots=order.booked_lots + stray.booked_lots,
        reported_lots=max(order.reported_lots, stray.reported_lots),
        updated_ns=max(order.updated_ns, stray.updated_ns),
        fill_ns=max(order.fill_ns, stray.fill_ns),
        seen_ns=max(order.seen_ns, stray.seen_ns),
        ended=_stronger_end(order.ended, stray.ended),
        ended_lots=max(order.ended_lots, stray.ended_lots),
    )


def kind_of(before: Order | None, after: Order) -> Kind:
    """The name of a change that a report or an answer made."""
    if before is None:
        return Kind.EXTERNAL
    if before == after:
        return Kind.UNCHANGED
    if after.is_external and after.is_live and not before.is_live:
        return Kind.EXTERNAL
    if after.is_overfilled and not before.is_overfilled:
        return Kind.OVERFILL
    if after.is_live and not before.is_live:
        return Kind.REVIVED
    has_just_ended = before.is_live and after.ended in _CUT_SHORT
    # The rest of an order that was never to rest ends because that was asked for.
    if has_just_ended and not after.cancel_ns and not (after.is_external or after.is_ioc):
        return Kind.UNSOLICITED
    return _CHANGED


def kind_of_fill(before: Order | None, after: Order) -> Kind:
    """The name of a change that a new fill made.

    An external order that the venue showed was named EXTERNAL then; its fills are expected since.
    """
    if before is None or not before.lots:
        return Kind.EXTERNAL
    if after.is_overfilled:
        return Kind.OVERFILL
    is_after_end = before is not None and not before.is_live
    if after.is_late or (is_after_end and after.booked_lots > after.reported_lots):
        return Kind.LATE if not after.is_live else Kind.REVIVED
    return Kind.CHANGED


def _stronger_end(one: Status | None, other: Status | None) -> Status | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=END_RANK.__getitem__)
