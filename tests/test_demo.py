"""`ballast demo` as a person meets it: whole, killed in the middle, stopped, and misconfigured."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import tomlkit

from engine.runtime.journal_reader import read
from engine.values.errors import UserError
from tests.patience import RanOut, ends, wait_until

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 120.0
WANTED = {
    "quotes",
    "fills",
    "spread_earned",
    "inventory",
    "open_orders",
    "position_difference",
    "money_difference",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The demo's own config with a place of its own, and ready to quote a little sooner."""
    table = tomlkit.parse((ROOT / "configs" / "demo.toml").read_text())
    table["data_dir"] = str(tmp_path / "data")
    table["markets"][0]["features"]["volatility_warm_up_s"] = 0.5
    path = tmp_path / "demo.toml"
    path.write_text(tomlkit.dumps(table))
    return path


@contextmanager
def demo(config: Path, seconds: float, *more: str):
    """A running demo. Whatever a test does, neither it nor its venue outlives the test."""
    command = [sys.executable, "-m", "engine.cli", "demo", "--config", str(config)]
    process = subprocess.Popen(
        [*command, "--seconds", str(seconds), *more],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        for venue in venues(config):
            os.kill(venue, signal.SIGKILL)


def venues(config: Path) -> list[int]:
    """Pids of the venues that were started for this data directory, also those nobody wrote down.

    A venue's command line is its own once it has replaced the process that forked for it.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"venue" in words and str(config.parent / "data" / "venue-key.json").encode() in words:
            found.append(int(entry.name))
    return found


def venue_pid(config: Path) -> int:
    """As the demo wrote it down; 0 before that."""
    try:
        return json.loads((config.parent / "data" / "venue.json").read_text())["pid"]
    except (OSError, ValueError):
        return 0


def is_alive(pid: int) -> bool:
    """A child that is dead and not yet waited for is not alive."""
    try:
        return bool(pid) and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][1] != "Z"
    except FileNotFoundError:
        return False


def told(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it said, once it has ended."""
    with ends("the demo"):
        return process.communicate(timeout=PATIENCE_S)


def summary(process: subprocess.Popen[str]) -> dict:
    out, error = told(process)
    assert out, error
    return json.loads(out.splitlines()[-1])


def wait_for(config: Path, kind: str, count: int = 1) -> None:
    """Until the journal holds so many records of a kind."""

    def is_there() -> bool:
        try:
            rows = read(config.parent / "data" / "journal.db", kinds=(kind,))
            return sum(1 for _ in rows) >= count
        except UserError:
            return False  # no journal yet

    wait_until(is_there, f"{count} {kind}", PATIENCE_S)


@pytest.mark.slow
def test_the_demo_quotes_stops_and_everything_adds_up(config):
    with demo(config, 12, "--json") as process:
        found = summary(process)
        assert process.returncode == 0
        assert found.keys() >= WANTED
        assert found["clean"], found["checks"]
        if not found["quotes"]:
            raise RanOut("the demo's twelve seconds had no second calm enough to quote in")
        assert found["open_orders"] == 0
        assert found["position_difference"] == found["money_difference"] == "0"
        assert not is_alive(venue_pid(config))


@pytest.mark.slow
def test_a_demo_killed_in_the_middle_goes_on_at_its_venue(config):
    with demo(config, 60, "--json") as first:
        wait_for(config, "OrderReport", 4)
        first.send_signal(signal.SIGKILL)
        first.wait()
        venue = venue_pid(config)
        assert is_alive(venue), "the venue outlives a killed demo"
        with demo(config, 5, "--json") as second:
            found = summary(second)
            assert second.returncode == 0
    assert venue_pid(config) == venue
    assert found["clean"], found["checks"]
    assert found["sessions"] == 2
    assert found["fills_missing"] == found["fills_invented"] == found["open_orders"] == 0
    assert not is_alive(venue)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_does_what_stop_does(config, number):
    with demo(config, 120, "--json") as process:
        wait_for(config, "OrderReport", 2)
        process.send_signal(number)
        found = summary(process)
        assert process.returncode == 0
        assert found["clean"], found["checks"]
        assert found["open_orders"] == 0
        assert not is_alive(venue_pid(config))
    (stop,) = [row.record for row in read(config.parent / "data" / "journal.db", kinds=("Stop",))]
    assert stop.who == number.name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["forked", "listening"])
def test_a_signal_before_the_engine_runs_leaves_no_process_behind(config, number, moment):
    with demo(config, 120, "--json") as process:
        is_there = {"forked": lambda: venues(config), "listening": lambda: venue_pid(config)}
        wait_until(is_there[moment], "a venue")
        process.send_signal(number)
        told(process)
        wait_until(lambda: not venues(config), "the end of the venue")


def test_the_stop_verb_ends_a_demo_too(config):
    with demo(config, 120, "--json") as process:
        wait_for(config, "OrderReport", 2)
        command = [sys.executable, "-m", "engine.cli", "stop", "--at", str(config)]
        with ends("the verb"):
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
            )
        assert done.returncode == 0, done.stderr
        assert summary(process)["clean"]
        assert process.returncode == 0


def test_a_demo_says_on_standard_error_what_it_warns_of(config):
    with demo(config, 120) as process:
        wait_for(config, "OrderReport", 2)
        command = [sys.executable, "-m", "engine.cli", "halt", "--at", str(config)]
        with ends("the verb"):
            subprocess.run(
                [*command, "--reason", "lunch"], cwd=ROOT, check=True, capture_output=True,
                timeout=PATIENCE_S,
            )  # fmt: skip
        wait_for(config, "Halt")
        process.send_signal(signal.SIGTERM)
        _, error = told(process)
        assert "CRITICAL BTT/USDT@loopback: HALTED: " in error


def test_a_second_demo_is_refused_and_the_first_keeps_its_venue(config):
    with demo(config, 120, "--json") as first:
        wait_for(config, "OrderReport", 2)
        with demo(config, 5, "--json") as second:
            _, error = told(second)
            assert (second.returncode, len(error.splitlines())) == (2, 1)
            assert f"another engine (pid {first.pid}) is running here" in error
            assert is_alive(venue_pid(config))
            first.send_signal(signal.SIGTERM)
            assert summary(first)["clean"]


def test_of_two_demos_started_at_once_one_is_refused_and_the_other_has_its_venue(config):
    with demo(config, 120, "--json") as one, demo(config, 120, "--json") as two:
        wait_until(lambda: (one.poll(), two.poll()) != (None, None), "the refusal of one")
        refused, stays = (one, two) if one.poll() is not None else (two, one)
        assert refused.returncode == 2, refused.communicate()
        wait_for(config, "OrderReport", 2)
        assert len(venues(config)) == 1
        stays.send_signal(signal.SIGTERM)
        assert summary(stays)["clean"]


def test_a_demo_whose_venue_went_away_says_so_in_one_line(config):
    with demo(config, 120, "--json") as process:
        wait_for(config, "OrderReport", 2)
        os.kill(venue_pid(config), signal.SIGKILL)
        process.send_signal(signal.SIGTERM)
        _, error = told(process)
        assert process.returncode == 1
        assert "does not answer" in error.splitlines()[-1]
        assert "Traceback" not in error


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('mode = "demo"', 'mode = "demo"\nturbo = true', "turbo"),
        ("levels = 3", "levels = 0", "markets[0].params"),
        ("[markets.bands]", "[markets.bonds]", "markets[0]"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line_and_starts_nothing(config, old, new, named):
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    with demo(config, 5, "--json") as process:
        out, error = told(process)
        assert process.returncode == 2
        assert out == ""
        assert named in error
        assert all(line.startswith(("ballast: ", str(config))) for line in error.splitlines()), (
            error
        )
        assert "Traceback" not in error
        assert not (config.parent / "data" / "venue.json").exists()


def test_a_config_that_is_not_there_is_refused_in_one_line(tmp_path):
    with demo(tmp_path / "none.toml", 5) as process:
        _, error = told(process)
        assert process.returncode == 2
        assert len(error.splitlines()) == 1
        assert "none.toml" in error
