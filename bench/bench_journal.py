"""What an intent waits for: append and commit, beside the bare disk, all of it in turn in one run.

`through SQLite's thread` is the way that an intent took before the ahead log: written with the same
promise, waited for. `decided to gateway` is a step of the live driver: ten intents journaled, ten
orders handed on; it ends when the gateway is asked for the first and the last of them. The bare
ones are lower bounds: a write (survives kill -9) and a write with fdatasync (survives a power cut).
"""

import argparse
import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench.harness import Ratio, Timing, finish, ratio, timing
from engine.runtime.clock import MonotonicClock
from engine.runtime.config_tables import RuntimeParams
from engine.runtime.journal import Durability, JournalParams, SqliteJournal, open_journal
from engine.runtime.live import Live, Venue
from engine.values.commands import Place
from engine.values.events import Timer
from engine.values.records import OrderIntent
from engine.values.step import Step
from engine.values.units import Side

ROUNDS, ROUNDS_QUICK = 5_000, 500
GROUP = 8
"""A ladder's worth of orders decided at once."""
ORDERS = 10
MARKET = "BTT/USDT@loop"
SETTLE_EVERY = 128

AHEAD, THREAD = "ahead log", "through SQLite's thread"
ONE = "journal, 1 records, kill"


def place(number: int) -> Place:
    return Place(
        market=MARKET, client_id=f"b1-{number}", side=Side.BUY, tick=62,
        lots=4_000_000, post_only=True, at_ns=number,
    )  # fmt: skip


def intent(number: int) -> OrderIntent:
    return OrderIntent(
        order=place(number), decision=number, strategy="ladder", config_hash="0" * 64
    )


class Spans:
    """Named lists of nanoseconds, in the order in which they were first met."""

    def __init__(self) -> None:
        self.ns: dict[str, list[int]] = {}

    def add(self, name: str, began_ns: int) -> None:
        self.ns.setdefault(name, []).append(time.perf_counter_ns() - began_ns)

    def rows(self) -> dict[str, Timing]:
        return {name: timing(name, ns) for name, ns in self.ns.items()}


# --- the journal alone --------------------------------------------------------------------------


@asynccontextmanager
async def journals(directory: Path, name: str) -> AsyncIterator[dict[str, SqliteJournal]]:
    """One with the ahead log, one that waits for SQLite with the same promise, one for fsync."""
    ahead = JournalParams(queue_records_max=100_000)
    waiting = JournalParams(durability=Durability.POWER)
    async with AsyncExitStack() as stack:
        opened = {}
        for kind, params in ((AHEAD, ahead), (THREAD, waiting), ("power", waiting)):
            path = directory / f"{name}-{len(opened)}.db"
            opened[kind] = await stack.enter_async_context(await open_journal(path, params))
        await opened[THREAD]._stored.writer.execute_fetchall("PRAGMA synchronous = NORMAL")
        yield opened


async def commits(directory: Path, spans: Spans, rounds: int) -> None:
    """Append and commit, in turn; `power` more seldom, since each of its fsyncs takes long."""
    async with journals(directory, "commits") as opened:
        for number in range(rounds):
            ahead, thread = opened[AHEAD], opened[THREAD]
            await commit_one(ahead, spans, ONE, [intent(number)])
            await commit_one(thread, spans, f"1 record, {THREAD}", [intent(number)])
            eight = [intent(number)] * GROUP
            await commit_one(ahead, spans, f"journal, {GROUP} records, kill", eight)
            await commit_one(thread, spans, f"{GROUP} records, {THREAD}", eight)
            if number % 20 == 0:
                await commit_one(opened["power"], spans, "journal, 1 records, power", eight[:1])
            await settle(ahead, number)


async def commit_one(
    journal: SqliteJournal, spans: Spans, name: str, records: list[OrderIntent]
) -> None:
    began_ns = time.perf_counter_ns()
    journal.append(records)
    await journal.commit()
    spans.add(name, began_ns)
    await asyncio.sleep(0)


async def appends(directory: Path, spans: Spans, rounds: int) -> None:
    """What the loop itself pays for a record: encode, hash, and (with the ahead log) write."""
    async with journals(directory, "append") as opened:
        for number in range(rounds):
            record = intent(number)
            for kind in (AHEAD, THREAD):
                began_ns = time.perf_counter_ns()
                opened[kind].append((record,))
                spans.add(f"append only, {kind}", began_ns)
            await settle(opened[AHEAD], number)
            if number % SETTLE_EVERY == 0:
                await opened[THREAD].commit()


async def settle(journal: SqliteJournal, number: int) -> None:
    """Now and then let SQLite catch up, as it does between the decisions of a market."""
    if number % SETTLE_EVERY:
        return
    journal._wake.set()
    while journal.oldest_unsynced_ns:  # noqa: ASYNC110 (nobody awaits it)
        await asyncio.sleep(0.001)


# --- the driver ---------------------------------------------------------------------------------


class Decided:
    """An engine that has decided already: the same ten orders at every fact."""

    def __init__(self) -> None:
        self.number = 0

    def process(self, event: Timer) -> Step:
        numbers = range(self.number, self.number + ORDERS)
        self.number += ORDERS
        orders = [place(number) for number in numbers]
        return Step(commands=list(orders), records=[intent(n) for n in numbers], alerts=[])


class Wire:
    """A gateway that notes when it is asked. `swift` notes at the call, as one that writes then."""

    def __init__(self, *, swift: bool) -> None:
        self.asked_ns: list[int] = []
        self.all_asked = asyncio.Event()
        self._swift = swift

    def execute(self, command: Place) -> Awaitable[list[Any]]:
        if self._swift:
            self._note()
        return self._answer()

    async def _answer(self) -> list[Any]:
        if not self._swift:
            self._note()
        return []

    def _note(self) -> None:
        self.asked_ns.append(time.perf_counter_ns())
        if len(self.asked_ns) == ORDERS:
            self.all_asked.set()


async def driver(directory: Path, spans: Spans, rounds: int) -> None:
    """From the fact's entry into `Live._process` to the gateway, both journals in turn."""
    async with journals(directory, "driver") as opened:
        lives = []
        for kind, swift in ((AHEAD, True), (AHEAD, False), (THREAD, False)):
            wire = Wire(swift=swift)
            live = live_driver(opened[kind], wire)
            name = f"{kind}, {'writes at the call' if swift else 'writes in its task'}"
            lives.append((name, live, wire, asyncio.create_task(live._senders["loop"].run())))
        await asyncio.sleep(0)
        for number in range(rounds // 5):
            for name, live, wire, _ in lives:
                await decide(spans, name, live, wire)
            await settle(opened[AHEAD], number)
        for *_, task in lives:
            task.cancel()


async def decide(spans: Spans, name: str, live: Live, wire: Wire) -> None:
    wire.asked_ns.clear()
    wire.all_asked.clear()
    began_ns = time.perf_counter_ns()
    live._process(Timer(at_ns=1))
    await wire.all_asked.wait()
    spans.ns.setdefault(f"first of 10, {name}", []).append(wire.asked_ns[0] - began_ns)
    spans.ns.setdefault(f"last of 10, {name}", []).append(wire.asked_ns[-1] - began_ns)
    while not live._senders["loop"].is_idle:  # noqa: ASYNC110 (nothing to await)
        await asyncio.sleep(0)
    while live.inbox:
        live.inbox.take()


def live_driver(journal: SqliteJournal, wire: Wire) -> Live:
    feed: Any = None
    engine: Any = Decided()
    gateway: Any = wire
    venue = Venue(name="loop", markets=[MARKET], feed=feed, gateway=gateway)
    return Live(engine, [venue], journal, MonotonicClock(), RuntimeParams())


# --- the bare disk ------------------------------------------------------------------------------


def bare(directory: Path, spans: Spans, rounds: int) -> None:
    body = msgspec.json.encode(intent(1))
    bare_sqlite(directory, spans, rounds)
    bare_write(directory, spans, "bare write", (body, rounds, lambda _: None))
    slow = max(50, rounds // 20)
    bare_write(directory, spans, "bare write and fdatasync", (body, slow, os.fdatasync))


def bare_write(
    directory: Path, spans: Spans, name: str, work: tuple[bytes, int, Callable[[int], None]]
) -> None:
    body, rounds, end = work
    descriptor = os.open(directory / name.replace(" ", "-"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(rounds):
        began_ns = time.perf_counter_ns()
        os.write(descriptor, body)
        end(descriptor)
        spans.add(name, began_ns)
    os.close(descriptor)


def bare_sqlite(directory: Path, spans: Spans, rounds: int) -> None:
    """The same insert on the calling thread: the difference to the journal is the way there."""
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE records (seq INTEGER PRIMARY KEY, body BLOB)")
    body = msgspec.json.encode(intent(1))
    for number in range(rounds):
        began_ns = time.perf_counter_ns()
        connection.execute("INSERT INTO records VALUES (?, ?)", (number, body))
        spans.add("bare sqlite3, no chain, no thread", began_ns)
    connection.close()


async def all_of(directory: Path, rounds: int) -> Spans:
    spans = Spans()
    await appends(directory, spans, rounds)
    await commits(directory, spans, rounds)
    await driver(directory, spans, rounds)
    bare(directory, spans, rounds)
    return spans


def ratios_of(rows: dict[str, Timing]) -> list[Ratio]:
    one, thread = rows[ONE], rows[f"1 record, {THREAD}"]
    return [
        ratio("an intent's commit / bare sqlite3", one, rows["bare sqlite3, no chain, no thread"]),
        ratio("an intent's commit / bare write", one, rows["bare write"]),
        ratio("an intent's commit / through SQLite's thread", one, thread, at_most=0.5),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--directory", type=Path, help="on the disk to be measured")
    chosen = parser.parse_args()
    rounds = ROUNDS_QUICK if chosen.quick else ROUNDS
    with tempfile.TemporaryDirectory(dir=chosen.directory) as directory:
        spans = uvloop.run(all_of(Path(directory), rounds))
    rows = spans.rows()
    finish(list(rows.values()), {}, as_json=chosen.json, ratios=ratios_of(rows))


if __name__ == "__main__":
    sys.exit(main())
