"""The journal's ahead log: two plain files that hold rows from `append` until SQLite has them.

A row that `os.write` took survives `kill -9`, and costs no thread and no SQL. The two files take
turns: while one takes new rows, the other is emptied as soon as SQLite holds all of it. At open,
rows that SQLite lacks are proved and moved there first; a torn end is normal after a crash,
anything else that does not follow is damage and is refused.
"""

import fcntl
import os
import struct
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.runtime.journal_chain import GENESIS, ROW_HEAD, ChainBroken, Head, RowTuple, follow
from engine.runtime.private_files import private_file
from engine.values.errors import UserError
from engine.values.units import Ns

SEGMENT_BYTES = 4 * 1024 * 1024
"""Rows go to the other file from here on, if that is empty."""
AHEAD_BYTES_MAX = 16 * 1024 * 1024
"""One file never grows beyond this. Reaching it means that SQLite is stuck: the journal is full."""

MAGIC = b"\xb1\xaa\x5eJ"
"""Two bytes of it can stand in no UTF-8 text, so no body imitates the start of a frame."""
FRAME_HEAD = struct.Struct("<4sIII")
"""Magic, length of the payload, the same inverted, checksum of the payload."""
HASH_BYTES = 32
READ_TRIES = 5
READ_AGAIN_S = 0.01


class AheadFull(Exception):
    """The bound is reached; nothing was written."""


class Ahead(msgspec.Struct, frozen=True, kw_only=True):
    """What the two files hold: rows in order, and how many bytes of a torn end follow them."""

    rows: list[RowTuple]
    torn_bytes: int


def frame(packed: bytes, digest: bytes) -> bytes:
    """The bytes that store one row: `packed` is all of it but its hash."""
    payload = packed + digest
    size = len(payload)
    return FRAME_HEAD.pack(MAGIC, size, size ^ 0xFFFFFFFF, zlib.crc32(payload)) + payload


def segments(journal: Path) -> tuple[Path, Path]:
    """The two files that stand beside `journal`, named as SQLite names its own."""
    return (
        journal.with_name(f"{journal.name}-ahead-a"),
        journal.with_name(f"{journal.name}-ahead-b"),
    )


class AheadLog:
    """The writing end. One process at a time: the first file is locked while it is open."""

    def __init__(self, journal: Path) -> None:
        self._paths = segments(journal)
        self._files: list[int] = []
        self._sizes = [0, 0]
        self._last_seqs = [0, 0]
        self._active = 0
        self._slowest_ns: Ns = 0
        try:
            for path in self._paths:
                private_file(path)
                self._files.append(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))
            fcntl.flock(self._files[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            is_taken = isinstance(error, BlockingIOError)
            why = "another process has it open" if is_taken else error.strerror
            raise UserError(f"{self._paths[0]}: cannot be written: {why}") from error
        except UserError:
            self.close()
            raise
        self._identities = [_identity(os.fstat(file)) for file in self._files]

    def __repr__(self) -> str:
        return f"<ahead log {self._paths[self._active].name} {sum(self._sizes)} bytes>"

    def write(self, frames: bytes, last_seq: int) -> None:
        """Take whole frames, the last of which is row `last_seq`; they survive `kill -9` after it.

        Raises AheadFull, or OSError: then a part of `frames` may stand in the file.
        """
        self._turn(len(frames))
        at = self._active
        began_ns = time.perf_counter_ns()
        written = os.write(self._files[at], frames)
        self._slowest_ns = max(self._slowest_ns, time.perf_counter_ns() - began_ns)
        if written != len(frames):
            raise OSError(f"{self._paths[at].name}: only {written} of {len(frames)} bytes written")
        self._sizes[at] += written
        self._last_seqs[at] = last_seq

    def take_slowest_ns(self) -> Ns:
        """The longest that a write has kept the loop since this was asked last."""
        slowest_ns, self._slowest_ns = self._slowest_ns, 0
        return slowest_ns

    def still_there(self) -> None:
        """Both names must still lead to the files we write (D06). Raises OSError."""
        for path, identity in zip(self._paths, self._identities, strict=True):
            if _identity(os.stat(path)) != identity:
                raise OSError(f"{path.name} was replaced while it was open")

    def has_drained(self, synced: int) -> bool:
        """The file that takes no rows now still has some, and SQLite holds all of them."""
        resting = 1 - self._active
        return self._sizes[resting] > 0 and self._last_seqs[resting] <= synced

    def empty_resting(self, wal: Path) -> None:
        """Empty the file that takes no rows now. Runs in a thread: this waits for the disk.

        SQLite's own log goes to the disk first, so that a power cut cannot leave a gap between
        what SQLite kept and where this log begins. Raises OSError.
        """
        resting = 1 - self._active
        _sync(wal)
        os.ftruncate(self._files[resting], 0)
        self._sizes[resting] = 0

    def empty(self, wal: Path) -> None:
        """Empty both files: SQLite holds everything. Raises OSError."""
        _sync(wal)
        for at, file in enumerate(self._files):
            os.ftruncate(file, 0)
            self._sizes[at] = 0

    def close(self) -> None:
        for file in self._files:
            os.close(file)
        self._files.clear()

    def _turn(self, size: int) -> None:
        resting = 1 - self._active
        if self._sizes[self._active] > SEGMENT_BYTES and not self._sizes[resting]:
            self._active = resting
        if self._sizes[self._active] + size > AHEAD_BYTES_MAX:
            raise AheadFull(f"{self._paths[self._active].name}: {AHEAD_BYTES_MAX} bytes unsynced")


def read_ahead(journal: Path) -> Ahead:
    """What the ahead log of `journal` holds now, also while somebody writes it.

    Raises ChainBroken where it is damaged. A moment in which the files change turns can look like
    damage, so it is looked at again before anything is said.
    """
    for _ in range(READ_TRIES - 1):
        try:
            return _read_once(journal)
        except ChainBroken:
            time.sleep(READ_AGAIN_S)
    return _read_once(journal)


def anchors(ahead: Ahead, head: Head) -> tuple[int, int]:
    """The two records at which `ahead` and a journal that ends at `head` must agree."""
    first, last = ahead.rows[0][0], ahead.rows[-1][0]
    return first - 1, min(last, head.count)


def beyond(ahead: Ahead, head: Head, hashes: Mapping[int, bytes]) -> list[RowTuple]:
    """The rows of `ahead` that a journal which ends at `head` lacks, proved to follow from it.

    `hashes` are those that the journal holds at the `anchors`. Raises ChainBroken.
    """
    if not ahead.rows:
        return []
    before, common = anchors(ahead, head)
    if before and before not in hashes:
        why = f"missing; the ahead log begins with record {before + 1}"
        raise ChainBroken(head.count + 1, why)
    follow(Head(before, hashes.get(before, GENESIS)), ahead.rows)
    held = common - before
    if held and ahead.rows[held - 1][-1] != hashes.get(common):
        raise ChainBroken(common, "the ahead log holds another record at this place")
    return ahead.rows[held:]


def _read_once(journal: Path) -> Ahead:
    parts = [_scan(_content(path)) for path in segments(journal)]
    parts.sort(key=lambda part: part.rows[0][0] if part.rows else 1 << 63)
    older, newer = parts
    if newer.rows and older.torn_bytes:
        raise ChainBroken(newer.rows[0][0] - 1, "torn in the ahead log, and records follow it")
    if newer.rows and newer.rows[0][0] != older.rows[-1][0] + 1:
        raise ChainBroken(older.rows[-1][0] + 1, "missing between the two files of the ahead log")
    return Ahead(rows=older.rows + newer.rows, torn_bytes=older.torn_bytes + newer.torn_bytes)


def _scan(content: bytes) -> Ahead:
    """Every whole row up to the end or to a torn end. Raises ChainBroken for any other damage."""
    rows: list[RowTuple] = []
    place = 0
    while place < len(content):
        payload = _payload(content, place)
        if payload is None:
            if not _is_torn(content, place):
                raise ChainBroken(rows[-1][0] + 1 if rows else 1, "damaged in the ahead log")
            break
        rows.append(_row(payload))
        place += FRAME_HEAD.size + len(payload)
    return Ahead(rows=rows, torn_bytes=len(content) - place)


def _payload(content: bytes, place: int) -> bytes | None:
    """The payload of the whole, undamaged frame at `place`, or None."""
    if len(content) - place < FRAME_HEAD.size:
        return None
    magic, size, inverse, checksum = FRAME_HEAD.unpack_from(content, place)
    start = place + FRAME_HEAD.size
    if magic != MAGIC or size ^ 0xFFFFFFFF != inverse or len(content) - start < size:
        return None
    payload = content[start : start + size]
    return payload if zlib.crc32(payload) == checksum else None


def _is_torn(content: bytes, place: int) -> bool:
    """Whether the end from `place` is what a crash leaves: cut short, or never written (zeros)."""
    following = content.find(MAGIC, place + 1)
    while following >= 0:
        if _payload(content, following) is not None:
            return False
        following = content.find(MAGIC, following + 1)
    rest = content[place:]
    if not rest[-HASH_BYTES:].strip(b"\0"):
        return True
    if len(rest) < FRAME_HEAD.size:
        return MAGIC.startswith(rest[: len(MAGIC)])
    magic, size, inverse, _ = FRAME_HEAD.unpack_from(rest)
    is_head_whole = bool(magic == MAGIC and size ^ 0xFFFFFFFF == inverse)
    return is_head_whole and len(rest) < FRAME_HEAD.size + int(size)


def _row(payload: bytes) -> RowTuple:
    seq, at_ns, kind_size, market_size, body_size = ROW_HEAD.unpack_from(payload)
    fields: list[bytes] = []
    place = ROW_HEAD.size
    for size in (kind_size, market_size, body_size, HASH_BYTES):
        fields.append(payload[place : place + size])
        place += size
    kind, market, body, digest = fields
    return seq, at_ns, kind.decode(), market.decode(), body, digest


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _sync(path: Path) -> None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
