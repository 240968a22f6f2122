"""One engine for each data directory: a lock that the kernel drops when its holder dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from engine.runtime.private_files import PRIVATE_FILE, private_directory
from engine.values.errors import UserError

LOCK_NAME = "lock"
PID_BYTES_MAX = 32


class DataLock:
    """Holds `directory` from construction to `release`. A lock file left behind means nothing.

    Raises UserError naming the process that holds it. Child processes do not inherit it.
    is_beside: hold the name, not the place: the directory may be moved away and made anew.
    """

    def __init__(self, directory: Path, *, is_beside: bool = False) -> None:
        if is_beside:
            _made(directory.parent)
            self.path = directory.with_name(f"{directory.name}.{LOCK_NAME}")
        else:
            self.path = private_directory(directory) / LOCK_NAME
        self._descriptor = _locked(self.path, directory)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> "DataLock":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let go; safe to repeat. The file stays: removing it would race with the next holder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _made(parent: Path) -> None:
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{parent}: cannot be made a directory: {error.strerror}") from error


def _locked(path: Path, directory: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        raise UserError(f"{path}: cannot be locked: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, PID_BYTES_MAX, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise UserError(
            f"{directory}: another engine (pid {holder or 'unknown'}) is running here"
        ) from error
    return descriptor
