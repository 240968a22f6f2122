"""A sweep loses no result, doubles none, and does not take the best of many for skill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from io import StringIO
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from engine.cli.backtest_data import data_of
from engine.cli.backtest_run import Wanted, run_backtest
from engine.cli.new_market import facts_of, write_capture
from engine.cli.sweep_board import Tallied, drawn, failures
from engine.cli.sweep_file import Header, ResultsFile
from engine.cli.sweep_job import run_job
from engine.cli.sweep_plan import Asked, plan_of
from engine.cli.verbs import app_of
from engine.runtime.config import load_config
from engine.sim.deflated import moments_of
from engine.sim.sweep import Axis, Failed, Measure, Row, grid, heat, ranked, verdict, widest
from engine.values.errors import UserError
from engine.values.units import NS_PER_S
from tests.patience import RanOut, ends, wait_until
from tests.sim.venue import BTT

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "configs" / "demo.toml"
WIDTHS, LOTS = (0.6, 1.2, 2.0), (9_000_000, 12_000_000)
SETS = ["--set", "params.half_spread_ticks=0.6,1.2,2.0", "params.lots=9_000_000,12_000_000"]
SLOW = [*SETS, "backtest.seed=1,2"]
WAIT_S = 180
HEADER = Header(data_hash="data", step_ns=NS_PER_S)


def config_file(directory, **params):
    table = tomllib.loads(DEMO.read_text())
    market = table["markets"][0]
    market.pop("playbook", None)
    market["strategy"] = "fixed"
    market["params"] = {"half_spread_ticks": 1.0, "step_ticks": 0.0, "lots": 9_000_000, **params}
    path = directory / "mine.toml"
    path.write_text(tomlkit.dumps(table))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with a config and two minutes of a market."""
    directory = tmp_path_factory.mktemp("sweep")
    config_file(directory)
    write_capture(directory / "market.gz", BTT, facts_of("btt-thin", 3, 120 * NS_PER_S))
    return directory


def words(place, out, *more):
    data = ["--data", str(place / "market.gz")]
    return ["sweep", str(place / "mine.toml"), *data, *more, "--out", str(out), "--json"]


def swept(place, out, *more):
    """(exit code, the answer) of a sweep in this process."""
    found = CliRunner().invoke(app_of(["sweep"]), words(place, out, *more))
    if isinstance(found.exception, UserError):
        raise found.exception
    return found.exit_code, json.loads(found.stdout.splitlines()[-1])


def refused(place, out, *more):
    with pytest.raises(UserError) as caught:
        swept(place, out, *more)
    assert not out.exists()
    return str(caught.value)


def started(place, out, *more):
    """A sweep in a process of its own, at the head of a group of its own."""
    command = [sys.executable, "-m", "engine.cli", *words(place, out, *more)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def lines_in(out):
    path = out / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(is_true, process=None):
    """Until it is so; a process that should bring it about must not end before."""

    def is_so():
        has_come = is_true()
        if not has_come and process is not None and process.poll() is not None:
            assert process.returncode == 0, process.communicate()
            raise RanOut("it was over before anybody looked")
        return has_come

    wait_until(is_so, "what is waited for", WAIT_S)


def not_too_late(is_under_way):
    """A sweep that was over before we struck shows nothing about what it survives."""
    if not is_under_way:
        raise RanOut("the sweep was over before it was struck")


def alone(place, settings):
    """The same run without a sweep around it: (digest, fills)."""
    own = place / f"own-{settings['params.half_spread_ticks']}-{settings['params.lots']}"
    own.mkdir(exist_ok=True)
    changed = {key.removeprefix("params."): value for key, value in settings.items()}
    changed.pop("backtest.seed", None)
    config = load_config(config_file(own, **changed))
    data = data_of(config, [place / "market.gz"], 0)
    wanted = Wanted(seed=int(settings.get("backtest.seed", 0)))
    result = run_backtest(config, "own", data, wanted).result
    return result.digest, sum(len(tally.fills) for tally in result.markets.values())


def all_right(place, answer, count):
    """Every combination once, and some of them as they are alone."""
    rows = answer["rows"]
    assert len(rows) == len({row["job"] for row in rows}) == count
    assert len({json.dumps(row["settings"]) for row in rows}) == count
    for row in rows[:: max(1, count // 3)]:
        assert (row["digest"], row["fills"]) == alone(place, row["settings"])
    assert any(row["fills"] for row in rows)


# --- what it does -------------------------------------------------------------------------------


def test_every_combination_is_run_once_and_as_it_is_alone(place, tmp_path):
    code, answer = swept(place, tmp_path / "out", *SETS)
    assert code == 0
    assert (answer["runs"], answer["ran"], answer["missing"]) == (6, 6, 0)
    all_right(place, answer, 6)
    picture = (tmp_path / "out" / "heatmap.svg").read_text()
    assert picture in (tmp_path / "out" / "sweep.html").read_text()
    for value in (*WIDTHS, *LOTS):
        assert f">{value}<" in picture
    second = swept(place, tmp_path / "out", *SETS)[1]
    assert (second["ran"], second["from_before"]) == (0, 6)
    assert second["rows"] == answer["rows"]


def test_a_grown_grid_runs_only_what_is_new_and_counts_all_as_trials(place, tmp_path):
    first = swept(place, tmp_path / "out", "--set", "params.half_spread_ticks=0.6,1.2")[1]
    grown = swept(place, tmp_path / "out", "--set", "params.half_spread_ticks=1.2,2.0")[1]
    assert (first["verdict"]["trials"], grown["verdict"]["trials"]) == (2, 3)
    assert (grown["from_before"], grown["ran"]) == (1, 1)


def test_a_run_that_an_other_key_led_to_is_found_again(place, tmp_path):
    swept(place, tmp_path / "out", "--set", "params.half_spread_ticks=1.0")
    told = swept(place, tmp_path / "out", "--set", "params.lots=9_000_000,12_000_000")[1]
    assert (told["from_before"], told["ran"]) == (1, 1)
    assert {row["settings"]["params.lots"] for row in told["rows"]} == set(LOTS)


SHY = """
import multiprocessing
from strategies.fixed import FixedParams, FixedStrategy

class Shy(FixedStrategy):
    def __init__(self, params):
        super().__init__(params)
        if multiprocessing.parent_process() and params.lots == 12_000_000:
            raise ValueError("not in company")
"""


def test_a_run_that_fails_is_told_and_not_kept(place, tmp_path):
    (tmp_path / "shy.py").write_text(SHY)
    table = tomllib.loads((place / "mine.toml").read_text())
    table["markets"][0]["strategy"] = f"{tmp_path / 'shy.py'}:Shy"
    (tmp_path / "mine.toml").write_text(tomlkit.dumps(table))
    (tmp_path / "market.gz").write_bytes((place / "market.gz").read_bytes())
    code, answer = swept(tmp_path, tmp_path / "out", "--set", "params.lots=9_000_000,12_000_000")
    assert code == 1
    assert (answer["missing"], lines_in(tmp_path / "out")) == (1, 2)
    assert "not in company" in answer["failed"][0]["reason"]


def test_a_run_that_never_traded_says_why(place, tmp_path):
    answer = swept(place, tmp_path / "out", "--set", "params.lots=1")[1]
    assert "smallest" in answer["rows"][0]["idle"]
    assert answer["verdict"] is None


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("params.lotz=1", 'unknown key; did you mean "lots"'),
        ("params.lots=1,x", "lots=x"),
        ("params.lots=1.5", "expected int, got float"),
        ("params.half_spread_ticks=1,-1", "half_spread_ticks=-1"),
        ("params.lots=1,1", "is there twice"),
        ("params.lots", "is not key=a,b,c"),
        ("params.lots=", "is not key=a,b,c"),
        ("markets[3].params.lots=1", "there is no 3"),
        ("params.lots.more=1", "nothing is inside of"),
        ("params..lots=1", "no step of a path"),
        ("risk.no such.threshold=1", "price collar"),
        ("risk.fills.threshhold=1", 'did you mean "threshold"'),
        ("bands.target=900000000", "bands must rise"),
        ("strategy=nothing", "no strategy is called"),
        ("backtest.spread=1", "a back-test assumes seed"),
        ("backtest.queue=log,first", "is none of power:N"),
        ("backtest.seed=x", "not a whole number"),
        ("runtime.timer_ms=1", "timer_ms must be"),
        ("backtest.balance=XYZ=5", "is not ASSET=amount of"),
        ("bands.lower=170000000.5", "is finer than 10^-0"),
        ("playbook=no/such.toml", "no/such.toml: cannot be read"),
    ],
)
def test_a_bad_key_or_value_is_one_line_before_anything_runs(place, tmp_path, word, line):
    message = refused(place, tmp_path / "out", "--set", word)
    assert line in message
    assert "\n" not in message
    assert message.startswith("--set")


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["--on", "here"], "--on 'here' is neither \"local\""),
        (["--on", "tcp://127.0.0.1:9", *SETS], "no scheduler answers there"),
        (["--step", "soon"], "--step"),
        (["--map", "params.lots"], "is no key of --set"),
        (["--set", "backtest.seed=" + ",".join(map(str, range(10_001)))], "10,000 are the most"),
    ],
)
def test_another_bad_flag_is_one_line(place, tmp_path, more, line):
    with pytest.raises(UserError) as caught:
        swept(place, tmp_path / "out", *more)
    assert line in str(caught.value)


def test_a_key_without_its_market_needs_to_be_the_only_one(place, tmp_path):
    table = tomllib.loads((place / "mine.toml").read_text())
    table["markets"].append({**table["markets"][0], "symbol": "DENT/USDT"})
    (tmp_path / "mine.toml").write_text(tomlkit.dumps(table))
    (tmp_path / "market.gz").write_bytes((place / "market.gz").read_bytes())
    message = refused(tmp_path, tmp_path / "out", "--set", "params.lots=1")
    assert message == "--set params.lots: of which market? Begin with markets[0]."


# --- what it survives ---------------------------------------------------------------------------


def test_a_killed_sweep_goes_on_where_it_was_and_leaves_no_worker(place, tmp_path):
    first = started(place, tmp_path / "out", *SLOW, "--workers", "2")
    wait_for(lambda: lines_in(tmp_path / "out") >= 4, first)
    workers = children_of(first.pid)
    first.kill()
    first.communicate()
    done = lines_in(tmp_path / "out") - 1
    not_too_late(done < 12)
    assert done >= 3
    assert workers
    wait_for(lambda: not any(is_alive(pid) for pid in workers))
    code, answer = swept(place, tmp_path / "out", *SLOW)
    assert code == 0
    assert (answer["from_before"], answer["ran"]) == (done, 12 - done)
    all_right(place, answer, 12)


def test_the_interrupt_key_stops_it_with_a_word_and_without_a_traceback(place, tmp_path):
    running = started(place, tmp_path / "out", *SLOW, "--workers", "1")
    wait_for(lambda: lines_in(tmp_path / "out") >= 2, running)
    os.killpg(running.pid, signal.SIGINT)
    with ends("the sweep"):
        told, mistakes = running.communicate(timeout=WAIT_S)
    not_too_late(running.returncode != 0)
    assert running.returncode == 130
    assert b"the same command goes on from there" in told
    assert b"Traceback" not in mistakes


def test_a_killed_worker_of_the_pool_loses_nothing(place, tmp_path):
    running = started(place, tmp_path / "out", *SLOW, "--workers", "2")
    wait_for(lambda: lines_in(tmp_path / "out") >= 3, running)
    workers = [pid for pid in children_of(running.pid) if "spawn_main" in words_of(pid)]
    not_too_late(workers)
    os.kill(workers[0], signal.SIGKILL)
    with ends("the sweep"):
        told, mistakes = running.communicate(timeout=WAIT_S)
    assert running.returncode == 0, mistakes
    all_right(place, json.loads(told.splitlines()[-1]), 12)


def test_a_killed_worker_of_a_dask_cluster_loses_nothing(place, tmp_path):
    pytest.importorskip("distributed", reason="the extra `sweep` is not installed")
    with Cluster(tmp_path) as cluster:
        running = started(place, tmp_path / "out", *SLOW, "--on", cluster.address)
        wait_for(lambda: lines_in(tmp_path / "out") >= 4, running)
        cluster.workers[0].kill()
        at_the_kill = lines_in(tmp_path / "out") - 1
        with ends("the sweep"):
            told, mistakes = running.communicate(timeout=WAIT_S)
    assert running.returncode == 0, mistakes
    not_too_late(at_the_kill < 12)
    assert lines_in(tmp_path / "out") == 1 + 12
    all_right(place, json.loads(told.splitlines()[-1]), 12)


def planned(place, *sets):
    return plan_of(
        Asked(
            config=place / "mine.toml",
            paths=[place / "market.gz"],
            epoch=0,
            sets=list(sets),
            wanted=Wanted(),
            step_ns=NS_PER_S,
        )
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"data_hash": "other"}, "the data are not those"),
        ({"strategy_hashes": ("other",)}, "the strategy's file is not the one"),
        ({"code_hash": "other"}, "the engine here is not the one"),
        ({"paths": ("/no/such/file.gz",)}, "/no/such/file.gz"),
    ],
)
def test_a_worker_with_other_files_refuses(place, change, reason):
    (job,) = planned(place).jobs
    answer = run_job(msgspec.structs.replace(job, **change))
    assert isinstance(answer, Failed)
    assert reason in answer.reason


def test_a_job_names_the_run_and_not_the_folder(place, tmp_path):
    for name in ("mine.toml", "market.gz"):
        (tmp_path / name).write_bytes((place / name).read_bytes())
    jobs = [planned(each, "params.lots=1,2").jobs for each in (place, tmp_path)]
    assert [job.run.job for job in jobs[0]] == [job.run.job for job in jobs[1]]
    assert len({job.run.job for job in jobs[0]}) == 2


class Cluster:
    """A scheduler and two workers of one thread each, as processes on 127.0.0.1."""

    def __init__(self, directory):
        self.directory = directory
        self.workers = []

    def __enter__(self):
        self.scheduler, told = self._start("scheduler", "--port", "0", "--no-dashboard")
        wait_for(lambda: self._address(told))
        self.address = self._address(told)
        here = ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
        self.workers = [self._start("worker", self.address, *here)[0] for _ in range(2)]
        return self

    def __exit__(self, *_):
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()

    def _start(self, what, *more):
        log = self.directory / f"{what}-{len(self.workers)}-{time.monotonic_ns()}.log"
        module = f"distributed.cli.dask_{what}"
        command = [sys.executable, "-m", module, *more, "--host", "127.0.0.1"]
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        env = os.environ | {"PYTHONPATH": path}  # the very engine that is tested
        with log.open("wb") as file:
            return subprocess.Popen(
                command, stdout=file, stderr=file, cwd=self.directory, env=env
            ), log

    def _address(self, log):
        found = re.search(r"Scheduler at: +(tcp://127\.0\.0\.1:\d+)", log.read_text())
        return found and found[1]


def children_of(pid):
    return [child for child in every_process() if parent_of(child) == pid]


def every_process():
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def parent_of(pid):
    return int(fields_of(pid)[1]) if fields_of(pid) else 0


def fields_of(pid):
    """Of a process's stat, from its state on; none where it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def words_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def is_alive(pid):
    return fields_of(pid)[:1] not in ([], ["Z"])


# --- the file -----------------------------------------------------------------------------------


def row(number, profits=(1.0, 2.0, 4.0), **settings):
    return Row(
        job=f"{number:016x}",
        settings=settings,
        quote="USDT",
        profit=str(sum(profits)),
        drawdown="0",
        turnover="0",
        fills=1,
        decided=1,
        step_ns=NS_PER_S,
        moments=moments_of(profits),
        digest="",
        seconds=0.0,
    )


def filled(path, count=3):
    with ResultsFile(path, HEADER) as results:
        for number in range(count):
            results.append(row(number))


def reopened(path, header=HEADER):
    with ResultsFile(path, header) as results:
        return list(results.rows.values())


def test_rows_come_back_as_they_were_and_none_twice(tmp_path):
    path = tmp_path / "results.jsonl"
    filled(path)
    with ResultsFile(path, HEADER) as results:
        assert not results.append(row(1))
        assert results.append(row(7, lots=3, name="x", wide=1.0))
    assert reopened(path) == [row(0), row(1), row(2), row(7, lots=3, name="x", wide=1.0)]


@given(cut=st.integers(min_value=1))
def test_a_file_cut_anywhere_keeps_every_whole_line(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "results.jsonl"
    filled(path)
    content = path.read_bytes()
    kept = content[: len(content) - cut % len(content)]
    path.write_bytes(kept)
    assert len(reopened(path)) == max(0, kept.count(b"\n") - 1)
    filled(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [lines[0], lines[1].replace(b"7.0", b"9.0"), *lines[2:]],
        lambda lines: [*lines[:2], lines[1], *lines[2:]],
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [*lines[:3], b"\xff nonsense", *lines[3:]],
    ],
)
def test_a_changed_lost_doubled_or_moved_line_is_named(tmp_path, spoil):
    path = tmp_path / "results.jsonl"
    filled(path)
    path.write_bytes(b"\n".join(spoil(path.read_bytes().split(b"\n"))))
    with pytest.raises(UserError, match=rf"{path}:[234]: does not follow"):
        reopened(path)


def test_another_data_another_step_and_another_writer_are_refused(tmp_path):
    path = tmp_path / "results.jsonl"
    filled(path)
    with pytest.raises(UserError, match="use another --out"):
        reopened(path, Header(data_hash="other", step_ns=NS_PER_S))
    with pytest.raises(UserError, match="has step_ns"):
        reopened(path, Header(data_hash="data", step_ns=1))
    with ResultsFile(path, HEADER), pytest.raises(UserError, match="another sweep is writing"):
        reopened(path)


# --- what it says -------------------------------------------------------------------------------


def noise(count, seed=1):
    dice = np.random.default_rng(seed)
    return [row(number, dice.normal(0.0, 1.0, 200)) for number in range(count)]


def test_the_best_of_many_noises_is_not_taken_for_skill():
    rows = noise(200)
    best = ranked(rows, Measure.SHARPE)[0]
    found = verdict(best, rows)
    assert found.single > 0.95
    assert found.deflated < 0.95
    assert not found.is_skill
    assert found.luck_sharpe == pytest.approx(best.sharpe, rel=0.25)


def test_one_that_always_earns_is_skill_among_noises():
    skilled = row(999, np.random.default_rng(5).normal(0.6, 1.0, 200))
    rows = [*noise(30), skilled]
    best = ranked(rows, Measure.SHARPE)[0]
    assert best == skilled
    assert verdict(best, rows).is_skill


def test_of_too_few_steps_nothing_is_told():
    few = row(1, np.random.default_rng(5).normal(1.0, 0.1, 29))
    found = verdict(few, [few])
    assert found.deflated > 0.99
    assert not found.is_skill


def test_more_trials_never_make_the_best_more_credible():
    best = row(999, np.random.default_rng(5).normal(0.2, 1.0, 200))
    chances = [verdict(best, [best, *noise(count)]).deflated for count in (10, 100, 1_000)]
    assert chances == sorted(chances, reverse=True)


def test_a_map_shows_the_best_over_what_it_does_not_show():
    axes = [
        Axis(key="a", values=(1, 2)),
        Axis(key="b", values=(1, 2, 3)),
        Axis(key="c", values=(0,)),
    ]
    rows = [
        row(n, (0.0, float(10 * each["a"] + each["b"])), **each)
        for n, each in enumerate(grid(axes))
    ]
    x, y = axes[1], axes[0]
    assert heat(rows, Measure.PROFIT, x, y).cells == [[11, 12, 13], [21, 22, 23]]
    assert heat(rows, Measure.PROFIT, x, None).cells == [[21, 22, 23]]
    assert heat(rows[:2], Measure.PROFIT, x, y).cells == [[11, 12, None], [None] * 3]
    assert widest(axes) == axes[:2]


def test_the_board_shows_the_best_first_and_what_is_under_way():
    rows = [row(1, (1.0, 2.0, 4.0), lots=5), row(2, (1.0, 2.0, 2.5), lots=7)]
    failed = [Failed(job="x", settings={"lots": 9}, reason="no memory")]
    told = Tallied(
        wanted=4, found=1, measure=Measure.PROFIT, keys=["lots"], rows=rows[::-1], failed=failed
    )
    console = Console(file=StringIO(), force_terminal=True, width=100)
    console.print(drawn(told))
    shown = console.file.getvalue()
    assert "2 of 4 runs, 1 of them from before, 1 failed" in shown
    assert 0 < shown.index("+7 USDT") < shown.index("+5.5 USDT")
    assert failures(told) == ["failed: lots=9: no memory"]


def test_equal_rows_stand_in_an_order_that_does_not_depend_on_when_they_came():
    rows = [row(number) for number in (3, 1, 2)]
    assert ranked(rows, Measure.SHARPE) == ranked(rows[::-1], Measure.SHARPE)


def test_a_row_adds_up_to_what_the_back_test_says(place, tmp_path):
    answer = swept(place, tmp_path / "out", "--set", "params.half_spread_ticks=0.6", "--step", "1s")
    told = answer[1]["rows"][0]
    config = load_config(config_file(tmp_path, half_spread_ticks=0.6))
    ran = run_backtest(config, "x", data_of(config, [place / "market.gz"], 0), Wanted())
    (tally,) = ran.result.markets.values()
    assert float(told["profit"]) == tally.profit_atoms / 10**8
    assert float(told["drawdown"]) == tally.drawdown_atoms / 10**8
    assert float(told["turnover"]) == tally.turnover_atoms / 10**8
    steps = [point.profit_atoms / 10**8 for point in tally.curve]
    wanted = moments_of(np.diff([0.0, *steps]))
    assert told["sharpe"] == pytest.approx(wanted.sharpe, rel=0.1)
    assert msgspec.convert(told["moments"], type(wanted)).steps == pytest.approx(120, abs=2)
