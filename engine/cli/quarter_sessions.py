"""A live quarter: one short session after the other, and a leap of time between them.

In a session both venues trade at the price of the path, the engine sees them again and quotes, what
is due is paid, people ask and sign, and what is allowed is worked on until nothing is left to do.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from engine.cli.quarter_engine import QuarterEngine
from engine.cli.quarter_ground import LiveGround
from engine.cli.quarter_hauler import Hauler
from engine.cli.quarter_people import People
from engine.runtime.action_driver import open_driver
from engine.sim.quarter_setup import (
    BEGIN_NS,
    BETA,
    STEP_NS,
    STEPS_OF_DAY,
    QuarterSetup,
    prices,
)
from engine.sim.quarter_world import MARKETS, WHO
from engine.treasury.facts import Facts
from engine.values.ledger_words import Held, HoldingsRead
from engine.values.units import NS_PER_S, Ns

OF_DAY = (0, 1, 3)
"""A session for these steps of each day: at midnight, when bills fall due, at six, when the floats
are checked, and at eighteen, when a transfer of the morning has arrived."""
CHECK_STEP = 1
QUOTING_S = 0.2
SESSION_S_MAX = 15.0
HAUL = "haul"

Progress = Callable[[], object]
"""Told after each session."""


class Lived(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `facts` is the engine's picture of the last moment."""

    engine: QuarterEngine
    ground: LiveGround
    people: People
    facts: Facts
    sessions: int
    overlong: int


class Sessions:
    def __init__(self, people: People, hauler: Hauler) -> None:
        self._people, self._hauler = people, hauler
        self._ground, self._engine = people.ground, people.ground.engine
        self._path = prices(self._engine.setup)
        self.overlong = 0

    async def live(self, step: int) -> None:
        """One session, from its leap to the last thing that was due in it."""
        await self._leap(BEGIN_NS + step * STEP_NS, step)
        people, rules = self._people, self._people.rules
        await people.thaw()
        self._hauler.arrive()
        rules.pay()
        await self._engine.until(self._ground.is_told)
        rules.watch()
        people.let_go()
        await people.speak()
        if step % STEPS_OF_DAY == CHECK_STEP:
            people.fill_floats()
            rules.daily()
            await people.speak()
        await self._work()
        await people.thaw()

    async def _leap(self, at_ns: Ns, step: int) -> None:
        """Everybody's time moves, a venue goes or comes back; then the engine finds its feet."""
        engine, beta = self._engine, self._engine.venues[BETA]
        first, last = engine.setup.outage
        is_down = first <= step // STEPS_OF_DAY < last
        if is_down and not beta.is_down:
            await beta.shut()
        engine.time.leap_to(at_ns)
        for venue in engine.venues.values():
            venue.reopen_markets(engine.setup, at_ns, self._path[step])
        if beta.is_down and not is_down:
            await beta.reopen()
        await engine.until(lambda: self._sees_all(at_ns))
        # The treasury looks once a second: that second need not be waited for.
        engine.time.leap_to(engine.time.now_ns() + NS_PER_S)
        if not await engine.until(lambda: self._has_price(at_ns)):
            self.overlong += 1

    def _sees_all(self, at_ns: Ns) -> bool:
        """Every market whose venue answers."""
        engine = self._engine
        if engine.live.engine.now_ns < at_ns:
            return False
        return all(engine.sees(base, venue) for base, venue in self._up())

    def _has_price(self, at_ns: Ns) -> bool:
        """A book of now of each of them, and prices of now at the desk of actions."""
        work = self._engine.work
        facts, prices_there = work.steward.treasury.holdings.facts(), work.actions.desk.prices
        # A venue that people still hold for halted has a book, though none that counts yet.
        books = [facts.books.get((venue, base)) for base, venue in self._up()]
        is_seen = all(book is not None and book.at_ns > at_ns for book in books)
        names = {base for base, _ in self._up()}
        return is_seen and all(
            name in prices_there and prices_there[name].at_ns > at_ns for name in names
        )

    def _up(self) -> list[tuple[str, str]]:
        venues = self._engine.venues
        return [(base, venue) for base, venue in MARKETS if not venues[venue].is_down]

    async def _work(self) -> None:
        """Until nothing is at work that can go on now; quotes stand meanwhile, and are met."""
        engine, began_s = self._engine, time.monotonic()
        await asyncio.sleep(QUOTING_S)
        left_s = SESSION_S_MAX - (time.monotonic() - began_s)
        if not await engine.until(self._people.is_calm, left_s):
            self.overlong += 1


async def live_through(engine: QuarterEngine, home: Path, progress: Progress) -> Lived:
    """All sessions of a quarter over an engine that runs."""
    hauler, setup = Hauler(), engine.setup
    async with AsyncExitStack() as stack:
        clock = engine.live.clock.now_ns
        opening = open_driver(home / HAUL, setup.authority, hauler, clock)
        driver = await stack.enter_async_context(opening)
        await driver.load(engine.words)
        hauler.ground = ground = LiveGround(engine, home, driver)
        people = People(ground)
        _open_elsewhere(ground)
        sessions = Sessions(people, hauler)
        steps = steps_of(setup)
        for step in steps:
            await sessions.live(step)
            progress()
        facts = await _last(people)
        return Lived(
            engine=engine, ground=ground, people=people, facts=facts,
            sessions=len(steps), overlong=sessions.overlong,
        )  # fmt: skip


def steps_of(setup: QuarterSetup) -> list[int]:
    """Of the path's steps those that have a session."""
    steps = range(setup.days * STEPS_OF_DAY + 1)
    return [step for step in steps if step % STEPS_OF_DAY in OF_DAY]


def _open_elsewhere(ground: LiveGround) -> None:
    """The books begin with what lies where no venue of ours shows it."""
    for (place, asset), atoms in sorted(ground.elsewhere.items()):
        ground.keep(Held(venue=place, at_ns=ground.now_ns, asset=asset, atoms=atoms, who=WHO))


async def _last(people: People) -> Facts:
    """Nothing is quoted any more; every place is asked once more; the picture of the end."""
    ground, engine = people.ground, people.ground.engine
    await people.halt("the end of the quarter")
    by_place: dict[str, dict[str, int]] = {}
    for (place, asset), atoms in ground.elsewhere.items():
        by_place.setdefault(place, {})[asset] = atoms
    for place, held in by_place.items():
        now_ns = ground.now_ns
        ground.keep(HoldingsRead(venue=place, asked_ns=now_ns, at_ns=now_ns, atoms=held, who=WHO))
    await engine.until(lambda: not any(v.quotes() for v in engine.venues.values()))
    await engine.until(lambda: _is_of_one_moment(ground))
    return ground.treasury.holdings.facts()


def _is_of_one_moment(ground: LiveGround) -> bool:
    """Whether the engine's picture holds books of now, and what the venues themselves hold."""
    facts, venues = ground.treasury.holdings.facts(), ground.engine.venues
    held = {
        (name, asset): atoms
        for name, venue in venues.items()
        for asset, atoms in venue.held().items()
    }
    return (
        not ground.engine.live.inbox
        and all(facts.held.get(key) == atoms for key, atoms in held.items())
        and all(book.at_ns == facts.at_ns for book in facts.books.values())
        and len(facts.books) == len(MARKETS)
    )
