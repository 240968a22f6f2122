"""One WS-API connection: requests matched with their answers by id, events passed on."""

import asyncio

import msgspec

from adapters.common.limits import LimitRow, Limits
from adapters.common.refusals import Answer
from adapters.native.lane import SHUTDOWN, SHUTDOWN_BYTES_MAX, Lane
from adapters.native.link import Tap, ignore
from engine.values.errors import Transient, Unknown
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
        self._waiting: dict[int, asyncio.Future[Reply]] = {}
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

    async def exchange(self, number: int, frame: bytes) -> Reply:
        """Send and wait. Transient where no byte left, Unknown where no answer came."""
        if not self.lane.link.is_open:
            raise Transient("the connection is gone", code="never sent")
        answered = asyncio.get_running_loop().create_future()
        self._waiting[number] = answered
        self.lane.link.send(frame)
        try:
            async with asyncio.timeout(self._timeout_s):
                reply: Reply = await answered
        except TimeoutError:
            self._doubt()
            raise Unknown("no answer in time", code="timeout") from None
        finally:
            self._waiting.pop(number, None)
        self._limits.observe(reply.rate_limits)
        return reply

    def lose(self) -> None:
        """The connection is gone: whatever was asked on it may have happened (law 4)."""
        self.is_ready = False
        for answered in self._waiting.values():
            if not answered.done():
                answered.set_exception(Unknown("the connection was lost", code="connection"))

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
        answered = self._waiting.get(reply.id) if isinstance(reply.id, int) else None
        if answered is not None and not answered.done():
            answered.set_result(reply)

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
