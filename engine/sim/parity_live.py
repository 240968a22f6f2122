"""What a recorded session says of its own orders: when they left, what became of them, how late.

Moments are this host's but for those named `venue`, which are the venue's own.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from engine.sim.replay import Entry, Made, Outcome
from engine.values.commands import Amend, Cancel, CancelAll, Command, Place
from engine.values.events import (
    CancelFailed,
    Event,
    Fill,
    OrderFailed,
    OrderReport,
    OrderSent,
    OrderState,
    Trade,
    VenueState,
)
from engine.values.units import Lot, Ns

ENDED = (OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.FILLED)
WAYS_MAX = 8
"""An order that ends so many ways after it was to be cancelled did not end by that request."""
Key: TypeAlias = tuple[str, int]
"""A market, and the venue's number of a trade in it."""


class LiveOrder(msgspec.Struct, kw_only=True):
    """One order as it was; 0 stands for what the recording does not tell."""

    place: Place
    sent_ns: Ns = 0
    answered_ns: Ns = 0
    opened_venue_ns: Ns = 0
    asked_ns: Ns = 0
    cancelled_ns: Ns = 0
    ended_venue_ns: Ns = 0
    refusal: str = ""
    fills: list[Fill] = []

    def filled_lots(self, before_trade_id: int) -> Lot:
        """A venue numbers trades in order, and stamps many of them alike."""
        return sum(fill.lots for fill in self.fills if fill.trade_id < before_trade_id)


class Lived(msgspec.Struct, kw_only=True):
    """A session's orders by client id, its fills and the public trades by number.

    `commands` are what changes orders, as the engine wished it; `unknown` are fills of orders that
    are older than the session.
    """

    orders: dict[str, LiveOrder] = {}
    commands: list[Command] = []
    fills: dict[Key, Fill] = {}
    trades: dict[Key, Trade] = {}
    unknown: set[Key] = set()

    def answers_ns(self) -> list[Ns]:
        """Ways there and back, of each order that was sent and answered."""
        return sorted(
            each.answered_ns - each.sent_ns
            for each in self.orders.values()
            if each.sent_ns and each.answered_ns
        )

    def fills_ns(self) -> list[Ns]:
        """How long each fill took from the venue's clock to ours."""
        return sorted(each.at_ns - each.venue_ns for each in self.fills.values() if each.venue_ns)

    def trades_ns(self) -> list[Ns]:
        """The same of each public trade."""
        return sorted(each.at_ns - each.venue_ns for each in self.trades.values() if each.venue_ns)


def lived(entries: Iterable[Entry]) -> Lived:
    """Read a session in order."""
    found, decoder = Lived(), msgspec.json.Decoder(Outcome)
    for entry in entries:
        if isinstance(entry, Made):
            for command in decoder.decode(entry.outcome).commands if entry.outcome else ():
                _wished(found, command)
        else:
            _heard(found, entry)
    return found


def _wished(found: Lived, command: Command) -> None:
    match command:
        case Place():
            found.orders[command.client_id] = LiveOrder(place=command)
        case Amend():
            _asked(found, command.client_id, command.at_ns)
            found.orders[command.replacement.client_id] = LiveOrder(place=command.replacement)
        case Cancel():
            _asked(found, command.client_id, command.at_ns)
        case CancelAll():
            for client_id, order in found.orders.items():
                if order.place.market == command.market:
                    _asked(found, client_id, command.at_ns)
        case _:
            return
    found.commands.append(command)


def _asked(found: Lived, client_id: str, at_ns: Ns) -> None:
    order = found.orders.get(client_id)
    if order is not None:
        order.asked_ns = order.asked_ns or at_ns


def _heard(found: Lived, fact: Event) -> None:
    match fact:
        case OrderSent() if fact.client_id in found.orders:
            found.orders[fact.client_id].sent_ns = fact.at_ns
        case OrderReport() if fact.client_id in found.orders:
            _reported(found.orders[fact.client_id], fact)
        case OrderFailed() if fact.client_id in found.orders:
            order = found.orders[fact.client_id]
            order.answered_ns = order.answered_ns or fact.at_ns
            order.refusal = f"{fact.code} {fact.text}".strip()
        case CancelFailed() if fact.client_id in found.orders:
            order = found.orders[fact.client_id]
            order.cancelled_ns = order.cancelled_ns or fact.at_ns
        case Fill() | VenueState():
            for fill in _fills(fact):
                _filled(found, fill)
        case Trade():
            found.trades.setdefault((fact.market, fact.trade_id), fact)
        case _:
            pass


def _reported(order: LiveOrder, report: OrderReport) -> None:
    order.answered_ns = order.answered_ns or report.at_ns
    order.opened_venue_ns = order.opened_venue_ns or report.update_ns
    if report.state in ENDED:
        order.ended_venue_ns = order.ended_venue_ns or report.update_ns
        order.cancelled_ns = order.cancelled_ns or report.at_ns


def _fills(fact: Fill | VenueState) -> Iterator[Fill]:
    if isinstance(fact, Fill):
        yield fact
    else:
        yield from fact.fills


def _filled(found: Lived, fill: Fill) -> None:
    """A fill is told by its stream and once more by a reconciliation; it counts once."""
    key = fill.market, fill.trade_id
    if key in found.fills:
        return
    found.fills[key] = fill
    order = found.orders.get(fill.client_id)
    if order is None:
        found.unknown.add(key)
    else:
        order.fills.append(fill)


# --- when they reached the venue ----------------------------------------------------------------


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A command at the venue. One that ends an order comes after all else of its moment."""

    at_ns: Ns
    ends: bool
    command: Command


def has_venue_clock(found: Lived) -> bool:
    """Whether the venue stamped both the life of our orders and the public trades."""
    answered = [each for each in found.orders.values() if each.answered_ns and not each.refusal]
    return all(each.opened_venue_ns for each in answered) and all(
        each.venue_ns for each in found.trades.values()
    )


def arrivals(found: Lived) -> list[Act]:
    """Each command with the moment at which it was at the venue: by the venue's own clock if it
    told (`has_venue_clock`), else by the half of its way there and back on ours.

    What was never answered took the middle of all ways.
    """
    ways = found.answers_ns()
    timing = _Timing(found, ways[len(ways) // 2] // 2 if ways else 0, has_venue_clock(found))
    acts = [timing.act(command) for command in found.commands]
    return sorted(acts, key=lambda act: (act.at_ns, act.ends))


class _Timing(msgspec.Struct, frozen=True):
    found: Lived
    middle_ns: Ns
    by_venue: bool

    def act(self, command: Command) -> Act:
        if isinstance(command, Place | Amend):
            place = command if isinstance(command, Place) else command.replacement
            return Act(
                at_ns=self._came(self.found.orders[place.client_id]), ends=False, command=command
            )
        order = self.found.orders.get(getattr(command, "client_id", ""))
        return Act(at_ns=self._ended(command, order), ends=True, command=command)

    def _came(self, order: LiveOrder) -> Ns:
        if self.by_venue and order.opened_venue_ns:
            return order.opened_venue_ns
        left_ns = order.sent_ns or order.place.at_ns
        return left_ns + (max(0, order.answered_ns - left_ns) // 2 or self.middle_ns)

    def _ended(self, command: Command, order: LiveOrder | None) -> Ns:
        way_ns = order.cancelled_ns - command.at_ns if order is not None else 0
        if not 0 < way_ns < WAYS_MAX * self.middle_ns:
            return command.at_ns + self.middle_ns
        if self.by_venue and order is not None and order.ended_venue_ns:
            return order.ended_venue_ns
        return command.at_ns + way_ns // 2
