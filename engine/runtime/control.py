"""The control socket: one line of JSON asks, one line answers, and only our own user is heard."""

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import msgspec

from engine.runtime.private_files import PRIVATE_FILE
from engine.runtime.redaction import Redactor
from engine.values.errors import UserError

VERSION = 1
LINE_BYTES_MAX = 65_536
ANSWER_BYTES_MAX = 8 * 1024 * 1024
CONNECTIONS_MAX = 16
REQUEST_S_MAX = 5.0
"""A client that has not sent its whole line by then is dropped: it holds a place."""
HANDLE_S_MAX = 60.0
LAST_ANSWERS_S = 0.5
"""How long the end waits for answers that are on their way, that of `stop` above all."""
PATH_BYTES_MAX = 107
"""The kernel's bound on the name of a unix socket."""
ROOT_UID = 0
_PEER = struct.Struct("3i")

Handler: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    v: int
    verb: str
    args: dict[str, Any] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`error` is "" and `result` counts, or `error` says in one line why there is none."""

    v: int = VERSION
    result: dict[str, Any] = {}
    error: str = ""


class NotRunning(UserError):
    """Nobody answers on the socket."""

    exit_code = 3


class ControlServer:
    """Listens while it is entered. `handler` gets the verb and its args; `args["who"]` is set here.

    A UserError of the handler is answered with its text. Any other exception is a fault of ours:
    the client is cut off and the loop's exception handler hears of it. Start it only while holding
    the directory's DataLock: a socket left behind is then known to be dead and is replaced.
    `redactor` takes known secrets out of every answer.
    """

    def __init__(
        self,
        path: Path,
        handler: Handler,
        redactor: Redactor | None = None,
        *,
        request_s: float = REQUEST_S_MAX,
    ) -> None:
        self.path = path
        self._handler = handler
        self._redactor = redactor or Redactor()
        self._request_s = request_s
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def __repr__(self) -> str:
        return f"<control {self.path} {len(self._clients)} clients>"

    async def __aenter__(self) -> "ControlServer":
        refuse_long(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self.path.unlink(missing_ok=True)
            before = os.umask(0o777 & ~PRIVATE_FILE)
            try:
                listener.bind(str(self.path))
            finally:
                os.umask(before)
            self._server = await asyncio.start_unix_server(
                self._serve, sock=listener, limit=LINE_BYTES_MAX, backlog=CONNECTIONS_MAX
            )
        except OSError as error:
            listener.close()
            raise UserError(f"{self.path}: cannot listen: {error.strerror}") from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)
            if self._clients:
                await asyncio.wait(self._clients, timeout=LAST_ANSWERS_S)
            for client in self._clients:
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) > 2 * CONNECTIONS_MAX:
                return
            answer = await self._answer(reader, writer)
            writer.write(self._redactor.redact(_line(answer)).encode())
            async with asyncio.timeout(self._request_s):
                await writer.drain()
        except (OSError, TimeoutError):
            pass  # the client left or does not read: nobody is there to be told
        finally:
            self._clients.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        """Reads before it refuses: a socket closed on unread bytes would lose the answer."""
        uid, pid = _peer(writer)
        try:
            async with asyncio.timeout(self._request_s):
                line = await reader.readuntil(b"\n")
        except TimeoutError:
            return Answer(error=f"no whole line within {self._request_s:g} s")
        except (asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            return Answer(error=f"expected one line of at most {LINE_BYTES_MAX} bytes")
        if uid not in (os.geteuid(), ROOT_UID):
            return Answer(error="this engine belongs to another user")
        if len(self._clients) > CONNECTIONS_MAX:
            return Answer(error="too many clients at once")
        try:
            request = msgspec.json.decode(line, type=Request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return Answer(error=f"not a request: {str(error)[:200]}")
        if request.v != VERSION:
            return Answer(error=f"this engine speaks version {VERSION}, not {request.v}")
        return await self._handled(request, f"{_user(uid)} (pid {pid})")

    async def _handled(self, request: Request, who: str) -> Answer:
        try:
            async with asyncio.timeout(HANDLE_S_MAX):
                result = await self._handler(request.verb, {**request.args, "who": who})
        except UserError as error:
            return Answer(error=str(error))
        except TimeoutError:
            return Answer(error=f"{request.verb[:40]} was not done within {HANDLE_S_MAX:g} s")
        return Answer(result=result)


def call(path: Path, verb: str, args: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """Ask the engine behind `path` and wait for its answer.

    Raises NotRunning (exit code 3) where nobody answers, UserError where the engine refuses.
    """
    refuse_long(path)
    line = msgspec.json.encode(Request(v=VERSION, verb=verb, args=args)) + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        try:
            client.connect(str(path))
            client.sendall(line)
            content = _read_line(client)
        except TimeoutError as error:
            raise NotRunning(f"{path}: the engine did not answer within {timeout_s:g} s") from error
        except OSError as error:
            raise NotRunning(f"no engine is running: {path} does not answer") from error
    try:
        answer = msgspec.json.decode(content, type=Answer)
    except msgspec.DecodeError as error:
        raise NotRunning(f"{path}: the engine broke off its answer to {verb}") from error
    if answer.error:
        raise UserError(answer.error)
    return answer.result


def refuse_long(path: Path) -> None:
    """Raise UserError where the kernel could not take the name."""
    size = len(os.fsencode(path))
    if size > PATH_BYTES_MAX:
        raise UserError(
            f"data_dir: {path} has {size} bytes, a socket may have {PATH_BYTES_MAX}; "
            "choose a shorter data_dir"
        )


def _read_line(client: socket.socket) -> bytes:
    """Up to the line's end, or the end of what comes."""
    content = bytearray()
    while not content.endswith(b"\n") and len(content) < ANSWER_BYTES_MAX:
        if not (chunk := client.recv(LINE_BYTES_MAX)):
            break
        content += chunk
    return bytes(content)


def _line(answer: Answer) -> str:
    content = msgspec.json.encode(answer)
    if len(content) >= ANSWER_BYTES_MAX:
        content = msgspec.json.encode(Answer(error="the answer is too long to be sent"))
    return content.decode() + "\n"


def _peer(writer: asyncio.StreamWriter) -> tuple[int, int]:
    """(uid, pid) of the other end, from the kernel; (-1, 0) once it is gone."""
    connection = writer.get_extra_info("socket")
    content = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid, uid, _ = _PEER.unpack(content)
    return uid, pid


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
