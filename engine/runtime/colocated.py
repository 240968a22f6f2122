"""What a colocated host may grant: a loop that never sleeps, a core of its own, memory that stays.

Everything here is optional and none of it decides. What the host refuses is said, not hidden.
"""

import asyncio
import ctypes
import gc
import os
import time
from collections.abc import Callable

from engine.runtime.config_tables import HostParams
from engine.runtime.inbox import Inbox
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

MCL_CURRENT, MCL_FUTURE = 1, 2
COLLECT_EVERY_NS = 10 * NS_PER_S
IDLE_NS = 2 * NS_PER_MS
"""Nothing has come for so long: this is the moment to rehearse or to collect."""


def settle_in(params: HostParams) -> list[str]:
    """Ask the host for what the config wants. Returns what it refused, one line each."""
    refused = []
    if params.cpus:
        try:
            os.sched_setaffinity(0, params.cpus)
        except OSError as error:
            refused.append(f"cpus {params.cpus}: {error.strerror}")
    if params.lock_memory and (why := _lock_memory()):
        refused.append(f"lock_memory: {why}")
    return refused


def _lock_memory() -> str:
    """Keep every page, present and future, in memory. Returns why not, or ""."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE) == 0:
        return ""
    return os.strerror(ctypes.get_errno())


YOUNG_MAX = 10_000, 50, 100
"""Facts and orders die without the collector; it need not look at them every few messages."""


class Garbage:
    """The collector: what lives at warm-up lives for ever, and cycles are collected when idle."""

    def __init__(self) -> None:
        self._next_ns: Ns = 0
        self._before = gc.get_threshold()
        self.collected = 0
        self.slowest_ns: Ns = 0

    def calm(self) -> None:
        """Every run: what the start has made is looked at no more, and what comes less often."""
        gc.freeze()
        gc.set_threshold(*YOUNG_MAX)

    def freeze(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()

    def thaw(self) -> None:
        gc.set_threshold(*self._before)
        gc.enable()
        gc.unfreeze()

    def collect_if_due(self, now_ns: Ns) -> None:
        """To be called when idle. A young collection is short; the full one is left to the end."""
        if gc.isenabled() or now_ns < self._next_ns:
            return
        self._next_ns = now_ns + COLLECT_EVERY_NS
        self.collected += gc.collect(1)
        self.slowest_ns = max(self.slowest_ns, time.monotonic_ns() - now_ns)


class Spin:
    """Keeps an event loop polling: a callback that is always ready, work for idle moments."""

    def __init__(self, inbox: Inbox, params: HostParams) -> None:
        self._inbox = inbox
        self._params = params
        self._rehearse: Callable[[], None] | None = None
        self._rehearse_next_ns: Ns = 0
        self._busy_ns: Ns = 0
        self._consumed = 0
        self._is_on = False
        self.garbage = Garbage()
        self.rehearsals = 0

    def rehearse_with(self, turn: Callable[[], None]) -> None:
        self._rehearse = turn

    def start(self) -> None:
        self._is_on = True
        self.garbage.calm()
        if self._params.busy_poll:
            asyncio.get_running_loop().call_soon(self._turn)

    def stop(self) -> None:
        self._is_on = False
        self.garbage.thaw()

    def idle(self, now_ns: Ns) -> None:
        """Something useful that may be late: at most one rehearsal, at most one collection."""
        if self._params.freeze_gc:
            self.garbage.collect_if_due(now_ns)
        if self._rehearse is not None and now_ns >= self._rehearse_next_ns:
            self._rehearse_next_ns = now_ns + self._params.rehearse_every_ms * NS_PER_MS
            self._rehearse()
            self.rehearsals += 1

    def _turn(self) -> None:
        if not self._is_on:
            return
        now_ns = time.monotonic_ns()
        if self._inbox.accepted != self._consumed or len(self._inbox):
            self._consumed, self._busy_ns = self._inbox.accepted, now_ns
        elif now_ns - self._busy_ns > IDLE_NS:
            self.idle(now_ns)
        asyncio.get_running_loop().call_soon(self._turn)
