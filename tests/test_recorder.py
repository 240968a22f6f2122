"""A recording holds what the engine was fed, whatever happens to its process or its disk."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from engine.runtime import block_file as module
from engine.runtime.recorder import Recorder, RecorderParams
from engine.runtime.recording import ending, entries, events, sessions
from engine.sim.replay import Made
from engine.values.errors import Failure, UserError
from engine.values.events import Balance, Balances, OrderFailed, Timer
from engine.values.step import Step
from tests.patience import Bystander, wait_until
from tests.recording_builders import header, lived
from tests.sim.world import START_NS

ROOT = Path(__file__).resolve().parent.parent
PARAMS = RecorderParams(free_bytes_min=0)


def opened(tmp_path, params=PARAMS, redact=None, **kwargs):
    recorder = Recorder(tmp_path, header(**kwargs), params, redact)
    recorder.start()
    return recorder


def timers(count, every_ns=1_000_000, from_ns=START_NS):
    return [Timer(at_ns=from_ns + n * every_ns) for n in range(count)]


def test_what_is_read_is_what_the_engine_was_fed_in_order(tmp_path):
    recorder = opened(tmp_path)
    facts = lived(recorder)
    recorder.close()
    assert recorder.complaint() == ""
    assert len(facts) > 300
    assert list(events(tmp_path)) == facts
    assert ending(sessions(tmp_path)[-1]).goes_on is False


def test_an_outcome_stands_right_behind_its_fact(tmp_path):
    recorder = opened(tmp_path)
    lived(recorder, seconds=3)
    recorder.close()
    read = list(entries(sessions(tmp_path)[0]))
    made = [n for n, entry in enumerate(read) if isinstance(entry, Made)]
    assert made
    assert all(n > 0 and not isinstance(read[n - 1], Made) for n in made)
    assert all(json.loads(read[n].outcome) for n in made)


def test_the_header_comes_back_as_it_was(tmp_path):
    recorder = opened(tmp_path, past_seq=77)
    recorder.close()
    assert sessions(tmp_path)[0].header == header(past_seq=77)


def test_a_new_hour_is_a_new_file_and_the_session_goes_on(tmp_path):
    recorder = opened(tmp_path, msgspec.structs.replace(PARAMS, block_bytes=1_000))
    facts = timers(900, every_ns=10_000_000_000)
    for fact in facts:
        recorder.take(fact)
    recorder.close()
    session = sessions(tmp_path)[0]
    assert len(session.files) == 3
    assert list(events(tmp_path)) == facts
    assert [n for n, file in enumerate(session.files) if sessions(file) == [session]] == [0, 1, 2]


def test_an_hour_that_is_missing_is_said(tmp_path):
    recorder = opened(tmp_path, msgspec.structs.replace(PARAMS, block_bytes=1_000))
    for fact in timers(900, every_ns=10_000_000_000):
        recorder.take(fact)
    recorder.close()
    sessions(tmp_path)[0].files[1].unlink()
    with pytest.raises(UserError, match="an hour of session 1 is missing"):
        sessions(tmp_path)


def test_money_beyond_64_bits_is_kept(tmp_path):
    recorder = opened(tmp_path)
    money = Balance(asset="T", free_atoms=10**24, locked_atoms=0)
    fact = Balances(venue="x", at_ns=1, update_ns=1, balances=[money])
    recorder.take(fact)
    recorder.close()
    assert list(events(tmp_path)) == [fact]


def test_a_secret_is_taken_out_of_facts_and_outcomes(tmp_path):
    recorder = opened(tmp_path, redact=lambda text: text.replace("hunter2", "<secret>"))
    fact = OrderFailed(
        market="m", client_id="c", at_ns=1, failure=Failure.UNKNOWN, code="1", text="bad hunter2"
    )
    recorder.take(fact)
    recorder.made(Step(commands=[], records=[fact], alerts=[]))
    recorder.close()
    told, made = entries(sessions(tmp_path)[0])
    assert told.text == "bad <secret>"
    assert b"hunter2" not in made.outcome
    assert b"<secret>" in made.outcome


CHILD = """
import sys, time
from pathlib import Path
from engine.runtime.recorder import Recorder, RecorderParams
from engine.values.events import Timer
from tests.recording_builders import header
recorder = Recorder(Path(sys.argv[1]), header(), RecorderParams(free_bytes_min=0, flush_s=0.2))
recorder.start()
n = 0
while True:
    recorder.take(Timer(at_ns=n))
    n += 1
    if n % 50 == 0:
        print(n, recorder.written, flush=True)
        time.sleep(0.005)
"""


def test_kill_nine_costs_no_more_than_the_last_second(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    taken = written = 0
    while written < 3_000:
        taken, written = map(int, child.stdout.readline().split())
    os.kill(child.pid, signal.SIGKILL)
    rest = child.communicate()[0].splitlines()
    taken, written = map(int, rest[-1].split()) if rest and len(rest[-1].split()) == 2 else (
        taken, written,
    )  # fmt: skip
    session = sessions(tmp_path)[0]
    read = list(events(tmp_path))
    assert ending(session) is None
    assert [fact.at_ns for fact in read] == list(range(len(read)))
    assert len(read) >= written >= 3_000


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_torn_tail_is_left_out_and_all_before_it_is_read(tmp_path, cut):
    recorder = opened(tmp_path, msgspec.structs.replace(PARAMS, block_bytes=200))
    facts = timers(2_000)
    for fact in facts:
        recorder.take(fact)
    recorder.close()
    file = sessions(tmp_path)[0].files[0]
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2 - cut])
    read = list(events(tmp_path))
    assert 0 < len(read) < len(facts)
    assert read == facts[: len(read)]


def test_damage_in_the_middle_is_no_torn_tail(tmp_path):
    recorder = opened(tmp_path, msgspec.structs.replace(PARAMS, block_bytes=200))
    for fact in timers(2_000):
        recorder.take(fact)
    recorder.close()
    file = sessions(tmp_path)[0].files[0]
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    with pytest.raises(UserError, match=r"damaged at byte|cannot be"):
        list(events(tmp_path))


def test_a_full_disk_ends_the_recording_with_one_complaint(tmp_path):
    recorder = opened(tmp_path, RecorderParams(free_bytes_min=10**18))
    wait_until(lambda: not recorder._file.is_on, "the end of the recording")
    recorder.take(Timer(at_ns=1))
    wait_until(lambda: not recorder._file.thread.is_alive(), "the end of its thread")
    assert "bytes are free" in recorder.complaint()
    assert recorder.complaint() == ""
    recorder.close()


class Stuck:
    """A disk that lets nothing through until it is told to."""

    def __init__(self, monkeypatch):
        self.is_stuck = True
        self._write = os.write
        monkeypatch.setattr(module.os, "write", self.write)

    def write(self, descriptor, body):
        while self.is_stuck:
            time.sleep(0.005)
        return self._write(descriptor, body)


def test_a_disk_that_hangs_bounds_the_memory_and_never_the_engine(tmp_path, monkeypatch):
    disk = Stuck(monkeypatch)
    recorder = opened(tmp_path, RecorderParams(free_bytes_min=0, waiting_max=500))
    with Bystander() as bystander:
        began_s = time.monotonic()
        for fact in timers(5_000):
            recorder.take(fact)
            assert len(recorder._file.waiting) <= 501
        assert bystander.ran_s(began_s) < 0.5
    assert "too slow" in recorder.complaint()
    disk.is_stuck = False
    recorder.close()


def test_a_second_recording_of_one_epoch_is_refused_not_written_over(tmp_path):
    first = opened(tmp_path)
    first.take(Timer(at_ns=1))
    first.close()
    second = opened(tmp_path)
    wait_until(lambda: not second._file.thread.is_alive(), "the end of its thread")
    assert "exists" in second.complaint()
    assert list(events(tmp_path)) == [Timer(at_ns=1)]


def test_a_place_without_recordings_is_a_user_s_mistake(tmp_path):
    with pytest.raises(UserError, match="no recorded session"):
        sessions(tmp_path)
    (tmp_path / "000001-0000.rec").write_bytes(b"something else")
    with pytest.raises(UserError, match="not a recording"):
        sessions(tmp_path)


def test_to_take_a_fact_costs_less_than_two_microseconds(tmp_path):
    recorder = opened(tmp_path, RecorderParams(free_bytes_min=0, waiting_max=10**6))
    fact, count = Timer(at_ns=START_NS), 20_000
    spent = []
    for _ in range(5):
        began = time.thread_time()
        for _ in range(count):
            recorder.take(fact)
        spent.append((time.thread_time() - began) / count)
    recorder.close()
    assert min(spent) < 2e-6
