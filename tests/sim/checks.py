"""What must hold in every world. Written against facts, commands and the venue's ledger only; the
engine is asked for nothing but what it says it knows (its live orders, its balances).
"""

import msgspec

from engine.values.commands import Cancel, CancelAll, Place
from engine.values.events import (
    Alive,
    BookDelta,
    BookLost,
    BookSnapshot,
    Connected,
    Disconnected,
    Fill,
    Halt,
    OrderFailed,
    OrderReport,
    Resume,
    Stop,
    Stream,
    Timer,
    TopOfBook,
    Trade,
    VenueState,
)
from engine.values.records import OrderIntent, StateChanged
from engine.values.units import NS_PER_MS, NS_PER_S, Side
from tests.sim import builders
from tests.sim.venue import BASE_ATOMS, MARKET, Violated

SILENCE_NS_MAX = 2_500 * NS_PER_MS + 150 * NS_PER_MS
MOST = builders.TARGET + int((builders.CAP - builders.TARGET) * builders.WORST_SHARE)
LEAST = builders.TARGET - int((builders.TARGET - builders.FLOOR) * builders.WORST_SHARE)
ENDED = ("filled", "canceled", "rejected", "expired")


class Told:
    """What one process was told so far, as the checker reads it."""

    def __init__(self):
        self.bids, self.asks = {}, {}
        self.book = self.halted = self.stopped = self.frozen = False
        self.public = self.private = False
        self.public_ns = self.private_since = 0
        self.read = False
        self.uncovered: dict[str, Place] = {}
        self.last_disproof: set[str] = set()


class Checks:
    def __init__(self, world):
        self.world = world
        self.told_ = Told()
        self.placed: dict[str, Place] = {}
        self.places = self.pulls = 0
        self.is_halted = False

    def started(self):
        self.told_ = Told()
        words = [r for r in self.world.records if isinstance(r, Halt | Resume)]
        self.is_halted = bool(words) and isinstance(words[-1], Halt)
        self.told_.halted = self.is_halted

    def _fail(self, text):
        raise Violated(
            f"{text} (at {(self.world.now - 1_700_000_000 * NS_PER_S) / NS_PER_S:.3f} s)"
        )

    # --- facts in

    def told(self, event):
        told = self.told_
        match event:
            case BookSnapshot():
                told.bids, told.asks = dict(event.bids), dict(event.asks)
                told.book = True
            case BookDelta():
                for book, levels in ((told.bids, event.bids), (told.asks, event.asks)):
                    for tick, lots in levels:
                        book[tick] = lots
                        if not lots:
                            del book[tick]
            case BookLost():
                told.book = False
            case Connected():
                if event.stream is Stream.PUBLIC:
                    told.public, told.book = True, False
                else:
                    told.private, told.private_since = True, event.at_ns
            case Disconnected():
                if event.stream is Stream.PUBLIC:
                    told.public = told.book = False
                else:
                    told.private = told.read = False
            case VenueState():
                told.read |= told.private and event.asked_ns >= told.private_since
            case Halt():
                told.halted = self.is_halted = True
            case Resume():
                told.halted = self.is_halted = False
                told.read, told.private_since = False, event.at_ns
            case Stop():
                told.stopped = True
            case OrderReport() if event.state in ENDED:
                told.uncovered.pop(event.client_id, None)
            case OrderFailed() if event.failure != "unknown":
                told.uncovered.pop(event.client_id, None)
            case _:
                pass
        is_public = isinstance(event, BookDelta | BookSnapshot | BookLost | TopOfBook | Trade)
        is_wire = isinstance(event, Connected | Alive)
        if is_public or (is_wire and event.stream is Stream.PUBLIC):
            told.public_ns = event.at_ns

    def why_not(self):
        """Why no order may leave now, as far as the process was told."""
        told = self.told_
        if not told.book:
            return "I17: the book is not valid"
        if told.bids and told.asks and max(told.bids) >= min(told.asks):
            return "I17: the book is crossed"
        if not (told.public and told.private):
            return "I17: a link is down"
        if self.world.now - told.public_ns > SILENCE_NS_MAX:
            return "I17: the book's link is silent"
        if not told.read:
            return "I20: nothing was read since the start, the loss or the resume"
        if told.halted:
            return "I24: halted"
        return "I17: stopping" if told.stopped else ""

    # --- commands out

    def decided(self, event, step):
        why = self.why_not()
        intents = {r.order.client_id: r for r in step.records if isinstance(r, OrderIntent)}
        for command in step.commands:
            if isinstance(command, Place):
                if why:
                    self._fail(f"{why}, and an order was placed")
                self._place(command, intents)
            elif isinstance(command, CancelAll):
                self.pulls += 1
                self.told_.uncovered.clear()
            elif isinstance(command, Cancel):
                self.told_.uncovered.pop(command.client_id, None)
        if why:
            self._pulled(why, event)
        for record in step.records:
            if isinstance(record, StateChanged) and record.after == "CANCEL_ONLY":
                self.told_.frozen = "stopping" not in record.reason

    def _place(self, place, intents):
        self.places += 1
        if place.client_id in self.placed:
            self._fail(f"I7: {place.client_id} was used before")
        self.placed[place.client_id] = self.told_.uncovered[place.client_id] = place
        if place.client_id not in intents or intents[place.client_id].order != place:
            self._fail("I6: an order without its intent in the same step")
        asks, bids = self.told_.asks, self.told_.bids
        far = min(asks, default=10**9) if place.side is Side.BUY else max(bids, default=0)
        if not place.post_only or (place.tick - far) * place.side.sign >= 0:
            self._fail("I14: an order that could take")

    def _pulled(self, why, event):
        """I18: in the very step that hears the bad fact (silence: at the next timer)."""
        if "silent" in why and not isinstance(event, Timer):
            return
        rows = self.world.venue.by_client
        for client_id in self.told_.uncovered:
            row = rows.get(client_id)
            if row is None or row.is_open:
                self._fail(f"I18: {why}, and {client_id} was not pulled after {event}")

    def left(self, command):
        if isinstance(command, Place):
            durable = self.world.intents(self.world.durable)
            if durable.get(command.client_id) != command:
                self._fail(f"I6: {command.client_id} left before its intent was durable")

    # --- the venue's ledger

    def venue_changed(self):
        venue = self.world.venue
        bid, ask = venue.working()
        if venue.position_lots + bid > MOST:
            self._fail(f"I9: {venue.position_lots} + {bid} could pass {MOST}")
        if venue.position_lots - ask < LEAST:
            self._fail(f"I9: {venue.position_lots} - {ask} could pass {LEAST}")
        self.nothing_uncounted()

    def nothing_uncounted(self):
        """I8: what is open at the venue is in the exposure of the process that runs."""
        world = self.world
        if not world.alive:
            return
        counted = {order.client_id for order in world.keeper.orders.active(MARKET)}
        for row in world.venue.open_rows():
            if row.client_id in self.placed and row.client_id not in counted:
                order = world.keeper.orders.get(row.client_id)
                self._fail(f"I8: {row.client_id} is open and not counted: {order!r}")

    # --- replay

    def rebuilt_equals_live(self):
        """I21: the records so far make the same orders and the same money."""
        world = self.world
        other = builders.engine(epoch=10**6, past=list(world.records))
        live, rebuilt = world.keeper, other.keepers["loopback"]
        for asset in ("BTT", "USDT"):
            if live.portfolio.balance(asset) != rebuilt.portfolio.balance(asset):
                self._fail(f"I21: {asset} differs after a replay")
        ours, theirs = knowledge(live.orders), knowledge(rebuilt.orders)
        if ours != theirs:
            pairs = [
                (a, b)
                for key in sorted(ours.keys() | theirs.keys())
                if (a := ours.get(key)) != (b := theirs.get(key))
            ]
            self._fail(f"I21: orders differ after a replay: {pairs[0]}")

    # --- the end

    def agrees(self):
        """L5, I1, I2, I3 at quiescence: the two ledgers are one."""
        world, venue = self.world, self.world.venue
        portfolio = world.keeper.portfolio
        for asset, theirs in (("BTT", venue.base_atoms), ("USDT", venue.usdt_atoms)):
            ours = portfolio.balance(asset)
            if ours != theirs or type(ours) is not int:
                self._fail(f"I3: {asset} ours {ours} the venue's {theirs}")
        if portfolio.position_lots(MARKET) != venue.base_atoms // BASE_ATOMS:
            self._fail("I1: position")
        booked = [record.trade_id for record in world.records if isinstance(record, Fill)]
        if len(booked) != len(set(booked)):
            self._fail("I2: a trade is in the journal twice")
        if set(booked) != {fill.trade_id for fill in venue.fills}:
            self._fail("I1: the journal's fills are not the venue's")
        live = {order.client_id for order in world.keeper.orders.live(MARKET)}
        if live != {row.client_id for row in venue.open_rows()}:
            self._fail(f"L5: live {live}")
        world.keeper.orders.check()
        portfolio.check()


def knowledge(orders):
    """What is known of each order but for what only the running process can know: whether the
    bytes of an order that was never answered have left."""
    known = {}
    for order in orders:
        plain = msgspec.structs.replace(order, is_sent=False, is_doubted=False)
        if not order.is_seen and order.is_live:
            plain = msgspec.structs.replace(plain, status="live", unknown_during=None)
        known[order.client_id] = plain
    return known
