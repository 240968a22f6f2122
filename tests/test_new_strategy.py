"""What `ballast new strategy` writes is green on its first `pytest`, in a fresh folder."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.verbs import app_of
from engine.runtime.plugins import load_strategy
from engine.values.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


def made(*words):
    told = CliRunner().invoke(app_of(["new"]), ["new", *words])
    if isinstance(told.exception, UserError):
        raise told.exception
    assert told.exit_code == 0, told.output
    return told.stdout


def run_in(place, *words):
    """As a new user would, with nothing of this test run around it."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    path = [str(ROOT), clean.get("PYTHONPATH", "")]  # the very engine that is tested
    clean["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    clean["MYPYPATH"] = str(ROOT)  # mypy does not see what is installed editable
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=place, env=clean, capture_output=True, text=True)


def ballast(place, *words):
    told = run_in(place, "engine.cli", *words)
    assert told.returncode == 0, told.stderr
    return told.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    directory = tmp_path_factory.mktemp("author") / "lean_one"
    made("strategy", "lean_one", "--dir", str(directory))
    return directory


def test_the_first_pytest_is_green(place):
    is_registered = bool(entry_points(group="pytest11", name="ballast"))
    plugin = [] if is_registered else ["-p", "engine.cli.pytest_plugin"]
    told = run_in(place, "pytest", "-p", "no:cacheprovider", *plugin)
    assert told.returncode == 0, told.stdout
    assert "8 passed" in told.stdout


def test_it_checks_and_back_tests_on_a_market_of_our_own(place):
    ballast(place, "check", "lean_one.toml")
    ballast(place, "new", "market", "market.gz", "--minutes", "2", "--seed", "1")
    told = ballast(place, "backtest", "lean_one.toml", "--data", "market.gz", "--json")
    (market,) = json.loads(told.splitlines()[-1])["markets"]
    assert market["fills"] > 0


def test_mypy_and_ruff_have_nothing_to_say(place):
    for words in (("check",), ("format", "--diff", "--line-length", "100")):
        ruff = run_in(place, "ruff", *words, "--no-cache", ".")
        assert ruff.returncode == 0, ruff.stdout
    mypy = run_in(place, "mypy", "--strict", "--cache-dir", "/dev/null", "lean_one.py")
    assert mypy.returncode == 0, mypy.stdout


def test_its_entry_point_names_its_class(place):
    table = tomllib.loads((place / "pyproject.toml").read_text())
    spec = table["project"]["entry-points"]["ballast.strategies"]["lean_one"]
    assert spec == "lean_one:LeanOne"
    file = f"{place / 'lean_one.py'}:LeanOne"
    params = {"half_spread_ticks": 1, "lean_ticks": 0, "lots": 1}
    assert load_strategy(file, params, "markets[0]").name == "LeanOne"


def test_what_it_wrote_is_told_as_json(tmp_path):
    told = json.loads(made("strategy", "calm", "--dir", str(tmp_path / "x"), "--json"))
    assert told["class"] == "Calm"
    assert all(Path(file).is_file() for file in told["files"])
    assert len(told["files"]) == 4


@pytest.mark.parametrize(
    "name", ["", "Bad", "9lives", "with-dash", "class", "json", "engine", "numpy", "a" * 33]
)
def test_a_name_that_cannot_be_a_new_module_is_refused(tmp_path, name):
    with pytest.raises(UserError) as caught:
        made("strategy", name, "--dir", str(tmp_path / "x"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "x").exists()


def test_nothing_is_written_over_and_nothing_half(tmp_path):
    (tmp_path / "mine_own.toml").write_text("mine")
    with pytest.raises(UserError, match="nothing was written"):
        made("strategy", "mine_own", "--dir", str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["mine_own.toml"]
    assert (tmp_path / "mine_own.toml").read_text() == "mine"


def test_a_market_is_the_same_bytes_for_the_same_seed(tmp_path):
    for name, seed in (("a.gz", "1"), ("b.gz", "1"), ("c.gz", "2")):
        made("market", str(tmp_path / name), "--minutes", "0.5", "--seed", seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.gz", "b.gz", "c.gz"))
    assert a == b != c


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--preset", "wild"], "is none of btt-thin, liquid"),
        (["--minutes", "0"], "more than 0"),
        (["--minutes", "100000"], "at most 1440"),
    ],
)
def test_a_market_that_cannot_be_made_is_one_line(tmp_path, words, line):
    with pytest.raises(UserError, match=line):
        made("market", str(tmp_path / "x.gz"), *words)
    assert not (tmp_path / "x.gz").exists()


def test_a_market_is_never_written_over(tmp_path):
    (tmp_path / "x.gz").write_bytes(b"mine")
    with pytest.raises(UserError, match="is there already"):
        made("market", str(tmp_path / "x.gz"))
