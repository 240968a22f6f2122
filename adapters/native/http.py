"""REST over h11: one request, its answer, and nothing that could name a secret.

Only a start, a reconciliation and a cancel without a session come this way, so it is kept small:
asyncio's streams carry what h11 reads and writes, and connections are kept for the next request.
"""

import asyncio
import ssl
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

import h11
import msgspec

from adapters.common.refusals import never_connected, unanswered
from engine.values.errors import VenueError

READ_BYTES = 65_536
BODY_BYTES_MAX = 64_000_000
IDLE_MAX = 4
"""Connections kept for one host while nobody uses them."""
REPEATABLE = (b"GET", b"DELETE")
"""Asking twice is asking once, and so is cancelling."""
PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


class HttpAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Http:
    """Made outside a loop, connects within one. A redirect is no answer of the venue's."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._idle: dict[Origin, list[_Line]] = {}
        self._tls: ssl.SSLContext | None = None

    async def send(self, verb: str, url: str, api_key: str = "") -> HttpAnswer:
        """Raises VenueError only where no answer came; Transient where no byte can have left."""
        parts = urlsplit(url)
        head = _head(verb, parts, api_key)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._send(_origin(parts), head)
        except (TimeoutError, OSError, h11.ProtocolError) as error:
            failure = unanswered(error)
        # Raised out here so that no exception with a signed address in it is chained to ours.
        raise failure

    async def close(self) -> None:
        for lines in self._idle.values():
            for line in lines:
                line.close()
        self._idle.clear()

    async def _send(self, origin: Origin, head: h11.Request) -> HttpAnswer:
        """Over a kept connection, or a new one; over that too where the venue just left the other.

        What may not be done twice goes over a new one only: nothing is ever sent again for it.
        """
        kept = self._kept(origin) if head.method in REPEATABLE else None
        if kept is not None:
            with suppress(h11.RemoteProtocolError, ConnectionError):
                return await self._exchange(origin, kept, head)
        return await self._exchange(origin, await self._opened(origin), head)

    async def _exchange(self, origin: Origin, line: "_Line", head: h11.Request) -> HttpAnswer:
        try:
            answer = await line.exchange(head)
        finally:
            if not line.is_reusable:
                line.close()
        idle = self._idle.setdefault(origin, [])
        if line.is_reusable:
            idle.append(line)
        while len(idle) > IDLE_MAX:
            idle.pop(0).close()
        return answer

    def _kept(self, origin: Origin) -> "_Line | None":
        """One from before that the venue has not closed meanwhile."""
        idle = self._idle.get(origin, [])
        while idle:
            line = idle.pop()
            if not line.is_closed:
                return line
            line.close()
        return None

    async def _opened(self, origin: Origin) -> "_Line":
        scheme, host, port = origin
        if scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        tls = self._tls if scheme == "https" else None
        failure: VenueError
        try:
            async with asyncio.timeout(self._timeout_s / 2):
                return _Line(*await asyncio.open_connection(host, port, ssl=tls))
        except (TimeoutError, OSError) as error:
            failure = never_connected(error)
        raise failure


class _Line:
    """One connection, one exchange at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._state = h11.Connection(h11.CLIENT)
        self.is_reusable = False

    @property
    def is_closed(self) -> bool:
        """By the other end, as far as is known. Whatever it sent unasked spoils it, too."""
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        self._writer.close()

    async def exchange(self, head: h11.Request) -> HttpAnswer:
        """Raises OSError or h11.ProtocolError: then the request may have been heard or not."""
        state, self.is_reusable = self._state, False
        self._writer.write((state.send(head) or b"") + (state.send(h11.EndOfMessage()) or b""))
        answer = await self._next()
        while type(answer) is h11.InformationalResponse:
            answer = await self._next()
        assert type(answer) is h11.Response
        body = bytearray()
        while type(part := await self._next()) is h11.Data:
            body += part.data
            if len(body) > BODY_BYTES_MAX:
                raise h11.RemoteProtocolError("an answer without end")
        if state.our_state is h11.DONE and state.their_state is h11.DONE:
            state.start_next_cycle()
            self.is_reusable = True
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers
        }
        return HttpAnswer(status=answer.status_code, headers=headers, body=bytes(body))

    async def _next(self) -> h11.Event:
        event = self._state.next_event()
        while event is h11.NEED_DATA:
            self._state.receive_data(await self._reader.read(READ_BYTES))
            event = self._state.next_event()
        if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("closed without an answer")
        return event


def _origin(parts: SplitResult) -> Origin:
    return parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme]


def _head(verb: str, parts: SplitResult, api_key: str) -> h11.Request:
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    headers = [("Host", parts.netloc), ("Accept", "*/*")]
    if api_key:
        headers.append(("X-MBX-APIKEY", api_key))
    if verb in ("POST", "PUT"):
        headers.append(("Content-Length", "0"))
    return h11.Request(method=verb, target=target, headers=headers)
