"""The life of one order: the one table of its moves, and what the evidence about it amounts to.

Facts about an order arrive late, twice and in any order. So an `Order` keeps evidence that only
grows (maxima, sums over distinct trades, flags), `order_claim` reads from it the strongest thing
that may be said, and `LIFE` says whether the order may move there from where it stands. Because
evidence is a join, any permutation of the same facts with any duplicates ends in the same order.
"""

from enum import StrEnum

import msgspec

from engine.values.units import NS_PER_MS, NS_PER_S, Lot, Ns, Side, Tick


class Status(StrEnum):
    INTENT = "intent"
    SENT = "sent"
    OPEN = "open"
    PARTIAL = "partial"
    CANCEL_SENT = "cancel sent"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


class During(StrEnum):
    """What we were doing when we lost sight of an order."""

    SEND = "send"
    CANCEL = "cancel"
    AMEND = "amend"


class Move(StrEnum):
    """What all evidence about an order amounts to."""

    INTEND = "intend"
    SEND = "send"
    REFUSE = "refuse"
    """The request failed for certain, and nobody ever saw the order."""
    DOUBT_SEND = "doubt send"
    DISPROVE = "disprove"
    """Never seen, and absent when asked after it could still have arrived."""
    ADMIT = "admit"
    FILL_PART = "fill part"
    ASK_CANCEL = "ask cancel"
    DOUBT_CANCEL = "doubt cancel"
    VANISH = "vanish"
    """Seen once, and absent when asked well after that."""
    REJECT = "reject"
    EXPIRE = "expire"
    CANCEL = "cancel"
    FILL = "fill"


class IllegalMove(Exception):
    """An act that the life of an order does not have. Nothing was changed."""


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """How long an order may still arrive, how far a venue's answers may lag, how often to ask.

    `valid_ns` is the validity field of every request (recvWindow and its kin) and `lag_ns` the
    margin by which a query may miss what already happened: only an absence that was asked for
    `valid_ns + lag_ns` after the intent proves anything (I8).
    """

    valid_ns: Ns = NS_PER_S
    lag_ns: Ns = 2 * NS_PER_S
    query_ns_min: Ns = 250 * NS_PER_MS
    query_ns_max: Ns = 5 * NS_PER_S
    ended_max: int = 10_000
    trade_ids_max: int = 200_000

    @property
    def settle_ns(self) -> Ns:
        return self.valid_ns + self.lag_ns


TARGET = {
    Move.INTEND: Status.INTENT,
    Move.SEND: Status.SENT,
    Move.REFUSE: Status.REJECTED,
    Move.DOUBT_SEND: Status.UNKNOWN,
    Move.DISPROVE: Status.REJECTED,
    Move.ADMIT: Status.OPEN,
    Move.FILL_PART: Status.PARTIAL,
    Move.ASK_CANCEL: Status.CANCEL_SENT,
    Move.DOUBT_CANCEL: Status.UNKNOWN,
    Move.VANISH: Status.CANCELED,
    Move.REJECT: Status.REJECTED,
    Move.EXPIRE: Status.EXPIRED,
    Move.CANCEL: Status.CANCELED,
    Move.FILL: Status.FILLED,
}

_ENDS = {Move.REJECT, Move.EXPIRE, Move.CANCEL, Move.FILL}
_SEEN = {Move.ADMIT, Move.FILL_PART, Move.ASK_CANCEL, Move.DOUBT_CANCEL, Move.VANISH} | _ENDS
_UNSEEN = {Move.DOUBT_SEND, Move.DISPROVE, Move.REFUSE}

_LEGAL: dict[Status, set[Move]] = {
    Status.INTENT: set(Move),
    Status.SENT: set(Move) - {Move.INTEND},
    # A doubted send is never ended by REFUSE (see `order_claim`); a doubted cancel may be.
    Status.UNKNOWN: _SEEN | _UNSEEN,
    # DOUBT_SEND of a seen order is said of external ones only: what remains of them is unknown.
    Status.OPEN: _SEEN | {Move.DOUBT_SEND},
    Status.PARTIAL: (_SEEN - {Move.ADMIT}) | {Move.DOUBT_SEND},
    # A cancel that certainly did not happen leaves the order where it was.
    Status.CANCEL_SENT: set(Move),
    # REJECTED and CANCELED may be our inference from a failure or an absence; then the venue's own
    # word that the order lives (or a fill) wins. Ended by the venue's word, `claim` keeps it ended.
    Status.REJECTED: _SEEN | _UNSEEN,
    Status.CANCELED: _SEEN | {Move.DOUBT_SEND},
    Status.EXPIRED: {Move.EXPIRE, Move.CANCEL, Move.FILL},
    Status.FILLED: {Move.FILL},
}

LIFE: dict[tuple[Status, Move], Status] = {
    (status, move): TARGET[move] for status, moves in _LEGAL.items() for move in moves
}
"""The table. A pair that is not in it is illegal."""

END_RANK = {Status.REJECTED: 1, Status.EXPIRED: 2, Status.CANCELED: 3, Status.FILLED: 4}
"""Where a venue contradicts itself about an end, the higher one stands, whichever came first."""
LIVE = frozenset(Status) - set(END_RANK)
_SHOWN = frozenset({Status.OPEN, Status.PARTIAL, Status.CANCEL_SENT})
# Named once: Python 3.11 takes longer to find a member in its enum than to use it.
_UNKNOWN, _SEND = Status.UNKNOWN, During.SEND


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order of this account, with the evidence about it.

    `reported_lots` is the largest cumulative fill that the venue reported, `booked_lots` the sum of
    distinct fills, `filled_lots` the larger of both. `ended` is the venue's own word of an end,
    `ended_lots` its cumulative fill then. `is_given_up` is an order that we had taken for dead
    before the venue showed it: while it lives it is to be cancelled (O06). `is_ioc` is of the
    intent: never to rest. An external order that is known by its fills alone has `lots` 0. Times:
    `updated_ns` and `fill_ns` are the venue's, all others ours.
    """

    client_id: str
    market: str
    side: Side
    tick: Tick
    lots: Lot
    intent_ns: Ns
    venue_id: str = ""
    status: Status = Status.INTENT
    unknown_during: During | None = None
    filled_lots: Lot = 0
    booked_lots: Lot = 0
    reported_lots: Lot = 0
    updated_ns: Ns = 0
    fill_ns: Ns = 0
    seen_ns: Ns = 0
    absent_ns: Ns = 0
    cancel_ns: Ns = 0
    cancel_refused_ns: Ns = 0
    cancel_doubt_ns: Ns = 0
    is_sent: bool = False
    is_doubted: bool = False
    is_refused: bool = False
    is_amended: bool = False
    is_external: bool = False
    is_late: bool = False
    is_given_up: bool = False
    is_ioc: bool = False
    ended: Status | None = None
    ended_lots: Lot = 0

    @property
    def is_live(self) -> bool:
        """May still fill, as far as we can prove (law 3)."""
        return self.status in LIVE

    @property
    def left_lots(self) -> Lot:
        left = self.lots - self.filled_lots
        return left if left > 0 else 0

    @property
    def pending_lots(self) -> Lot:
        """Filled by the venue's word, but no fill has told at what price yet (P06)."""
        return self.filled_lots - self.booked_lots

    @property
    def working_lots(self) -> Lot:
        """What may still change the booked position: the rest of a live order, pending fills."""
        return self.pending_lots + (self.left_lots if self.is_live else 0)

    @property
    def cancel_wanted(self) -> bool:
        """We asked for its end at least once, whatever became of that."""
        return self.cancel_ns > 0

    @property
    def is_overfilled(self) -> bool:
        return not self.is_external and self.filled_lots > self.lots

    @property
    def is_seen(self) -> bool:
        """The venue showed this order at least once, by a report or by a fill."""
        return bool(self.seen_ns or self.filled_lots)

    @property
    def is_on_book(self) -> bool:
        """Shows in the public book as far as we know."""
        status = self.status
        return status in _SHOWN or (status is _UNKNOWN and self.unknown_during is not _SEND)

    def __repr__(self) -> str:
        what = f"{self.side} {self.left_lots}/{self.lots}x{self.tick}"
        return f"<{self.client_id} {self.market} {what} {self.status.upper()}>"
