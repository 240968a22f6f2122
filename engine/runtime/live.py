"""The live driver: one inbox, one consumer, one sender a venue, every task named and supervised.

It decides nothing. Facts go into `Engine.process`, records into the journal, commands to the
senders; when any task dies, everything is cancelled at the venues before the process leaves.
A fact that finds the engine idle is worked on in the very turn of the loop that brought it.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from engine.core import Engine
from engine.runtime.beat import Heart
from engine.runtime.clock import MonotonicClock
from engine.runtime.colocated import Spin, settle_in
from engine.runtime.config import RuntimeParams
from engine.runtime.consumer import Consumer
from engine.runtime.hang import HangGuard
from engine.runtime.inbox import Inbox
from engine.runtime.journal import JournalFailed, JournalFull, SqliteJournal
from engine.runtime.keeping import Keeping
from engine.runtime.recorder import Recorder
from engine.runtime.rehearsal import Rehearsal
from engine.runtime.sender import Sender
from engine.values.commands import Cancel, CancelAll, Command
from engine.values.events import ClockStep, Event, JournalLag, LoopLag, Overrun, Stop, Timer
from engine.values.ports import Feed, Gateway
from engine.values.records import Alert, Decision, Record, SessionEnded
from engine.values.step import Step
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

LAST_CANCEL_S = 3.0
HANG_S = 1.0
WARM_UP_S = 2.0
STEP_NS_MIN = 10 * NS_PER_MS
"""Smaller moves of the wall clock are drift and slewing."""
LAG_NS_TOLD = 20 * NS_PER_MS
"""The engine hears of a loop or a queue that is later than this, and judges it."""
AFTER_BYTES = frozenset((Decision, Cancel))
"""Records that no byte waits for: why we quote, and cancels, which are safe to repeat."""


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """One open venue: its name in the config, the markets we quote there, and its two ports."""

    name: str
    markets: list[str]
    feed: Feed
    gateway: Gateway


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `open_orders` is the venues' own count, -1 when they did not answer."""

    open_orders: int
    reason: str


class Live:
    """Drives one engine until a person stops it or something breaks."""

    def __init__(
        self,
        engine: Engine,
        venues: list[Venue],
        journal: SqliteJournal,
        clock: MonotonicClock,
        params: RuntimeParams,
    ) -> None:
        self.engine = engine
        self.inbox = Inbox()
        self.clock = clock
        self.slowest_ns: Ns = 0
        self.processed = 0
        self._venues = venues
        self._journal, self._keeping = journal, Keeping(journal)
        self._params = params
        self._senders = {
            venue.name: Sender(venue.gateway, journal, self.inbox, clock) for venue in venues
        }
        self._venue_of = {market: venue.name for venue in venues for market in venue.markets}
        self._on_alert: list[Callable[[Alert], None]] = []
        self._stop_asked_ns: Ns = 0
        self._main: asyncio.Task[Any] | None = None
        self._busy_since_ns: Ns = 0
        self._told: dict[int, asyncio.Future[None]] = {}
        self.ended = asyncio.Event()
        self.spin = Spin(self.inbox, params.host)
        self.scratch: Callable[[], Engine] | None = None
        self.heart: Heart | None = None
        self.recorder: Recorder | None = None
        self.files: dict[str, Callable[[Inbox], Coroutine[Any, Any, None]]] = {}

    def on_alert(self, tell: Callable[[Alert], None]) -> None:
        self._on_alert.append(tell)

    def stop(self, who: str) -> None:
        """Ask for the orderly end. Asking again changes nothing."""
        if not self._stop_asked_ns:
            self._stop_asked_ns = self.clock.now_ns()
            self.inbox.put(Stop(at_ns=self._stop_asked_ns, who=who))

    async def tell(self, event: Event) -> None:
        """Put a fact into the inbox and return when the engine has taken it in."""
        done = self._told[id(event)] = asyncio.get_running_loop().create_future()
        self.inbox.put(event)
        await done

    async def durable(self) -> None:
        """Return when what has been processed so far would survive `kill -9`."""
        await self._keeping.commit()

    def _on_signal(self, name: str) -> None:
        """The first asks for the orderly end, the second leaves at once."""
        if self._stop_asked_ns and self._main is not None:
            self._main.cancel()
        self.stop(name)

    async def run(self) -> Ending:
        """Run until stopped. Whatever breaks, the venues are asked to cancel everything first."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal, number.name)
        self._main = asyncio.current_task()
        for refused in settle_in(self._params.host):
            self.warn(refused)
        self.spin.start()
        reason = "failed"
        try:
            with HangGuard(lambda: self._busy_since_ns, HANG_S):
                await self._supervise()
            reason = "stopped"
        except BaseExceptionGroup as group:
            reason = "; ".join(repr(error) for error in _leaves(group))
            await self._cancel_everything()
            raise
        finally:
            open_orders = self.engine.open_orders_at_stop
            self.spin.stop()
            if self.heart is not None and open_orders == 0:
                self.heart.leave()
            self._end(open_orders, reason)
            self.ended.set()
        return Ending(open_orders=open_orders, reason=reason)

    async def _supervise(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._tick(), name="timer"),
                group.create_task(self._journal.watch(), name="journal"),
                group.create_task(self._warm_up(), name="warm-up"),
            ]
            for name, watch in self.files.items():
                tasks.append(group.create_task(watch(self.inbox), name=name))
            for venue in self._venues:
                sender = self._senders[venue.name]
                tasks += [
                    group.create_task(venue.feed.run(self.inbox), name=f"feed {venue.name}"),
                    group.create_task(venue.gateway.run(self.inbox), name=f"account {venue.name}"),
                    group.create_task(sender.run(), name=f"sender {venue.name}"),
                ]
            await Consumer(self.inbox, self._process, self._is_done, self._idle).run()
            for task in tasks:
                task.cancel()

    def _is_done(self) -> bool:
        return self.engine.is_finished or self._is_out_of_time()

    def _idle(self) -> None:
        if not self._params.host.busy_poll:
            self.spin.idle(time.monotonic_ns())

    async def _warm_up(self) -> None:
        """Once the engine has found its feet: freeze what lives, give the idle loop its stage."""
        host, quoting = self._params.host, None
        while quoting is None:
            await asyncio.sleep(WARM_UP_S)
            makers = self.engine.makers.values()
            quoting = next((maker for maker in makers if maker.standing.may_quote), None)
        if host.freeze_gc:
            self.spin.garbage.freeze()
        if self.scratch is not None and host.rehearse_every_ms:
            rehearsal = Rehearsal(self.scratch(), quoting.market)
            rehearsal.set_stage(quoting.quoter.book)
            self.spin.rehearse_with(rehearsal.turn)

    def _process(self, event: Event) -> None:
        if type(event) is Timer:
            self._heed_queue(event)
        began_ns = self._busy_since_ns = time.perf_counter_ns()
        if self.recorder is not None:
            self.recorder.take(event)
        step = self.engine.process(event)
        self._busy_since_ns = 0
        if self.recorder is not None and (step.records or step.commands):
            self.recorder.made(step)
        if step.commands:
            self._keep_and_send(step)
        elif step.records:
            self._keeping.keep(step.records)
        for alert in step.alerts:
            self._tell(alert)
        if self.heart is not None and isinstance(event, Timer):
            self.heart.beat()
        if self._told and (done := self._told.pop(id(event), None)) is not None:
            done.set_result(None)
        spent_ns = time.perf_counter_ns() - began_ns
        self.processed += 1
        self.slowest_ns = max(self.slowest_ns, spent_ns)
        if spent_ns > self._params.quote_budget_ms * NS_PER_MS and step.decided:
            now_ns = self.clock.now_ns()
            self.inbox.put(Overrun(market=step.decided, at_ns=now_ns, spent_ns=spent_ns))

    def _keep_and_send(self, step: Step) -> None:
        """Intents, then bytes (law 5), then what only explains them."""
        before: list[Record] = []
        after: list[Record] = []
        for record in step.records:
            (after if type(record) in AFTER_BYTES else before).append(record)
        if before:
            self._keeping.keep_now(before)
        self._send(step.commands)
        self._keeping.keep(after)

    def _heed_queue(self, timer: Timer) -> None:
        """A timer that waited shows how late we are: nothing is quoted on a past (law 6)."""
        now_ns = self.clock.now_ns()
        waited_ns = now_ns - timer.at_ns
        if waited_ns > LAG_NS_TOLD:
            self._process(LoopLag(at_ns=now_ns, lag_ns=waited_ns))

    def warn(self, text: str) -> None:
        """Something outside is not as it should be; the engine goes on without it."""
        self._tell(Alert(market="", at_ns=self.clock.now_ns(), level="warning", text=text))

    def _tell(self, alert: Alert) -> None:
        for tell in self._on_alert:
            tell(alert)

    def _send(self, commands: list[Command]) -> None:
        by_venue: dict[str, list[Command]] = {}
        for command in commands:
            by_venue.setdefault(self._venue_of[command.market], []).append(command)
        for name, mine in by_venue.items():
            self._senders[name].send(mine)

    async def _tick(self) -> None:
        """Show the engine the time, and what the clock, the loop and the disk are doing."""
        period_ns = self._params.timer_ms * NS_PER_MS
        due_ns = self.clock.now_ns() + period_ns
        while True:
            await asyncio.sleep(max(0, due_ns - self.clock.now_ns()) / NS_PER_S)
            self._keeping.check()
            now_ns = self.clock.now_ns()
            self.inbox.put(Timer(at_ns=now_ns))
            if now_ns - due_ns > LAG_NS_TOLD:
                self.inbox.put(LoopLag(at_ns=now_ns, lag_ns=now_ns - due_ns))
            step_ns = self.clock.step_ns()
            if abs(step_ns) > STEP_NS_MIN:
                self.inbox.put(ClockStep(at_ns=now_ns, step_ns=step_ns))
            if self.recorder is not None and (why := self.recorder.complaint()):
                self.warn(why)
            age_ns = self._journal.unsynced_age_ns()
            if age_ns > period_ns:
                self.inbox.put(JournalLag(at_ns=now_ns, age_ns=age_ns))
            due_ns = max(due_ns + period_ns, now_ns)

    def _is_out_of_time(self) -> bool:
        waited_ns = self.clock.now_ns() - self._stop_asked_ns
        return bool(self._stop_asked_ns) and waited_ns > self._params.stop_s * NS_PER_S

    async def _cancel_everything(self) -> None:
        """The last thing a broken engine does. Every market is tried, whatever the others say."""
        wishes = [
            venue.gateway.execute(CancelAll(market=market, at_ns=self.clock.now_ns()))
            for venue in self._venues
            for market in venue.markets
        ]
        together = asyncio.gather(*wishes, return_exceptions=True)
        try:
            await asyncio.wait_for(together, LAST_CANCEL_S)
        except TimeoutError:
            return

    def _end(self, open_orders: int, reason: str) -> None:
        """The last record. A journal that takes no more must not hide why we end."""
        ended = SessionEnded(at_ns=self.clock.now_ns(), open_orders=open_orders, reason=reason)
        with suppress(JournalFailed, JournalFull):
            self._keeping.keep_now([ended])


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
