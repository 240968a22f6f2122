"""`ballast run` and the verbs that speak with it, as a person meets them: whole processes."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from engine.runtime.journal_reader import read, verify
from engine.values.records import StateChanged
from engine.values.units import NS_PER_S
from tests.engine_process import (
    EngineProcess,
    VenueProcess,
    ballast,
    config_file,
    engine_process,
    venue_process,
)
from tests.patience import Bystander, wait_until

NOTICED_S_MAX = 3.0
STOP_S_MAX = 15.0


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    """One venue for all tests of this file that leave it alone; each cancels what it placed."""
    with venue_process(tmp_path_factory.mktemp("venue")) as venue:
        yield venue


@pytest.fixture
def config(tmp_path: Path, venue: VenueProcess) -> Path:
    return config_file(tmp_path / "c.toml", venue.key_file, venue.urls)


def refused(*words: str) -> str:
    """The one line with which a person's mistake is answered, with exit code 2."""
    done = ballast(*words)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("ballast: ")
    return line


def edited(config: Path, old: str, new: str) -> str:
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new, 1))
    return str(config)


# --- what is refused


def test_an_unknown_key_is_refused_by_its_path(config):
    line = refused("run", edited(config, "[runtime]", "[runtime]\nturbo = true"))
    assert "runtime.turbo" in line


def test_a_missing_limit_is_refused_by_its_name(config):
    text = config.read_text()
    start = text.index('check = "loss"')
    head, tail = text[:start].rpartition("[[markets.risk]]")[0], text[start:]
    rest = tail.partition("[")[2]
    config.write_text(head + "[" + rest)
    line = refused("run", str(config))
    assert "markets[0].risk" in line
    assert "loss" in line


def test_a_missing_key_is_refused_and_the_places_for_it_are_named(config, venue):
    edited(config, f'key_file = "{venue.key_file}"', "")
    line = refused("run", str(config))
    assert "BALLAST_KEY_DEMO" in line


def test_a_key_that_others_can_read_is_refused(config, venue, tmp_path):
    loose = tmp_path / "loose.json"
    loose.write_text(venue.key_file.read_text())
    loose.chmod(0o644)
    line = refused("run", edited(config, str(venue.key_file), str(loose)))
    assert "chmod 600" in line


def test_a_wrong_key_is_refused_by_the_venue_in_one_line(config, venue, tmp_path):
    wrong = tmp_path / "wrong.json"
    key = json.loads(venue.key_file.read_text())
    wrong.write_text(json.dumps(key | {"secret": "x" * 64}))
    wrong.chmod(0o600)
    line = refused("run", edited(config, str(venue.key_file), str(wrong)))
    assert "-1022" in line


def test_a_symbol_that_the_venue_does_not_list_is_refused(config):
    line = refused("run", edited(config, '"BTT/USDT"', '"NONE/USDT"'))
    assert "NONE/USDT" in line


def test_a_venue_that_is_down_is_refused_after_a_few_seconds(config, venue):
    port = venue.urls["public"].split(":")[2].split("/")[0]
    config.write_text(config.read_text().replace(f":{port}/", ":9/"))
    line = refused("run", str(config))
    assert "loopback does not answer" in line


def test_live_needs_both_words(config, venue):
    live = edited(config, 'mode = "demo"', 'mode = "live"')
    assert "--live" in refused("run", live)
    demo = edited(config, 'mode = "live"', 'mode = "demo"')
    assert "--live" in refused("run", demo, "--live")


def test_no_config_at_all_is_refused(tmp_path):
    assert "cannot be read" in refused("run", str(tmp_path / "none.toml"))


def test_verbs_without_an_engine_say_so_with_exit_code_3(tmp_path):
    for words in (["status"], ["why"], ["stop"], ["halt", "--reason", "x"]):
        done = ballast(*words, "--at", str(tmp_path))
        assert done.returncode == 3
        assert "no engine is running" in done.stderr
        assert "Traceback" not in done.stderr


# --- a running engine


@pytest.mark.slow
def test_the_verbs_speak_with_a_running_engine(config, venue):
    with engine_process(config, "--json") as engine:
        engine.quoting()
        assert "data" in refused("run", str(config)), "a second engine on the same data"

        market = engine.ask("status")["markets"][0]
        assert market["grade"] == "verified"
        text = ballast("status", "--at", str(config)).stdout
        assert "BTT/USDT" in text
        assert "verified" in text

        why = engine.ask("why", "BTT/USDT")["markets"][0]
        quotes = [quote for side in why["sides"].values() for quote in side["quotes"]]
        assert {"reference", "skew", "width", "stance", "rounding", "clamp"} <= set(quotes[0])
        text = ballast("why", "--at", str(config)).stdout
        assert any(quote["price"] in text for quote in quotes)

        assert "NONE" in refused("why", "NONE/USDT", "--at", str(engine.data))
        assert "soaring" in refused("rating", "set", "BTT/USDT", "soaring", "--at", str(config))
        engine.ask("rating", "set", "BTT/USDT", "strong-sell", "--ttl", "60")
        assert engine.market()["stance"]["label"] == "strong sell"
        said = ballast("rating", "set", "BTT/USDT", "buy", "--at", str(config))
        assert said.stdout.startswith("BTT/USDT@loopback: ")
        assert engine.market()["stance"]["label"] == "buy"

        halted = engine.ask("halt", "--reason", "look at this")["markets"][0]
        assert halted["state"] == "HALTED"
        assert "look at this" in halted["reason"]
        wait_until(lambda: not venue.open_orders(), "the last cancel")
        why = ballast("why", "--at", str(config)).stdout
        assert "HALTED" in why
        said = ballast("resume", "--reason", "seen", "--at", str(config))
        assert (said.returncode, said.stderr) == (0, "")
        engine.quoting()

        stopped = engine.ask("stop")
        assert stopped == {"open_orders": 0}
        assert venue.open_orders() == []
        assert engine.wait() == 0
        assert json.loads(engine.out.read_text().splitlines()[-1])["open_orders"] == 0
    assert engine.audit(venue.account).is_clean
    kinds = {row.kind for row in read(engine.data / "journal.db")}
    assert {"RatingSet", "Halt", "Resume", "Stop", "SessionEnded"} <= kinds
    assert verify(engine.data / "journal.db").problem == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_h02_a_signal_cancels_verifies_and_leaves(config, venue, number):
    with engine_process(config) as engine, Bystander() as bystander:
        engine.quoting()
        wait_until(venue.open_orders, "an order at the venue")
        began_s = time.monotonic()
        engine.process.send_signal(number)
        assert engine.wait() == 0
        assert bystander.ran_s(began_s) < STOP_S_MAX
        assert venue.open_orders() == []
        assert "open orders at the venue: 0" in engine.out.read_text()
        assert "Traceback" not in engine.err.read_text()
    assert engine.audit(venue.account).is_clean


def test_u02_a_halt_survives_a_restart_until_a_person_resumes(config, venue):
    with engine_process(config) as engine:
        engine.quoting()
        engine.ask("halt", "--reason", "look at this")
        assert engine.ask("stop") == {"open_orders": 0}
        assert engine.wait() == 0
    with engine_process(config) as engine:
        wait_until(lambda: engine.market().get("state") == "HALTED", "the remembered halt")
        time.sleep(1.0)
        assert venue.open_orders() == []
        assert "look at this" in engine.market()["reason"]
        engine.ask("resume", "--reason", "seen")
        engine.quoting()
        assert engine.ask("stop") == {"open_orders": 0}
        assert engine.wait() == 0
    assert engine.audit(venue.account).is_clean


# --- a venue that stops, so one of its own


def test_f10_a_stopped_venue_is_noticed_in_time_and_reconciled_when_it_goes_on(
    tmp_path, record_property
):
    with venue_process(tmp_path) as venue:
        config = config_file(tmp_path / "c.toml", venue.key_file, venue.urls)
        with engine_process(config) as engine, Bystander() as bystander:
            engine.quoting()
            began_s, began_ns = time.monotonic(), time.time_ns()
            venue.freeze()
            wait_until(engine.is_blind, "the doubt")
            noticed_s = bystander.ran_s(began_s, began_s + first_blind_s(engine, began_ns))
            record_property("noticed_s", noticed_s)
            assert noticed_s < NOTICED_S_MAX
            time.sleep(2.0)
            assert engine.market()["state"] not in ("QUOTING", "READY")
            venue.thaw()
            engine.quoting()
            assert engine.ask("stop") == {"open_orders": 0}
            assert engine.wait() == 0
        assert engine.audit(venue.account).is_clean


def first_blind_s(engine: EngineProcess, began_ns: int) -> float:
    """When it first knew that it does not see, by its own journal; a late loop is no such word."""

    def moments() -> list[int]:
        rows = read(engine.data / "journal.db", kinds=("StateChanged",))
        changes = [row.record for row in rows if isinstance(row.record, StateChanged)]
        return [
            change.at_ns
            for change in changes
            if change.at_ns > began_ns
            and change.after in ("INIT", "RECONCILING", "PULLED")
            and not change.reason.startswith(("loop", "journal"))
        ]

    found = wait_until(moments, "the record of it")
    return (found[0] - began_ns) / NS_PER_S


def test_h02_a_second_signal_leaves_at_once_and_says_what_it_does_not_know(tmp_path):
    with venue_process(tmp_path) as venue:
        config = config_file(tmp_path / "c.toml", venue.key_file, venue.urls, stop_s=60.0)
        with engine_process(config) as engine, Bystander() as bystander:
            engine.quoting()
            venue.freeze()
            engine.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert engine.process.poll() is None, "it did not try"
            began_s = time.monotonic()
            engine.process.send_signal(signal.SIGTERM)
            code = engine.wait()
            assert bystander.ran_s(began_s) < 2.0
            assert code == 1
            said = engine.err.read_text()
            assert "orders may be open" in said
            assert "Traceback" not in said
        venue.thaw()
        with engine_process(config) as engine:
            engine.quoting()
            assert engine.ask("stop") == {"open_orders": 0}
            assert engine.wait() == 0
        assert engine.audit(venue.account).is_clean


def test_a_stop_that_the_venue_does_not_confirm_says_so(tmp_path):
    with venue_process(tmp_path) as venue:
        config = config_file(tmp_path / "c.toml", venue.key_file, venue.urls, stop_s=1.0)
        with engine_process(config) as engine:
            engine.quoting()
            venue.freeze()
            done = ballast("stop", "--at", str(engine.data))
            assert done.returncode == 1
            assert "-1" in done.stdout
            assert engine.wait() == 1
            assert "did not confirm" in engine.out.read_text()
            assert os.path.exists(engine.data / "journal.db")
