"""The single consumer: one fact after another, at once where the engine was at rest.

No task is woken between a frame and its decision. Right after other work a fact waits for a turn of
its own: what else the same read of a socket brings can then be merged into it.
"""

import asyncio
import time
from collections.abc import Callable

from engine.runtime.inbox import Inbox, nobody
from engine.values.events import Event
from engine.values.units import Ns

BATCH_MAX = 64
"""Facts consumed before the loop may serve its sockets again."""
REST_NS = 200_000
"""So long after the last work a fact finds the engine at rest; sooner there may be a queue."""


class Consumer:
    """`process` takes a fact, `is_done` says that no further one is wanted, `idle` is told that
    nothing waits."""

    def __init__(
        self,
        inbox: Inbox,
        process: Callable[[Event], None],
        is_done: Callable[[], bool],
        idle: Callable[[], None],
        clock: Callable[[], Ns] = time.monotonic_ns,
    ) -> None:
        self._inbox = inbox
        self._process = process
        self._is_done = is_done
        self._idle = idle
        self._clock = clock
        self._is_taken = True
        """Something is under way, or a turn is due that will take what waits."""
        self._worked_ns: Ns = 0

    async def run(self) -> None:
        """Consume until `is_done`. Raises what `process` raised, and then nothing is taken."""
        loop = asyncio.get_running_loop()
        self._call_soon = loop.call_soon
        self._ended: asyncio.Future[None] = loop.create_future()
        self._inbox.on_put = self._on_put
        self._call_soon(self._turn)
        try:
            await self._ended
        finally:
            self._inbox.on_put, self._is_taken = nobody, True

    def _on_put(self) -> None:
        if not self._is_taken:
            self._is_taken = True
            self._call_soon(self._turn)
            if self._clock() - self._worked_ns > REST_NS:
                self._take(1)

    def _turn(self) -> None:
        if self._ended.done():
            return
        self._take(BATCH_MAX)
        if self._inbox:
            self._call_soon(self._turn)
        elif not self._ended.done():
            self._is_taken = False
            self._idle()
            self._worked_ns = self._clock()

    def _take(self, most: int) -> None:
        try:
            for _ in range(min(len(self._inbox), most)):
                self._process(self._inbox.take())
            if self._is_done():
                self._end(None)
        except BaseException as error:  # noqa: BLE001 (`run` raises it, and everything ends)
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self._is_taken = True
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
