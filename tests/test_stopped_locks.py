"""What a chain had locked counts in the answer for an engine that does not run."""

import time
from pathlib import Path
from typing import Any

import pytest

from engine.values.ledger_words import HoldingsRead, LockMoved, TransferArrived, TransferSent
from engine.values.treasury_words import Lock, LockKind, LockSet
from engine.values.units import NS_PER_S
from tests.report_builders import ONE, POLICY, ROOT, written
from tests.test_treasury_stopped import CUSTODY, answer, session

DAY_NS = 86_400 * NS_PER_S
M = 1_000_000
STAKED = "stake beyond 45 days"
BY_FILE, PLACE = 100 * M, "cold wallet"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def lock(name: str, tokens: int, **changes: Any) -> Lock:
    known: dict[str, Any] = {"kind": LockKind.STAKED, "place": PLACE, "asset": "BTT", "until_ns": 0}
    return Lock(name=name, atoms=tokens * ONE, unwind_ns=7 * DAY_NS, **known | changes)


def lock_set(*rows: Lock) -> LockSet:
    return LockSet(at_ns=time.time_ns(), who="chain", name="chain", digest="", rows=list(rows))


def read() -> HoldingsRead:
    at_ns = time.time_ns()
    return HoldingsRead(venue=PLACE, asked_ns=at_ns, at_ns=at_ns, who="chain", atoms={"BTT": 0})


def staked(tmp_path: Path, *records: Any) -> str:
    written(tmp_path / "journal.db", session(*records, is_ended=True))
    _, found = answer("check", POLICY, "--at", tmp_path, "--facts", CUSTODY)
    [row] = [row for row in found["limits"] if row["limit"] == STAKED]
    return str(row["value"]["tokens"])


def test_a_stake_that_only_the_chain_knows_counts_beside_those_of_the_file(tmp_path: Path) -> None:
    rows = lock("stake 2026-10", BY_FILE), lock("validator", 70 * M)
    assert staked(tmp_path, read(), lock_set(*rows)) == str(BY_FILE + 70 * M)


def test_what_the_chain_showed_last_is_what_is_locked(tmp_path: Path) -> None:
    later = lock_set(lock("validator", 20 * M))
    assert staked(tmp_path, read(), lock_set(lock("validator", 70 * M)), later) == str(
        BY_FILE + 20 * M
    )


def test_of_two_rows_of_one_name_the_larger_counts(tmp_path: Path) -> None:
    more = lock_set(lock("stake 2026-10", BY_FILE + 5))
    assert staked(tmp_path, read(), more) == str(BY_FILE + 5)


def test_a_row_of_a_file_that_is_gone_is_no_word_of_a_chain(tmp_path: Path) -> None:
    assert staked(tmp_path, lock_set(lock("gone", 70 * M))) == str(BY_FILE)


def test_a_lock_of_what_the_file_does_not_name_is_left_out(tmp_path: Path) -> None:
    strange = [lock("a", 1, asset="XYZ"), lock("b", 1, place="nowhere")]
    moved = LockMoved(venue="nowhere", place="p", at_ns=1, ref="r", asset="XYZ", atoms=1)
    assert staked(tmp_path, read(), moved, lock_set(*strange)) == str(BY_FILE)


@pytest.mark.parametrize("is_here", [False, True])
def test_what_is_on_its_way_counts_once_and_is_locked_until_it_arrived(
    tmp_path: Path, is_here: bool
) -> None:
    at_ns = time.time_ns()
    sent = TransferSent(venue="loopback", to_venue=PLACE, at_ns=at_ns, ref="t1", asset="BTT",
                        atoms=30 * M * ONE, fee_atoms=0)  # fmt: skip
    there = TransferArrived(
        venue=PLACE, at_ns=at_ns, ref="t1", part=0, asset="BTT", atoms=30 * M * ONE
    )
    flying = lock("transfer t1", 30 * M, kind=LockKind.WITHDRAWAL, until_ns=0)
    records = [read(), sent, lock_set(flying), *([there] if is_here else [])]
    written(tmp_path / "journal.db", session(*records, is_ended=True))
    _, found = answer("liquid", POLICY, "--at", tmp_path)
    [row] = [row for row in found["assets"] if row["asset"] == "BTT"]
    assert row["held"] == str(200 * M + BY_FILE)
