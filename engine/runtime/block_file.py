"""Writes entries into files of blocks, an hour each, in a thread that nobody waits for.

`take` only hangs an object onto a queue. The thread encodes in bites so small that the loop never
waits for it, and writes whole blocks: after `kill -9` all but the last second is there. When the
disk is slow or full the writing ends, with one complaint, and all else goes on.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import zstandard

from engine.runtime.blocks import END, ENTRIES, HEADER, Ended, framed
from engine.runtime.private_files import PRIVATE_FILE, private_directory
from engine.values.errors import UserError
from engine.values.units import NS_PER_S, Ns

BITE = 16
"""Entries encoded at once: some 0.1 ms in which the loop may have to wait for the interpreter."""
YIELD_S = 0.0002
POLL_S = 0.1
CLOSE_S = 5.0
PART_NS = 3_600 * NS_PER_S
T = TypeVar("T")


class RecorderParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of a recording. `free_bytes_min` on the disk are left to the journal."""

    flush_s: float = 1.0
    block_bytes: int = 256_000
    waiting_max: int = 50_000
    free_bytes_min: int = 500_000_000
    level: int = 3

    def __post_init__(self) -> None:
        if not (0 < self.flush_s <= 60 and self.block_bytes > 0 and self.waiting_max > 0):
            raise ValueError("flush_s is more than 0 and at most 60, sizes are more than 0")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the files of one recording are, what they are called and what stands on top of each.

    `name` and `header` are asked for each part, counted from 0; `at_ns` is when it all began.
    """

    directory: Path
    magic: bytes
    at_ns: Ns
    name: Callable[[int], str]
    header: Callable[[int], bytes]


class BlockFile(Generic[T]):
    """`start` once, `close` at the end. `written` counts entries in whole blocks of the files.

    `encode` makes one part of a block of some entries. `moment_ns` tells when an entry was, or 0:
    an hour is over when one says so.
    """

    def __init__(
        self,
        place: Place,
        encode: Callable[[list[T]], bytes],
        moment_ns: Callable[[T], Ns],
        params: RecorderParams,
    ) -> None:
        self.is_on = False
        self.written = 0
        self.waiting: deque[T] = deque()
        self.thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self.failure = ""
        self._place = place
        self._params = params
        self._closing = threading.Event()
        self._writer = _Writer(place, params)
        self._encode = encode
        self._moment_ns = moment_ns

    def start(self) -> None:
        """Raises UserError where the directory cannot be made; a full disk is a complaint."""
        private_directory(self._place.directory)
        self.is_on = True
        self.thread.start()

    def take(self, entry: T) -> None:
        """Never blocks and never fails. Only while `is_on`."""
        self.waiting.append(entry)
        if len(self.waiting) > self._params.waiting_max:
            self._stop("the disk is too slow")

    def complaint(self) -> str:
        """Why the recording ended before its time, once; "" otherwise."""
        told, self.failure = self.failure, ""
        return told

    def close(self) -> None:
        """Write what is there and end the file. A disk that hangs is not waited for long."""
        self._closing.set()
        if self.thread.is_alive():
            self.thread.join(CLOSE_S)
        self.is_on = False

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._write()
        except (OSError, UserError) as error:
            self._stop(str(error))
        except Exception as error:  # noqa: BLE001 a recording that fails costs only itself
            self._stop(f"{type(error).__name__}: {error}")
        finally:
            self._writer.abandon()

    def _write(self) -> None:
        writer, flushed_s = self._writer, time.monotonic()
        writer.open_part()
        is_closing = False
        while self.is_on and not is_closing:
            is_closing = self._closing.wait(POLL_S)
            self._drain()
            if is_closing or time.monotonic() - flushed_s >= self._params.flush_s:
                writer.flush()
                flushed_s = time.monotonic()
            self.written = writer.written
        writer.end(Ended(goes_on=False, reason=self.failure))
        self.written = writer.written

    def _drain(self) -> None:
        while bite := self._bite():
            body = self._encode(bite)
            self._writer.add(body, len(bite), self._moment_ns(bite[-1]))
            time.sleep(YIELD_S)

    def _bite(self) -> list[T]:
        """The next few entries; whoever ends the recording may empty the queue meanwhile."""
        bite: list[T] = []
        try:
            while len(bite) < BITE:
                bite.append(self.waiting.popleft())
        except IndexError:
            pass
        return bite

    def _stop(self, why: str) -> None:
        self.is_on = False
        self.failure = why
        self.waiting.clear()


class _Writer:
    """The file of the present hour. Everything here may block and raises OSError."""

    def __init__(self, place: Place, params: RecorderParams) -> None:
        self.written = 0
        self._place = place
        self._params = params
        self._packer = zstandard.ZstdCompressor(level=params.level)
        self._descriptor = -1
        self._buffer = bytearray()
        self._count = 0
        self._part = 0
        self._part_ends_ns: Ns = (place.at_ns // PART_NS + 1) * PART_NS
        self._now_ns = place.at_ns

    def open_part(self) -> None:
        path = self._place.directory / self._place.name(self._part)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, PRIVATE_FILE)
        header = self._packer.compress(self._place.header(self._part))
        self._put(self._place.magic + framed(HEADER, 0, header))

    def add(self, body: bytes, count: int, at_ns: Ns) -> None:
        self._buffer += body
        self._count += count
        self._now_ns = max(self._now_ns, at_ns)
        if len(self._buffer) >= self._params.block_bytes:
            self.flush()

    def flush(self) -> None:
        """Write what was added as one block, and begin a new file with a new hour."""
        if self._buffer:
            packed = self._packer.compress(bytes(self._buffer))
            self._put(framed(ENTRIES, self._count, packed))
            self.written += self._count
            self._buffer.clear()
            self._count = 0
        if self._now_ns >= self._part_ends_ns:
            self._turn()

    def end(self, how: Ended) -> None:
        self.flush()
        self._put(framed(END, 0, msgspec.json.encode(how)))
        self.abandon()

    def abandon(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _turn(self) -> None:
        """The next hour. A session that slept through several has no empty files for them."""
        self._put(framed(END, 0, msgspec.json.encode(Ended(goes_on=True))))
        self.abandon()
        self._part += 1
        self._part_ends_ns = (self._now_ns // PART_NS + 1) * PART_NS
        self.open_part()

    def _put(self, body: bytes) -> None:
        disk = os.statvfs(self._place.directory)
        if disk.f_bavail * disk.f_frsize < self._params.free_bytes_min:
            left = self._params.free_bytes_min
            raise UserError(f"less than {left} bytes are free in {self._place.directory}")
        view = memoryview(body)
        while view:
            view = view[os.write(self._descriptor, view) :]
