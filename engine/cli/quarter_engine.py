"""The engine of a live quarter: its files in one directory, its time shared with the venues.

Assembled as `ballast run` assembles it; only the clock is handed in. Between two sessions time
leaps, which the engine must survive as any machine that slept: pull, look again, quote again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.loopback.keys import new_ed25519
from engine.cli.assemble import running
from engine.cli.quarter_home import KEYS, config_of
from engine.cli.quarter_venues import ACCOUNT, QuarterVenue
from engine.cli.quarter_watch import Watch
from engine.cli.venue import write_key
from engine.runtime.clock import LeapingTime, MonotonicClock
from engine.runtime.live import Ending, Live
from engine.runtime.redaction import Redactor
from engine.runtime.treasury_start import desk_words
from engine.sim.quarter_setup import ALPHA, BEGIN_NS, BETA, QuarterSetup
from engine.trading.conversion_work import ConversionWork
from engine.trading.disturbances import DisturbanceParams, Disturbances
from engine.trading.maker import Maker
from engine.trading.treasury_work import TreasuryWork
from engine.values.action_records import AuthoritySet, RosterSet
from engine.values.errors import UserError
from engine.values.records import Alert
from engine.values.units import NS_PER_MS, NS_PER_S

LOOK_EVERY_S = 0.01
PATIENCE_S = 60.0
PATIENT = DisturbanceParams(
    lag_ns_max=3 * NS_PER_S // 2, journal_age_ns_max=NS_PER_S, calm_ns=200 * NS_PER_MS
)
"""A busy machine is no doubt in a simulation; a leap of hours still is one. What is calm again is
so after a fifth of the usual second: there are hundreds of leaps."""


class QuarterEngine:
    """The running engine and the venues that it trades on."""

    def __init__(
        self, setup: QuarterSetup, time: LeapingTime, venues: dict[str, QuarterVenue], live: Live
    ) -> None:
        self.setup, self.time, self.venues, self.live = setup, time, venues, live
        self.alerts: list[Alert] = []
        live.on_alert(self.alerts.append)
        live.engine.disturbances = Disturbances(PATIENT)
        self.watch = Watch(live)
        self.words: list[AuthoritySet | RosterSet] = []
        """Policy and people, as the engine was loaded with them."""

    @property
    def work(self) -> TreasuryWork:
        found = self.live.engine.neighbours.treasurer
        assert isinstance(found, TreasuryWork)
        return found

    @property
    def conversions(self) -> ConversionWork:
        found = self.work.conversions
        assert found is not None
        return found

    @property
    def makers(self) -> dict[str, Maker]:
        return self.live.engine.makers

    def maker(self, base: str, venue: str) -> Maker:
        return self.makers[f"{base}/USDT@{venue}"]

    def sees(self, base: str, venue: str) -> bool:
        """Whether the engine has a book there that it vouches for, and has reconciled since."""
        standing = self.maker(base, venue).standing
        return standing.may_quote_but_for("risk", "treasury")

    async def until(self, is_so: Callable[[], Any], s: float = PATIENCE_S) -> bool:
        """Wait for it in real time; whether it came about."""
        deadline = time.monotonic() + s
        while not is_so():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        return True


@asynccontextmanager
async def quarter_engine(setup: QuarterSetup, home: Path) -> AsyncIterator[QuarterEngine]:
    """Venues and engine over the files in `home`. Raises UserError where they do not start."""
    time_ = LeapingTime(BEGIN_NS)
    async with AsyncExitStack() as stack:
        venues: dict[str, QuarterVenue] = {}
        for name in (ALPHA, BETA):
            pair = new_ed25519(ACCOUNT)
            (home / KEYS).mkdir(mode=0o700, exist_ok=True)
            write_key(home / KEYS / f"{name}.json", pair)
            venues[name] = QuarterVenue(name, setup, pair, time_.now_ns)
            await venues[name].exchange.start()
            stack.push_async_callback(venues[name].exchange.stop)
        config = config_of(home, venues)
        clock = MonotonicClock(time_.now_ns, time_.now_ns)
        live = await stack.enter_async_context(running(config, str(home), Redactor(), clock=clock))
        world = QuarterEngine(setup, time_, venues, live)
        assert config.treasury is not None
        world.words = desk_words(config.treasury, config.treasury_texts, clock.now_ns())
        async with _run(world):
            yield world


@asynccontextmanager
async def _run(world: QuarterEngine) -> AsyncIterator[None]:
    run: asyncio.Task[Ending] = asyncio.create_task(world.live.run(), name="the engine")
    try:
        if not await world.until(
            lambda: run.done() or world.work.steward.treasury.holdings.is_whole
        ):
            raise UserError("the engine of the quarter does not begin")
        if run.done():
            raise UserError(f"the engine of the quarter ended: {run.exception() or run.result()}")
        yield
    finally:
        for venue in world.venues.values():
            await venue.reopen()
        world.live.stop("the end of the quarter")
        await asyncio.wait_for(run, PATIENCE_S)
