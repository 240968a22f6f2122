"""What a drill did and how long it took, step by step, held against the runbook."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from engine.treasury.runbooks import SECONDS, Runbook, RunbookStep

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.01


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at: what was found, and whether it is as it should be."""

    ok: bool
    found: str


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `is_measured`: `took_s` was timed; otherwise it is the runbook's allowance."""

    step: RunbookStep
    took_s: float
    is_measured: bool
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks) and (
            not self.is_measured or self.took_s <= self.step.allowed_s
        )


class NotHappened(Exception):
    """Something that a drill waits for did not come in time."""


class DrillLog:
    """The steps of one runbook, in its order. `with_people`: wait for Enter where people act."""

    def __init__(self, runbook: Runbook, tell: Callable[[str], None], *, with_people: bool) -> None:
        self.runbook = runbook
        self.done: list[Done] = []
        self._tell = tell
        self._with_people = with_people
        self._checks: list[Check] = []

    @asynccontextmanager
    async def step(self, key: str) -> AsyncIterator[None]:
        """Time what is done inside. What it waits for in vain fails the step, and ends the drill.

        Steps of people that stand before it in the runbook are taken first.
        """
        await self._people()
        step = self._next()
        assert step is not None, "the runbook has no more steps"
        assert step.key == key, f"the runbook has {step.key} before {key}"
        began_s = time.monotonic()
        try:
            yield
        except NotHappened as error:
            self.check(False, str(error))
            raise
        finally:
            self._end(step, time.monotonic() - began_s, is_measured=True)

    async def finish(self) -> None:
        await self._people()
        assert self._next() is None, "the drill left steps of the runbook out"

    def check(self, ok: bool, found: str) -> None:
        self._checks.append(Check(ok=ok, found=found))

    async def until(self, is_so: Callable[[], object], what: str, s: float = PATIENCE_S) -> float:
        """Wait for something, and return how long it took. Raises NotHappened."""
        began_s = time.monotonic()
        while not is_so():
            if time.monotonic() - began_s > s:
                raise NotHappened(f"{what} did not happen within {s:.0f} s")
            await asyncio.sleep(LOOK_EVERY_S)
        return time.monotonic() - began_s

    @property
    def ok(self) -> bool:
        is_whole = len(self.done) == len(self.runbook.steps)
        return is_whole and all(done.ok for done in self.done) and self.total_s <= SECONDS

    @property
    def total_s(self) -> float:
        return sum(done.took_s for done in self.done)

    async def _people(self) -> None:
        while (step := self._next()) is not None and not step.is_drilled:
            if not self._with_people:
                self._end(step, float(step.allowed_s), is_measured=False)
                continue
            self._tell(f"{step.who}: {step.do} Enter when done.")
            began_s = time.monotonic()
            answer = await asyncio.to_thread(sys.stdin.readline)
            if not answer:
                self.check(False, "nobody answered")
            self._end(step, time.monotonic() - began_s, is_measured=True)
            if not answer:
                raise NotHappened(f"nobody answered at: {step.key}")

    def _next(self) -> RunbookStep | None:
        steps = self.runbook.steps
        return steps[len(self.done)] if len(self.done) < len(steps) else None

    def _end(self, step: RunbookStep, took_s: float, *, is_measured: bool) -> None:
        done = Done(step=step, took_s=took_s, is_measured=is_measured, checks=tuple(self._checks))
        self._checks = []
        self.done.append(done)
        how = f"{took_s:7.2f} s" if is_measured else f"{took_s:4.0f} s allowed"
        self._tell(f"{'ok ' if done.ok else 'BAD'} {how:>14}  {step.key}: {step.do}")
        for check in done.checks:
            self._tell(f"      {'' if check.ok else 'BAD: '}{check.found}")
