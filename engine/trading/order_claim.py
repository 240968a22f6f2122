"""What the evidence about an order amounts to, and the order with all that follows from it."""

from msgspec.structs import replace

from engine.trading.order_table import LIFE, During, IllegalMove, Move, Order, Params, Status

_END_MOVE = {
    Status.REJECTED: Move.REJECT,
    Status.EXPIRED: Move.EXPIRE,
    Status.CANCELED: Move.CANCEL,
    Status.FILLED: Move.FILL,
}
# Named once: Python 3.11 takes longer to find a member in its enum than to use it.
_FILLED, _FILL, _FILL_PART, _ADMIT = Status.FILLED, Move.FILL, Move.FILL_PART, Move.ADMIT
_SEND, _INTEND, _ASK_CANCEL = Move.SEND, Move.INTEND, Move.ASK_CANCEL
_DOUBT_SEND, _DOUBT_CANCEL = Move.DOUBT_SEND, Move.DOUBT_CANCEL


def claim(order: Order, params: Params) -> Move:
    """The strongest thing that the evidence allows to say, whatever order it came in."""
    ended = order.ended
    if ended is _FILLED or _is_filled_whole(order):
        return _FILL
    if ended is not None:
        return _END_MOVE[ended]
    if order.absent_ns > 0 and _is_absent(order, params):
        return Move.VANISH if order.is_seen else Move.DISPROVE
    if not order.is_seen:
        return _claim_unseen(order)
    if order.is_external and order.booked_lots >= order.lots:
        return _DOUBT_SEND
    if order.cancel_doubt_ns > order.seen_ns:
        return _DOUBT_CANCEL
    if _is_cancel_in_flight(order) and order.seen_ns < order.cancel_ns + params.settle_ns:
        return _ASK_CANCEL
    return _FILL_PART if order.filled_lots else _ADMIT


def _claim_unseen(order: Order) -> Move:
    """No report and no fill yet. Doubt stands above refusal: only an absence ends it (I8)."""
    if order.is_doubted:
        return _DOUBT_SEND
    if order.is_refused:
        return Move.REFUSE
    if order.cancel_doubt_ns:
        return _DOUBT_CANCEL
    if _is_cancel_in_flight(order):
        return _ASK_CANCEL
    return _SEND if order.is_sent else _INTEND


def _is_filled_whole(order: Order) -> bool:
    """An external order may have been amended by its owner, so only the venue ends it."""
    return not order.is_external and order.filled_lots >= order.lots


def _is_cancel_in_flight(order: Order) -> bool:
    asked_ns = order.cancel_ns
    return asked_ns > order.cancel_refused_ns and asked_ns > order.cancel_doubt_ns


def _is_absent(order: Order, params: Params) -> bool:
    """Absence proves an end only if asked when nothing could still be under way or lag (I8)."""
    could_arrive_ns = order.intent_ns + params.settle_ns
    could_lag_ns = max(order.seen_ns, order.fill_ns) + params.lag_ns
    return order.absent_ns >= max(could_arrive_ns, could_lag_ns)


def settled(order: Order, params: Params) -> Order:
    """The order with everything that follows from its evidence. Raises IllegalMove."""
    reported_lots, booked_lots = order.reported_lots, order.booked_lots
    filled_lots = reported_lots if reported_lots > booked_lots else booked_lots
    if filled_lots != order.filled_lots:
        order = replace(order, filled_lots=filled_lots)
    move = claim(order, params)
    status = LIFE.get((order.status, move))
    if status is None:
        raise IllegalMove(f"{order.client_id}: {move} while {order.status}")
    during, ended = _during(order, move), order.ended
    is_late = False
    if ended is not None and ended is not _FILLED:
        is_late = booked_lots > order.ended_lots
    is_given_up = _is_given_up(order, params)
    is_flagged_so = is_late is order.is_late and is_given_up is order.is_given_up
    if status is order.status and during is order.unknown_during and is_flagged_so:
        return order
    return replace(
        order,
        status=status,
        unknown_during=during,
        is_late=is_late,
        is_given_up=is_given_up,
    )


def _is_given_up(order: Order, params: Params) -> bool:
    """Taken for dead, by a refusal or an absence, and then shown by the venue all the same."""
    if order.is_external or not (order.is_refused or order.absent_ns) or not order.is_seen:
        return False
    return order.is_refused or order.absent_ns >= order.intent_ns + params.settle_ns


def _during(order: Order, move: Move) -> During | None:
    if move is _DOUBT_SEND:
        return During.SEND
    if move is _DOUBT_CANCEL:
        return During.AMEND if order.is_amended else During.CANCEL
    return None
