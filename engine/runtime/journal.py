"""The journal's writing end: records are chained and stand in the ahead log when `append` returns.

From there one task commits them to SQLite in groups, each one statement on aiosqlite's thread. The
head row moves in the same transaction by trigger; a second connection folds SQLite's own log back.
Nobody waits for any of this but who must survive a power cut: that takes an fsync.
"""

import asyncio
import sqlite3
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from types import TracebackType

import msgspec

from engine.runtime.journal_ahead import AheadFull, frame
from engine.runtime.journal_chain import COLUMNS, Head, Redact, RowTuple, encode
from engine.runtime.journal_file import StoredJournal, open_stored
from engine.values.records import Record
from engine.values.units import NS_PER_MS, Ns

GROUP_RECORDS_MAX = 64
"""The longest that the SQL thread keeps the interpreter from the loop: binding so many rows."""
SLOW_WRITE_NS = 5 * NS_PER_MS
"""A write to the ahead log that kept the loop for longer counts as a lag of the journal."""
WAL_BYTES_FOLD = 4 * 1024 * 1024
_ROW = "(" + ",".join("?" * COLUMNS) + ")"


class JournalFull(Exception):
    """The disk has fallen too far behind. Nothing of the call was queued; the engine freezes."""


class JournalFailed(Exception):
    """A write failed. The journal takes nothing more in this process (a retry could lie)."""


class Durability(StrEnum):
    """What a commit survives. KILL waits for nothing; POWER costs an fsync for every group."""

    KILL = "kill"
    POWER = "power"


class JournalParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[journal]`. `linger_ms` is how long records that nobody awaits may gather into a group."""

    durability: Durability = Durability.KILL
    queue_records_max: int = 20_000
    linger_ms: float = 20.0
    fold_s: float = 2.0


class SqliteJournal:
    """Fulfils `ports.Journal`. Make it with `open_journal`, use it as an async context manager.

    `epoch` is this session's number, on the disk before anybody can use it. `failed` is "" or why
    the journal died; the supervisor awaits `watch()`, which raises at that moment.
    """

    def __init__(
        self,
        stored: StoredJournal,
        params: JournalParams,
        now_ns: Callable[[], Ns],
        redact: Redact | None,
    ) -> None:
        self.path, self.epoch, self.failed = stored.path, stored.epoch, ""
        self._stored, self._params, self._now_ns = stored, params, now_ns
        self._redact = redact
        self._ahead = stored.ahead if params.durability is Durability.KILL else None
        self._head = stored.head
        self._synced = stored.head.count
        self._queue: deque[tuple[Ns, RowTuple]] = deque()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._in_flight_since_ns = 0
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._linger: asyncio.TimerHandle | None = None
        self._dead: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._emptying: asyncio.Future[None] | None = None
        self._writer = asyncio.create_task(self._write(), name="journal writer")
        self._folder = asyncio.create_task(self._fold(), name="journal checkpoint")
        self._writer.add_done_callback(self._ended)
        self._folder.add_done_callback(self._ended)

    def __repr__(self) -> str:
        state = self.failed or f"{self._head.count - self._synced} unsynced"
        return f"<journal {self.path.name} epoch {self.epoch} {self._synced} records, {state}>"

    async def __aenter__(self) -> "SqliteJournal":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def count(self) -> int:
        """Records that would survive."""
        return self._synced if self._ahead is None else self._head.count

    @property
    def oldest_unsynced_ns(self) -> Ns:
        """When the oldest record that SQLite does not hold yet was appended; 0: it holds all."""
        if self._in_flight_since_ns:
            return self._in_flight_since_ns
        return self._queue[0][0] if self._queue else 0

    def unsynced_age_ns(self) -> Ns:
        """How old it is, or how long a slow write of late kept the loop. 250 ms pull the quotes."""
        oldest_ns = self.oldest_unsynced_ns
        age_ns = self._now_ns() - oldest_ns if oldest_ns else 0
        slow_ns = self._ahead.take_slowest_ns() if self._ahead is not None else 0
        return max(age_ns, slow_ns) if slow_ns > SLOW_WRITE_NS else age_ns

    def append(self, records: Iterable[Record]) -> None:
        """Take records, all or none, in one write. Raises JournalFull or JournalFailed."""
        self._refuse_if_failed()
        batch = list(records)
        if self._head.count - self._synced + len(batch) > self._params.queue_records_max:
            raise JournalFull(f"{self.path}: {self._params.queue_records_max} records unsynced")
        if not batch:
            return
        try:
            self._take(batch)
        except AheadFull as full:
            raise JournalFull(f"{self.path}: {full}") from full
        except (OSError, ValueError, TypeError, OverflowError, struct.error) as error:
            self._fail(f"{self.path}: {error}")
            raise JournalFailed(self.failed) from error
        if self._linger is None:
            self._linger = self._loop.call_later(self._params.linger_ms / 1000, self._wake.set)

    def is_durable(self) -> bool:
        """Whether a commit would return at once: all that was appended is where it survives."""
        if self.failed or self._closing:
            return False
        return self._ahead is not None or self._synced >= self._head.count

    async def commit(self) -> None:
        self._refuse_if_failed()
        if self.is_durable():
            return
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((self._head.count, done))
        self._wake.set()
        await done

    async def watch(self) -> None:
        """Return only by raising JournalFailed, or when the journal is closed."""
        await asyncio.shield(self._dead)

    async def close(self) -> None:
        """Write what is queued, end the tasks, close the file. Raises nothing; see `failed`."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        self._folder.cancel()
        await asyncio.gather(self._writer, self._folder, return_exceptions=True)
        if self._linger is not None:
            self._linger.cancel()
        await self._empty_ahead()
        await self._stored.close()
        if not self._dead.done():
            self._dead.set_result(None)

    def _take(self, batch: list[Record]) -> None:
        """Chain the records, write them ahead, and queue them for SQLite."""
        now_ns, head, redact = self._now_ns(), self._head, self._redact
        rows: list[tuple[Ns, RowTuple]] = []
        frames: list[bytes] = []
        for record in batch:
            stored = encode(record, head, now_ns, redact)
            head = Head(stored.row[0], stored.row[-1])
            rows.append((now_ns, stored.row))
            frames.append(frame(stored.packed, head.hash))
        if self._ahead is not None:
            self._ahead.write(b"".join(frames), head.count)
        self._head = head
        self._queue.extend(rows)

    async def _write(self) -> None:
        while not (self._closing and not self._queue) and not self.failed:
            await self._wake.wait()
            self._wake.clear()
            if self._linger is not None:
                self._linger.cancel()
                self._linger = None
            while self._queue and not self.failed:
                await self._write_group()
            if self._closing:
                self._wake.set()

    async def _write_group(self) -> None:
        size = min(len(self._queue), GROUP_RECORDS_MAX)
        self._in_flight_since_ns = self._queue[0][0]
        values: list[object] = []
        for _ in range(size):
            values.extend(self._queue.popleft()[1])
        try:
            await self._insert(size, values)
        except (sqlite3.Error, OSError, ValueError) as error:
            self._fail(f"{self.path}: {error}")
            return
        self._synced, self._in_flight_since_ns = self._synced + size, 0
        while self._waiting and self._waiting[0][0] <= self._synced:
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_result(None)

    async def _insert(self, rows: int, values: list[object]) -> None:
        """One statement, one transaction. A locked file wrote nothing, so that alone is retried."""
        sql = f"INSERT INTO records VALUES {','.join([_ROW] * rows)}"  # noqa: S608 (only marks)
        self._stored.still_there()
        while True:
            try:
                await self._stored.writer.execute_fetchall(sql, values)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise

    async def _fold(self) -> None:
        """Move the write-ahead log into the file beside the writer, never instead of it (D07)."""
        while not self.failed:
            await asyncio.sleep(self._params.fold_s)
            if self._stored.wal_bytes() > WAL_BYTES_FOLD:
                await self._fold_once()
            if self._ahead is not None and self._ahead.has_drained(self._synced):
                await self._in_thread(self._ahead.empty_resting)

    async def _fold_once(self) -> None:
        try:
            await self._stored.folder.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            self._fail(f"{self.path}: checkpoint: {error}")

    async def _empty_ahead(self) -> None:
        """At the end SQLite holds everything; after a failure the ahead log may hold more."""
        if self._emptying is not None:
            await asyncio.wait([self._emptying])
        if not self.failed and self._synced == self._head.count:
            await self._in_thread(self._stored.ahead.empty)

    async def _in_thread(self, empty: Callable[[Path], None]) -> None:
        """Never abandoned half way: the files must not be closed under the thread."""
        self._emptying = self._loop.run_in_executor(None, empty, self._stored.wal)
        try:
            await asyncio.shield(self._emptying)
        except OSError as error:
            self._fail(f"{self.path}: ahead log: {error}")

    def _refuse_if_failed(self) -> None:
        if self.failed or self._closing:
            raise JournalFailed(self.failed or f"{self.path}: the journal is closed")

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A bug of ours must not leave somebody waiting for a commit that never comes."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(f"{self.path}: {task.get_name()} died: {error!r}")

    def _fail(self, why: str) -> None:
        """Latched: after a failed write nobody knows what the disk holds (fsyncgate)."""
        self.failed = self.failed or why
        self._wake.set()
        for _, done in self._waiting:
            if not done.done():
                done.set_exception(JournalFailed(self.failed))
        self._waiting.clear()
        if not self._dead.done():
            self._dead.set_exception(JournalFailed(self.failed))
            self._dead.exception()  # marks it as seen: who does not watch() meets it in commit()


async def open_journal(
    path: Path,
    params: JournalParams,
    now_ns: Callable[[], Ns] = time.monotonic_ns,
    redact: Redact | None = None,
) -> SqliteJournal:
    """Open or create the journal, prove the end of its chain, and take the next epoch.

    `now_ns` should be the engine clock's: it also dates records that carry no moment themselves.
    `redact` (a Redactor's) is the last line before the disk: texts of venues come through here.
    Raises UserError where the file is not a journal of this version or its chain is broken.
    """
    stored = await open_stored(path, is_power_safe=params.durability is Durability.POWER)
    return SqliteJournal(stored, params, now_ns, redact)
