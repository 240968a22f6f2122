"""Opening a journal file: its connections, its schema, the proof of its tail, its next epoch."""

import os
import sqlite3
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiosqlite
import msgspec

from engine.runtime.journal_ahead import Ahead, AheadLog, anchors, beyond, read_ahead
from engine.runtime.journal_chain import (
    APPLICATION_ID,
    COLUMNS,
    ROW_SQL,
    SCHEMA,
    SCHEMA_VERSION,
    ChainBroken,
    Head,
    agree,
    follow,
    told_epoch,
)
from engine.runtime.private_files import private_directory, private_file
from engine.values.errors import UserError
from engine.values.records import SessionStarted

TAIL_RECORDS = 2_000
BUSY_TIMEOUT_MS = 200
OPEN_TIMEOUT_S = 5.0


class StoredJournal:
    """An open journal: a connection that writes, one that folds its log away, the ahead log."""

    def __init__(
        self,
        path: Path,
        connections: tuple[aiosqlite.Connection, aiosqlite.Connection],
        ahead: AheadLog,
    ) -> None:
        self.path = path
        self.writer, self.folder = connections
        self.ahead = ahead
        self.head = Head()
        self.epoch = 0
        self._identity = _identity(path)
        self.wal = path.with_name(path.name + "-wal")

    async def close(self) -> None:
        await self.folder.close()
        await self.writer.close()
        self.ahead.close()

    def still_there(self) -> None:
        """The names must still lead to the files we write (D06). Raises OSError."""
        self.ahead.still_there()
        if _identity(self.path) != self._identity:
            raise OSError(f"{self.path.name} was replaced while it was open")

    def wal_bytes(self) -> int:
        """Size of the write-ahead log; 0 where there is none."""
        try:
            return self.wal.stat().st_size
        except FileNotFoundError:
            return 0


async def open_stored(path: Path, *, is_power_safe: bool) -> StoredJournal:
    """Open or create `path` with its tail proved, what stood only in its ahead log moved into it,
    and its next epoch on the disk.

    Raises UserError. Then, and when cancelled, nothing is left open: a connection that is not
    closed keeps its thread, and with it the process, alive for ever.
    """
    private_directory(path.parent)
    private_file(path)
    async with AsyncExitStack() as opened:
        ahead = AheadLog(path)
        opened.callback(ahead.close)
        try:
            connections = (await _connected(path, opened), await _connected(path, opened))
            stored = StoredJournal(path, connections, ahead)
            await _prepare(stored, is_power_safe=is_power_safe)
        except (sqlite3.Error, OSError, ChainBroken, msgspec.DecodeError) as error:
            raise _unusable(path, error) from error
        opened.pop_all()
    return stored


async def _connected(path: Path, opened: AsyncExitStack) -> aiosqlite.Connection:
    connection = aiosqlite.connect(path, isolation_level=None, timeout=OPEN_TIMEOUT_S)
    return await opened.enter_async_context(connection)


async def _prepare(stored: StoredJournal, *, is_power_safe: bool) -> None:
    writer = stored.writer
    await writer.execute_fetchall("PRAGMA journal_mode = WAL")
    await writer.execute_fetchall("PRAGMA synchronous = FULL")
    await _ensure_schema(stored)
    stored.head = await _proved_tail(writer)
    stored.head = await _take_in(stored)
    stored.epoch = await _next_epoch(writer)
    if not is_power_safe:
        await writer.execute_fetchall("PRAGMA synchronous = NORMAL")
    await writer.execute_fetchall("PRAGMA wal_autocheckpoint = 0")
    await writer.execute_fetchall(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


async def _ensure_schema(stored: StoredJournal) -> None:
    tables = await _one(stored.writer, "SELECT COUNT(*) FROM sqlite_schema")
    if tables == 0:
        await stored.writer.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
    if await _one(stored.writer, "PRAGMA application_id") != APPLICATION_ID:
        raise UserError(f"{stored.path}: this is not a journal")
    version = await _one(stored.writer, "PRAGMA user_version")
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{stored.path}: its schema is version {version}, this code knows {SCHEMA_VERSION}; "
            "run the version that wrote it, or start in a new data_dir"
        )


async def _proved_tail(writer: aiosqlite.Connection) -> Head:
    """Prove that the last records follow from one another up to the head. Raises ChainBroken."""
    heads = list(await writer.execute_fetchall("SELECT count, hash FROM head"))
    if len(heads) != 1:
        raise ChainBroken(1, "the journal has lost its head row")
    count, digest = heads[0]
    first = max(1, count - TAIL_RECORDS)
    rows = list(await writer.execute_fetchall(f"{ROW_SQL} WHERE seq >= ? ORDER BY seq", (first,)))
    start = Head()
    if first > 1 and rows:
        start = Head(rows[0][0], rows[0][5])
        rows = rows[1:]
    walked = follow(start, ((r[0], r[1], r[2], r[3], r[4], r[5]) for r in rows))
    agree(walked, Head(count, digest))
    return walked


async def _take_in(stored: StoredJournal) -> Head:
    """Move what only the ahead log holds into SQLite, on the disk, and begin that log anew.

    Killed half way, the next start does it again: rows that SQLite has are passed over.
    Raises ChainBroken where the two do not belong together.
    """
    ahead, head = read_ahead(stored.path), stored.head
    rows = beyond(ahead, head, await _hashes(stored.writer, ahead, head))
    if rows:
        marks = ",".join("?" * COLUMNS)
        await stored.writer.execute_fetchall("BEGIN IMMEDIATE")
        await stored.writer.executemany(f"INSERT INTO records VALUES ({marks})", rows)  # noqa: S608
        await stored.writer.execute_fetchall("COMMIT")
        head = Head(rows[-1][0], rows[-1][-1])
    stored.ahead.empty(stored.wal)
    return head


async def _hashes(writer: aiosqlite.Connection, ahead: Ahead, head: Head) -> dict[int, bytes]:
    if not ahead.rows:
        return {}
    found = await writer.execute_fetchall(
        "SELECT seq, hash FROM records WHERE seq IN (?, ?)", anchors(ahead, head)
    )
    return {row[0]: row[1] for row in found}


async def _next_epoch(writer: aiosqlite.Connection) -> int:
    """Taken under synchronous = FULL, so that not even a power cut hands it out twice (I7)."""
    told = await writer.execute_fetchall(
        f"{ROW_SQL} WHERE kind = ? ORDER BY seq DESC LIMIT 1", (SessionStarted.__name__,)
    )
    last_epoch = await _one(writer, "SELECT COALESCE(MAX(epoch), 0) FROM sessions")
    told_epoch([(r[0], r[1], r[2], r[3], r[4], r[5]) for r in told], last_epoch)
    rows = await writer.execute_fetchall(
        "INSERT INTO sessions SELECT COALESCE(MAX(epoch), 0) + 1, ? FROM sessions RETURNING epoch",
        (time.time_ns(),),
    )
    return int(next(iter(rows))[0])


async def _one(connection: aiosqlite.Connection, sql: str) -> int:
    return int(next(iter(await connection.execute_fetchall(sql)))[0])


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _unusable(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path}: {error}; look with: ballast journal verify {path}; "
        "then restore a backup, or start in a new data_dir"
    )
