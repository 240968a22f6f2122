"""The runbooks and their drills: each is run whole on a loopback venue, in its own time."""

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.drill_log import DrillLog, NotHappened
from engine.cli.drill_page import answer_of, page_of
from engine.cli.drill_run import SCRIPTS, run_drill
from engine.cli.drill_venue import exchange_down
from engine.cli.drill_world import DrillFiles
from engine.cli.treasury import app
from engine.runtime.authority_file import load_authority
from engine.runtime.treasury_facts import facts_file
from engine.runtime.treasury_file import load_treasury
from engine.treasury.runbooks import RUNBOOKS, SECONDS, Runbook, RunbookStep, planned_s
from engine.values.action_words import Role, Trigger
from engine.values.errors import UserError
from tests.patience import Bystander, RanOut

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "configs" / "treasury.toml"


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.chdir(ROOT)


def files(seed=7):
    return DrillFiles(
        config=ROOT / "configs" / "demo.toml",
        treasury=load_treasury(FILE),
        authority=load_authority(FILE),
        custody=facts_file(ROOT / "configs" / "treasury_custody.json"),
        seed=seed,
    )


def log_of(runbook, **changes):
    lines = []
    return DrillLog(runbook, lines.append, **{"with_people": False, **changes}), lines


# --- drills -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(RUNBOOKS))
async def test_the_drill_runs_whole_and_inside_the_fifteen_minutes(name):
    log, lines = log_of(RUNBOOKS[name])
    with Bystander() as bystander:
        began_s = time.monotonic()
        fault = await run_drill(files(), log, 500 * 10**8)
        ran_s = bystander.ran_s(began_s)
    if "did not happen within" in fault:
        raise RanOut(f"{fault}: {lines}")
    answer = answer_of(log, "now", 7, fault)
    assert fault == "", lines
    assert answer["ok"], lines
    assert [row["step"] for row in answer["steps"]] == [step.key for step in RUNBOOKS[name].steps]
    assert answer["total_s"] <= SECONDS
    assert ran_s < 60
    assert all(row["checks"] for row in answer["steps"] if row["measured"])


async def test_a_venue_that_does_not_fail_fails_the_drill(monkeypatch):
    """A drill that could not fail would prove nothing: without its fault it does not pass."""
    log, _ = log_of(RUNBOOKS["exchange-down"])
    monkeypatch.setattr("engine.cli.drill_log.PATIENCE_S", 0.3)
    monkeypatch.setitem(SCRIPTS, "exchange-down", without_fault)
    fault = await run_drill(files(), log, 500 * 10**8)
    answer = answer_of(log, "now", 7, fault)
    assert not answer["ok"]
    assert fault == "the doubt did not happen within 0 s"
    assert answer["left_out"][0] == "confirm"
    assert "not reached" in page_of(answer)


async def without_fault(world, log, missing):
    world.venue.faults.inject = lambda *_, **__: None
    log.until = hurried(log.until)
    await exchange_down(world, log, missing)


def hurried(until):
    return lambda is_so, what, s=0.3: until(is_so, what, 0.3)


# --- the runbooks -------------------------------------------------------------------------------


def test_every_runbook_fits_into_fifteen_minutes_and_has_a_drill():
    assert set(RUNBOOKS) == set(SCRIPTS)
    assert all(planned_s(runbook) <= SECONDS for runbook in RUNBOOKS.values())
    assert len(RUNBOOKS) == 5


def test_the_page_that_people_read_is_the_runbooks_word_for_word():
    page = " ".join((ROOT / "docs" / "treasury_emergency.md").read_text().split())
    for runbook in RUNBOOKS.values():
        parts = [runbook.title, runbook.seen, runbook.never, runbook.roll_back]
        parts += [step.do for step in runbook.steps]
        parts += [words for _, words in runbook.say]
        for part in parts:
            assert part in page, part


def test_who_decides_is_who_the_shipped_policy_lets_act():
    authority = load_authority(FILE)
    rows = {row.trigger: row.roles for row in authority.overrides}
    for name in ("exchange-down", "wallet-compromise", "custody", "chain-congestion"):
        runbook = RUNBOOKS[name]
        assert set(runbook.decides) <= rows[runbook.trigger], name


# --- the log ------------------------------------------------------------------------------------


def small(*steps):
    return Runbook(
        name="small", title="t", seen="s", trigger=Trigger.DEPEG, decides=(Role.FINANCE,),
        never="n", steps=steps, say=(), roll_back="r",
    )  # fmt: skip


def step(key, allowed_s=10, *, is_drilled=True):
    return RunbookStep(
        key=key, who="engine", do=f"do {key}", allowed_s=allowed_s, is_drilled=is_drilled
    )


async def test_steps_of_people_count_what_they_are_allowed():
    log, _ = log_of(
        small(step("a", 100, is_drilled=False), step("b"), step("c", 50, is_drilled=False))
    )
    async with log.step("b"):
        log.check(True, "fine")
    await log.finish()
    assert log.ok
    assert 150 <= log.total_s < 150 + log.done[1].took_s + 0.001


async def test_a_check_that_fails_fails_the_drill():
    log, lines = log_of(small(step("a")))
    async with log.step("a"):
        log.check(False, "money is missing")
    assert not log.ok
    assert "      BAD: money is missing" in lines


async def test_a_step_that_takes_too_long_fails_the_drill():
    log, _ = log_of(small(step("a", allowed_s=0)))
    async with log.step("a"):
        await log.until(lambda: log.done or True, "time")
    assert not log.ok


async def test_what_is_waited_for_in_vain_ends_the_step_as_failed():
    log, _ = log_of(small(step("a"), step("b")))
    with pytest.raises(NotHappened):
        async with log.step("a"):
            await log.until(lambda: False, "a miracle", 0.05)
    assert [check.found for check in log.done[0].checks] == ["a miracle did not happen within 0 s"]
    assert not log.ok


async def test_a_step_out_of_order_is_our_own_fault():
    log, _ = log_of(small(step("a"), step("b")))
    with pytest.raises(AssertionError, match="has a before b"):
        async with log.step("b"):
            pass


async def test_with_people_the_drill_waits_for_them_and_times_them(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    log, lines = log_of(small(step("a", 100, is_drilled=False)), with_people=True)
    await log.finish()
    assert log.done[0].is_measured
    assert log.total_s < 60, "not what the runbook allows"
    assert any("Enter when done" in line for line in lines)


async def test_with_people_who_do_not_answer_the_drill_fails(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    log, _ = log_of(small(step("a", 100, is_drilled=False)), with_people=True)
    with pytest.raises(NotHappened, match="nobody answered at: a"):
        await log.finish()
    assert not log.ok


def test_the_page_escapes_what_came_from_outside():
    log, _ = log_of(small())
    answer = answer_of(log, "now", 7, "<script>alert(1)</script>")
    assert "<script>" not in page_of(answer)


def test_no_other_verb_of_the_treasury_pays_for_the_venue_of_a_drill():
    code = "import sys, engine.cli.treasury; print('adapters.loopback.venue' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "False"


# --- the verb -----------------------------------------------------------------------------------


def ran(*words):
    return CliRunner().invoke(app, ["drill", *words])


def test_the_verb_leaves_a_page_and_the_same_numbers_as_data(tmp_path, monkeypatch):
    async def quick(world, log, missing):
        for row in log.runbook.steps:
            if row.is_drilled:
                async with log.step(row.key):
                    log.check(True, f"found {missing}")

    monkeypatch.setitem(SCRIPTS, "custody", quick)
    found = ran("custody", "--out", str(tmp_path), "--shortfall", "12", "--json")
    assert found.exit_code == 0, found.output
    answer = json.loads(found.output.splitlines()[-1])
    kept = json.loads(Path(answer["report"]["json"]).read_text())
    assert kept["total_s"] == answer["total_s"]
    page = Path(answer["report"]["html"]).read_text()
    assert "found 1200000000" in page
    assert "custody provider" in page


def test_show_prints_the_runbook_and_runs_nothing(tmp_path):
    found = ran("custody", "--show", "--out", str(tmp_path))
    assert found.exit_code == 0
    assert "NEVER:" in found.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("fire",), "no drill 'fire'; there are exchange-down"),
        (("custody", "--shortfall", "x"), "--shortfall: not a plain decimal"),
        (("custody", "--shortfall", "0"), "--shortfall: must be more than 0"),
        (("custody", "--facts", "nowhere.json"), "nowhere.json: cannot be read"),
        (("custody", "--config", "nowhere.toml"), "nowhere.toml: cannot be read"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_started(words, fault):
    found = ran(*words)
    assert isinstance(found.exception, UserError), found.output
    assert fault in str(found.exception)
    assert "\n" not in str(found.exception)
