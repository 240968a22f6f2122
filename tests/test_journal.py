"""The journal keeps what it promised, and says so when it cannot."""

import asyncio
import errno
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.runtime.journal import (
    Durability,
    JournalFailed,
    JournalFull,
    JournalParams,
    SqliteJournal,
    open_journal,
)
from engine.runtime.journal_chain import SCHEMA_VERSION
from engine.runtime.journal_reader import export_line, read, read_last, verify
from engine.values.commands import Place
from engine.values.errors import UserError
from engine.values.intents import Hedge
from engine.values.records import OrderIntent, Record, SessionStarted, StateChanged
from engine.values.units import Side
from tests.patience import in_time, until

MARKET = "BTT/USDT@loop"
PARAMS = JournalParams()
POWER = JournalParams(durability=Durability.POWER)


def state_changed(number: int, market: str = MARKET) -> StateChanged:
    return StateChanged(market=market, at_ns=number, before="INIT", after="READY", reason="test")


def intent(number: int) -> OrderIntent:
    order = Place(
        market=MARKET,
        client_id=f"e1-{number}",
        side=Side.BUY,
        tick=62,
        lots=4_000_000,
        post_only=True,
        at_ns=number,
    )
    return OrderIntent(order=order, decision=number, strategy="ladder", config_hash="c0")


async def filled(path: Path, count: int) -> None:
    async with await open_journal(path, PARAMS) as journal:
        journal.append(state_changed(n) for n in range(1, count + 1))
        await journal.commit()


def tamper(path: Path, sql: str) -> None:
    """Change the file behind the triggers' back, as somebody with a database tool would."""
    connection = sqlite3.connect(path)
    triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(sql)
    connection.commit()
    connection.close()


async def test_what_was_appended_is_read_back_as_it_was(tmp_path: Path) -> None:
    records: list[Record] = [
        state_changed(1),
        intent(2),
        Hedge(market=MARKET, side=Side.SELL, lots=5, reason="cap"),
    ]
    async with await open_journal(tmp_path / "j.db", PARAMS) as journal:
        journal.append(records)
        await journal.commit()
        rows = list(read(tmp_path / "j.db"))
    assert [row.record for row in rows] == records
    assert [row.seq for row in rows] == [1, 2, 3]
    assert [row.market for row in rows] == [MARKET] * 3
    assert [row.kind for row in rows] == ["StateChanged", "OrderIntent", "Hedge"]


async def test_reading_can_be_narrowed_to_kind_market_and_place(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with await open_journal(path, PARAMS) as journal:
        journal.append([state_changed(1), intent(2), state_changed(3, "ETH/USDT@loop"), intent(4)])
        await journal.commit()
    assert [row.seq for row in read(path, kinds=["OrderIntent"])] == [2, 4]
    assert [row.seq for row in read(path, market="ETH/USDT@loop")] == [3]
    assert [row.seq for row in read(path, since_seq=1, limit=2)] == [2, 3]
    assert [row.seq for row in read_last(path, 2, kinds=["OrderIntent", "StateChanged"])] == [3, 4]
    assert b'"type":"OrderIntent"' in export_line(read_last(path, 1)[0])


async def test_reading_pages_through_more_rows_than_one_page(tmp_path: Path) -> None:
    await filled(tmp_path / "j.db", 4_500)
    assert [row.seq for row in read(tmp_path / "j.db")] == list(range(1, 4_501))
    assert verify(tmp_path / "j.db").records == 4_500


async def test_epochs_rise_with_every_session_even_one_that_wrote_nothing(tmp_path: Path) -> None:
    epochs = []
    for _ in range(3):
        async with await open_journal(tmp_path / "j.db", PARAMS) as journal:
            epochs.append(journal.epoch)
    assert epochs == [1, 2, 3]


async def test_i7_an_epoch_that_a_session_ran_under_cannot_be_lost(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    for _ in range(2):
        async with await open_journal(path, PARAMS) as journal:
            started = SessionStarted(
                at_ns=1, epoch=journal.epoch, config_hash="c0", code_version="1", mode="paper"
            )
            journal.append([started])
    tamper(path, "DELETE FROM sessions WHERE epoch = 2")
    assert verify(path).broken_seq == 2
    with pytest.raises(UserError, match="epoch 2 is missing"):
        await open_journal(path, PARAMS)


async def test_a_session_goes_on_where_the_chain_ended(tmp_path: Path) -> None:
    for _ in range(3):
        async with await open_journal(tmp_path / "j.db", PARAMS) as journal:
            journal.append([state_changed(1)])
    found = verify(tmp_path / "j.db")
    assert (found.records, found.epochs, found.problem) == (3, 3, "")


async def test_many_waiters_share_commits_and_all_return(tmp_path: Path) -> None:
    async with await open_journal(tmp_path / "j.db", POWER) as journal:

        async def one(number: int) -> None:
            journal.append([state_changed(number)])
            await journal.commit()

        await asyncio.gather(*(one(number) for number in range(1, 200)))
        assert journal.count == 199
        assert journal.oldest_unsynced_ns == 0


async def test_a_waiter_that_is_cancelled_harms_nobody(tmp_path: Path) -> None:
    async with await open_journal(tmp_path / "j.db", POWER) as journal:
        journal.append([state_changed(1)])
        gone = asyncio.ensure_future(journal.commit())
        await asyncio.sleep(0)
        gone.cancel()
        journal.append([state_changed(2)])
        await journal.commit()
        assert journal.count == 2


async def test_records_that_nobody_awaits_reach_the_disk_soon(tmp_path: Path) -> None:
    async with await open_journal(tmp_path / "j.db", PARAMS) as journal:
        journal.append([state_changed(1)])
        await until(lambda: not journal.oldest_unsynced_ns, "the disk")
        connection = sqlite3.connect(tmp_path / "j.db")
        assert connection.execute("SELECT COUNT(*) FROM records").fetchone() == (1,)
        connection.close()


async def test_close_writes_what_is_still_queued(tmp_path: Path) -> None:
    async with await open_journal(tmp_path / "j.db", PARAMS) as journal:
        journal.append([state_changed(1)])
    assert verify(tmp_path / "j.db").records == 1
    with pytest.raises(JournalFailed, match="closed"):
        journal.append([state_changed(2)])


async def test_the_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "j.db"
    async with await open_journal(path, PARAMS) as journal:
        journal.append([state_changed(1)])
        await journal.commit()
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    assert set(modes) == {"j.db", "j.db-wal", "j.db-shm", "j.db-ahead-a", "j.db-ahead-b"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    await filled(tmp_path / "j.db", 1)
    (tmp_path / "j.db").chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        await open_journal(tmp_path / "j.db", PARAMS)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE records SET market = 'X' WHERE seq = 1",
        "DELETE FROM records WHERE seq = 3",
        "INSERT OR REPLACE INTO records VALUES (1, 1, 'Stop', '', '{}', 'x')",
        "INSERT INTO records VALUES (9, 1, 'Stop', '', '{}', 'x')",
        "UPDATE head SET count = 1",
        "DELETE FROM head",
        "DELETE FROM sessions",
        "UPDATE sessions SET epoch = 7",
        "INSERT OR REPLACE INTO sessions VALUES (1, 0)",
    ],
)
async def test_the_file_itself_refuses_to_change_the_past(tmp_path: Path, sql: str) -> None:
    await filled(tmp_path / "j.db", 3)
    connection = sqlite3.connect(tmp_path / "j.db")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(sql)
    connection.close()
    assert verify(tmp_path / "j.db").problem == ""


@pytest.mark.parametrize(
    ("sql", "seq", "why"),
    [
        ("UPDATE records SET body = CAST(body || x'20' AS BLOB) WHERE seq = 4", 4, "hash"),
        ("UPDATE records SET at_ns = at_ns + 1 WHERE seq = 2", 2, "hash"),
        ("UPDATE records SET hash = zeroblob(32) WHERE seq = 5", 5, "hash"),
        ("UPDATE records SET market = 7.5 WHERE seq = 5", 5, "hash"),
        ("UPDATE records SET body = 'text' WHERE seq = 5", 5, "not what a journal writes"),
        ("DELETE FROM records WHERE seq = 3", 3, "missing"),
        ("DELETE FROM records WHERE seq > 3", 4, "2 cut off the end"),
        ("DELETE FROM records", 1, "5 cut off the end"),
        ("UPDATE head SET hash = zeroblob(32)", 5, "head"),
        ("UPDATE head SET count = 4", 4, "head"),
        ("DELETE FROM head", 1, ""),
    ],
)
async def test_d05_a_changed_past_is_found_and_refused(
    tmp_path: Path, sql: str, seq: int, why: str
) -> None:
    path = tmp_path / "j.db"
    await filled(path, 5)
    tamper(path, sql)
    found = verify(path)
    assert found.broken_seq == seq
    assert why in found.problem
    with pytest.raises(UserError, match="ballast journal verify"):
        await open_journal(path, PARAMS)


async def test_d05_flipped_bytes_are_found_and_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await filled(path, 300)
    content = bytearray(path.read_bytes())
    for place in range(4096 * 12, len(content) - 4096, 997):
        content[place] ^= 0xFF
    path.write_bytes(content)
    assert verify(path).problem
    with pytest.raises(UserError, match="ballast journal verify"):
        await open_journal(path, PARAMS)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(kept=st.integers(min_value=0, max_value=10**6), torn=st.binary(max_size=64))
def test_d04_a_torn_tail_is_recovered_to_the_last_whole_commit(
    tmp_path_factory: pytest.TempPathFactory, kept: int, torn: bytes
) -> None:
    path = tmp_path_factory.mktemp("torn") / "j.db"

    async def write_then_crash() -> tuple[bytes, bytes]:
        async with await open_journal(path, PARAMS) as journal:
            for number in range(1, 31):
                journal.append([state_changed(number)])
                await journal.commit()
            return path.read_bytes(), path.with_name("j.db-wal").read_bytes()

    database, log = asyncio.run(write_then_crash())
    path.write_bytes(database)
    # The schema and the epoch went to the log first and were fsynced: a power cut leaves those.
    whole = 60_000
    path.with_name("j.db-wal").write_bytes(log[: whole + kept % (len(log) - whole)] + torn)
    assert verify(path).problem == ""

    async def restart() -> SqliteJournal:
        async with await open_journal(path, PARAMS) as journal:
            journal.append([state_changed(99)])
            await journal.commit()
            return journal

    assert asyncio.run(restart()).count == verify(path).records
    assert verify(path).problem == ""


WRITER = """
import asyncio, sys, time
from pathlib import Path
from engine.runtime.journal import JournalParams, open_journal
from engine.values.events import Stop

async def main():
    journal = await open_journal(Path(sys.argv[1]), JournalParams())
    print("epoch", journal.epoch, flush=True)
    for number in range(1, 1_000_000):
        journal.append([Stop(at_ns=number, who="test")])
        await journal.commit()
        print(journal.count, flush=True)

asyncio.run(main())
"""


def test_i22_what_was_acknowledged_before_kill_9_is_there_after_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    acknowledged, epochs = 0, []
    for lines in (7, 60, 250):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        epochs.append(int(process.stdout.readline().split()[1]))
        for _ in range(lines):
            acknowledged = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split("\n")[:-1]  # what follows the last line end is torn
        acknowledged = int(rest[-1]) if rest else acknowledged
        process.stdout.close()
        process.wait()
        found = verify(path)
        assert found.problem == ""
        assert found.records >= acknowledged
    assert epochs == [1, 2, 3]


async def test_d01_a_slow_disk_stops_neither_the_loop_nor_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The far bound is a real one: another process holds the file's write lock throughout."""
    path = tmp_path / "j.db"
    params = JournalParams(queue_records_max=100, durability=Durability.POWER)
    async with await open_journal(path, params) as journal:
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        journal.append([state_changed(1)])
        committing = asyncio.ensure_future(journal.commit())
        for _ in range(60):
            await asyncio.sleep(0.01)
        assert not committing.done()
        assert journal.unsynced_age_ns() > 250_000_000
        journal.append(state_changed(n) for n in range(99))
        with pytest.raises(JournalFull):
            journal.append([state_changed(1)])
        blocker.execute("ROLLBACK")
        blocker.close()
        await committing
        await journal.commit()
        assert journal.count == 100
    assert verify(path).records == 100


async def test_d08_a_lock_held_by_an_operator_delays_but_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with await open_journal(path, PARAMS) as journal:
        reader = sqlite3.connect(path)
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM records").fetchone()
        journal.append([state_changed(1)])
        await journal.commit()
        reader.close()
        assert journal.failed == ""
    assert verify(path).records == 1


async def test_d02_a_write_error_is_latched_and_never_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with await open_journal(path, POWER) as journal:
        journal.append([state_changed(1)])
        await journal.commit()
        watching = asyncio.ensure_future(journal.watch())
        # A full disk, as SQLite itself meets it: the file may not grow by one page more.
        await journal._stored.writer.execute_fetchall("PRAGMA max_page_count = 1")
        journal.append(state_changed(n) for n in range(2_000))
        with pytest.raises(JournalFailed, match="full"):
            await journal.commit()
        await journal._stored.writer.execute_fetchall("PRAGMA max_page_count = 100000")
        with pytest.raises(JournalFailed):
            journal.append([state_changed(1)])
        with pytest.raises(JournalFailed):
            await journal.commit()
        with pytest.raises(JournalFailed):
            await watching
        assert "full" in journal.failed
        assert "full" in repr(journal)
    assert verify(path).problem == ""


@pytest.mark.parametrize("params", [PARAMS, POWER])
@pytest.mark.parametrize("name", ["j.db", "j.db-ahead-a", "j.db-ahead-b"])
async def test_d06_a_file_replaced_under_us_fails_the_journal(
    tmp_path: Path, name: str, params: JournalParams
) -> None:
    path = tmp_path / "j.db"
    async with await open_journal(path, params) as journal:
        os.rename(tmp_path / name, tmp_path / "moved")
        journal.append([state_changed(1)])
        with pytest.raises(JournalFailed, match=os.strerror(errno.ENOENT)):
            async with in_time("the failure"):
                await journal.watch()
        with pytest.raises(JournalFailed):
            await journal.commit()


async def test_a_record_that_cannot_be_stored_fails_the_journal_aloud(tmp_path: Path) -> None:
    async with await open_journal(tmp_path / "j.db", PARAMS) as journal:
        with pytest.raises(JournalFailed):
            journal.append([state_changed(1), state_changed(2**70)])
        with pytest.raises(JournalFailed):
            await journal.watch()
    assert verify(tmp_path / "j.db").records == 0


async def test_d07_the_log_is_folded_away_beside_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runtime.journal.WAL_BYTES_FOLD", 100_000)
    path = tmp_path / "j.db"
    async with await open_journal(path, JournalParams(fold_s=0.01)) as journal:
        for round_ in range(40):
            journal.append(state_changed(n) for n in range(round_ * 200, round_ * 200 + 200))
            await journal.commit()
            await asyncio.sleep(0.02)
        await until(lambda: path.stat().st_size > 500_000, "the log in the file")
        assert journal.failed == ""
    assert verify(path).records == 8_000


async def test_d09_another_schema_and_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await filled(path, 1)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(UserError, match="schema is version 2"):
        await open_journal(path, PARAMS)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    other.chmod(0o600)
    with pytest.raises(UserError, match="not a journal"):
        await open_journal(other, PARAMS)
    with pytest.raises(UserError, match="not a journal"):
        list(read(other))
    text = tmp_path / "text.db"
    text.write_text("hello " * 1_000)
    text.chmod(0o600)
    with pytest.raises(UserError):
        await open_journal(text, PARAMS)
    with pytest.raises(UserError):
        verify(text)
    with pytest.raises(UserError, match="no journal here"):
        verify(tmp_path / "absent.db")


async def test_power_durability_also_commits(tmp_path: Path) -> None:
    params = JournalParams(durability=Durability.POWER)
    async with await open_journal(tmp_path / "j.db", params) as journal:
        journal.append([state_changed(1)])
        await journal.commit()
        level = await journal._stored.writer.execute_fetchall("PRAGMA synchronous")
        assert next(iter(level))[0] == 2


async def test_a_start_that_is_cancelled_at_any_moment_leaves_no_thread_behind(
    tmp_path: Path,
) -> None:
    """A connection that nobody closed would keep the process, and its lock, for ever."""
    is_cancelled = True
    for number in range(200):
        opening = asyncio.create_task(open_journal(tmp_path / str(number) / "j.db", PARAMS))
        await asyncio.sleep(number * 0.0003 * 1.02**number)  # a slow machine opens late
        opening.cancel()
        found = (await asyncio.gather(opening, return_exceptions=True))[0]
        is_cancelled = isinstance(found, asyncio.CancelledError)
        if isinstance(found, SqliteJournal):
            await found.close()
            break
    assert not is_cancelled, "the last one came too late to cancel anything"
    await until(
        lambda: not any("connection_worker" in thread.name for thread in threading.enumerate()),
        "the end of every thread",
        instead=threading.enumerate,
    )
