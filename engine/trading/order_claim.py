"""What the evidence about an order amounts to, and the order with all that follows from it."""

from msgspec.structs import replace

from engine.trading.order_table import LIFE, During, IllegalMove, Move, Order, Params, Status

_END_MOVE = {
    Status.REJECTED: Move.REJECT,
    Status.EXPIRED: Move.EXPIRE,
    Status.CANCELED: Move.CANCEL,
    Status.FILLED: Move.FILL,
}


def claim(order: Order, params: Params) -> Move:
    """The strongest thing that the evidence allows to say, whatever order it came in."""
    if order.ended is Status.FILLED or _is_filled_whole(order):
        return Move.FILL
    if order.ended is not None:
        return _END_MOVE[order.ended]
    if _is_absent(order, params):
        return Move.VANISH if order.is_seen else Move.DISPROVE
    if not order.is_seen:
        return _claim_unseen(order)
    if order.is_external and order.booked_lots >= order.lots:
        return Move.DOUBT_SEND
    if order.cancel_doubt_ns > order.seen_ns:
        return Move.DOUBT_CANCEL
    if _is_cancel_in_flight(order) and order.seen_ns < order.cancel_ns + params.settle_ns:
        return Move.ASK_CANCEL
    return Move.FILL_PART if order.filled_lots else Move.ADMIT


def _claim_unseen(order: Order) -> Move:
    """No report and no fill yet. Doubt stands above refusal: only an absence ends it (I8)."""
    if order.is_doubted:
        return Move.DOUBT_SEND
    if order.is_refused:
        return Move.REFUSE
    if order.cancel_doubt_ns:
        return Move.DOUBT_CANCEL
    if _is_cancel_in_flight(order):
        return Move.ASK_CANCEL
    return Move.SEND if order.is_sent else Move.INTEND


def _is_filled_whole(order: Order) -> bool:
    """An external order may have been amended by its owner, so only the venue ends it."""
    return not order.is_external and order.filled_lots >= order.lots


def _is_cancel_in_flight(order: Order) -> bool:
    return order.cancel_ns > max(order.cancel_refused_ns, order.cancel_doubt_ns)


def _is_absent(order: Order, params: Params) -> bool:
    """Absence proves an end only if asked when nothing could still be under way or lag (I8)."""
    if order.absent_ns <= 0:
        return False
    could_arrive_ns = order.intent_ns + params.settle_ns
    could_lag_ns = max(order.seen_ns, order.fill_ns) + params.lag_ns
    return order.absent_ns >= max(could_arrive_ns, could_lag_ns)


def settled(order: Order, params: Params) -> Order:
    """The order with everything that follows from its evidence. Raises IllegalMove."""
    filled_lots = max(order.reported_lots, order.booked_lots)
    if filled_lots != order.filled_lots:
        order = replace(order, filled_lots=filled_lots)
    move = claim(order, params)
    status = LIFE.get((order.status, move))
    if status is None:
        raise IllegalMove(f"{order.client_id}: {move} while {order.status}")
    during, ended = _during(order, move), order.ended
    is_late = False
    if ended is not None and ended is not Status.FILLED:
        is_late = order.booked_lots > order.ended_lots
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
    if move is Move.DOUBT_SEND:
        return During.SEND
    if move is Move.DOUBT_CANCEL:
        return During.AMEND if order.is_amended else During.CANCEL
    return None
