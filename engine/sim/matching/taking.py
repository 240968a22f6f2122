# cython: language_level=3, annotation_typing=False
"""One order on its way through the other side: what it met, what it lost, what is left of it."""

from engine.sim.matching.terms import (
    ENDED_IOC,
    ENDED_MARKET,
    ENDED_SELF_TRADE,
    Ended,
    Kind,
    Match,
    NewOrder,
    Outcome,
    Prevented,
    Resting,
    SelfTrade,
    TimeInForce,
)
from engine.values.units import Lot, Side, Tick


def reaches(order: NewOrder, tick: Tick) -> bool:
    """Would this order trade at a price `tick` of the other side?"""
    if order.kind is Kind.MARKET:
        return True
    return order.tick >= tick if order.side is Side.BUY else order.tick <= tick


def is_fill_or_kill(order: NewOrder) -> bool:
    return order.kind is Kind.LIMIT and order.tif is TimeInForce.FOK


def stops_at_itself(order: NewOrder, owner: str) -> bool:
    """Can this order not be filled whole once it meets `owner`? It is asked of FOK orders."""
    return owner == order.owner and order.self_trade not in (
        SelfTrade.NONE,
        SelfTrade.EXPIRE_MAKER,
    )


def is_skipped(order: NewOrder, owner: str) -> bool:
    """Does the other order give way without filling this one?"""
    return owner == order.owner and order.self_trade is SelfTrade.EXPIRE_MAKER


class Taking:
    """Collects the outcome of a taker; the book removes from the maker what `meet` returns."""

    def __init__(self, order: NewOrder) -> None:
        self.order = order
        self.left: Lot = order.lots
        self._matches: list[Match] = []
        self._ended: list[Ended] = []
        self._prevented: list[Prevented] = []

    def meet(self, maker: Resting) -> Lot:
        """Trade with a maker, or not with oneself. Returns the lots that leave the maker."""
        if maker.owner == self.order.owner and self.order.self_trade is not SelfTrade.NONE:
            return self._prevent(maker)
        lots = min(self.left, maker.lots_left)
        self.match(maker, lots)
        return lots

    def match(self, maker: Resting, lots: Lot) -> None:
        """Trade `lots` at the maker's price. The maker itself is not changed here."""
        order = self.order
        self.left -= lots
        self._matches.append(
            Match(
                maker_id=maker.order_id,
                maker_owner=maker.owner,
                taker_id=order.order_id,
                taker_owner=order.owner,
                tick=maker.tick,
                lots=lots,
                aggressor=order.side,
                maker_left_lots=maker.lots_left - lots,
                taker_left_lots=self.left,
            )
        )

    def end(self, reason: str) -> None:
        """The venue expires what is left."""
        self._ended.append(
            Ended(
                order_id=self.order.order_id,
                owner=self.order.owner,
                lots_left=self.left,
                reason=reason,
            )
        )
        self.left = 0

    def end_unless_it_may_rest(self) -> None:
        if not self.left:
            return
        if self.order.kind is Kind.MARKET:
            self.end(ENDED_MARKET)
        elif self.order.kind is Kind.LIMIT and self.order.tif is not TimeInForce.GTC:
            self.end(ENDED_IOC)

    def outcome(self) -> Outcome:
        """What is left now is what has come to rest."""
        return Outcome(
            matches=tuple(self._matches),
            ended=tuple(self._ended),
            prevented=tuple(self._prevented),
            rested_lots=self.left,
        )

    def _prevent(self, maker: Resting) -> Lot:
        mode = self.order.self_trade
        both = min(self.left, maker.lots_left)
        taker_lots, maker_lots = both, both
        if mode is not SelfTrade.DECREMENT:
            taker_lots = 0 if mode is SelfTrade.EXPIRE_MAKER else self.left
            maker_lots = 0 if mode is SelfTrade.EXPIRE_TAKER else maker.lots_left
        self._prevented.append(
            Prevented(
                owner=maker.owner,
                maker_id=maker.order_id,
                taker_id=self.order.order_id,
                tick=maker.tick,
                maker_lots=maker_lots,
                taker_lots=taker_lots,
            )
        )
        if maker_lots == maker.lots_left:
            self._end_maker(maker)
        if taker_lots == self.left:
            self.end(ENDED_SELF_TRADE)
        else:
            self.left -= taker_lots
        return maker_lots

    def _end_maker(self, maker: Resting) -> None:
        self._ended.append(
            Ended(
                order_id=maker.order_id,
                owner=maker.owner,
                lots_left=maker.lots_left,
                reason=ENDED_SELF_TRADE,
            )
        )
