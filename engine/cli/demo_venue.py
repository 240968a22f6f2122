"""The demo's exchange: a child process that outlives a killed demo, for the next to find."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from engine.runtime.private_files import private_directory
from engine.values.errors import UserError

STATE_NAME = "venue.json"
KEY_NAME = "venue-key.json"
START_S = 30.0
STOP_S = 5.0
OPENING = "BTT=200000000,USDT=1000,BTC=0"
IDLE_S = 60
"""The venue leaves by itself when nobody has been connected for so long."""


class DemoVenue:
    """Where the venue answers, and whether this process may end it."""

    def __init__(self, directory: Path, state: dict[str, Any], *, is_found: bool) -> None:
        self.urls: dict[str, str] = state["urls"]
        self.key_path = directory / KEY_NAME
        self.is_found = is_found
        self.pid: int = state["pid"]

    def __repr__(self) -> str:
        return f"<demo venue pid {self.pid} at {self.urls['public']}>"

    def key(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.key_path.read_text())
        return found

    def stop(self) -> None:
        """End the venue by its pid and wait until it has gone."""
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline and _is_alive(self.pid):
            time.sleep(0.02)


def open_venue(directory: Path, market: str, seed: int) -> DemoVenue:
    """The venue of an earlier demo that was killed, or else a new one in a fresh directory.

    A journal of a venue that is gone says nothing about a new one, so it is moved aside, not lost.
    """
    found = _found(directory)
    if found is not None:
        return DemoVenue(directory, found, is_found=True)
    if directory.exists():
        directory.rename(directory.with_name(f"{directory.name}-before-{time.time_ns()}"))
    private_directory(directory)
    state = _start(directory, market, seed)
    (directory / STATE_NAME).write_text(json.dumps(state))
    return DemoVenue(directory, state, is_found=False)


def _found(directory: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads((directory / STATE_NAME).read_text())
        with urllib.request.urlopen(f"{state['urls']['public']}/ping", timeout=1.0):  # noqa: S310
            return state
    except (OSError, ValueError, KeyError, urllib.error.URLError):
        return None


def _start(directory: Path, market: str, seed: int) -> dict[str, Any]:
    log = (directory / "venue.log").open("wb")
    command = [
        sys.executable, "-m", "engine.cli", "venue", "--port", "0", "--market", market,
        "--seed", str(seed), "--key-file", str(directory / KEY_NAME),
        "--balance", OPENING, "--idle-exit", str(IDLE_S), "--json",
    ]  # fmt: skip
    child = subprocess.Popen(  # noqa: S603 (our own program, no shell)
        command,
        stdout=subprocess.PIPE,
        stderr=log,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert child.stdout is not None
    line = b""
    try:
        line = child.stdout.readline()
    finally:
        if not line:  # interrupted while it started, too
            child.terminate()
    if not line:
        raise UserError(f"the demo's venue did not start; see {directory / 'venue.log'}")
    state: dict[str, Any] = json.loads(line)
    return {"pid": child.pid, "urls": flat(state["urls"])}


def flat(urls: dict[str, Any], above: str = "") -> dict[str, str]:
    """Nested addresses under dotted names, as a config holds them."""
    found: dict[str, str] = {}
    for name, value in urls.items():
        if isinstance(value, dict):
            found |= flat(value, f"{above}{name}.")
        else:
            found[above + name] = value
    return found


def _is_alive(pid: int) -> bool:
    try:
        done, _ = os.waitpid(pid, os.WNOHANG)
        return done == 0
    except ChildProcessError:
        return Path(f"/proc/{pid}").exists()
