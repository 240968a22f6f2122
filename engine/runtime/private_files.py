"""Directories and files that only our own user may read."""

import os
import stat
from pathlib import Path

from engine.values.errors import UserError

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600
OTHERS = 0o077


def private_directory(path: Path) -> Path:
    """Make `path` as 0700, or check that it is. Raises UserError; never changes one that exists."""
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        mode = path.stat().st_mode
    except OSError as error:
        raise UserError(f"{path}: cannot be made a directory: {error.strerror}") from error
    if stat.S_IMODE(mode) & OTHERS:
        raise UserError(f"{path}: other users can read it; run: chmod 700 {path}")
    return path


def private_file(path: Path) -> None:
    """Make an empty `path` as 0600, or check that it is. Raises UserError."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        mode = os.fstat(descriptor).st_mode
        os.close(descriptor)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    if stat.S_IMODE(mode) & OTHERS:
        raise UserError(f"{path}: other users can read it; run: chmod 600 {path}")
