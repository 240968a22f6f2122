"""One WS-API connection: requests matched with their answers by id, events passed on."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from adapters.common.limits import LimitRow, Limits
from adapters.common.refusals import Answer
from adapters.native.lane import SHUTDOWN, SHUTDOWN_BYTES_MAX, Lane
from adapters.native.link import Tap, ignore
from engine.values.errors import Transient, Unknown, VenueError
from engine.values.units import Ns

EVENT_STARTS = (b'{"subscriptionId"', b'{"event"')


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. `event` is there where it is none, but an event in a wrapper of its own order."""

    id: int | str | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    event: msgspec.Raw = msgspec.Raw()
    rate_limits: list[LimitRow] = msgspec.field(name="rateLimits", default=[])


Hear: TypeAlias = Callable[[Reply | VenueError], None]


class _Moments(msgspec.Struct, frozen=True, kw_only=True):
    server_ms: int = msgspec.field(name="serverTime", default=0)
    retry_ms: int = msgspec.field(name="retryAfter", default=0)


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    data: msgspec.Raw = msgspec.Raw()


class ApiSocket:
    """`is_logged_on` is for requests without signatures, `is_ready` for all that trade on it."""

    def __init__(self, lane: Lane, limits: Limits, timeout_s: float) -> None:
        self.lane = lane
        self.is_logged_on = False
        self.is_ready = False
        self.on_event: Tap = ignore
        self._is_suspect = False
        self._limits = limits
        self._timeout_s = timeout_s
        self._number = 0
        self._waiting: dict[int, Hear] = {}
        self._due: deque[tuple[float, int]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._decoder = msgspec.json.Decoder(Reply)
        lane.link.tap = self._take

    @property
    def is_healthy(self) -> bool:
        """Ready, open, and not silent about a request since it last answered one."""
        return self.is_ready and not self._is_suspect and self.lane.link.is_open

    @property
    def is_idle(self) -> bool:
        return not self._waiting

    def next_id(self) -> int:
        self._number += 1
        return self._number

    def request(self, number: int, frame: bytes, hear: Hear) -> None:
        """Send at once; `hear` is called once, with the answer, or Unknown where none came.

        Raises Transient where no byte left.
        """
        link = self.lane.link
        if not link.is_open:
            raise Transient("the connection is gone", code="never sent")
        self._waiting[number] = hear
        link.send(frame)
        loop = asyncio.get_running_loop()
        self._due.append((loop.time() + self._timeout_s, number))
        if self._alarm is None:
            self._alarm = loop.call_later(self._timeout_s, self._look)

    async def exchange(self, number: int, frame: bytes) -> Reply:
        """Send and wait. Transient where no byte left, Unknown where no answer came."""
        answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def hear(reply: Reply | VenueError) -> None:
            if answered.done():
                return
            if isinstance(reply, VenueError):
                answered.set_exception(reply)
            else:
                answered.set_result(reply)

        self.request(number, frame, hear)
        try:
            return await answered
        finally:
            self._waiting.pop(number, None)

    def lose(self) -> None:
        """The connection is gone: whatever was asked on it may have happened (law 4)."""
        self.is_ready = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._due.clear()
        waiting, self._waiting = self._waiting, {}
        for hear in waiting.values():
            hear(Unknown("the connection was lost", code="connection"))

    def _look(self) -> None:
        """Tell those whose time is over; requests fall due in the order in which they left."""
        self._alarm = None
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        while self._due:
            due_s, number = self._due[0]
            if number in self._waiting and due_s > now_s:
                self._alarm = loop.call_at(due_s, self._look)
                return
            self._due.popleft()
            hear = self._waiting.pop(number, None)
            if hear is not None:
                self._doubt()
                hear(Unknown("no answer in time", code="timeout"))

    def _take(self, frame: bytes, at_ns: Ns) -> None:
        if frame.startswith(EVENT_STARTS):
            self._hear_event(frame, at_ns)
            return
        try:
            reply = self._decoder.decode(frame)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.on_event(frame, at_ns)
            return
        if bytes(reply.event) or (reply.id is None and not reply.status):
            self._hear_event(frame, at_ns)
            return
        self._is_suspect = False
        hear = self._waiting.pop(reply.id, None) if isinstance(reply.id, int) else None
        if hear is not None:
            self._limits.observe(reply.rate_limits)
            hear(reply)

    def _hear_event(self, frame: bytes, at_ns: Ns) -> None:
        if len(frame) < SHUTDOWN_BYTES_MAX and SHUTDOWN in frame:
            self.lane.retire()
        self.on_event(frame, at_ns)

    def _doubt(self) -> None:
        """Silent about one request: nothing new goes out here until it answers something."""
        self._is_suspect = True
        if self.lane.link.is_open:
            self.lane.link.send(b'{"id":%d,"method":"ping"}' % self.next_id())


def answer_of(reply: Reply) -> Answer:
    """A refusal in the form that REST gives it."""
    headers = {}
    body = bytes(reply.error) or b"{}"
    try:
        data = bytes(msgspec.json.decode(body, type=_Error).data)
        moments = msgspec.json.decode(data, type=_Moments) if data else _Moments()
    except msgspec.DecodeError:
        moments = _Moments()
    if moments.retry_ms > moments.server_ms > 0:
        wait_ms = moments.retry_ms - moments.server_ms
        headers["Retry-After"] = str(-(-wait_ms // 1000))
    return Answer(status=reply.status, headers=headers, body=body.decode("utf-8", "replace"))
