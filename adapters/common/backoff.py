"""How long to wait before connecting again: full jitter, and never above the venue's own rate."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import NoReturn

from adapters.common.budget import Window
from engine.values.ports import Clock
from engine.values.units import NS_PER_S

BASE_S = 0.1
CAP_S = 30.0
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
        await asyncio.sleep(max(wait_s, limit_ns / NS_PER_S))
        self._since_ns = self._clock.now_ns()
        self._failures += 1
        self._connects.add(self._since_ns, 1)

    def wait_s(self) -> float:
        """Uniform between nothing and twice as much for each failure (full jitter)."""
        return self._random.uniform(0.0, min(CAP_S, BASE_S * 2.0 ** min(self._failures, 16)))
