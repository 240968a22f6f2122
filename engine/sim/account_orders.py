"""One order as a simulated venue keeps it, and the venue's words about it."""

from collections.abc import Iterable

import msgspec

from engine.sim.matching.terms import Kind, NewOrder, SelfTrade, TimeInForce
from engine.values.commands import Place, QueryOrder
from engine.values.errors import Failure
from engine.values.events import OrderAbsent, OrderFailed, OrderReport, OrderState
from engine.values.instrument import Instrument
from engine.values.units import Lot, Ns

US = "us"
OPEN_STATES = (OrderState.OPEN, OrderState.PARTIAL)


class Order(msgspec.Struct, kw_only=True):
    """One order as the venue keeps it."""

    order_id: int
    place: Place
    filled_lots: Lot
    state: OrderState
    update_ns: Ns

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def left_lots(self) -> Lot:
        return self.place.lots - self.filled_lots

    def report(self, now_ns: Ns, reason: str = "") -> OrderReport:
        place = self.place
        return OrderReport(
            market=place.market,
            client_id=place.client_id,
            venue_id=str(self.order_id),
            at_ns=now_ns,
            update_ns=self.update_ns,
            state=self.state,
            side=place.side,
            tick=place.tick,
            lots=place.lots,
            filled_lots=self.filled_lots,
            reason=reason,
        )


def exponents_of(instruments: Iterable[Instrument]) -> dict[str, int]:
    """The exponent of each asset's atoms: the finest that any of the markets gives it."""
    found: dict[str, int] = {}
    for each in instruments:
        for asset, exponent in ((each.base, each.base_exponent), (each.quote, each.quote_exponent)):
            found[asset] = max(exponent, found.get(asset, 0))
    return found


def new_order(order: Order) -> NewOrder:
    place = order.place
    return NewOrder(
        order_id=order.order_id,
        owner=US,
        side=place.side,
        tick=place.tick,
        lots=place.lots,
        kind=Kind.LIMIT_MAKER if place.post_only else Kind.LIMIT,
        tif=TimeInForce.IOC if place.is_ioc else TimeInForce.GTC,
        self_trade=SelfTrade.EXPIRE_TAKER,
    )


def failed(place: Place, now_ns: Ns, refusal: str) -> OrderFailed:
    code, _, text = refusal.partition(" ")
    return OrderFailed(
        market=place.market,
        client_id=place.client_id,
        at_ns=now_ns,
        failure=Failure.REJECTED,
        code=code,
        text=text,
    )


def too_many(place: Place, now_ns: Ns, limit: str, rest_ns: Ns) -> OrderFailed:
    """Refused for now: it did not happen, and the venue says when to come again."""
    return OrderFailed(
        market=place.market,
        client_id=place.client_id,
        at_ns=now_ns,
        failure=Failure.TRANSIENT,
        code="-1015",
        text=limit,
        retry_after_ns=rest_ns,
    )


def absent(command: QueryOrder, now_ns: Ns) -> OrderAbsent:
    return OrderAbsent(
        market=command.market, client_id=command.client_id, at_ns=now_ns, asked_ns=command.at_ns
    )
