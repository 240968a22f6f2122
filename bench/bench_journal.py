"""What an intent waits for: append and commit, beside the bare disk in one run.

`commit one` is what stands before an order's first byte. The bare ones are lower bounds: a write
(survives kill -9) and a write with fdatasync (survives a power cut) of the same bytes.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop

from bench.harness import finish, ratio, timing
from engine.runtime.journal import Durability, JournalParams, SqliteJournal, open_journal
from engine.values.commands import Place
from engine.values.records import OrderIntent
from engine.values.units import Side

ROUNDS, ROUNDS_QUICK = 5_000, 500
GROUP = 8
"""A ladder's worth of orders decided at once."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    us: list[float]


def intent(number: int) -> OrderIntent:
    order = Place(
        market="BTT/USDT@loop", client_id=f"b1-{number}", side=Side.BUY, tick=62,
        lots=4_000_000, post_only=True, at_ns=number,
    )  # fmt: skip
    return OrderIntent(order=order, decision=number, strategy="ladder", config_hash="0" * 64)


async def commits(directory: Path, durability: Durability, group: int, rounds: int) -> Result:
    name = f"journal, {group} records, {durability}"
    path = directory / f"{durability}-{group}.db"
    us = []
    async with await open_journal(path, JournalParams(durability=durability)) as journal:
        for number in range(rounds):
            records = [intent(number)] * group
            began_ns = time.perf_counter_ns()
            journal.append(records)
            await journal.commit()
            us.append((time.perf_counter_ns() - began_ns) / 1000)
    return Result(name=name, us=us)


async def appends(directory: Path, rounds: int) -> Result:
    """What the loop itself pays for a record: the queue, not the disk."""
    us = []
    async with await open_journal(directory / "append.db", JournalParams()) as journal:
        for number in range(rounds):
            record = intent(number)
            began_ns = time.perf_counter_ns()
            journal.append((record,))
            us.append((time.perf_counter_ns() - began_ns) / 1000)
            await _breathe(journal, number)
    return Result(name="append only", us=us)


async def _breathe(journal: SqliteJournal, number: int) -> None:
    if number % 256 == 255:
        await journal.commit()


def bare(directory: Path, name: str, finish: Callable[[int], None], rounds: int) -> Result:
    body = msgspec.json.encode(intent(1))
    descriptor = os.open(directory / name.replace(" ", "-"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    us = []
    for _ in range(rounds):
        began_ns = time.perf_counter_ns()
        os.write(descriptor, body)
        finish(descriptor)
        us.append((time.perf_counter_ns() - began_ns) / 1000)
    os.close(descriptor)
    return Result(name=name, us=us)


def bare_sqlite(directory: Path, rounds: int) -> Result:
    """The same insert on the calling thread: the difference to the journal is the way there."""
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY, body BLOB)")
    body = msgspec.json.encode(intent(1))
    us = []
    for number in range(rounds):
        began_ns = time.perf_counter_ns()
        connection.execute("INSERT INTO records VALUES (?, ?)", (number, body))
        us.append((time.perf_counter_ns() - began_ns) / 1000)
    connection.close()
    return Result(name="bare sqlite3, no chain, no thread", us=us)


async def all_of(directory: Path, rounds: int) -> list[Result]:
    slow = max(50, rounds // 20)
    return [
        await appends(directory, rounds),
        await commits(directory, Durability.KILL, 1, rounds),
        await commits(directory, Durability.KILL, GROUP, rounds),
        await commits(directory, Durability.POWER, 1, slow),
        bare_sqlite(directory, rounds),
        bare(directory, "bare write", lambda _: None, rounds),
        bare(directory, "bare write and fdatasync", os.fdatasync, slow),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--directory", type=Path, help="on the disk to be measured")
    chosen = parser.parse_args()
    rounds = ROUNDS_QUICK if chosen.quick else ROUNDS
    with tempfile.TemporaryDirectory(dir=chosen.directory) as directory:
        results = uvloop.run(all_of(Path(directory), rounds))
    rows = {each.name: timing(each.name, [int(us * 1e3) for us in each.us]) for each in results}
    one, sqlite = rows["journal, 1 records, kill"], rows["bare sqlite3, no chain, no thread"]
    ratios = [
        ratio("an intent's commit / bare sqlite3", one, sqlite),
        ratio("an intent's commit / bare write", one, rows["bare write"]),
    ]
    finish(list(rows.values()), {}, as_json=chosen.json, ratios=ratios)


if __name__ == "__main__":
    sys.exit(main())
