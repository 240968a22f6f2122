"""A queue model of somebody's own, named on the command line."""

import pytest

from engine.cli.backtest_data import data_of
from engine.cli.backtest_flags import plugged_hash, queue_of
from engine.cli.backtest_run import Wanted, run_backtest
from engine.runtime.config import load_config
from engine.runtime.recorder import Recorder, RecorderParams
from engine.sim.matching.queue import Power
from engine.values.errors import UserError
from tests.recording_builders import header, lived
from tests.sim import builders

HALF = "class Half:\n    def prob(self, front, back):\n        return {}\n"


def model(tmp_path, body, name="mine.py"):
    path = tmp_path / name
    path.write_text(HALF.format(body))
    return f"{path}:Half"


def test_a_model_of_ones_own_is_asked_where_a_cancel_was(tmp_path):
    spec = model(tmp_path, "0.25")
    assert queue_of(spec).prob(10.0, 10.0) == 0.25
    assert len(plugged_hash(spec)) == 64
    assert plugged_hash("power:2") == plugged_hash("log") == ""


def test_a_back_test_fills_by_it_and_says_whose_it_was(tmp_path):
    recorder = Recorder(tmp_path, header(), RecorderParams(free_bytes_min=0))
    recorder.start()
    lived(recorder, seconds=15)
    recorder.close()
    config = load_config(builders.DEMO)
    data = data_of(config, [tmp_path], 0)
    even = model(tmp_path, "back / (back + front) if back + front else 1.0")
    ran = run_backtest(config, "a test", data, Wanted(queue=even))
    ours = run_backtest(config, "a test", data, Wanted(queue="power:1"))
    assert isinstance(queue_of("power:1"), Power)
    assert ran.result.digest == ours.result.digest
    assert ran.assumed["queue"] == even
    assert plugged_hash(even)[:12] in ran.assumed["notes"][-1]


@pytest.mark.parametrize(
    ("body", "said"),
    [("2.0", "not between 0 and 1"), ("float('nan')", "not between"), ("1 / 0", "ZeroDivision"),
     ("'x'", "not between"), ("nobody", "NameError")],
)  # fmt: skip
def test_a_model_that_is_no_chance_is_a_user_s_mistake(tmp_path, body, said):
    with pytest.raises(UserError, match=said):
        queue_of(model(tmp_path, body))


@pytest.mark.parametrize("spec", ["nowhere.py:Half", "math:Half", "no.such.module:X", "fifo:1"])
def test_a_model_that_is_not_there_is_a_user_s_mistake(spec):
    with pytest.raises(UserError, match="--queue"):
        queue_of(spec)
