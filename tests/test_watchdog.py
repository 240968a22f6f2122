"""The watchdog cancels what a dead or hung engine left, and leaves a living one alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tomlkit

from engine.cli.audit import Account
from engine.cli.demo_venue import flat
from engine.runtime.beat import Heart, Pulse, pulse
from engine.values.units import NS_PER_S
from tests.patience import PATIENCE_S, Bystander, ends, wait_until
from tests.plain_demo import plain_demo

ROOT = Path(__file__).resolve().parent.parent
GONE_S_MAX = 10.0


def test_no_heart_was_ever_there(tmp_path):
    assert pulse(tmp_path, NS_PER_S)[0] is Pulse.ABSENT


def test_a_beat_is_seen_and_its_absence_too(tmp_path):
    with Heart(tmp_path) as heart:
        assert pulse(tmp_path, NS_PER_S)[0] is Pulse.BEATING
        time.sleep(0.02)
        assert pulse(tmp_path, 1_000_000)[0] is Pulse.STOPPED
        heart.leave()
        assert pulse(tmp_path, 1_000_000)[0] is Pulse.LEFT


def test_a_beat_of_an_earlier_boot_is_no_beat(tmp_path, monkeypatch):
    with Heart(tmp_path) as heart:
        later = time.monotonic_ns() + 3600 * NS_PER_S
        monkeypatch.setattr(time, "monotonic_ns", lambda: later)
        heart.beat()
        monkeypatch.undo()
        assert pulse(tmp_path, NS_PER_S)[0] is Pulse.STOPPED


def ballast(*words: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine.cli", *words], cwd=ROOT, text=True, **options
    )


@pytest.fixture
def market(tmp_path):
    """A venue process, a config for it, and the venue's own view of the account."""
    key = tmp_path / "key.json"
    venue = ballast(
        "venue", "--balance", "BTT=200000000,USDT=1000", "--key-file", str(key), "--json",
        stdout=subprocess.PIPE,
    )  # fmt: skip
    urls = flat(json.loads(venue.stdout.readline())["urls"])
    config = plain_demo()
    config["data_dir"] = str(tmp_path / "data")
    config["venues"][0]["urls"] = urls
    config["venues"][0]["key_file"] = str(key)
    path = tmp_path / "c.toml"
    path.write_text(tomlkit.dumps(config))
    held = json.loads(key.read_text())
    yield path, Account(urls["private"], held["api_key"], held["secret"])
    venue.terminate()
    venue.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["H01 killed", "H04 hung"])
def test_orders_of_an_engine_that_stopped_deciding_are_cancelled(market, blow):
    config, account = market

    def open_orders() -> int:
        return len(account.get("openOrders", symbol="BTTUSDT"))

    # On a busy machine a living engine's heart may be a second late.
    patient = ("--silence-ms", "4000", "--once", "--json")
    dog = ballast("watchdog", str(config), *patient, stdout=subprocess.PIPE)
    engine = ballast("run", str(config), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: open_orders() >= 2, "two orders", PATIENCE_S, dog.poll)
        assert dog.poll() is None
        with Bystander() as bystander:
            began_s = time.monotonic()
            os.kill(engine.pid, blow)
            wait_until(lambda: open_orders() == 0, "the cancels")
            assert bystander.ran_s(began_s) < GONE_S_MAX
        with ends("the watchdog"):
            told, _ = dog.communicate(timeout=PATIENCE_S)
    finally:
        for process in (engine, dog):
            process.kill()
            process.wait()
    words = [json.loads(line)["watchdog"] for line in told.splitlines()]
    assert words[-2:] == ["the decision loop has stopped", "cancelled"]


@pytest.mark.slow
def test_an_engine_that_leaves_in_order_is_left_alone(market, tmp_path):
    config, account = market
    said = tmp_path / "said"

    def words() -> list[str]:
        lines = said.read_text().split("\n")[:-1]
        return [json.loads(line)["watchdog"] for line in lines]

    engine = ballast("run", str(config), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with said.open("w") as file:
        dog = ballast(
            "watchdog", str(config), "--silence-ms", "4000", "--json", stdout=file,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        wait_until(lambda: len(account.get("openOrders", symbol="BTTUSDT")) >= 2, "two orders")
        engine.send_signal(signal.SIGTERM)
        with ends("the engine"):
            assert engine.wait(PATIENCE_S) == 0
        wait_until(lambda: words()[-1:] == ["the engine left in order"], "its word", s=30.0)
        time.sleep(1.0)
    finally:
        for process in (engine, dog):
            process.kill()
            process.wait()
    assert "cancelled" not in words()
    assert words()[-1] == "the engine left in order"
