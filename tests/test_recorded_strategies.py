"""The recorded spot market, quoted by every strategy that ships: filled, added up, repeated."""

import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest

from tests.market_data import spot_wire
from tests.patience import ends

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = {
    "fixed": "recorded",
    "ladder": "recorded_ladder",
    "avellaneda_stoikov": "recorded_stoikov",
    "glft": "recorded_glft",
}
LINES = 5_000
HASH_SEEDS = ("1", "4711")
RUN_ALL = """
import sys
from typer.testing import CliRunner
from engine.cli.verbs import app_of
piece, home, *names = sys.argv[1:]
for name in names:
    done = CliRunner().invoke(app_of(["backtest"]), [
        "backtest", f"configs/{name}.toml", "--data", piece, "--seed", "5", "--json",
        "--latency", "lognormal:5ms:0.5", "--report", f"{home}/{name}.html",
        "--tables", f"{home}/{name}", "--out", f"{home}/{name}.out", "--obligation", "20,0.001",
    ])
    assert done.exit_code == 0, (done.output, done.exception)
    with open(f"{home}/{name}.json", "w") as file:
        file.write(done.stdout)
"""


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Two directories of results: the same runs in two processes that hash otherwise."""
    home = tmp_path_factory.mktemp("recorded")
    piece = home / "piece.gz"
    with gzip.open(spot_wire()[0]) as whole, gzip.open(piece, "wb", compresslevel=1) as part:
        part.writelines(islice(whole, LINES))
    runs = []
    for seed in HASH_SEEDS:
        (home / seed).mkdir()
        command = [sys.executable, "-c", RUN_ALL, str(piece), str(home / seed), *CONFIGS.values()]
        env = {**os.environ, "PYTHONHASHSEED": seed}
        runs.append(subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True))
    for run in runs:
        with ends("a run"):
            _, said = run.communicate(timeout=600)
        assert run.returncode == 0, said
    return [home / seed for seed in HASH_SEEDS]


def answer(home, strategy):
    return json.loads((home / f"{CONFIGS[strategy]}.json").read_text().splitlines()[-1])


@pytest.mark.parametrize("strategy", CONFIGS)
def test_every_strategy_quotes_the_recording_and_is_filled(homes, strategy):
    (market,) = answer(homes[0], strategy)["markets"]
    assert market["maker_fills"] == market["fills"] > 3
    assert market["placed"] >= 10
    assert market["decisions"] > 5


@pytest.mark.parametrize("strategy", CONFIGS)
def test_two_processes_with_other_hash_seeds_write_the_same_bytes(homes, strategy):
    name = CONFIGS[strategy]
    trees = []
    for home in homes:
        files = [
            home / f"{name}.json", home / f"{name}.html", home / f"{name}.out",
            *sorted((home / name).rglob("*.*")),
        ]  # fmt: skip
        trees.append({str(file.relative_to(home)): file.read_bytes() for file in files})
    assert len(trees[0]) > 20
    assert trees[0].keys() == trees[1].keys()
    assert [file for file in trees[0] if trees[0][file] != trees[1][file]] == []


@pytest.mark.parametrize("strategy", CONFIGS)
def test_the_parts_of_the_profit_add_up_to_it(homes, strategy):
    told = answer(homes[0], strategy)
    (market,) = told["markets"]
    parts = {name: Decimal(value) for name, value in market["parts"].items()}
    assert sum(parts.values()) == Decimal(market["profit"])
    assert parts["spread_earned"] == Decimal(market["spread_earned"])
    assert parts["fees"] < 0
    page = (homes[0] / f"{CONFIGS[strategy]}.html").read_text()
    assert "<script" not in page
    assert market["profit"] in page
    assert told["assumed"]["data_hash"] in page
