"""kill -9 at every step between request and record: at most one execution, none lost."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from engine.runtime.action_driver import JOURNAL_NAME, ActionDriver, Outcome, desk_of, open_driver
from engine.runtime.authority_file import authority_word
from engine.runtime.journal_reader import verify
from engine.treasury.desk_step import Begin
from engine.treasury.proposals import Status
from engine.values.action_records import Ending
from engine.values.errors import Rejected, Transient, Unknown, UserError
from tests.action_builders import (
    ANNA,
    FAY,
    NOW,
    OTTO,
    POLICY,
    ROSTER,
    authority,
    btt_price,
    request,
    transfer,
)
from tests.patience import ends

ROOT = Path(__file__).resolve().parent.parent
ASKED = ANNA.asks(request(action=transfer()))


def test_a_kill_at_every_step_leaves_at_most_one_execution_and_loses_none(tmp_path: Path) -> None:
    with ends("the kills"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "action_kills.py"), str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=400,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["bad"] == []
    assert found["tried"] > 30
    assert found["kills"] > 45
    single = Counter((one["status"], one["executed"]) for one in found["single"])
    assert single["done", 1] > single["failed", 0] > 0, "both ways out were met"
    for one in found["single"]:
        assert one["killed"] == 1


# --- what a place may answer


class Place:
    """A place whose answers are told beforehand: an Outcome, None, or an error to raise."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.told: list[str] = []

    async def execute(self, begin: Begin) -> Outcome:
        self.told.append(begin.reference)
        found = self._next()
        assert found is not None
        return found

    async def ask(self, reference: str) -> Outcome | None:
        return self._next()

    def _next(self) -> Outcome | None:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert answer is None or isinstance(answer, Outcome)
        return answer


DONE = Outcome(ending=Ending.DONE, has_moved=True, why="filled")


class Clock:
    def __init__(self) -> None:
        self.at_ns = NOW

    def now_ns(self) -> int:
        return self.at_ns


async def approved(driver: ActionDriver) -> None:
    driver.desk.price(btt_price(NOW))
    await driver.load([ROSTER])
    for word in (ASKED, OTTO.answers(ASKED), FAY.answers(ASKED)):
        await driver.take(word)


async def carried_out(directory: Path, place: Place, waits_s: int = 0) -> Status:
    """Approve and carry out, then look again after so long."""
    clock = Clock()
    async with open_driver(directory / "t", POLICY, place, clock.now_ns) as driver:
        await approved(driver)
        await driver.carry_out()
        clock.at_ns += waits_s * 10**9
        await driver.carry_out()
        status = driver.desk.proposals["p1"].status
    again = desk_of(directory / "t" / JOURNAL_NAME, None if waits_s < 0 else POLICY)
    assert again.proposals.all() == driver.desk.proposals.all()
    assert not verify(directory / "t" / JOURNAL_NAME).problem
    return status


def test_what_is_allowed_is_done_once(tmp_path: Path) -> None:
    place = Place(DONE)
    assert asyncio.run(carried_out(tmp_path, place)) is Status.DONE
    assert len(place.told) == 1


@pytest.mark.parametrize("error", [Rejected("balance"), Transient("busy")])
def test_what_surely_did_not_happen_failed_and_is_not_tried_again(
    tmp_path: Path, error: Exception
) -> None:
    place = Place(error)
    assert asyncio.run(carried_out(tmp_path, place)) is Status.FAILED
    assert len(place.told) == 1


@pytest.mark.parametrize(
    ("answer", "waits_s", "status"),
    [
        (DONE, 0, Status.DONE),
        (None, 59, Status.UNKNOWN),
        (None, 60, Status.FAILED),
        (Unknown("time-out"), 600, Status.UNKNOWN),
    ],
)
def test_a_time_out_is_resolved_by_asking_and_never_by_repeating(
    tmp_path: Path, answer: object, waits_s: int, status: Status
) -> None:
    place = Place(Unknown("no answer"), answer)
    assert asyncio.run(carried_out(tmp_path, place, waits_s)) is status
    assert len(place.told) == 1


def test_a_desk_without_a_policy_says_what_it_needs(tmp_path: Path) -> None:
    async def opened() -> None:
        async with open_driver(tmp_path / "t", None, None, lambda: NOW):
            pass

    with pytest.raises(UserError, match="no policy yet; name a treasury file"):
        asyncio.run(opened())


def test_a_policy_that_was_loaded_is_in_force_after_a_restart(tmp_path: Path) -> None:
    other = authority(window_h=48)

    async def session(policy: object) -> int:
        async with open_driver(tmp_path / "t", POLICY, None, lambda: NOW) as driver:
            if policy is not None:
                await driver.load([authority_word(other, "t.toml", "me", NOW)])
            return driver.desk.authority.window_ns

    assert asyncio.run(session(other)) == asyncio.run(session(None)) == other.window_ns


def test_a_second_process_is_refused_while_the_first_has_the_desk(tmp_path: Path) -> None:
    async def both() -> None:
        one = open_driver(tmp_path / "t", POLICY, None, lambda: NOW)
        two = open_driver(tmp_path / "t", POLICY, None, lambda: NOW)
        async with one, two:
            pass

    with pytest.raises(UserError, match="another process has it open"):
        asyncio.run(both())
