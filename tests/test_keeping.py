"""Records reach the journal when the turn ends, or before bytes that wait, always in order."""

import asyncio
from pathlib import Path

import pytest

from engine.runtime.journal import JournalFull, JournalParams, open_journal
from engine.runtime.journal_reader import read
from engine.runtime.keeping import Keeping
from engine.values.commands import Cancel

PARAMS = JournalParams(queue_records_max=4)


def told(*names: str) -> list[Cancel]:
    return [Cancel(market="BTT/USDT@test", client_id=name, at_ns=1) for name in names]


def names_in(path: Path) -> list[str]:
    return [row.record.client_id for row in read(path)]


async def test_what_nobody_waits_for_is_written_when_the_turn_ends(tmp_path: Path):
    async with await open_journal(tmp_path / "journal.db", PARAMS) as journal:
        keeping = Keeping(journal)
        keeping.keep(told("a"))
        keeping.keep(told("b"))
        assert journal.count == 0
        await asyncio.sleep(0)
        assert journal.count == 2
    assert names_in(tmp_path / "journal.db") == ["a", "b"]


async def test_what_must_be_there_first_takes_along_all_that_came_before(tmp_path: Path):
    async with await open_journal(tmp_path / "journal.db", PARAMS) as journal:
        keeping = Keeping(journal)
        keeping.keep(told("a"))
        keeping.keep_now(told("b"))
        assert journal.count == 2
        keeping.keep(told("c"))
        await keeping.commit()
        assert journal.count == 3
    assert names_in(tmp_path / "journal.db") == ["a", "b", "c"]


async def test_a_write_that_failed_at_the_end_of_a_turn_is_raised_by_the_next(tmp_path: Path):
    async with await open_journal(tmp_path / "journal.db", PARAMS) as journal:
        keeping = Keeping(journal)
        keeping.keep(told(*"abcde"))
        await asyncio.sleep(0)
        for ask in (keeping.check, lambda: keeping.keep(told("f")), lambda: keeping.keep_now([])):
            with pytest.raises(JournalFull):
                ask()
    assert names_in(tmp_path / "journal.db") == []
