"""The heartbeat: the decision loop writes the time into a small shared file, a watchdog reads it.

It beats when the engine has processed a Timer, so a loop that spins without deciding is silent. The
clock is the machine's monotonic one, which both processes share.
"""

import mmap
import os
import struct
import time
from enum import Enum
from pathlib import Path
from types import TracebackType

from engine.runtime.private_files import PRIVATE_FILE
from engine.values.errors import UserError
from engine.values.units import Ns

BEAT_NAME = "beat"
_FORMAT = struct.Struct("<qq")
LEFT = 0
"""Written instead of a time by an engine that left in order: nothing is to be cancelled."""


class Heart:
    """The writing end, held by the engine. Costs a copy of sixteen bytes a beat."""

    def __init__(self, directory: Path) -> None:
        self._map = _opened(directory / BEAT_NAME, os.O_RDWR | os.O_CREAT)

    def __enter__(self) -> "Heart":
        self.beat()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._map.close()

    def beat(self) -> None:
        self._map[: _FORMAT.size] = _FORMAT.pack(time.monotonic_ns(), os.getpid())

    def leave(self) -> None:
        """Say that nothing of ours is open: the watchdog may rest."""
        self._map[: _FORMAT.size] = _FORMAT.pack(LEFT, os.getpid())


class Pulse(Enum):
    ABSENT = "no engine has run here"
    LEFT = "the engine left in order"
    BEATING = "the engine is deciding"
    STOPPED = "the decision loop has stopped"


def pulse(directory: Path, silence_ns_max: Ns) -> tuple[Pulse, Ns]:
    """What the heart does, and for how long it has been silent."""
    path = directory / BEAT_NAME
    if not path.exists():
        return Pulse.ABSENT, 0
    with _opened(path, os.O_RDWR) as shared:
        beat_ns, _ = _FORMAT.unpack(shared[: _FORMAT.size])
    if beat_ns == LEFT:
        return Pulse.LEFT, 0
    silent_ns = time.monotonic_ns() - beat_ns
    is_of_this_boot = silent_ns >= 0
    if is_of_this_boot and silent_ns <= silence_ns_max:
        return Pulse.BEATING, silent_ns
    return Pulse.STOPPED, max(0, silent_ns)


def _opened(path: Path, flags: int) -> mmap.mmap:
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            if os.fstat(descriptor).st_size < _FORMAT.size:
                os.ftruncate(descriptor, _FORMAT.size)
            return mmap.mmap(descriptor, _FORMAT.size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
