"""Every planted fault is found at its line; the shipped strategies have none."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from engine.cli.lint_names import Rule
from engine.cli.lint_rules import findings_in
from engine.cli.lint_strategy import files_of, lint_files
from engine.cli.new_strategy import write_files
from engine.cli.verbs import app_of
from engine.values.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted((ROOT / "strategies").glob("*.py"))

WHOLE = """import bisect
import math
import numpy as np
from engine.trading.strategy import Ladder, View, Wake
{top}
class Mine:
    wake = Wake()
    def __init__(self, params):
        self.params = params
        self.rows = []
    def quote(self, view: View) -> Ladder:
        {body}
        return Ladder(bids_absent="x", asks_absent="x")
"""
TOP_LINE, BODY_LINE = 5, 12

IN_QUOTE = [
    (Rule.CLOCK, "import time; now = time.time_ns()"),
    (Rule.CLOCK, "from time import monotonic as tick; now = tick()"),
    (Rule.CLOCK, "import datetime as dt; now = dt.datetime.now()"),
    (Rule.CLOCK, "from datetime import datetime; now = datetime.utcnow()"),
    (Rule.CLOCK, "from datetime import date; now = date.today()"),
    (Rule.CLOCK, "now = np.datetime64('now')"),
    (Rule.CHANCE, "import random; x = random.random()"),
    (Rule.CHANCE, "from random import Random; x = Random()"),
    (Rule.CHANCE, "x = np.random.default_rng().normal()"),
    (Rule.CHANCE, "dice = np.random; x = dice.rand()"),
    (Rule.CHANCE, "import uuid; x = uuid.uuid4()"),
    (Rule.CHANCE, "import secrets; x = secrets.token_hex()"),
    (Rule.CHANCE, "x = hash(view.instrument.symbol)"),
    (Rule.CHANCE, "x = id(view)"),
    (Rule.CHANCE, "x = [name for name in {'a', 'b'}]"),
    (Rule.CHANCE, "x = list(set(self.rows))"),
    (Rule.CHANCE, "x = next(iter(frozenset(self.rows)))"),
    (Rule.IO, "x = open('data.csv').read()"),
    (Rule.IO, "print(view)"),
    (Rule.IO, "import os; x = os.environ['KEY']"),
    (Rule.IO, "from os import environ; x = environ"),
    (Rule.IO, "import pathlib; x = pathlib.Path('x').read_text()"),
    (Rule.IO, "import urllib.request; x = urllib.request.urlopen('http://x')"),
    (Rule.IO, "import socket"),
    (Rule.IO, "import threading; threading.Thread(target=print).start()"),
    (Rule.IO, "import subprocess; subprocess.run(['ls'])"),
    (Rule.IO, "import logging; logging.info('x')"),
    (Rule.IO, "x = np.load('prices.npy')"),
    (Rule.IO, "x = np.loadtxt('prices.csv')"),
    (Rule.IO, "np.zeros(3).tofile('x')"),
    (Rule.STATE, "global LAST; LAST = view"),
    (Rule.STATE, "Mine.count = 1"),
    (Rule.STATE, "Mine.count += 1"),
    (Rule.STATE, "type(self).count += 1"),
    (Rule.HIDDEN, "x = eval('view.mid')"),
    (Rule.HIDDEN, "exec('x = 1')"),
    (Rule.HIDDEN, "x = __import__('time').time()"),
    (Rule.HIDDEN, "import importlib; x = importlib.import_module('time')"),
    (Rule.HIDDEN, "x = getattr(np, 'ran' + 'dom').rand()"),
    (Rule.HIDDEN, "x = self.__class__.count"),
    (Rule.HIDDEN, "x = globals()['LAST']"),
    (Rule.REACH, "import pandas"),
    (Rule.REACH, "from engine.core import Engine"),
    (Rule.REACH, "from engine.trading.risk import Gate"),
    (Rule.AHEAD, "from engine.sim.backtest import Backtest"),
    (Rule.AHEAD, "from engine.runtime.recording import events"),
    (Rule.AHEAD, "from adapters.transport.capture import read_lines"),
    (Rule.AHEAD, "import polars as pl; x = pl.read_parquet('x')"),
    (Rule.AHEAD, "x = self.prices.shift(-1)"),
    (Rule.AHEAD, "x = self.prices.shift(periods=-3)"),
    (Rule.AHEAD, "x = self.prices.diff(-1)"),
    (Rule.AHEAD, "x = np.roll(self.prices, -1)"),
    (Rule.AHEAD, "x = self.prices.rolling(5, center=True).mean()"),
    (Rule.AHEAD, "x = self.prices.bfill()"),
    (Rule.AHEAD, "x = self.prices.fillna(method='bfill')"),
    (Rule.AHEAD, "x = self.prices.fill_null(strategy='backward')"),
    (Rule.AHEAD, "x = self.a.join_asof(self.b, direction='forward')"),
    (Rule.AHEAD, "x = self.a.join_asof(self.b, strategy='nearest')"),
    (Rule.AHEAD, "x = np.convolve(self.prices, [1, 1, 1], 'same')"),
    (Rule.AHEAD, "x = np.gradient(self.prices)"),
    (Rule.AHEAD, "x = self.prices[view.now_ns + 1_000_000_000]"),
    (Rule.AHEAD, "x = self.prices[(view.now_ns + self.lag) // 1_000]"),
    (Rule.AHEAD, "later = view.now_ns + 10**9; x = self.prices.get(later + 1)"),
    (Rule.AHEAD, "x = self.prices.get(view.now_ns + 10**9)"),
    (Rule.AHEAD, "i = bisect.bisect(self.times, view.now_ns); x = self.prices[i]"),
    (Rule.AHEAD, "i = bisect.bisect(self.times, view.now_ns); x = self.prices[i + 5]"),
    (Rule.AHEAD, "i = bisect.bisect_left(self.times, view.now_ns); x = self.prices[i:]"),
    (Rule.AHEAD, "i = np.searchsorted(self.times, view.now_ns); x = self.prices[i:i + 9]"),
    (Rule.AHEAD, "x = self.prices[bisect.bisect(self.times, view.now_ns)]"),
    (Rule.AHEAD, "i = bisect.bisect(self.times, view.now_ns + 10**9); x = self.prices[i - 1]"),
    (Rule.AHEAD, "now = view.now_ns; x = [r for r in self.rows if r.at_ns > now]"),
    (Rule.AHEAD, "x = [r for r in self.rows if view.now_ns <= r.at_ns]"),
    (Rule.AHEAD, "x = next(r for r in self.rows if r.at_ns > view.now_ns)"),
    (Rule.AHEAD, "x = self.model(msgspec.structs.replace(view, now_ns=view.now_ns + 1))"),
]
AT_TOP = [
    (Rule.CLOCK, "import time"),
    (Rule.CHANCE, "import random"),
    (Rule.IO, "DATA = open('x').read()"),
    (Rule.HIDDEN, "from math import *"),
    (Rule.STATE, "def f(seen=[]): return seen"),
    (Rule.STATE, "def f(*, seen={}): return seen"),
    (Rule.STATE, "import functools; f = functools.lru_cache(abs)"),
    (Rule.STATE, "class Other: seen = []"),
    (Rule.STATE, "class Other: seen: dict = {}"),
    (Rule.STATE, "class Other: seen = np.zeros(3)"),
    (Rule.IO, "async def f(): return 1"),
]
CHANGED = [
    ("SEEN = []", "SEEN.append(view.mid)"),
    ("SEEN = {}", "SEEN[view.now_ns] = view.mid"),
    ("SEEN = {}", "SEEN['x'] += 1"),
    ("SEEN = {}", "SEEN.setdefault('x', []).append(1)"),
    ("SEEN = np.zeros(3)", "SEEN[0] = view.mid"),
    ("SEEN = iter(range(9))", "x = next(SEEN)"),
    ("SEEN = {}", "del SEEN['x']"),
]
FINE = [
    "rows = [1, 2]; rows.append(3)",
    "self.rows.append(view.mid)",
    "x = self.rows[-1] if self.rows else 0.0",
    "x = TABLE[view.zone]",
    "i = bisect.bisect(self.times, view.now_ns); x = self.prices[i - 1]",
    "i = bisect.bisect(self.times, view.now_ns); x = self.prices[:i]",
    "self.until_ns = view.now_ns + 10**9",
    "x = view.now_ns - self.since_ns >= 10**9",
    "x = [r for r in self.rows if r.at_ns > view.now_ns - 10**9]",
    "x = [a for a, b in zip(self.rows, self.rows[1:]) if a < b]",
    "x = self.rows[view.now_ns // 10**9 - 1]",
    "x = [self.levels[i + 1] for i in range(3)]",
    "x = sorted({'b', 'a'}) + [len({1, 2})]",
    "x = np.roll(self.prices, 1)",
    "x = getattr(self.params, 'lots')",
    "time = view.now_ns; x = time // 2",
    "import datetime; x = datetime.timedelta(seconds=1)",
    "from statistics import fmean; x = fmean([1.0, 2.0])",
]


def written(top="", body="pass"):
    return WHOLE.format(top=top, body=body)


def found(source):
    return [(each.rule, each.line) for each in findings_in(source, "mine.py")]


@pytest.mark.parametrize(("rule", "body"), IN_QUOTE)
def test_a_fault_in_quote_is_found_at_its_line(rule, body):
    assert (rule, BODY_LINE) in found(written(body=body))


@pytest.mark.parametrize(("rule", "top"), AT_TOP)
def test_a_fault_of_the_module_is_found_at_its_line(rule, top):
    assert (rule, TOP_LINE) in found(written(top=top))


@pytest.mark.parametrize(("top", "body"), CHANGED)
def test_what_quote_changes_in_the_module_is_found_where_it_is_changed(top, body):
    assert (Rule.STATE, BODY_LINE) in found(written(top, body))


@pytest.mark.parametrize("body", FINE)
def test_what_is_fine_is_left_alone(body):
    assert found(written("TABLE = {1: 2}", body)) == []


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_strategy_has_none(file):
    assert findings_in(file.read_text(), file.name) == []


def test_what_new_strategy_writes_has_none(tmp_path):
    write_files(tmp_path, "first_one")
    assert lint_files(files_of(str(tmp_path)))[1] == []


@settings(max_examples=40)
@given(st.sampled_from(IN_QUOTE), st.sampled_from(SHIPPED))
def test_a_fault_planted_into_a_shipped_strategy_is_found(planted, file):
    rule, body = planted
    source = file.read_text()
    lines = len(source.splitlines())
    grown = (
        f"{source}\nimport bisect\nimport numpy as np\nclass Mine:\n def f(self, view):\n  {body}\n"
    )
    told = findings_in(grown, file.name)
    assert rule in {each.rule for each in told}
    assert all(each.line == lines + 6 for each in told)


# --- the verb -----------------------------------------------------------------------------------


def linted(*words):
    told = CliRunner().invoke(app_of(["lint-strategy"]), ["lint-strategy", *words])
    if isinstance(told.exception, UserError):
        raise told.exception
    return told


def test_a_finding_is_file_line_column_rule_and_why(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(written(body="x = hash(view)"))
    told = linted(f"{file}:Mine")
    assert told.exit_code == 1
    first = f"{file}:{BODY_LINE}:13: chance: its value differs from process to process"
    assert told.stdout.splitlines() == [first, "1 file, 1 found"]


def test_json_is_one_object_on_the_last_line_and_nothing_found_is_exit_code_0(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(written())
    told = linted(str(file), "--json")
    assert told.exit_code == 0
    assert json.loads(told.stdout) == {"files": [str(file)], "findings": []}
    file.write_text(written(body="print(1)"))
    (finding,) = json.loads(linted(str(file), "--json").stdout)["findings"]
    assert (finding["line"], finding["rule"]) == (BODY_LINE, "io")


def test_a_module_and_an_installed_name_are_found_without_being_run():
    for what, name in (("strategies.ladder:LadderStrategy", "ladder"), ("fixed", "fixed")):
        assert [file.resolve() for file in files_of(what)] == [ROOT / "strategies" / f"{name}.py"]


def test_a_module_beside_it_is_looked_at_too(tmp_path):
    (tmp_path / "mine.py").write_text(written(top="import helper_of_mine"))
    (tmp_path / "helper_of_mine.py").write_text("import time\n")
    looked, told = lint_files([tmp_path / "mine.py"])
    assert looked == [tmp_path / "mine.py", tmp_path / "helper_of_mine.py"]
    assert [(Path(each.file).name, each.rule) for each in told] == [
        ("helper_of_mine.py", Rule.CLOCK)
    ]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("mine.py", b"def broken(:\n", "mine.py:1: not Python"),
        ("mine.py", b"\xff\n", "not UTF-8"),
        ("mine.py", b"x = '\x00'\n", "not Python"),
        ("other.py", b"", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, name, content, line):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=line):
        linted(str(tmp_path / "mine.py"))


@pytest.mark.parametrize("what", ["no_such_strategy", "no.such.module:Thing", "math"])
def test_what_has_no_source_is_named(what):
    with pytest.raises(UserError, match="is no file, module or installed strategy"):
        linted(what)
