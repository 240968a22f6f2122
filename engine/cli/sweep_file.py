"""The results of a sweep on the disk: lines are only ever added, and each proves those before it.

A line is sixteen hex digits, a space and a JSON object. The digits hash the object and the digits
of the line before, so that a changed, lost, doubled or reordered line is found. A line without an
end is what `kill -9` leaves; it is cut off. Nothing else is ever changed.
"""

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from engine.sim.sweep import Row
from engine.values.errors import UserError
from engine.values.units import Ns

FORMAT = 1
DIGITS = 16


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line: rows of one file are of the same data and the same step, so they compare."""

    format: int = FORMAT
    data_hash: str
    step_ns: Ns


class ResultsFile:
    """Rows by job, those of earlier sweeps too. Use with `with`; one process at a time."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}
        self._header = header
        self._check = ""
        self._file: BinaryIO

    def __enter__(self) -> Self:
        """Raises UserError where the file is another's, in use, damaged, or of other data."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise UserError(f"{self.path}: another sweep is writing to it") from error
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from error
        try:
            self._read()
        except UserError:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, row: Row) -> bool:
        """Keep a row; on the disk when this returns. False for one that is there already."""
        if row.job in self.rows:
            return False
        self._write(msgspec.json.encode(row))
        self.rows[row.job] = row
        return True

    def _write(self, content: bytes) -> None:
        self._check = _next(self._check, content)
        try:
            self._file.write(self._check.encode() + b" " + content + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _read(self) -> None:
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        torn = lines.pop()
        if torn:
            self._file.truncate(self._file.tell() - len(torn))
        for number, line in enumerate(lines, 1):
            self._take(number, line)
        if not lines:
            self._write(msgspec.json.encode(self._header))

    def _take(self, number: int, line: bytes) -> None:
        at = f"{self.path}:{number}"
        check, content = line[:DIGITS].decode(errors="replace"), line[DIGITS + 1 :]
        self._check = _next(self._check, content)
        if check != self._check:
            raise UserError(f"{at}: does not follow from the lines before it: changed or damaged")
        try:
            if number == 1:
                self._agree(msgspec.json.decode(content, type=Header))
                return
            row = msgspec.json.decode(content, type=Row)
        except msgspec.MsgspecError as error:
            raise UserError(f"{at}: not of a sweep of this version: {error}") from error
        if row.job in self.rows:
            raise UserError(f"{at}: job {row.job} is there twice")
        self.rows[row.job] = row

    def _agree(self, found: Header) -> None:
        for name in Header.__struct_fields__:
            theirs, ours = getattr(found, name), getattr(self._header, name)
            if theirs != ours:
                raise UserError(
                    f"{self.path}: has {name} {theirs}, this sweep {ours}; use another --out"
                )


def _next(check: str, content: bytes) -> str:
    return hashlib.blake2b(check.encode() + content, digest_size=DIGITS // 2).hexdigest()
