"""`ballast record` beside a served market: what it wrote is what the feed heard."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import tomlkit

from adapters.importers.faults import Faults
from engine.cli.adapters import adapter_of, options_of
from engine.cli.assemble import keys_of
from engine.cli.data_frames import UNCLOSED, open_frames
from engine.cli.recording_frames import frame_recorder, listen
from engine.runtime.block_file import RecorderParams
from engine.runtime.clock import MonotonicClock
from engine.runtime.config import load_config
from engine.runtime.frames import FrameRecorder, FramesHeader, ending, files_of, frames
from engine.runtime.recording import events
from engine.runtime.redaction import Redactor
from engine.values.errors import UserError
from engine.values.events import BookDelta, BookLost, BookSnapshot, TopOfBook, Trade
from tests.engine_process import (
    BTT,
    ROOT,
    ballast,
    config_file,
    engine_process,
    venue_process,
)
from tests.patience import PATIENCE_S, ends, in_time, wait_until

MARKET_FACTS = (BookSnapshot, BookDelta, BookLost, TopOfBook, Trade)


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    with venue_process(tmp_path_factory.mktemp("venue")) as venue:
        yield venue


@pytest.fixture
def config(tmp_path, venue):
    return config_file(tmp_path / "c.toml", venue.key_file, venue.urls)


def edited(config, **venue):
    table = tomlkit.parse(config.read_text())
    table["venues"][0].update(venue)
    config.write_text(tomlkit.dumps(table))
    return config


def facts(directory):
    found = open_frames(directory)
    return list(found.facts(Faults(), found.targets))


@pytest.mark.parametrize("adapter", ["ccxt", "native"])
def test_a_recording_needs_no_key_and_holds_a_book_and_trades(config, tmp_path, adapter):
    edited(config, adapter=adapter, key="", key_file="")
    done = ballast("record", str(config), "--seconds", "3", "--out", str(tmp_path / "o"), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["losses"], told["complaint"]) == (0, "")
    raw = [frame for file in files_of(tmp_path / "o") for frame in frames(file)]
    assert told["frames"] == len(raw) > 10
    assert told["bytes"] == sum(len(frame.data) for frame in raw)
    found = facts(tmp_path / "o")
    assert any(isinstance(fact, BookSnapshot) for fact in found)
    assert any(isinstance(fact, BookDelta) for fact in found)
    assert not any(isinstance(fact, BookLost) for fact in found[:-1])


def test_after_kill_nine_everything_up_to_the_last_second_is_there(config, tmp_path):
    words = ["record", str(config), "--out", str(tmp_path / "o")]
    process = subprocess.Popen([sys.executable, "-m", "engine.cli", *words], cwd=ROOT)
    try:
        wait_until(lambda: list((tmp_path / "o").glob("frames/*")), "a file")
        file = files_of(tmp_path / "o")[0]
        wait_until(lambda: sum(1 for _ in frames(file)) > 30, "some frames")
        wanted_ns = time.time_ns()
        # A frame of later than that can be read while the recorder lives: it writes as it goes.
        wait_until(lambda: list(frames(file))[-1].at_ns > wanted_ns, "what was heard since")
        seen = list(frames(file))
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    left = list(frames(file))
    assert ending(file) is None
    assert left[: len(seen)] == seen
    assert isinstance(facts(tmp_path / "o")[-1], MARKET_FACTS)
    assert UNCLOSED in open_frames(tmp_path / "o").notes


def test_an_hour_that_had_only_just_begun_takes_nothing_with_it(tmp_path):
    head = FramesHeader(
        at_ns=1, part=0, code_version="0", exchanges={"loopback": "binance"}, instruments=[BTT]
    )
    recorder = FrameRecorder(tmp_path, head, RecorderParams(free_bytes_min=0))
    recorder.start()
    recorder.take(5, "public:loopback", b"{}")
    recorder.close()
    (first,) = files_of(tmp_path)
    for torn in (0, 9, 40):
        first.with_name(first.name.replace("-0000", "-0001")).write_bytes(first.read_bytes()[:torn])
        found = open_frames(tmp_path)
        assert found.files == [first]
        assert [fact.excerpt for fact in found.facts(Faults(), found.targets)] == ["{}"]
    first.write_bytes(first.read_bytes()[:20])
    with pytest.raises(UserError, match="before its first whole block"):
        open_frames(tmp_path)


def test_sigterm_ends_the_file_in_order(config, tmp_path):
    words = ["record", str(config), "--out", str(tmp_path / "o"), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: list((tmp_path / "o").glob("frames/*")), "a file")
        file = files_of(tmp_path / "o")[0]
        wait_until(lambda: sum(1 for _ in frames(file)) > 5, "some frames")
        process.send_signal(signal.SIGTERM)
        with ends("the recording"):
            out = process.communicate(timeout=PATIENCE_S)[0]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert ending(file).goes_on is False
    assert json.loads(out)["frames"] == len(list(frames(file)))


def test_a_feed_of_snapshot_grade_has_no_frames_to_record(config, tmp_path):
    edited(config, options={"grade": "snapshot"})
    done = ballast("record", str(config), "--seconds", "1", "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert "snapshot grade" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_place_that_cannot_be_written_is_said_in_one_line(config, tmp_path):
    (tmp_path / "o").write_text("a file")
    done = ballast("record", str(config), "--seconds", "1", "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


class Heard:
    def __init__(self):
        self.facts = []
        self.enough = asyncio.Event()

    def put(self, event):
        if isinstance(event, MARKET_FACTS):
            self.facts.append(event)
        if sum(isinstance(fact, BookDelta) for fact in self.facts) >= 5:
            self.enough.set()


@pytest.mark.parametrize("adapter", ["ccxt", "native"])
async def test_the_frames_decode_to_the_very_facts_that_the_engine_heard(config, tmp_path, adapter):
    loaded = load_config(edited(config, adapter=adapter))
    venue, clock = loaded.venues[0], MonotonicClock()
    options, _ = options_of(venue, "v")
    keys = keys_of(venue, Redactor())
    opened = adapter_of(venue).open_venue(options, clock, keys)
    try:
        instruments = await opened.gateway.instruments(["BTT/USDT"])
        feed, heard = opened.feed(instruments), Heard()
        recorder = frame_recorder(loaded, instruments, clock.now_ns(), tmp_path / "o")
        listen(recorder, {venue.name: feed})
        recorder.start()
        task = asyncio.create_task(feed.run(heard))
        async with in_time("five deltas"):
            await heard.enough.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    finally:
        await opened.gateway.close()
    recorder.close()
    assert isinstance(heard.facts[-1], BookLost)
    assert facts(tmp_path / "o") == heard.facts


def test_the_switch_of_run_records_frames_beside_the_session(config, tmp_path):
    table = tomlkit.parse(config.read_text())
    table["runtime"]["record_frames"] = True
    config.write_text(tomlkit.dumps(table))
    with engine_process(config) as engine:
        engine.quoting()
        assert engine.ask("stop") == {"open_orders": 0}
        assert engine.wait() == 0
        assert "Traceback" not in engine.err.read_text()
    (file,) = files_of(engine.data)
    assert ending(file).goes_on is False
    raw = [(fact.at_ns, fact) for fact in facts(engine.data)]
    heard = [fact for fact in events(engine.data) if isinstance(fact, MARKET_FACTS)]
    assert sum(isinstance(fact, BookDelta) for fact in heard) > 3
    told = {at for at, _ in raw}
    assert all(fact.at_ns in told for fact in heard)
    # Deltas and best prices that waited together were merged into one; nothing else changes.
    known = [fact for _, fact in raw]
    assert all(fact in known for fact in heard if not isinstance(fact, BookDelta))


def test_frames_that_cannot_be_kept_are_one_alert_and_the_engine_goes_on(config, tmp_path):
    table = tomlkit.parse(config.read_text())
    table["runtime"]["record_frames"] = True
    config.write_text(tomlkit.dumps(table))
    before = (
        "import engine.cli.recording_frames as m\n"
        "from engine.runtime.block_file import RecorderParams\n"
        "from functools import partial\n"
        "m.FrameRecorder = partial(m.FrameRecorder, params=RecorderParams(free_bytes_min=10**18))\n"
    )
    with engine_process(config, before=before) as engine:
        engine.quoting()
        wait_until(lambda: "recording of frames ended" in engine.err.read_text(), "the alert")
        engine.quoting()
        assert engine.ask("stop") == {"open_orders": 0}
        assert engine.wait() == 0
