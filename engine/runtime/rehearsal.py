"""Keeps the decision path warm: while nothing happens, a scratch engine decides on a scratch book.

The scratch engine is another `Engine` with strategies of its own. It hears a made-up market at the
live one's prices and an obliging venue that answers at once; nothing of it leaves this file.
"""

from engine.core import Engine
from engine.market.book import Book
from engine.values.commands import Cancel, CancelAll, Command, Place
from engine.values.events import (
    Alive,
    Balance,
    BookDelta,
    BookSnapshot,
    Connected,
    Event,
    OrderReport,
    OrderState,
    Stream,
    Timer,
    VenueState,
)
from engine.values.units import NS_PER_MS, NS_PER_S, Levels, Ns, Side

BOOK_LEVELS = 20
STEP_NS = 20 * NS_PER_MS
"""Scratch time that one rehearsal takes: the scratch engine's clock is its own."""
ANSWERS_MAX = 200


class Rehearsal:
    """One scratch market at a time. `turn` costs about one decision."""

    def __init__(self, scratch: Engine, market: str) -> None:
        self._engine = scratch
        self._maker = scratch.makers[market]
        self._market = market
        self._venue = self._maker.quoter.setup.instrument.venue
        self._now_ns: Ns = NS_PER_S
        self._sequence = 1
        self._acks = 0
        self.turns = 0
        self.decided = 0

    def set_stage(self, book: Book) -> None:
        """Copy the live market's prices and let the scratch engine find itself ready to quote."""
        bids, asks = book.levels(Side.BUY, BOOK_LEVELS), book.levels(Side.SELL, BOOK_LEVELS)
        for stream in Stream:
            self._feed(Connected(venue=self._venue, stream=stream, at_ns=self._now_ns))
        self._feed(Timer(at_ns=self._now_ns))
        self._feed(self._holdings())
        self._feed(
            BookSnapshot(
                market=self._market,
                at_ns=self._now_ns,
                sequence=self._sequence,
                bids=bids,
                asks=asks,
            )
        )

    def turn(self) -> None:
        """The best bid's size changes, the microprice moves, the strategy is asked."""
        self.turns += 1
        self._now_ns += STEP_NS
        self._sequence += 1
        for stream in Stream:
            self._feed(Alive(venue=self._venue, stream=stream, at_ns=self._now_ns))
        self._feed(Timer(at_ns=self._now_ns))
        self._feed(
            BookDelta(
                market=self._market,
                at_ns=self._now_ns,
                sequence=self._sequence,
                bids=self._change(),
                asks=[],
            )
        )
        self._maker.keeper.orders.forget_ended(self._now_ns)

    def _change(self) -> Levels:
        book = self._maker.quoter.book
        opposite = max(book.ask_lots, 3)
        return [(book.bid_tick, opposite // 3 if self.turns % 2 else opposite * 3)]

    def _feed(self, event: Event) -> None:
        """Process and answer what the scratch engine asks of its venue, to a bounded depth."""
        waiting: list[Event] = [event]
        for _ in range(ANSWERS_MAX):
            if not waiting:
                return
            step = self._engine.process(waiting.pop(0))
            self.decided += bool(step.decided)
            for command in step.commands:
                waiting += self._answers(command)

    def _answers(self, command: Command) -> list[Event]:
        if isinstance(command, Place):
            return [self._report(command.client_id, OrderState.OPEN)]
        if isinstance(command, Cancel):
            return [self._report(command.client_id, OrderState.CANCELED)]
        if isinstance(command, CancelAll):
            live = self._maker.keeper.orders.live(self._market)
            return [self._report(order.client_id, OrderState.CANCELED) for order in live]
        return []

    def _report(self, client_id: str, state: OrderState) -> OrderReport:
        self._acks += 1
        order = self._maker.keeper.orders.get(client_id)
        assert order is not None
        return OrderReport(
            market=self._market,
            client_id=client_id,
            venue_id=f"s{client_id}",
            at_ns=self._now_ns,
            update_ns=self._now_ns + self._acks,
            state=state,
            side=order.side,
            tick=order.tick,
            lots=order.lots,
            filled_lots=0,
        )

    def _holdings(self) -> VenueState:
        """An account that stands at the target and can pay for everything."""
        setup = self._maker.quoter.setup
        instrument, bands = setup.instrument, setup.bands
        base = instrument.base_atoms(bands.target_lots)
        quote = instrument.quote_atoms(instrument.tick_max, bands.cap_lots)
        return VenueState(
            market=self._market,
            asked_ns=self._now_ns,
            at_ns=self._now_ns,
            open_orders=[],
            fills=[],
            balances=[
                Balance(asset=instrument.base, free_atoms=base, locked_atoms=0),
                Balance(asset=instrument.quote, free_atoms=quote, locked_atoms=0),
            ],
        )
