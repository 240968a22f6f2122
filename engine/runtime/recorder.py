"""Keeps everything that the engine is fed, and what it made of it, off the path that trades.

`take` and `made` only hang an object onto a queue. A thread encodes it in bites so small that the
loop never waits for it, and writes whole blocks: after `kill -9` all but the last second is there.
When the disk is slow or full the recording ends, with one complaint, and the engine goes on.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import zstandard

from engine.runtime.private_files import PRIVATE_FILE, private_directory
from engine.runtime.recording import (
    AS_JSON,
    AS_MSGPACK,
    DIRECTORY_NAME,
    END,
    ENTRIES,
    HEADER,
    MAGIC,
    PART_HEAD,
    Ended,
    Header,
    file_name,
    framed,
)
from engine.sim.replay import Entry, Made, outcome_of
from engine.values.errors import UserError
from engine.values.events import (
    BookLost,
    CancelFailed,
    Disconnected,
    Event,
    JournalLag,
    OrderFailed,
    OrderReport,
    Quarantined,
    QueryFailed,
)
from engine.values.step import Step
from engine.values.units import NS_PER_S, Ns

BITE = 16
"""Entries encoded at once: some 0.1 ms in which the loop may have to wait for the interpreter."""
YIELD_S = 0.0002
POLL_S = 0.1
CLOSE_S = 5.0
PART_NS = 3_600 * NS_PER_S
WITH_TEXT = (
    BookLost, CancelFailed, Disconnected, JournalLag, OrderFailed, OrderReport, Quarantined,
    QueryFailed,
)  # fmt: skip
"""Facts that carry a stranger's words, from which a secret must be taken out."""

Redact: TypeAlias = Callable[[str], str]


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


class Recorder:
    """One session's recording in `directory`/sessions. `start` once, `close` at the end.

    `taken` counts facts handed over, `written` entries in whole blocks of the file.
    """

    def __init__(
        self,
        directory: Path,
        header: Header,
        params: RecorderParams = RecorderParams(),  # noqa: B008 (a frozen value)
        redact: Redact | None = None,
    ) -> None:
        self.directory = directory / DIRECTORY_NAME
        self.taken = self.written = 0
        self._header = header
        self._params = params
        self._waiting: deque[Event | Step] = deque()
        self._is_on = False
        self._failure = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._writer = _Writer(self.directory, header, params)
        self._encode = _Encoding(redact)

    def __repr__(self) -> str:
        state = "on" if self._is_on else self._failure or "off"
        return f"<recorder {self.written} of {self.taken} facts and outcomes, {state}>"

    def start(self) -> None:
        """Raises UserError where the directory cannot be made; a full disk is a complaint."""
        private_directory(self.directory)
        self._is_on = True
        self._thread.start()

    def take(self, event: Event) -> None:
        """The engine is about to process `event`. Never blocks and never fails."""
        if self._is_on:
            self._waiting.append(event)
            self.taken += 1
            if len(self._waiting) > self._params.waiting_max:
                self._stop("the disk is too slow")

    def made(self, step: Step) -> None:
        """What the fact just taken led to. Call it where there are records or commands."""
        if self._is_on:
            self._waiting.append(step)

    def complaint(self) -> str:
        """Why the recording ended before its time, once; "" otherwise."""
        told, self._failure = self._failure, ""
        return f"the recording of this session ended: {told}" if told else ""

    def close(self) -> None:
        """Write what is there and end the file. A disk that hangs is not waited for long."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)
        self._is_on = False

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
        while self._is_on and not is_closing:
            is_closing = self._closing.wait(POLL_S)
            self._drain()
            if is_closing or time.monotonic() - flushed_s >= self._params.flush_s:
                writer.flush()
                flushed_s = time.monotonic()
            self.written = writer.written
        writer.end(Ended(goes_on=False, reason=self._failure))
        self.written = writer.written

    def _drain(self) -> None:
        while bite := self._bite():
            body = self._encode.bite(bite)
            self._writer.add(body, len(bite), bite[-1])
            time.sleep(YIELD_S)

    def _bite(self) -> list[Event | Step]:
        """The next few entries; whoever ends the recording may empty the queue meanwhile."""
        bite: list[Event | Step] = []
        try:
            while len(bite) < BITE:
                bite.append(self._waiting.popleft())
        except IndexError:
            pass
        return bite

    def _stop(self, why: str) -> None:
        self._is_on = False
        self._failure = why
        self._waiting.clear()


class _Encoding:
    """Entries to bytes, with no secret in them."""

    def __init__(self, redact: Redact | None) -> None:
        self._redact = redact
        self._packed = msgspec.msgpack.Encoder()
        self._plain = msgspec.json.Encoder()
        self._events = msgspec.json.Decoder(Event)

    def bite(self, bite: list[Event | Step]) -> bytes:
        entries = [self._entry(each) for each in bite]
        try:
            form, body = AS_MSGPACK, self._packed.encode(entries)
        except OverflowError:
            form, body = AS_JSON, self._plain.encode(entries)
        return PART_HEAD.pack(form, len(body)) + body

    def _entry(self, each: Event | Step) -> Entry:
        if isinstance(each, Step):
            return Made(self._clean(outcome_of(each)))
        if self._redact is not None and isinstance(each, WITH_TEXT):
            clean: Event = self._events.decode(self._clean(self._plain.encode(each)))
            return clean
        return each

    def _clean(self, body: bytes) -> bytes:
        return body if self._redact is None else self._redact(body.decode()).encode()


class _Writer:
    """The file of the present hour. Everything here may block and raises OSError."""

    def __init__(self, directory: Path, header: Header, params: RecorderParams) -> None:
        self.written = 0
        self._directory = directory
        self._header = header
        self._params = params
        self._packer = zstandard.ZstdCompressor(level=params.level)
        self._descriptor = -1
        self._buffer = bytearray()
        self._count = 0
        self._part_ends_ns: Ns = (header.at_ns // PART_NS + 1) * PART_NS
        self._now_ns = header.at_ns

    def open_part(self) -> None:
        path = self._directory / file_name(self._header.epoch, self._header.part)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, PRIVATE_FILE)
        header = self._packer.compress(msgspec.json.encode(self._header))
        self._put(MAGIC + framed(HEADER, 0, header))

    def add(self, body: bytes, count: int, last: Event | Step) -> None:
        self._buffer += body
        self._count += count
        if not isinstance(last, Step):
            self._now_ns = max(self._now_ns, last.at_ns)
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
        self._header = msgspec.structs.replace(self._header, part=self._header.part + 1)
        self._part_ends_ns = (self._now_ns // PART_NS + 1) * PART_NS
        self.open_part()

    def _put(self, body: bytes) -> None:
        disk = os.statvfs(self._directory)
        if disk.f_bavail * disk.f_frsize < self._params.free_bytes_min:
            left = self._params.free_bytes_min
            raise UserError(f"less than {left} bytes are free in {self._directory}")
        view = memoryview(body)
        while view:
            view = view[os.write(self._descriptor, view) :]
