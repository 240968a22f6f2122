"""The ahead log: what was appended survives the process, and nothing else is taken for it."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.runtime import journal_ahead
from engine.runtime.journal import (
    Durability,
    JournalFailed,
    JournalFull,
    JournalParams,
    SqliteJournal,
    open_journal,
)
from engine.runtime.journal_ahead import segments
from engine.runtime.journal_reader import read, read_last, verify
from engine.values.errors import UserError
from engine.values.events import Stop
from tests.patience import in_time, until

NEVER_S = 3_600.0
LAZY = JournalParams(linger_ms=NEVER_S * 1000)
"""SQLite is left behind: only the ahead log gets the rows, as if the writer were slow."""


def stop(number: int) -> Stop:
    return Stop(at_ns=number, who="x" * (number % 50))


def crash(directory: Path, groups: list[int], behind: int, first: int = 1) -> Path:
    """A journal as `kill -9` leaves it: the last `behind` groups stand in the ahead log only."""
    path = directory / "crashed" / "j.db"

    async def live() -> dict[Path, bytes]:
        async with await open_journal(path, LAZY) as journal:
            number = 0
            for at, size in enumerate(groups):
                journal.append(stop(first + number + n) for n in range(size))
                number += size
                if at == len(groups) - behind - 1:
                    await in_sqlite(journal)
            return {file: file.read_bytes() for file in path.parent.iterdir()}

    for file, content in asyncio.run(live()).items():
        file.write_bytes(content)
        file.chmod(0o600)
    path.with_name("j.db-shm").unlink(missing_ok=True)
    return path


async def in_sqlite(journal: SqliteJournal) -> None:
    journal._wake.set()
    await until(lambda: not journal.oldest_unsynced_ns, "the disk")


def append_until_it_raises(journal: SqliteJournal) -> None:
    while True:
        journal.append([stop(1)])


def reopened(path: Path) -> list[int]:
    """The moments that stand in SQLite alone after a start."""

    async def start() -> None:
        async with await open_journal(path, JournalParams()):
            pass

    asyncio.run(start())
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT at_ns FROM records ORDER BY seq")]
    connection.close()
    return found


@pytest.mark.parametrize(("groups", "behind"), [([3], 1), ([5, 1, 40, 2], 3), ([5, 4], 1)])
def test_rows_that_sqlite_lacks_are_moved_there_by_the_next_start(
    tmp_path: Path, groups: list[int], behind: int
) -> None:
    path = crash(tmp_path, groups, behind)
    whole = list(range(1, sum(groups) + 1))
    found = verify(path)
    assert (found.records, found.problem) == (len(whole), "")
    assert found.ahead == sum(groups[-behind:])
    assert reopened(path) == whole
    assert verify(path).ahead == 0
    assert all(not file.read_bytes() for file in segments(path))


def test_rows_that_sqlite_has_already_are_not_taken_twice(tmp_path: Path) -> None:
    path = crash(tmp_path, [30, 10], behind=1)
    ahead = [file.read_bytes() for file in segments(path)]
    assert reopened(path) == list(range(1, 41))
    for file, content in zip(segments(path), ahead, strict=True):
        file.write_bytes(content)  # killed between SQLite's commit and the emptying
    assert verify(path).records == 40
    assert [row.seq for row in read(path)] == list(range(1, 41))
    assert reopened(path) == list(range(1, 41))


def test_d04_a_torn_end_is_cut_wherever_it_tore(tmp_path: Path) -> None:
    path = crash(tmp_path, [5, 3], behind=1)
    log, _ = segments(path)
    content, files = log.read_bytes(), snapshot(path)
    starts = [at for at in range(len(content)) if content.startswith(journal_ahead.MAGIC, at)]
    assert len(starts) == 8
    for cut in range(starts[5], len(content)):
        restore(files)
        log.write_bytes(content[:cut])
        whole = sum(start <= cut for start in starts[1:])
        assert verify(path).records == whole
        if cut % 7 == 0:
            assert reopened(path) == list(range(1, whole + 1))


@pytest.mark.parametrize("zeros", [40, 300, 4096])
def test_d04_an_end_that_a_power_cut_left_unwritten_is_cut(tmp_path: Path, zeros: int) -> None:
    path = crash(tmp_path, [5, 3], behind=1)
    log, _ = segments(path)
    content = log.read_bytes()
    log.write_bytes(content + bytes(zeros))
    assert reopened(path) == list(range(1, 9))
    log.write_bytes(content[:-60] + bytes(60))
    assert verify(path).records == 8


def test_d05_no_flipped_bit_is_taken_for_a_torn_end(tmp_path: Path) -> None:
    path = crash(tmp_path, [3, 3], behind=1)
    log, _ = segments(path)
    content = log.read_bytes()
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 8)
        log.write_bytes(flipped)
        with pytest.raises(journal_ahead.ChainBroken):
            journal_ahead._read_once(path)
    assert verify(path).problem
    with pytest.raises(UserError, match="ballast journal verify"):
        reopened(path)
    with pytest.raises(UserError, match="ballast journal verify"):
        list(read(path))


@pytest.mark.parametrize("sizes", [[4, 5], [2, 2], [5, 3], [8, 30]])
def test_d05_a_log_of_another_history_is_refused(tmp_path: Path, sizes: list[int]) -> None:
    path = crash(tmp_path, [5, 3], behind=0)
    other = crash(tmp_path / "other", [1, *sizes], behind=1)
    for mine, theirs in zip(segments(path), segments(other), strict=True):
        mine.write_bytes(theirs.read_bytes())
    assert verify(path).problem == "", "the same rows are the same history"
    strange = crash(tmp_path / "strange", [1, *sizes], behind=1, first=100)
    for mine, theirs in zip(segments(path), segments(strange), strict=True):
        mine.write_bytes(theirs.read_bytes())
    assert verify(path).broken_seq
    with pytest.raises(UserError, match="ballast journal verify"):
        reopened(path)


def test_d05_a_gap_before_the_log_is_refused(tmp_path: Path) -> None:
    path = crash(tmp_path, [5, 3], behind=1)
    log, _ = segments(path)
    content = log.read_bytes()
    second = content.index(journal_ahead.MAGIC, 1)
    for file in path.parent.iterdir():
        if file not in segments(path):
            file.unlink()  # a backup from before, or nothing at all
    log.write_bytes(content[second:])
    with pytest.raises(UserError, match="ahead log begins with record 2"):
        asyncio.run(open_journal(path, JournalParams()))


async def test_what_was_appended_is_read_while_sqlite_is_still_behind(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with await open_journal(path, LAZY) as journal:
        journal.append([stop(1), stop(2)])
        await in_sqlite(journal)
        journal.append([stop(3), stop(4)])
        assert journal.is_durable()
        assert [row.seq for row in read(path)] == [1, 2, 3, 4]
        assert [row.seq for row in read(path, since_seq=1, limit=2)] == [2, 3]
        assert [row.seq for row in read(path, since_seq=3)] == [4]
        assert [row.seq for row in read(path, kinds=["OrderIntent"])] == []
        assert [row.seq for row in read_last(path, 3, kinds=["Stop"])] == [2, 3, 4]
        assert (verify(path).records, verify(path).ahead) == (4, 2)


async def test_the_two_files_take_turns_and_stay_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_ahead, "SEGMENT_BYTES", 20_000)
    path, largest, used = tmp_path / "j.db", 0, set()
    async with await open_journal(path, JournalParams(fold_s=0.005, linger_ms=0)) as journal:
        for round_ in range(300):
            journal.append(stop(n) for n in range(round_ * 20, round_ * 20 + 20))
            sizes = [file.stat().st_size for file in segments(path)]
            largest = max(largest, sum(sizes))
            used |= {at for at, size in enumerate(sizes) if size}
            await asyncio.sleep(0.001)
            if round_ % 50 == 0:
                await in_sqlite(journal)  # the disk may be slow, but not for ever
                assert verify(path).problem == ""
                assert verify(path).records == round_ * 20 + 20
    assert used == {0, 1}
    assert largest < 6_000 * 150 / 2
    assert verify(path).records == 6_000


async def test_i28_a_log_that_sqlite_never_empties_ends_in_a_full_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_ahead, "SEGMENT_BYTES", 10_000)
    monkeypatch.setattr(journal_ahead, "AHEAD_BYTES_MAX", 20_000)
    path = tmp_path / "j.db"
    async with await open_journal(path, LAZY) as journal:
        with pytest.raises(JournalFull, match="20000 bytes unsynced"):
            append_until_it_raises(journal)
        taken = journal.count
        assert journal.failed == ""
        assert sum(file.stat().st_size for file in segments(path)) <= 40_000
        assert verify(path).records == taken


async def test_d01_a_stuck_sqlite_delays_no_intent_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with await open_journal(path, JournalParams()) as journal:
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        journal.append([stop(1)])
        async with in_time("a commit that waits for no disk", 5.0):  # SQLite is stuck for ever
            await journal.commit()
        await asyncio.sleep(0.4)
        assert journal.unsynced_age_ns() > 250_000_000
        blocker.execute("ROLLBACK")
        blocker.close()
        await in_sqlite(journal)


async def test_d02_a_failure_of_sqlite_ends_the_journal_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    async with await open_journal(path, JournalParams()) as journal:
        # A full disk, as SQLite itself meets it: the file may not grow by one page more.
        await journal._stored.writer.execute_fetchall("PRAGMA max_page_count = 1")
        journal.append(stop(n) for n in range(2_000))
        with pytest.raises(JournalFailed, match="full"):
            async with in_time("the failure"):
                await journal.watch()
        assert not journal.is_durable()
        with pytest.raises(JournalFailed):
            await journal.commit()
    assert verify(path).records == 2_000
    assert verify(path).ahead > 0


async def test_a_second_process_is_kept_from_the_log(tmp_path: Path) -> None:
    async with await open_journal(tmp_path / "j.db", JournalParams()) as journal:
        journal.append([stop(1)])
        with pytest.raises(UserError, match="another process"):
            await open_journal(tmp_path / "j.db", JournalParams())
    assert verify(tmp_path / "j.db").records == 1


async def test_a_journal_that_must_survive_power_cuts_still_waits_for_sqlite(
    tmp_path: Path,
) -> None:
    path = tmp_path / "j.db"
    params = JournalParams(durability=Durability.POWER)
    async with await open_journal(path, params) as journal:
        journal.append([stop(1)])
        assert not journal.is_durable()
        assert journal.count == 0
        await journal.commit()
        assert journal.is_durable()
        assert journal.count == 1
        assert all(not file.read_bytes() for file in segments(path))


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from engine.runtime.journal import JournalFailed, JournalParams, open_journal
from engine.values.events import Stop

async def main():
    journal = await open_journal(Path(sys.argv[1]), JournalParams(linger_ms=3_600_000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    taken = 0
    try:
        while True:
            journal.append([Stop(at_ns=taken + 1, who="test")])
            taken += 1
    except JournalFailed as error:
        print(taken, bool(journal.failed), journal.is_durable(), flush=True)
    try:
        journal.append([Stop(at_ns=1, who="test")])
    except JournalFailed:
        print("latched", flush=True)
    await journal.close()

asyncio.run(main())
"""


def test_d03_a_full_disk_fails_the_journal_and_keeps_what_it_took(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    out = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    ).stdout.split()
    taken = int(out[0])
    assert out[1:] == ["True", "False", "latched"]
    assert 300 < taken < 1_500
    assert verify(path).records == taken
    assert reopened(path) == list(range(1, taken + 1))


WRITER = """
import asyncio, random, sys
from pathlib import Path
from engine.runtime import journal_ahead
from engine.runtime.journal import JournalParams, open_journal
from engine.values.events import Stop

async def main():
    journal_ahead.SEGMENT_BYTES = 30_000
    dice = random.Random(int(sys.argv[2]))
    params = JournalParams(linger_ms=dice.choice((0, 5, 50)), fold_s=0.002)
    journal = await open_journal(Path(sys.argv[1]), params)
    print(journal.count, flush=True)
    while True:
        journal.append([Stop(at_ns=1, who="t" * dice.randrange(300))] * dice.randrange(1, 12))
        await journal.commit()
        print(journal.count, flush=True)
        if dice.random() < 0.3:
            await asyncio.sleep(0)

asyncio.run(main())
"""


def test_i22_whatever_append_took_before_kill_9_is_there_after_it(tmp_path: Path) -> None:
    """Twelve lives, thousands of records, a death at a random moment in each."""
    path, dice = tmp_path / "j.db", random.Random(7)
    for life in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(life)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        before = int(process.stdout.readline())
        for _ in range(dice.randrange(600)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().split("\n")[:-1]  # what follows the last line end is torn
        process.stdout.close()
        process.wait()
        acknowledged = int(lines[-1]) if lines else before
        found = verify(path)
        assert found.problem == ""
        assert found.records >= acknowledged
    assert reopened(path)[-1:] == [1]
    assert verify(path).records > 2_000
    assert verify(path).problem == ""


def snapshot(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in path.parent.iterdir()}


def restore(files: dict[Path, bytes]) -> None:
    """Put the files back as they were, through the file names that SQLite expects."""
    for file in next(iter(files)).parent.iterdir():
        if file not in files:
            file.unlink()
    for file, content in files.items():
        file.write_bytes(content)
        file.chmod(0o600)
