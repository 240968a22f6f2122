"""The whole pure engine against a venue of its own ledger, through seeded bad weather.

Each seed checks at every fact: I6 I7 I8 I9 I13 I14 I17 I18 I20 I24, at kills and at the end I21,
after healing L1 L3 and, once stopped, I1 I2 I3 L5. `tests/sim/checks.py` says how.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.scenario import play

ROOT = Path(__file__).resolve().parent.parent
SEEDS, CHUNK = 200, 20
TRACE = "from tests.sim.scenario import play; print(play(9, traced=True).trace.hexdigest())"


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_weather_breaks_an_invariant_and_every_engine_heals(first):
    worlds = [play(seed) for seed in range(first, first + CHUNK)]
    assert sum(world.checks.places for world in worlds) > 100 * CHUNK
    assert sum(len(world.venue.fills) for world in worlds) > 10 * CHUNK
    assert sum(world.epoch for world in worlds) > CHUNK, "some were killed and started again"


def test_the_same_seed_makes_the_same_trace_under_any_hash_seed():
    traces = []
    for hash_seed in ("1", "4242"):
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", TRACE], cwd=ROOT, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        traces.append(done.stdout.strip())
    assert len(traces[0]) == 64
    assert traces[0] == traces[1]


def test_another_seed_makes_another_trace():
    assert play(1, traced=True).trace.digest() != play(2, traced=True).trace.digest()
