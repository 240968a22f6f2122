"""How long to wait before connecting again: full jitter, and never above the venue's own rate."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NoReturn

from adapters.common.budget import Window
from engine.values.ports import Clock
from engine.values.units import NS_PER_S, Ns

BASE_S = 0.1
CAP_S = 30.0
SLICE_S = 0.5
STEADY_NS = 10 * NS_PER_S
"""A connection that lived this long was a good one: the next wait starts small again."""


class Backoff:
    def __init__(self, clock: Clock, connects: Window) -> None:
        self._clock = clock
        self._connects = connects
        self._random = random.Random()
        self._failures = 0
        self._since_ns = 0

    async def repeat(self, live: Callable[[], Awaitable[None]]) -> NoReturn:
        """One life after another, each from its opening to its loss."""
        while True:
            await self.ready()
            await live()

    async def ready(self) -> None:
        """Return when the next attempt may start, and count it."""
        now_ns = self._clock.now_ns()
        if self._failures and now_ns - self._since_ns > STEADY_NS:
            self._failures = 0
        wait_s = self.wait_s() if self._since_ns else 0.0
        limit_ns = self._connects.wait_ns(now_ns, 1, self._connects.rule.limit)
        await self._rest(now_ns, max(wait_s, limit_ns / NS_PER_S))
        self._since_ns = self._clock.now_ns()
        self._failures += 1
        self._connects.add(self._since_ns, 1)

    async def _rest(self, since_ns: Ns, wait_s: float) -> None:
        """So long, by our clock or by the loop's: a machine that slept has waited enough."""
        loop = asyncio.get_running_loop()
        until_s, until_ns = loop.time() + wait_s, since_ns + round(wait_s * NS_PER_S)
        left_s = wait_s
        await asyncio.sleep(0)
        while left_s > 0:
            await asyncio.sleep(min(SLICE_S, left_s))
            left_s = min(until_s - loop.time(), (until_ns - self._clock.now_ns()) / NS_PER_S)

    def wait_s(self) -> float:
        """Uniform between nothing and twice as much for each failure (full jitter)."""
        return self._random.uniform(0.0, min(CAP_S, BASE_S * 2.0 ** min(self._failures, 16)))
