"""How a start waits for a venue, and how the tests wait: what they may try again, and what not."""

import asyncio
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from adapters.common.budget import Cost
from adapters.common.limits import LimitRow, Limits
from engine.cli.assemble import read_instruments
from engine.cli.demo import DEFAULT_CONFIG
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import load_config
from engine.values.errors import Rejected, Transient, UserError
from engine.values.units import NS_PER_MS, NS_PER_S
from tests.patience import Bystander, RanOut, ends, in_time, until, wait_until
from tests.sim.venue import BTT

SIX_THOUSAND = LimitRow(kind="REQUEST_WEIGHT", interval="M", number=1, limit=6000)
USED = {"X-MBX-USED-WEIGHT-1M": "4500"}


def test_a_used_weight_says_nothing_before_the_limit_is_known():
    limits = Limits(MonotonicClock())
    limits.observe_headers(USED)
    limits.take(Cost(weight=20))


def test_a_used_weight_counts_against_the_venues_own_limit():
    limits = Limits(MonotonicClock())
    limits.learn([SIX_THOUSAND])
    limits.observe_headers(USED)
    limits.take(Cost(weight=20))
    with pytest.raises(Transient):
        limits.take(Cost(weight=1000))


class Busy:
    """A venue whose gateway refuses so often before it answers."""

    def __init__(self, *refusals):
        self.gateway = self
        self._refusals = list(refusals)

    async def instruments(self, symbols):
        if self._refusals:
            raise self._refusals.pop(0)
        return [BTT]


async def test_a_start_waits_as_long_as_the_venue_asks():
    config = load_config(DEFAULT_CONFIG)
    soon = Transient("rate budget", code="budget", retry_after_ns=5 * NS_PER_MS)
    found = await read_instruments(config, {"loopback": Busy(soon, soon)})
    assert found == {BTT.market: BTT}


@pytest.mark.parametrize(
    "refusal",
    [
        Transient("come back tomorrow", code="429", retry_after_ns=3600 * NS_PER_S),
        Transient("no connection", code="connect"),
        Rejected("no such symbol", code="-1121"),
    ],
)
async def test_a_start_does_not_wait_for_what_will_not_come(refusal):
    config = load_config(DEFAULT_CONFIG)
    with pytest.raises(UserError, match=refusal.text):
        await read_instruments(config, {"loopback": Busy(refusal)})


# --- how the tests wait -------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parent.parent


async def test_a_wait_that_runs_out_says_what_for_and_what_was_the_case_instead():
    with pytest.raises(RanOut, match=r"the pull did not happen within 0\.02 s: QUOTING"):
        await until(lambda: False, "the pull", 0.02, lambda: "QUOTING")
    with pytest.raises(RanOut, match=r"the pull did not happen within 0\.02 s: QUOTING"):
        wait_until(lambda: False, "the pull", 0.02, lambda: "QUOTING")
    with pytest.raises(RanOut, match=r"a fact did not happen within 0\.02 s"):
        async with in_time("a fact", 0.02):
            await asyncio.Event().wait()


def test_a_process_that_does_not_end_is_a_wait_that_runs_out():
    with pytest.raises(RanOut, match="the end of a sleep did not happen"), ends("a sleep"):
        subprocess.run(["sleep", "9"], timeout=0.02)


async def test_a_wait_returns_what_was_waited_for():
    assert await until(lambda: [1], "a list") == wait_until(lambda: [1], "a list") == [1]


async def test_a_time_out_of_somebody_else_is_no_wait_that_ran_out():
    with pytest.raises(TimeoutError):
        async with in_time("a fact"):
            raise TimeoutError


STOPS_US = """
import os, signal, time
os.kill(os.getppid(), signal.SIGSTOP)
time.sleep(0.8)
os.kill(os.getppid(), signal.SIGCONT)
"""


def test_time_in_which_a_process_was_stopped_is_not_counted():
    with Bystander() as bystander:
        began_s = time.monotonic()
        subprocess.run([sys.executable, "-c", STOPS_US], check=True)
        time.sleep(0.1)
        assert time.monotonic() - began_s - bystander.ran_s(began_s) > 0.6
        told = pytest.raises(RanOut, match=r"stood still for .* and so: lost a link")
        with told, bystander.undisturbed(began_s):
            raise AssertionError("lost a link")


def test_time_that_a_process_spent_itself_is_counted():
    with Bystander() as bystander:
        began_s, began_cpu_s = time.monotonic(), time.thread_time()
        while time.thread_time() - began_cpu_s < 0.3:
            pass
        assert bystander.ran_s(began_s) > 0.25
        with pytest.raises(AssertionError, match="wrong"), bystander.undisturbed(time.monotonic()):
            raise AssertionError("wrong")


TRIED_AGAIN = """
import asyncio
from collections import Counter
import pytest
from tests.patience import RanOut, until
TRIES = Counter()

@pytest.fixture(scope="module")
def slow():
    TRIES["slow"] += 1
    if TRIES["slow"] == 1:
        raise RanOut("the beginning")

def test_setup_once(slow):
    pass

async def test_once():
    TRIES["once"] += 1
    await until(lambda: TRIES["once"] > 1, "a second try", 0.01)

async def test_always():
    await until(lambda: False, "never", 0.01)

def test_wrong():
    TRIES["wrong"] += 1
    assert TRIES["wrong"] > 1, "RanOut: a wrong value by whatever words"

def test_other():
    TRIES["other"] += 1
    if TRIES["other"] == 1:
        raise ValueError("RanOut: no")

def test_broken_on_the_way_out():
    TRIES["way"] += 1
    try:
        raise RanOut("a wait")
    finally:
        assert TRIES["way"] > 1, "an invariant"

async def test_in_a_group():
    TRIES["group"] += 1
    async with asyncio.TaskGroup() as group:
        group.create_task(until(lambda: TRIES["group"] > 1, "x", 0.01))
"""
FAILED = {"always", "wrong", "other", "broken_on_the_way_out", "in_a_group"}
RERUN = {"setup_once", "once", "always"}


@pytest.mark.parametrize("more", [[], ["-n", "2"]], ids=["alone", "in workers"])
def test_only_a_wait_that_ran_out_is_tried_again_and_only_once(tmp_path, more):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\naddopts = {' '.join(settings['addopts'].split())}\nasyncio_mode = auto\n"
        f"asyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    (tmp_path / "test_it.py").write_text(TRIED_AGAIN)
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *more, "test_it.py"],
        cwd=tmp_path, env={**clean, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 1, done.stdout + done.stderr
    for word, names in (("FAILED", FAILED), ("RERUN", RERUN)):
        told = [line.split("::test_")[1].split()[0] for line in lines if line.startswith(word)]
        assert set(told) == names, done.stdout
    assert lines[-1].startswith("5 failed, 2 passed, 3 rerun"), done.stdout
