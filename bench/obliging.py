"""Markets by the dozen for benchmarks: instruments, an engine over them, an obliging venue.

The venue answers each command at once and agrees with everything, so that what is measured is the
engine and not an exchange. Nothing here sleeps or reads a clock.
"""

from itertools import count

import msgspec

from engine.core import Engine
from engine.values.commands import Amend, Cancel, CancelAll, Command, Place, QueryOrder, Reconcile
from engine.values.events import (
    Alive,
    AllCanceled,
    Balance,
    BookDelta,
    BookSnapshot,
    Connected,
    Event,
    Fill,
    OrderReport,
    OrderState,
    Stream,
    Timer,
    VenueState,
)
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, Levels, Ns, Side
from tests.sim import builders
from tests.sim.venue import BTT

LEVELS = 20
SIZE = 30_000_000
MIDDLE = 100
"""The touch is 100 against 101: coarse ticks, as in the markets that the engine is made for."""

WARM_UP_TICKS = 40
"""Timers of 50 ms until the volatility is known and every market quotes."""


def instruments(how_many: int) -> list[Instrument]:
    """Tokens T0 to Tn against USDT, each like BTT."""
    return [
        msgspec.structs.replace(
            BTT, symbol=f"T{n}/USDT", venue_symbol=f"T{n}USDT", base=f"T{n}", notional_min=1
        )
        for n in range(how_many)
    ]


def engine_of(how_many: int) -> Engine:
    """The ladder and the demo's risk rows in every market; ready to quote within a second."""
    rows = [msgspec.structs.replace(row, cool_down_s=0.0) for row in builders.rows()]
    traded = instruments(how_many)
    setups = [builders.setup(risk=rows, warm_up_s=0.3, instrument=each) for each in traded]
    return builders.engine(setups, timer_ms=50, reconcile_s=1e6)


def levels(lots: int = SIZE) -> tuple[Levels, Levels]:
    bids = [(MIDDLE - n, lots) for n in range(LEVELS)]
    asks = [(MIDDLE + 1 + n, lots) for n in range(LEVELS)]
    return bids, asks


class ObligingVenue:
    """Accepts whatever it is asked. Keeps open orders and balances, so that it can say them."""

    def __init__(self, traded: list[Instrument]) -> None:
        self.name = traded[0].venue
        self.open: dict[str, dict[str, OrderReport]] = {each.market: {} for each in traded}
        self._instruments = {each.market: each for each in traded}
        base = traded[0].base_atoms(builders.TARGET)
        self._atoms = {each.base: base for each in traded} | {traded[0].quote: 10**15}
        self._numbers = count(1)

    def answers(self, command: Command, now_ns: Ns) -> list[Event]:
        """What the venue says to a command, at once."""
        match command:
            case Place():
                report = self._opened(command, now_ns)
                self.open[command.market][command.client_id] = report
                return [report]
            case Cancel():
                report = self.open[command.market].pop(command.client_id, None)
                return [self._canceled(report, now_ns)] if report else []
            case CancelAll():
                gone = list(self.open[command.market].values())
                self.open[command.market].clear()
                reports: list[Event] = [self._canceled(report, now_ns) for report in gone]
                ended = AllCanceled(market=command.market, at_ns=now_ns, count=len(gone))
                return [*reports, ended]
            case Reconcile():
                return [self._state(command.market, now_ns)]
            case Amend() | QueryOrder():
                raise ValueError(f"nobody should need {command}")

    def fill(self, market: str, client_id: str, lots: int, now_ns: Ns) -> Fill:
        """Somebody takes `lots` of an open order: the ledger moves, the fill is returned."""
        report, instrument = self.open[market][client_id], self._instruments[market]
        filled = report.filled_lots + lots
        self.open[market][client_id] = msgspec.structs.replace(
            report, filled_lots=filled, state=OrderState.PARTIAL
        )
        if filled >= report.lots:
            del self.open[market][client_id]
        sign = report.side.sign
        self._atoms[instrument.base] += sign * instrument.base_atoms(lots)
        self._atoms[instrument.quote] -= sign * instrument.quote_atoms(report.tick, lots)
        return Fill(
            market=market,
            client_id=client_id,
            venue_id=report.venue_id,
            trade_id=next(self._numbers),
            at_ns=now_ns,
            venue_ns=now_ns,
            side=report.side,
            tick=report.tick,
            lots=lots,
            fee_atoms=0,
            fee_asset=instrument.quote,
            is_maker=True,
        )

    def _opened(self, place: Place, now_ns: Ns) -> OrderReport:
        return OrderReport(
            market=place.market,
            client_id=place.client_id,
            venue_id=f"v{place.client_id}",
            at_ns=now_ns,
            update_ns=now_ns,
            state=OrderState.OPEN,
            side=place.side,
            tick=place.tick,
            lots=place.lots,
            filled_lots=0,
        )

    def _canceled(self, report: OrderReport, now_ns: Ns) -> OrderReport:
        return msgspec.structs.replace(
            report, state=OrderState.CANCELED, at_ns=now_ns, update_ns=now_ns + 1
        )

    def _state(self, market: str, now_ns: Ns) -> VenueState:
        instrument = self._instruments[market]
        return VenueState(
            market=market,
            asked_ns=now_ns,
            at_ns=now_ns,
            open_orders=list(self.open[market].values()),
            fills=[],
            balances=[
                Balance(asset=asset, free_atoms=self._atoms[asset], locked_atoms=0)
                for asset in (instrument.base, instrument.quote)
            ],
        )


class Stage:
    """An engine that quotes all its markets, with the venue's answers fed back at once."""

    def __init__(self, how_many: int) -> None:
        self.engine = engine_of(how_many)
        self.markets = list(self.engine.makers)
        self.venue = ObligingVenue([m.quoter.setup.instrument for m in self.engine.makers.values()])
        self.now_ns: Ns = 1_700_000_000 * 10**9
        self.decided = 0
        self._sequence = 1
        self._begin()

    def _begin(self) -> None:
        for stream in Stream:
            self.feed(Connected(venue=self.venue.name, stream=stream, at_ns=self.now_ns))
        bids, asks = levels()
        for market in self.markets:
            self.feed(
                BookSnapshot(
                    market=market, at_ns=self.now_ns, venue_ns=self.now_ns, sequence=1,
                    bids=bids, asks=asks,
                )
            )  # fmt: skip
        for n in range(WARM_UP_TICKS):
            self.alive()
            for market in self.markets:
                self.feed(self.delta(market, [(MIDDLE - 8, SIZE + n)], []))
            self.feed(self.timer())
        assert all(self.venue.open.values()), "a market does not quote"

    def delta(self, market: str, bids: Levels, asks: Levels) -> BookDelta:
        self._sequence += 1
        return BookDelta(
            market=market, at_ns=self.now_ns, venue_ns=self.now_ns, sequence=self._sequence,
            bids=bids, asks=asks,
        )  # fmt: skip

    def alive(self) -> None:
        for stream in Stream:
            self.feed(Alive(venue=self.venue.name, stream=stream, at_ns=self.now_ns))

    def timer(self) -> Timer:
        self.now_ns += 50 * NS_PER_MS
        return Timer(at_ns=self.now_ns)

    def feed(self, event: Event) -> None:
        """Process a fact and everything that the venue answers to what follows from it."""
        waiting = [event]
        while waiting:
            step = self.engine.process(waiting.pop(0))
            self.decided += bool(step.decided)
            for command in step.commands:
                waiting += self.venue.answers(command, self.now_ns)

    def own(self, market: str, side: Side) -> list[OrderReport]:
        return [report for report in self.venue.open[market].values() if report.side is side]
