"""How tests wait: long enough for any machine, and with one exception where it was in vain.

`RanOut` says that something awaited did not come, or that the machine gave a test no chance to
see it. It is the only failure that the suite tries a second time (pyproject.toml says why), so it
is never raised for a value that is wrong.
"""

import asyncio
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.01
STILL_S_MAX = 0.5


class RanOut(AssertionError):
    """A wait ran out; the text says what for, and what was the case instead."""


def nothing() -> str:
    return ""


def ran_out(what: str, s: float, instead: str = "") -> RanOut:
    told = f": {instead}" if instead else ""
    return RanOut(f"{what or 'it'} did not happen within {s:g} s{told}")


def wait_until(
    is_so: Callable[[], Any],
    what: str,
    s: float = PATIENCE_S,
    instead: Callable[[], object] = nothing,
) -> Any:
    """Sleep until it is so; returns what was so. For what stays, once it has come."""
    deadline = time.monotonic() + s
    while not (found := is_so()):
        if time.monotonic() > deadline:
            raise ran_out(what, s, str(instead()))
        time.sleep(LOOK_EVERY_S)
    return found


async def until(
    is_so: Callable[[], Any],
    what: str = "",
    s: float = PATIENCE_S,
    instead: Callable[[], object] = nothing,
) -> Any:
    """As `wait_until`, while the loop goes on."""
    deadline = time.monotonic() + s
    while not (found := is_so()):
        if time.monotonic() > deadline:
            raise ran_out(what, s, str(instead()))
        await asyncio.sleep(LOOK_EVERY_S)
    return found


@asynccontextmanager
async def in_time(
    what: str, s: float = PATIENCE_S, instead: Callable[[], object] = nothing
) -> AsyncIterator[None]:
    """What is awaited inside comes in time. A time-out of somebody else stays what it is."""
    limit = asyncio.timeout(s)
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise ran_out(what, s, str(instead())) from None
        raise


@contextmanager
def ends(what: str) -> Iterator[None]:
    """A process that is waited for inside, with a time-out, ends before it."""
    try:
        yield
    except subprocess.TimeoutExpired as error:
        told = [part for part in (error.stdout, error.stderr) if part]
        raise ran_out(f"the end of {what}", error.timeout, str(told or "")) from None


class Bystander:
    """Knows for how long this process did not run though it wanted to: stopped, or starved.

    A thread asks to be woken every few ms. What it is late, less what this process computed in the
    meantime, was taken by the machine; what the process itself spent, or waited for a disk, counts
    as its own. So a bound in seconds can be held on a machine that stands still now and then.
    """

    WAKE_EVERY_S = 0.01

    def __init__(self) -> None:
        self._lost: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="bystander", daemon=True)

    def __enter__(self) -> "Bystander":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def ran_s(self, since_s: float, until_s: float | None = None) -> float:
        """Seconds from one monotonic moment to another, now by default, less what was lost."""
        end_s = time.monotonic() if until_s is None else until_s
        lost = [(at_s - lost_s, at_s) for at_s, lost_s in list(self._lost)]
        within = (min(at_s, end_s) - max(from_s, since_s) for from_s, at_s in lost)
        return end_s - since_s - sum(max(0.0, lost_s) for lost_s in within)

    @contextmanager
    def undisturbed(self, since_s: float) -> Iterator[None]:
        """What is asserted inside holds where the machine lets us run.

        Where it did not, so that an engine loses its links by that alone, it proves nothing.
        """
        try:
            yield
        except AssertionError as error:
            lost = [lost_s for end_s, lost_s in list(self._lost) if end_s > since_s]
            if max(lost, default=0.0) > STILL_S_MAX:
                text = f"the machine stood still for {max(lost):.1f} s, and so: {error}"
                raise RanOut(text) from None
            raise

    def _watch(self) -> None:
        before_s, before_cpu_s = time.monotonic(), time.process_time()
        while not self._over.wait(self.WAKE_EVERY_S):
            now_s, now_cpu_s = time.monotonic(), time.process_time()
            spent_s = max(self.WAKE_EVERY_S, now_cpu_s - before_cpu_s)
            if (lost_s := now_s - before_s - spent_s) > 0.001:
                self._lost.append((now_s, lost_s))
            before_s, before_cpu_s = now_s, now_cpu_s
