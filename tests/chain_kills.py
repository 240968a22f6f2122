"""Runs an engine on a loopback venue through one stake, and kills itself at a named moment of it.

As a program, `chain_kills.py DIRECTORY` forks a venue and then, for each moment, an engine as
`ballast run` assembles it, which `kill -9` ends there, and another after it, which lives until the
action is over. The chain is the shipped one: its file is the witness. It prints what was found as
one JSON object.
"""

import asyncio
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from adapters.loopback.config import VenueConfig, atoms, btt_usdt
from adapters.loopback.keys import new_hmac
from adapters.loopback.venue import LoopbackVenue
from engine.cli import chaining
from engine.cli.assemble import running
from engine.cli.demo_venue import flat
from engine.cli.venue import write_key
from engine.runtime import chain_file
from engine.runtime.chain_file import chain_in
from engine.runtime.config import load_config
from engine.runtime.journal_reader import read, verify
from engine.runtime.live import Live
from engine.runtime.redaction import Redactor
from engine.sim.market import SyntheticMarket
from engine.sim.market_presets import PRESETS
from engine.trading.disturbances import DisturbanceParams, Disturbances
from engine.trading.treasury_work import TreasuryWork
from engine.treasury.proposals import Status
from engine.values.action_records import Executed, Executing
from engine.values.ledger_words import LockMoved
from engine.values.records import Record
from engine.values.treasury_words import LockSet
from engine.values.units import NS_PER_S
from tests.action_builders import ANNA, FAY, OTTO, H, request
from tests.chain_world import UNIT, WALLET, stake
from tests.plain_demo import plain_demo

ROOT = Path(__file__).resolve().parent.parent
TOKENS = 30_000_000
MOMENTS = (
    "after Proposed", "after Endorsed", "before Executing", "after Executing",
    "before it is handed over", "the chain has it and not its file", "the chain has it",
    "after LockMoved", "after Executed",
)  # fmt: skip
WORKERS = 3
BEGAN_NS = time.time_ns()
"""Of the process that forks all others: they ask with the same bytes."""
PATIENCE_S = 20.0
PATIENT = DisturbanceParams(lag_ns_max=NS_PER_S, journal_age_ns_max=NS_PER_S)
CHAIN = {
    "places": [WALLET], "every_s": 0.02, "expires_s": 2, "transfer_s": 60,
    "simulated": {
        "seed": 1, "block_ms": 20, "inclusion_blocks": 0, "confirmations": 2, "reverted_ppm": 0,
        "lost_ppm": 0, "notice_h": {"p": 1}, "pay_ppm": {}, "pay_every_s": 3600,
        "opening": {"BTT": "100000000"},
    },
}  # fmt: skip


class Moment:
    """Where the process ends, as by a power switch."""

    def __init__(self, deadly: str) -> None:
        self._deadly = deadly

    def at(self, name: str) -> None:
        if name == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)


def files(home: Path, data: Path, urls: dict[str, str]) -> Path:
    """The shipped treasury and its demo, with this chain and three people; no other part acts."""
    table: Any = tomlkit.parse((ROOT / "configs" / "treasury.toml").read_text()).unwrap()
    for section in ("files", "execution", "rebalance", "limits"):
        table.pop(section)
    table["chain"] = CHAIN
    table["authority"] |= {
        "desk": "test", "settle_s": 1,
        "addresses": [{"place": "p", "network": "", "memo": "", "address": "0x1"}],
    }  # fmt: skip
    two = {"name": "chain", "kind": ["stake"], "any_size": True, "tier": "two people", "why": "two"}
    table["authority"]["rows"].insert(0, two)
    (data / "treasury.toml").write_text(tomlkit.dumps(table))
    people = [
        {"name": one.name, "role": one.role.value, "key": one.public, "contact": "", "absent": []}
        for one in (ANNA, FAY, OTTO)
    ]
    (data / "roster.toml").write_text(tomlkit.dumps({"people": people}))
    config = plain_demo()
    config["data_dir"] = str(data / "data")
    config["runtime"] |= {"reconcile_s": 1.0, "quote_budget_ms": 1_000, "record": False}
    config["venues"][0] |= {"key_file": str(home / "key.json"), "urls": urls}
    config["treasury"] = {
        "file": str(data / "treasury.toml"), "roster": str(data / "roster.toml"),
    }  # fmt: skip
    (data / "config.toml").write_text(tomlkit.dumps(config))
    return data / "config.toml"


# --- the venue: a process of its own --------------------------------------------------------------


async def venue(home: Path) -> None:
    pair = new_hmac("main")
    write_key(home / "key.json", pair)
    ids: Callable[[], int] = count(1).__next__
    config = VenueConfig(
        symbols=[btt_usdt()],
        keys=[pair.key],
        balances={"main": {"BTT": atoms("200000000"), "USDT": atoms("1000")}},
    )
    market = SyntheticMarket(PRESETS["btt-thin"], 7, ids)
    made = LoopbackVenue(config, {"BTTUSDT": market}, ids=ids)
    await made.start()
    (home / "urls.new").write_text(json.dumps(flat(made.urls())))
    (home / "urls.new").rename(home / "urls")
    await asyncio.Event().wait()


# --- the engine -----------------------------------------------------------------------------------


async def engine(config_file: Path, moment: Moment, *, is_last: bool) -> None:
    """One process' life. Everybody signs again after a restart: what is known is not news."""
    _watch_file(moment)
    async with running(load_config(config_file), "a test's config", Redactor()) as live:
        live.engine.disturbances = Disturbances(PATIENT)
        after = _watch_journal(live, moment)
        run = asyncio.create_task(live.run())
        work = live.engine.neighbours.treasurer
        assert isinstance(work, TreasuryWork)
        await _until(lambda: work.steward.treasury.holdings.is_whole, run)
        asked = ANNA.asks(request("p1", stake(TOKENS), at_ns=BEGAN_NS, expires_ns=BEGAN_NS + H))
        for word in (asked, OTTO.answers(asked, BEGAN_NS), FAY.answers(asked, BEGAN_NS)):
            await live.tell(msgspec.structs.replace(word, at_ns=live.clock.now_ns()))
        over = {Status.DONE, Status.FAILED}
        await _until(lambda: work.actions.desk.proposals["p1"].status in over, run)
        await live.durable()
        await asyncio.gather(*after)
        assert is_last, "it should have died"
        os._exit(0)


async def _until(is_so: Callable[[], bool], run: asyncio.Task[Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert not run.done(), run
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.005)


def _watch_journal(live: Live, moment: Moment) -> list[asyncio.Task[None]]:
    """Each kind of record is a moment before it is given to the journal, and one after that."""
    journal = live._journal
    append, commit = journal.append, journal.commit
    tasks: list[asyncio.Task[None]] = []

    def watched(records: Iterable[Record]) -> None:
        kept = list(records)
        names = list(dict.fromkeys(type(record).__name__ for record in kept))
        for name in names:
            moment.at(f"before {name}")
        append(kept)
        for name in names:
            if f"after {name}" in MOMENTS:
                tasks.append(asyncio.get_running_loop().create_task(_after(name)))

    async def _after(name: str) -> None:
        await commit()
        moment.at(f"after {name}")

    journal.append = watched  # type: ignore[method-assign]
    return tasks


def _watch_file(moment: Moment) -> None:
    """The moments around the line of an order in the chain's file."""
    kept, opened = chain_file._append, chaining.open_chain

    def append(path: Path, line: Any) -> None:
        if isinstance(line, chain_file._Line):
            moment.at("the chain has it and not its file")
        kept(path, line)
        if isinstance(line, chain_file._Line):
            moment.at("the chain has it")

    def open_chain(*args: Any) -> Any:
        chain = opened(*args)
        send = chain.send

        async def sent(order: Any) -> None:
            moment.at("before it is handed over")
            await send(order)

        chain.send = sent
        return chain

    chain_file._append = append
    chaining.open_chain = open_chain  # type: ignore[assignment]


# --- trying ---------------------------------------------------------------------------------------


def forked(act: Callable[[], Any]) -> int:
    pid = os.fork()
    if not pid:
        try:
            act()
            os._exit(0)
        except BaseException:  # noqa: BLE001 the last line of a process: say why and go
            traceback.print_exc()
        finally:
            os._exit(2)
    return pid


def lived(config_file: Path, deadly: str, *, is_last: bool) -> bool:
    pid = forked(lambda: asyncio.run(engine(config_file, Moment(deadly), is_last=is_last)))
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, f"the engine that was to die at {deadly!r} failed"
    return True


def tried(home: Path, moment: str, urls: dict[str, str]) -> dict[str, Any]:
    data = home / moment.replace(" ", "_")
    data.mkdir(mode=0o700)
    config_file = files(home, data, urls)
    was_killed = not lived(config_file, moment, is_last=False)
    lived(config_file, "", is_last=True)
    directory = data / "data"
    rows = [row.record for row in read(directory / "journal.db")]
    lines = (directory / chain_file.NAME).read_bytes().splitlines()[1:]
    chain = chain_in(directory / chain_file.NAME, time.time_ns())
    staked = sum(c.atoms for one in chain.positions(time.time_ns()) for c in one.coins)
    ends = [row.ending.value for row in rows if isinstance(row, Executed)]
    locks = [row for row in rows if isinstance(row, LockSet)]
    return {
        "moment": moment,
        "killed": was_killed,
        "began": sum(isinstance(row, Executing) for row in rows),
        "orders": len(lines),
        "staked": staked // UNIT,
        "end": ends[-1] if ends else "none",
        "in the books": sum(row.atoms for row in rows if isinstance(row, LockMoved)) // UNIT,
        "locked": sum(lock.atoms for lock in locks[-1].rows) // UNIT if locks else 0,
        "journal": verify(directory / "journal.db").problem,
    }


def work(home: Path, moments: Iterable[str], urls: dict[str, str]) -> None:
    for moment in moments:
        found = tried(home, moment, urls)
        (home / moment.replace(" ", "_") / "found.json").write_text(json.dumps(found))


def main(home: Path) -> None:
    there = forked(lambda: asyncio.run(venue(home)))
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (home / "urls").exists():
            assert time.monotonic() < deadline, "the venue did not begin"
            time.sleep(0.01)
        urls = json.loads((home / "urls").read_text())
        workers = [
            forked(lambda mine=MOMENTS[first::WORKERS]: work(home, mine, urls))  # type: ignore[misc]
            for first in range(WORKERS)
        ]
        assert [os.waitpid(pid, 0)[1] for pid in workers] == [0] * WORKERS
        found = [json.loads(path.read_text()) for path in sorted(home.glob("*/found.json"))]
        print(json.dumps(found))
    finally:
        os.kill(there, signal.SIGKILL)
        os.waitpid(there, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
