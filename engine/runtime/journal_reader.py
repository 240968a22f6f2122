"""The journal's reading end, for people and for start-up: read-only, in short transactions.

A reader that keeps one transaction open would keep the write-ahead log from shrinking (D07), so
every page of rows is a transaction of its own. Rows that stand only in the ahead log (the newest of
a running or killed engine) are part of the journal and are read with it: that log is looked at
first, since whatever leaves it afterwards is in SQLite by then.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from engine.runtime.journal_ahead import Ahead, anchors, beyond, read_ahead
from engine.runtime.journal_chain import (
    APPLICATION_ID,
    ROW_SQL,
    SCHEMA_VERSION,
    ChainBroken,
    Head,
    RowTuple,
    agree,
    decode,
    follow,
    told_epoch,
)
from engine.values.errors import UserError
from engine.values.records import Record
from engine.values.units import Ns

PAGE_RECORDS = 2_000
OPEN_TIMEOUT_S = 5.0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One record as it is stored. `hash` is in hex."""

    seq: int
    at_ns: Ns
    kind: str
    market: str
    record: Record
    hash: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk over the whole chain found. `broken_seq` is 0 when it holds.

    The last `ahead` of the `records` stand in the ahead log only; the next start moves them.
    """

    path: str
    records: int
    ahead: int
    epochs: int
    head: str
    broken_seq: int
    problem: str


def read(
    path: Path,
    kinds: Collection[str] = (),
    market: str = "",
    since_seq: int = 0,
    limit: int = 0,
) -> Iterator[Row]:
    """Rows after `since_seq`, oldest first; no kinds, market "" and limit 0 mean all.

    Raises UserError where the file is not a journal, or a row cannot be read.
    """
    left = limit or -1
    with closing(_opened(path)) as connection:
        ahead = _chosen_ahead(path, kinds, market)
        while left:
            page = PAGE_RECORDS if left < 0 else min(left, PAGE_RECORDS)
            sql, values = _query(kinds, market, "seq > ?", since_seq)
            rows = _page(path, connection, f"{sql} ORDER BY seq LIMIT ?", [*values, page])
            for row in rows:
                yield _row(path, row)
            since_seq = rows[-1][0] if rows else since_seq
            left = left - len(rows) if left > 0 else left
            if len(rows) < page:
                newer = [row for row in ahead if row[0] > since_seq]
                yield from (_row(path, row) for row in newer[: left if left > 0 else None])
                return


def read_last(path: Path, count: int, kinds: Collection[str] = (), market: str = "") -> list[Row]:
    """The last `count` such rows, oldest first. Raises UserError."""
    with closing(_opened(path)) as connection:
        ahead = _chosen_ahead(path, kinds, market)
        sql, values = _query(kinds, market, "seq > ?", 0)
        rows = _page(path, connection, f"{sql} ORDER BY seq DESC LIMIT ?", [*values, count])
    rows.reverse()
    rows += [row for row in ahead if not rows or row[0] > rows[-1][0]]
    return [_row(path, row) for row in rows[-count:]]


def verify(path: Path) -> Verified:
    """Walk the whole chain up to the head as it stood at the start. Raises UserError.

    A break is a finding and not an exception: `broken_seq` and `problem` say where and what.
    """
    with closing(_opened(path)) as connection:
        walked, epochs = Head(), 0
        try:
            ahead = read_ahead(path)
            anchored, epochs = _anchors(connection)
            while walked.count < anchored.count:
                walked = _walk_page(connection, walked, anchored.count, epochs)
            agree(walked, anchored)
            newer = beyond(ahead, walked, _hashes(connection, ahead, walked))
            told_epoch(newer, epochs)
        except ChainBroken as error:
            return _finding(path, (walked, 0), epochs, error)
    if newer:
        walked = Head(newer[-1][0], newer[-1][-1])
    return _finding(path, (walked, len(newer)), epochs, None)


def export_line(row: Row) -> bytes:
    """The row as one line of JSON, without its line end."""
    return msgspec.json.encode(row)


def _anchors(connection: sqlite3.Connection) -> tuple[Head, int]:
    """The head and the last epoch. Raises ChainBroken where they are lost."""
    try:
        heads = connection.execute("SELECT count, hash FROM head").fetchall()
        epochs = connection.execute("SELECT COALESCE(MAX(epoch), 0) FROM sessions").fetchone()
    except sqlite3.DatabaseError as error:
        raise ChainBroken(1, str(error)) from error
    if len(heads) != 1:
        raise ChainBroken(1, "the journal has lost its head row")
    return Head(*heads[0]), epochs[0]


def _walk_page(connection: sqlite3.Connection, head: Head, last_seq: int, last_epoch: int) -> Head:
    """The head after the next page. Raises ChainBroken, also where no page is left."""
    try:
        rows: list[RowTuple] = connection.execute(
            f"{ROW_SQL} WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (head.count, last_seq, PAGE_RECORDS),
        ).fetchall()
        walked = follow(head, rows)
        told_epoch(rows, last_epoch)
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        raise ChainBroken(head.count + 1, str(error)) from error
    if not rows:
        missing = last_seq - head.count
        raise ChainBroken(head.count + 1, f"missing, {missing} cut off the end")
    return walked


def _hashes(connection: sqlite3.Connection, ahead: Ahead, head: Head) -> dict[int, bytes]:
    """The journal's hashes where `ahead` must agree with it. Raises ChainBroken."""
    if not ahead.rows:
        return {}
    sql = "SELECT seq, hash FROM records WHERE seq IN (?, ?)"
    try:
        return dict(connection.execute(sql, anchors(ahead, head)).fetchall())
    except sqlite3.DatabaseError as error:
        raise ChainBroken(head.count, str(error)) from error


def _chosen_ahead(path: Path, kinds: Collection[str], market: str) -> list[RowTuple]:
    """Such rows of the ahead log, in order; SQLite may hold the first of them too."""
    try:
        rows = read_ahead(path).rows
    except ChainBroken as error:
        raise UserError(f"{path}: {error}; look with: ballast journal verify {path}") from error
    return [
        row for row in rows if (not kinds or row[2] in kinds) and (not market or row[3] == market)
    ]


def _finding(
    path: Path, walked: tuple[Head, int], epochs: int, broken: ChainBroken | None
) -> Verified:
    head, ahead = walked
    return Verified(
        path=str(path),
        records=broken.seq - 1 if broken else head.count,
        ahead=ahead,
        epochs=epochs,
        head=head.hash.hex(),
        broken_seq=broken.seq if broken else 0,
        problem=str(broken) if broken else "",
    )


def _opened(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises UserError for what is no journal of this version."""
    if not path.is_file():
        raise UserError(f"{path}: there is no journal here")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=OPEN_TIMEOUT_S
        )
        try:
            marks = [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "user_version")
            ]
        except sqlite3.Error:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise UserError(f"{path}: cannot be read as a journal: {error}") from error
    if marks != [APPLICATION_ID, SCHEMA_VERSION]:
        connection.close()
        raise UserError(f"{path}: this is not a journal of version {SCHEMA_VERSION}")
    return connection


def _query(
    kinds: Collection[str], market: str, condition: str, value: int
) -> tuple[str, list[Any]]:
    conditions, values = [condition], [value, *kinds]
    if kinds:
        conditions.append(f"kind IN ({','.join('?' * len(kinds))})")
    if market:
        conditions.append("market = ?")
        values.append(market)
    return f"{ROW_SQL} WHERE {' AND '.join(conditions)}", values


def _page(
    path: Path, connection: sqlite3.Connection, sql: str, values: list[Any]
) -> list[RowTuple]:
    try:
        return connection.execute(sql, values).fetchall()
    except sqlite3.DatabaseError as error:
        raise UserError(f"{path}: {error}; look with: ballast journal verify {path}") from error


def _row(path: Path, row: RowTuple) -> Row:
    seq, at_ns, kind, market, body, digest = row
    try:
        record = decode(body)
    except (msgspec.DecodeError, TypeError) as error:
        raise UserError(f"{path}: record {seq} ({kind}) cannot be read: {error}") from error
    return Row(seq=seq, at_ns=at_ns, kind=kind, market=market, record=record, hash=digest.hex())
