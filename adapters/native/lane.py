"""A connection with a limited life: watched while it lives, followed by the next before it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from adapters.common.pulse import LinkLost
from adapters.native.link import Link

SHUTDOWN = b'"serverShutdown"'
SHUTDOWN_BYTES_MAX = 160

T = TypeVar("T")


class Lane:
    """`open`, then `until_due`: it returns when a successor should be called, raises when lost."""

    def __init__(self, link: Link, life_s: float) -> None:
        self.link = link
        self._life_s = life_s
        self._is_due = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Raises LinkLost."""
        await self.link.open()
        self._watching = asyncio.create_task(self.link.watch(), name="link")
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._life_s, self.retire)

    def retire(self) -> None:
        """Its time is over, or the venue has announced that it will go."""
        self._is_due.set()

    async def until_due(self) -> None:
        await self._before_loss(self._is_due.wait())

    async def followed_by(self, prepare: Callable[[], Awaitable[T]]) -> T:
        """What `prepare` returns once it succeeds; LinkLost where this lane is lost before.

        `prepare` raises LinkLost where it fails, waits by itself before it tries again, and undoes
        what it did when it fails or is cancelled.
        """
        while True:
            with suppress(SuccessorLost):
                return await self._before_loss(_successor(prepare))

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self.link.close()
        if self._watching is not None:
            await asyncio.wait({self._watching})
            # Whoever waits in `until_due` has heard how it ended; asyncio wants it looked at.
            self._watching.cancelled() or self._watching.exception()

    async def _before_loss(self, wish: Awaitable[T]) -> T:
        assert self._watching is not None
        wishing = asyncio.ensure_future(wish)
        try:
            await asyncio.wait({wishing, self._watching}, return_when=asyncio.FIRST_COMPLETED)
            if not wishing.done():
                self._watching.result()
            return await wishing
        finally:
            wishing.cancel()
            with suppress(asyncio.CancelledError, SuccessorLost):
                await wishing


class SuccessorLost(Exception):
    """The new connection failed; the old one is still there."""


async def _successor(prepare: Callable[[], Awaitable[T]]) -> T:
    try:
        return await prepare()
    except LinkLost as lost:
        raise SuccessorLost(str(lost)) from None
