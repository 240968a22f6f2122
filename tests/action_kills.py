"""Runs one treasury action from the request to its record, and kills itself at a named step.

As a program: `action_kills.py DIRECTORY` tries every step, and every step of the restart after
it, each in a process of its own that `kill -9` ends; it prints what was found as one JSON object.
The steps are counted at the ports: before and after each write to the journal, and before, inside
and after what the place does.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.runtime import action_driver
from engine.runtime.action_driver import ActionDriver, Outcome, desk_of
from engine.runtime.journal import JournalParams, open_journal
from engine.runtime.paper_place import PaperPlace
from engine.treasury.desk_step import Begin
from engine.treasury.proposals import Status
from engine.values.records import Record
from tests.action_builders import (
    ANNA,
    FAY,
    NOW,
    OTTO,
    POLICY,
    ROSTER,
    H,
    btt_price,
    request,
    transfer,
)

ASKED = ANNA.asks(request(action=transfer()))
STEPS_MAX = 60


class Steps:
    """Counts steps, and at the one that is due ends the process as a power switch would."""

    def __init__(self, deadly: int) -> None:
        self.deadly = deadly
        self.names: list[str] = []

    def at(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)


class CountedJournal:
    """The real journal, with a step before and after each of its acts."""

    def __init__(self, journal: Any, steps: Steps) -> None:
        self._journal, self._steps = journal, steps

    def append(self, records: Iterable[Record]) -> None:
        records = list(records)
        names = " ".join(type(record).__name__ for record in records)
        self._steps.at(f"before {names}")
        self._journal.append(records)
        self._steps.at(f"after {names}")

    def is_durable(self) -> bool:
        return bool(self._journal.is_durable())

    async def commit(self) -> None:
        await self._journal.commit()


class CountedPlace:
    """The paper place, which counts every time that it is told to act."""

    def __init__(self, path: Path, steps: Steps) -> None:
        self._paper, self._steps = PaperPlace(path), steps

    async def execute(self, begin: Begin) -> Outcome:
        self._steps.at("before the place hears of it")
        outcome = await self._paper.execute(begin)
        self._steps.at("after the place did it")
        return outcome

    async def ask(self, reference: str) -> Outcome | None:
        self._steps.at("before the place is asked")
        return await self._paper.ask(reference)


async def session(directory: Path, steps: Steps, run: int) -> None:
    """One process' life: rebuild, take what has not arrived yet, carry out what is allowed.

    Each session is an hour after the one before, far beyond `settle_s`.
    """
    now_ns = NOW + run * H
    path = directory / action_driver.JOURNAL_NAME
    async with await open_journal(path, JournalParams(), lambda: now_ns) as journal:
        desk = desk_of(path, POLICY)
        counted = CountedJournal(journal, steps)
        place = CountedPlace(directory / "paper", steps)
        driver = ActionDriver(desk, counted, place, lambda: now_ns)
        desk.price(btt_price(now_ns))
        await driver.load([ROSTER])
        await driver.carry_out()
        for word in (ASKED, OTTO.answers(ASKED), FAY.answers(ASKED)):
            await driver.take(word)
        await driver.carry_out()


def forked(directory: Path, deadly: int, run: int) -> bool:
    """Whether a process that dies at step `deadly` (0: never) lived to its end."""
    pid = os.fork()
    if not pid:
        try:
            asyncio.run(session(directory, Steps(deadly), run))
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, f"step {deadly} of run {run} raised"
    return True


def tried(directory: Path, deadly: tuple[int, ...]) -> dict[str, Any]:
    """Die at each of these steps in turn, then live; and what journal and place say then."""
    directory.mkdir(0o700)
    lived = [forked(directory, step, run) for run, step in enumerate((*deadly, 0))]
    desk = desk_of(directory / action_driver.JOURNAL_NAME, POLICY)
    proposal = desk.proposals.get("p1")
    return {
        "deadly": deadly,
        "killed": lived.count(False),
        "executed": len(PaperPlace(directory / "paper").lines()),
        "status": proposal.status if proposal else "none",
        "is_as_lived": lived[-1],
    }


def main(directory: Path) -> None:
    found = []
    for first in range(1, STEPS_MAX):
        one = tried(directory / str(first), (first,))
        if not one["killed"]:
            break
        found.append(one)
    last = len(found)
    pairs = [(one, two) for one in range(1, last + 1) for two in range(1 + one % 16, last + 1, 16)]
    found += [tried(directory / f"{one}-{two}", (one, two)) for one, two in pairs]
    ended = {Status.DONE.value, Status.FAILED.value}
    bad = [one for one in found if one["executed"] > 1 or one["status"] not in ended]
    bad += [one for one in found if (one["status"] == "done") != (one["executed"] == 1)]
    print(json.dumps({
        "tried": len(found), "kills": sum(one["killed"] for one in found), "bad": bad,
        "single": [one for one in found if len(one["deadly"]) == 1],
    }))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]))
