"""A storm for the real driver: `Live`, `Inbox`, `Sender` and journal between two made-up ports.

The feed and the gateway are in-process and keep the truth: every book as it was sent, every fill in
its order. What the engine and the journal say afterwards is compared with that.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from bench.obliging import LEVELS, MIDDLE, SIZE, ObligingVenue, engine_of, levels
from engine.market.book import Book
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import RuntimeParams
from engine.runtime.journal import JournalParams, SqliteJournal, open_journal
from engine.runtime.journal_reader import read
from engine.runtime.live import Live, Venue
from engine.values.commands import Command, Place
from engine.values.events import (
    Alive,
    BookDelta,
    BookSnapshot,
    Connected,
    Event,
    Fill,
    Stream,
    Trade,
)
from engine.values.instrument import Instrument
from engine.values.ports import Inbox
from engine.values.records import OrderIntent, Record
from engine.values.units import NS_PER_MS, NS_PER_S, Ns, Side

BURST_S = 0.01
"""A feed comes in bursts: what a socket held when the loop came round to it."""
ALIVE_S = 0.5
ANSWER_S = 0.002
FILL_LOTS = 1_000
POLL_S = 0.0005


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """Calm, then storm: the rates of the storm are `times` those of the calm."""

    markets: int = 10
    messages_per_s: int = 1_000
    fills_per_s: int = 20
    times: int = 10
    calm_s: float = 10.0
    storm_s: float = 60.0
    seed: int = 1


class Found(msgspec.Struct, kw_only=True):
    """What a storm left behind. Spans in ns, the storm's apart from the calm's."""

    fill_to_journal: dict[str, list[int]]
    quote_book_age: dict[str, list[int]]
    quote_to_gateway: dict[str, list[int]]
    sent: int = 0
    merged: int = 0
    deepest: int = 0
    fills_sent: list[int] = []
    fills_journaled: list[int] = []
    fills_counted: int = 0
    books_differ: list[str] = []
    late_pulls: int = 0


class Phase:
    """Which weather it is, for everybody."""

    def __init__(self) -> None:
        self.name = "warm-up"
        self.factor = 1


class StormFeed:
    """Deltas and trades in bursts over all markets, at the pace of the phase."""

    def __init__(self, traded: list[Instrument], weather: Weather, phase: Phase) -> None:
        self._markets = [each.market for each in traded]
        self._venue, self._weather, self._phase = traded[0].venue, weather, phase
        self._dice = Random(weather.seed)
        self._clock = MonotonicClock()
        self.truth = {market: Book() for market in self._markets}
        self.sent = 0
        self.stopped = asyncio.Event()
        self._stop = False

    def stop(self) -> None:
        self._stop = True

    async def run(self, inbox: Inbox) -> None:
        self._begin(inbox)
        loop = asyncio.get_running_loop()
        due_s, alive_s, debt = loop.time(), loop.time(), 0.0
        while not self._stop:
            debt += BURST_S * self._weather.messages_per_s * self._phase.factor
            while debt >= 1:
                debt -= 1
                self._emit(inbox)
            if loop.time() >= alive_s:
                alive_s += ALIVE_S
                inbox.put(self._alive())
            due_s += BURST_S
            await asyncio.sleep(max(0.0, due_s - loop.time()))
        self.stopped.set()
        while True:
            inbox.put(self._alive())
            await asyncio.sleep(ALIVE_S)

    def _alive(self) -> Alive:
        return Alive(venue=self._venue, stream=Stream.PUBLIC, at_ns=self._clock.now_ns())

    def _begin(self, inbox: Inbox) -> None:
        now_ns = self._clock.now_ns()
        inbox.put(Connected(venue=self._venue, stream=Stream.PUBLIC, at_ns=now_ns))
        bids, asks = levels()
        for market in self._markets:
            self.truth[market].apply_snapshot(bids, asks)
            inbox.put(
                BookSnapshot(
                    market=market, at_ns=now_ns, venue_ns=now_ns, sequence=1, bids=bids, asks=asks
                )
            )

    def _emit(self, inbox: Inbox) -> None:
        """Eight of ten change the book away from the touch, one its touch, one is a trade."""
        dice, market, now_ns = self._dice, self._dice.choice(self._markets), self._clock.now_ns()
        kind = dice.random()
        self.sent += 1
        if kind < 0.1:
            inbox.put(
                Trade(
                    market=market, at_ns=now_ns, venue_ns=now_ns, trade_id=self.sent,
                    tick=MIDDLE, lots=1_000, aggressor=Side.SELL,
                )
            )  # fmt: skip
            return
        depth = 0 if kind < 0.2 else dice.randrange(2, LEVELS)
        bids = [(MIDDLE - depth, SIZE * dice.randint(1, 4))]
        asks = [(MIDDLE + 1 + depth, SIZE * dice.randint(1, 4))]
        self.truth[market].apply_delta(bids, asks)
        inbox.put(
            BookDelta(
                market=market, at_ns=now_ns, venue_ns=now_ns, sequence=self.sent + 1,
                bids=bids, asks=asks,
            )
        )  # fmt: skip


class StormGateway:
    """Accepts everything after 2 ms, and fills our orders at the pace of the phase."""

    def __init__(self, traded: list[Instrument], weather: Weather, phase: Phase) -> None:
        self._traded, self._weather, self._phase = traded, weather, phase
        self._venue = ObligingVenue(traded)
        self._clock = MonotonicClock()
        self._dice = Random(weather.seed + 1)
        self.due_ns: dict[int, tuple[str, Ns]] = {}
        self.fills: list[Fill] = []
        self.to_gateway: dict[str, list[int]] = {}
        self._stop = False

    def stop(self) -> None:
        self._stop = True

    async def instruments(self, symbols: list[str]) -> list[Instrument]:
        return [each for each in self._traded if each.symbol in symbols]

    async def execute(self, command: Command) -> list[Event]:
        if isinstance(command, Place):
            spent_ns = self._clock.now_ns() - command.at_ns
            self.to_gateway.setdefault(self._phase.name, []).append(spent_ns)
        await asyncio.sleep(ANSWER_S)
        return self._venue.answers(command, self._clock.now_ns())

    async def run(self, inbox: Inbox) -> None:
        """A fill is due at fixed moments; what fell due meanwhile arrives at once, as on a wire."""
        loop = asyncio.get_running_loop()
        venue, due_s, alive_s = self._venue.name, loop.time(), loop.time()
        inbox.put(Connected(venue=venue, stream=Stream.PRIVATE, at_ns=self._clock.now_ns()))
        while True:
            if loop.time() >= alive_s:
                alive_s += ALIVE_S
                now_ns = self._clock.now_ns()
                inbox.put(Alive(venue=venue, stream=Stream.PRIVATE, at_ns=now_ns))
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            while due_s <= loop.time():
                if not self._stop and self._phase.name != "warm-up":
                    late_ns = int((loop.time() - due_s) * NS_PER_S)
                    self._fill(inbox, self._clock.now_ns() - late_ns)
                due_s += 1 / (self._weather.fills_per_s * self._phase.factor)

    def _fill(self, inbox: Inbox, due_ns: Ns) -> None:
        """Sides in turn, so that the inventory stays where it is."""
        side = Side.BUY if len(self.fills) % 2 else Side.SELL
        market = self._dice.choice(self._traded).market
        mine = [r for r in self._venue.open[market].values() if r.side is side]
        if not mine:
            return
        report = self._dice.choice(mine)
        fill = self._venue.fill(market, report.client_id, FILL_LOTS, self._clock.now_ns())
        self.fills.append(fill)
        self.due_ns[fill.trade_id] = (self._phase.name, due_ns)
        inbox.put(fill)

    async def close(self) -> None:
        return


class WatchedJournal:
    """The journal, with a look at each record as it is handed over and when it is durable."""

    def __init__(self, journal: SqliteJournal, gateway: StormGateway, phase: Phase) -> None:
        self._journal, self._gateway, self._phase = journal, gateway, phase
        self._clock = MonotonicClock()
        self._given = journal.count
        self._waiting: deque[tuple[int, Fill]] = deque()
        self.makers: dict[str, Any] = {}
        self.fill_to_journal: dict[str, list[int]] = {}
        self.quote_book_age: dict[str, list[int]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def append(self, records: Iterable[Record]) -> None:
        kept = list(records)
        self._journal.append(kept)
        for record in kept:
            self._given += 1
            if isinstance(record, Fill):
                self._waiting.append((self._given, record))
            elif isinstance(record, OrderIntent):
                age_ns = self._clock.now_ns() - self.makers[record.order.market].quoter.book_ns
                self.quote_book_age.setdefault(self._phase.name, []).append(age_ns)

    async def poll(self) -> None:
        """Note when fills became durable; to half a millisecond, to our disadvantage."""
        while True:
            while self._waiting and self._waiting[0][0] <= self._journal.count:
                _, fill = self._waiting.popleft()
                phase, due_ns = self._gateway.due_ns[fill.trade_id]
                spent_ns = self._clock.now_ns() - due_ns
                self.fill_to_journal.setdefault(phase, []).append(spent_ns)
            await asyncio.sleep(POLL_S)


async def storm(directory: Path, weather: Weather) -> Found:
    """Warm up, calm, storm, calm again until nothing waits, orderly end; then compare."""
    phase, clock = Phase(), MonotonicClock()
    engine = engine_of(weather.markets)
    traded = [maker.quoter.setup.instrument for maker in engine.makers.values()]
    feed, gateway = (kind(traded, weather, phase) for kind in (StormFeed, StormGateway))
    path = directory / "journal.db"
    async with await open_journal(path, JournalParams(), clock.now_ns) as inner:
        journal = WatchedJournal(inner, gateway, phase)
        journal.makers = engine.makers
        markets = list(engine.makers)
        venue = Venue(name=traded[0].venue, markets=markets, feed=feed, gateway=gateway)
        live = Live(engine, [venue], journal, clock, RuntimeParams(timer_ms=50))
        poller = asyncio.create_task(journal.poll(), name="poller")
        director = asyncio.create_task(_direct(live, feed, gateway, weather, phase))
        await live.run()
        await director
        await inner.commit()
        await asyncio.sleep(POLL_S * 10)
        poller.cancel()
    return _compared(live, feed, gateway, journal, path)


async def _direct(
    live: Live, feed: StormFeed, gateway: StormGateway, weather: Weather, phase: Phase
) -> None:
    makers = live.engine.makers.values()
    while not all(maker.state[0] == "QUOTING" for maker in makers):  # noqa: ASYNC110 a bystander
        await asyncio.sleep(BURST_S)
    phase.name = "calm"
    await asyncio.sleep(weather.calm_s)
    phase.name, phase.factor = "storm", weather.times
    await asyncio.sleep(weather.storm_s)
    phase.name, phase.factor = "after", 1
    gateway.stop()
    feed.stop()
    await feed.stopped.wait()
    while len(live.inbox):  # noqa: ASYNC110 a bystander
        await asyncio.sleep(BURST_S)
    live.stop("the storm is over")


def _compared(
    live: Live, feed: StormFeed, gateway: StormGateway, journal: WatchedJournal, path: Path
) -> Found:
    engine = live.engine
    journaled = [row.record.trade_id for row in read(path, kinds=("Fill",))]
    pulls = [row.record for row in read(path, kinds=("StateChanged",))]
    differ = [
        market
        for market, book in feed.truth.items()
        for side in Side
        if engine.makers[market].quoter.book.levels(side, 1_000) != book.levels(side, 1_000)
    ]
    counted = sum(
        keeper.portfolio.results(market).fill_count
        for keeper in engine.keepers.values()
        for market in feed.truth
    )
    return Found(
        fill_to_journal=journal.fill_to_journal,
        quote_book_age=journal.quote_book_age,
        quote_to_gateway=gateway.to_gateway,
        sent=feed.sent,
        merged=live.inbox.merged,
        deepest=live.inbox.deepest,
        fills_sent=[fill.trade_id for fill in gateway.fills],
        fills_journaled=journaled,
        fills_counted=counted,
        books_differ=differ,
        late_pulls=sum(1 for change in pulls if change.reason.startswith("loop")),
    )


LIMIT_NS: Ns = 1_000 * NS_PER_MS
"""The demo's row "book delay": nothing is quoted on a book that is later than this."""
