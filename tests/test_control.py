"""The control socket hears only our own user, and no hostile byte harms the engine."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.runtime import control
from engine.runtime.control import ControlServer, NotRunning, call
from engine.runtime.lock import DataLock
from engine.values.errors import UserError
from tests.patience import in_time

Answers = dict[str, Any]

STATUS = b'{"v":1,"verb":"status"}\n'


async def echo(verb: str, args: dict[str, Any]) -> Answers:
    if verb == "refuse":
        raise UserError("markets are halted already")
    return {"verb": verb, "args": args}


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def raw(path: Path, content: bytes, *, is_ended: bool = True) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    with contextlib.suppress(OSError):
        writer.write(content)
        await writer.drain()
        if is_ended:
            writer.write_eof()
    answer = b""
    with contextlib.suppress(OSError):
        answer = await reader.read()
    await closed(writer)
    return answer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ControlServer]:
    async with ControlServer(tmp_path / "c.sock", echo) as running:
        yield running


async def asked(path: Path, verb: str, args: dict[str, Any] | None = None) -> Answers:
    return await asyncio.to_thread(call, path, verb, args or {}, 60.0)


async def test_a_verb_is_answered_and_its_sender_is_named_by_the_kernel(
    server: ControlServer,
) -> None:
    answer = await asked(server.path, "status", {"market": "BTT/USDT@loop", "who": "somebody"})
    assert answer["verb"] == "status"
    assert answer["args"]["market"] == "BTT/USDT@loop"
    assert f"(pid {os.getpid()})" in answer["args"]["who"]


async def test_a_refusal_reaches_the_user_as_one_line(server: ControlServer) -> None:
    with pytest.raises(UserError, match="halted already"):
        await asked(server.path, "refuse")


async def test_the_socket_is_private_and_gone_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with ControlServer(path, echo):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_a_socket_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    async with ControlServer(path, echo):
        assert (await asked(path, "status"))["verb"] == "status"


def test_no_engine_is_said_with_exit_code_3(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="no engine is running") as caught:
        call(tmp_path / "c.sock", "status", {}, 1.0)
    assert caught.value.exit_code == 3


def test_an_engine_that_hangs_is_said_with_exit_code_3(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "c.sock"))
        deaf.listen()
        with pytest.raises(NotRunning, match=r"did not answer within 0\.1 s") as caught:
            call(tmp_path / "c.sock", "status", {}, 0.1)
    assert caught.value.exit_code == 3


async def test_a_path_that_the_kernel_cannot_take_is_refused_clearly(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / "c.sock"
    with pytest.raises(UserError, match="choose a shorter data_dir"):
        async with ControlServer(path, echo):
            pass
    with pytest.raises(UserError, match="choose a shorter data_dir"):
        call(path, "status", {}, 1.0)


HOSTILE = [
    b"",
    b"\n",
    b"{",
    b"{}\n",
    b"[]\n",
    b"null\n",
    b'"status"\n',
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
    b"\x00" * 1_000 + b"\n",
    b"\xff\xfe\xfd\n",
    b'{"v":1,"verb":"status","args":[]}\n',
    b'{"v":1,"verb":7,"args":{}}\n',
    b'{"v":1,"verb":"status","args":{},"more":1}\n',
    b'{"v":"1","verb":"status"}\n',
    b'{"v":1e999,"verb":"status"}\n',
    b'{"v":2,"verb":"status"}\n',
    b'{"v":1,"verb":"\xff"}\n',
    b'{"v":1,"verb":"status","args":' + b'{"a":' * 20_00 + b"1" + b"}" * 20_00 + b"}\n",
    b"[" * 60_000 + b"\n",
    b'{"v":1,"verb":"' + b"x" * 200_000 + b'"}\n',
    b"x" * 1_000_000,
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
async def test_a03_hostile_bytes_get_an_error_and_the_engine_lives_on(
    server: ControlServer, content: bytes
) -> None:
    answer = await raw(server.path, content)
    if answer:  # an oversize sender may be cut off before it reads
        assert msgspec.json.decode(answer)["error"]
    assert (await asked(server.path, "status"))["verb"] == "status"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=300))
def test_a03_any_bytes_are_answered_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    async def scene() -> None:
        path = tmp_path_factory.mktemp("c") / "c.sock"
        async with ControlServer(path, echo) as server:
            answer = await raw(server.path, content + b"\n")
            assert set(msgspec.json.decode(answer)) == {"v", "result", "error"}

    asyncio.run(scene())


async def test_a03_a_slow_client_is_dropped_and_others_are_served(tmp_path: Path) -> None:
    async with ControlServer(tmp_path / "c.sock", echo, request_s=1.0) as server:
        slow = asyncio.ensure_future(raw(server.path, b'{"v":1,', is_ended=False))
        assert b'"verb":"status"' in await raw(server.path, STATUS)
        async with in_time("the end of the slow one"):
            assert b"no whole line" in await slow


async def test_a03_too_many_clients_are_turned_away_until_some_leave(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with ControlServer(path, echo, request_s=60) as server:
        held = [
            await asyncio.open_unix_connection(str(path)) for _ in range(control.CONNECTIONS_MAX)
        ]
        assert b"too many clients" in await raw(path, STATUS)
        for _, writer in held:
            await closed(writer)
        async with in_time("a place for one more"):
            while b"too many clients" in await raw(path, STATUS):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert "0 clients" in repr(server)


async def test_a03_far_too_many_clients_are_cut_off_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    async with ControlServer(path, echo, request_s=60):
        held = [
            await asyncio.open_unix_connection(str(path))
            for _ in range(2 * control.CONNECTIONS_MAX)
        ]
        assert await raw(path, STATUS) == b""
        for _, writer in held:
            await closed(writer)


async def test_a06_another_user_is_refused(
    server: ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel names the peer; here it is our expectation of ourselves that is another's."""
    monkeypatch.setattr(control, "ROOT_UID", 4_000_000)
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_001)
    with pytest.raises(UserError, match="belongs to another user"):
        await asked(server.path, "status")


async def test_a_fault_of_ours_is_not_swallowed(tmp_path: Path) -> None:
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))

    async def broken(verb: str, args: dict[str, Any]) -> Answers:
        raise ZeroDivisionError(verb)

    async with ControlServer(tmp_path / "c.sock", broken) as server:
        with pytest.raises(NotRunning, match="broke off"):
            await asked(server.path, "status")
    assert isinstance(heard[0]["exception"], ZeroDivisionError)


def test_it_works_under_uvloop(tmp_path: Path) -> None:
    async def scene() -> Answers:
        async with ControlServer(tmp_path / "c.sock", echo) as server:
            return await asked(server.path, "status")

    run: Callable[..., Answers] = uvloop.run
    assert f"(pid {os.getpid()})" in run(scene())["args"]["who"]


def test_h09_a_second_engine_is_refused_and_told_who_runs(tmp_path: Path) -> None:
    with DataLock(tmp_path), pytest.raises(UserError, match=rf"pid {os.getpid()}\) is running"):
        DataLock(tmp_path)
    DataLock(tmp_path).release()


def test_h09_a_lock_file_left_behind_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999\n")
    with DataLock(tmp_path) as lock:
        assert lock.path.read_text() == f"{os.getpid()}\n"


def test_a06_a_data_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    with pytest.raises(UserError, match="chmod 700"):
        DataLock(shared)
