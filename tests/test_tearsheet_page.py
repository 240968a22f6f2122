"""A tear sheet on paper: one page and its tables with the same cells, and two of them compared."""

import csv
import gzip
import json
import os
import subprocess
import sys
from decimal import Decimal
from itertools import islice

import pytest
from typer.testing import CliRunner

from engine.cli.verbs import app_of
from engine.runtime.recorder import Recorder, RecorderParams
from engine.sim.profit_parts import PARTS
from engine.values.errors import UserError
from tests.market_data import spot_wire
from tests.patience import ends
from tests.recording_builders import header, lived
from tests.sim import builders
from tests.sim.venue import MARKET
from tests.tearsheet_builders import Page

TABLES = {
    "assumed", "bands", "equity", "fills", "inventory", "markouts", "profit", "profit_over_time",
    "quotes", "summary",
}  # fmt: skip


def ballast(verb, *words):
    """(exit code or the mistake, what was printed)."""
    done = CliRunner().invoke(app_of([verb]), [verb, *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return done.exception, ""
    return done.exit_code, done.stdout


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A recorded session that is long enough for a bootstrap: 130 s are 13 steps."""
    home = tmp_path_factory.mktemp("session")
    recorder = Recorder(home, header(), RecorderParams(free_bytes_min=0))
    recorder.start()
    lived(recorder, seconds=130)
    recorder.close()
    return home


def run(session, folder, *words):
    code, printed = ballast(
        "backtest", builders.DEMO, "--data", session, "--tables", folder, "--json",
        "--report", folder.with_suffix(".html"), "--obligation", "600,1000", *words,
    )  # fmt: skip
    assert code == 0
    folder.with_suffix(".json").write_text("other lines come before\n" + printed)
    return folder


@pytest.fixture(scope="module")
def first(session, tmp_path_factory):
    return run(session, tmp_path_factory.mktemp("first") / "a")


@pytest.fixture(scope="module")
def second(session, tmp_path_factory):
    return run(session, tmp_path_factory.mktemp("second") / "b", "--fees", "500,900")


def rows(folder, name):
    return json.loads((folder / f"{name}.json").read_text())["rows"]


def lines(folder, name):
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.reader(file))


def shown(cell):
    return "" if cell is None else str(cell)


def test_every_table_has_the_same_cells_as_csv_and_as_json(first):
    assert {path.stem for path in first.iterdir()} == TABLES
    for name in TABLES:
        head, *body = lines(first, name)
        told = rows(first, name)
        assert told, name
        assert list(told[0]) == head
        assert [[shown(cell) for cell in row.values()] for row in told] == body


def test_the_parts_on_paper_add_up_to_the_last_digit(first):
    parts = {row["part"]: Decimal(row["amount"]) for row in rows(first, "profit")}
    total = parts.pop("total")
    assert total != 0
    assert sum(parts.values()) == total
    steps = rows(first, "profit_over_time")
    assert sum(Decimal(row["total"]) for row in steps) == total
    for name in PARTS:
        assert sum(Decimal(row[name]) for row in steps) == parts[name.replace("_", " ")]
    summary = {row["measure"]: row["value"] for row in rows(first, "summary")}
    assert Decimal(summary["profit"]) == total
    assert Decimal(rows(first, "equity")[-1]["profit"]) == total


def test_the_page_shows_the_cells_of_the_files_and_draws_the_rest(first):
    page = Page(first.with_suffix(".html").read_text())
    for name in ("profit", "summary", "markouts", "bands", "assumed"):
        for row in rows(first, name):
            cells = [shown(cell) for key, cell in row.items() if key != "market"]
            assert any(
                page.cells[at : at + len(cells)] == cells for at in range(len(page.cells))
            ), cells
    assert page.pictures == 5


def test_the_page_needs_nothing_but_itself(first):
    text = first.with_suffix(".html").read_text()
    page = Page(text)
    assert page.scripts == 0
    assert page.outside == []
    assert len(page.ids) == len(set(page.ids))
    assert "@import" not in text
    assert "other traders&#39; answers" in text


def test_what_was_assumed_is_on_the_sheet(first):
    told = {row["what"]: row["value"] for row in rows(first, "assumed")}
    assert {"seed", "queue", "latency", "fees", "data hash", "config hash"} <= told.keys()
    assert len(told["data hash"]) == len(told["config hash"]) == 64
    assert "maker" in told["fees"]


def test_the_obligation_is_met_for_a_part_of_the_time_that_is_told(first):
    told = {row["measure"]: row for row in rows(first, "summary")}
    assert 0 < told["obligation met"]["value"] <= told["both stood"]["value"] <= 1
    assert "within 600 bp" in told["obligation met"]["meaning"]


def test_the_same_run_gives_the_same_bytes(session, first, tmp_path):
    again = run(session, tmp_path / "a")
    for path in sorted(again.iterdir()):
        assert path.read_bytes() == (first / path.name).read_bytes(), path.name
    pages = [folder.with_suffix(".html").read_bytes() for folder in (first, again)]
    assert pages[0] == pages[1]


def test_the_spot_pair_gives_the_same_sheet_in_another_process_with_another_hash_seed(tmp_path):
    piece = tmp_path / "piece.gz"
    with gzip.open(spot_wire()[0]) as whole, gzip.open(piece, "wb", compresslevel=1) as part:
        part.writelines(islice(whole, 4_000))
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "engine.cli", "backtest", "configs/recorded.toml", "--data",
             piece, "--report", tmp_path / f"{seed}.html", "--tables", tmp_path / str(seed)],
            env={**os.environ, "PYTHONHASHSEED": str(seed)}, stdout=subprocess.DEVNULL,
        )
        for seed in (1, 2)
    ]  # fmt: skip
    with ends("a run"):
        assert [each.wait(180) for each in runs] == [0, 0]
    for name in TABLES:
        first, second = ((tmp_path / seed / f"{name}.csv").read_bytes() for seed in "12")
        assert first == second, name
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()
    assert len(rows(tmp_path / "1", "fills")) > 5
    parts = {row["part"]: Decimal(row["amount"]) for row in rows(tmp_path / "1", "profit")}
    assert sum(parts.values()) == 2 * parts["total"]


@pytest.mark.parametrize("text", ["50", "x,1", "50,x", "0,1", "50,0", "50,0.5"])
def test_an_obligation_that_is_none_is_a_user_s_mistake(session, text):
    error, _ = ballast("backtest", builders.DEMO, "--data", session, "--obligation", text)
    assert isinstance(error, UserError)
    assert "--obligation" in str(error)


def test_a_report_that_cannot_be_drawn_or_written_says_why(session, tmp_path, monkeypatch):
    words = ("backtest", builders.DEMO, "--data", session, "--report")
    error, _ = ballast(*words, tmp_path)
    assert isinstance(error, UserError)
    assert f"--report {tmp_path}: cannot be written" in str(error)
    monkeypatch.setitem(sys.modules, "engine.cli.tearsheet_page", None)
    error, _ = ballast(*words, tmp_path / "a.html")
    assert "ballast[research]" in str(error)


# --- compare ------------------------------------------------------------------------------------


def compared(*words):
    code, printed = ballast("compare", *words, "--json")
    assert code == 0
    return json.loads(printed.splitlines()[-1])


def part(answer, name):
    return next(row for row in answer["markets"][0]["parts"] if row["part"] == name)


def test_two_runs_side_by_side_differ_by_what_was_changed(first, second):
    answer = compared(first, second)
    market = answer["markets"][0]
    assert market["market"] == MARKET
    assert market["steps"] >= 13
    fees = part(answer, "fees")
    own = {row["part"]: row["amount"] for row in rows(first, "profit")}
    assert Decimal(fees["a"]) == Decimal(own["fees"])
    assert Decimal(fees["b"]) - Decimal(fees["a"]) == Decimal(fees["difference"])
    assert fees["low"] <= float(fees["difference"]) <= fees["high"]
    assert not fees["has_zero"]
    assert {row["what"] for row in answer["assumed"]} >= {"fees"}
    assert answer["notes"] == []


def test_tables_and_answers_of_one_run_compare_alike(first, second):
    tables = compared(first, second, "--seed", 3)
    answers = compared(first.with_suffix(".json"), second.with_suffix(".json"), "--seed", 3)
    assert tables["markets"][0]["parts"] == answers["markets"][0]["parts"]
    assert [row["what"] for row in tables["assumed"]] == [row["what"] for row in answers["assumed"]]


def test_a_run_against_itself_differs_in_nothing(first):
    answer = compared(first, first.with_suffix(".json"))
    assert all(row["difference"] == "0" for row in answer["markets"][0]["parts"])
    assert all(row["has_zero"] for row in answer["markets"][0]["parts"])
    assert answer["assumed"] == []


def test_the_seed_decides_the_interval(first, second):
    intervals = [
        [part(compared(first, second, "--seed", seed), "total")[side] for side in ("low", "high")]
        for seed in (1, 1, 2)
    ]
    assert intervals[0] == intervals[1] != intervals[2]


def test_the_text_names_both_runs_and_what_they_assumed_otherwise(first, second):
    code, printed = ballast("compare", first, second)
    assert code == 0
    assert "assumed otherwise" in printed
    assert "more than chance" in printed


def edited(folder, to, name, change):
    """A copy of a run's tables in which the rows of one are others."""
    to.mkdir()
    for path in folder.glob("*.json"):
        table = json.loads(path.read_text())
        if path.stem == name:
            table["rows"] = change(table["rows"])
        (to / path.name).write_text(json.dumps(table))
    return to


def test_steps_that_only_one_run_has_are_left_out_and_too_few_give_no_interval(first, tmp_path):
    short = edited(first, tmp_path / "short", "profit_over_time", lambda rows: rows[:5])
    answer = compared(first, short)
    assert answer["markets"][0]["steps"] == 5
    assert part(answer, "total")["low"] is None
    assert len(answer["notes"]) == 2


def test_a_run_in_finer_steps_is_looked_at_in_the_other_s(first, tmp_path):
    def coarser(rows):
        whole = [dict(row, step_s=20) for row in rows if row["from_ns"] % 20_000_000_000 == 0]
        for row in rows:
            if row["from_ns"] % 20_000_000_000:
                into = [each for each in whole if each["from_ns"] == row["from_ns"] - 10**10]
                for each in into:
                    each |= {n: str(Decimal(each[n]) + Decimal(row[n])) for n in PARTS}
        return whole

    other = edited(first, tmp_path / "coarse", "profit_over_time", coarser)
    answer = compared(first, other)
    assert answer["markets"][0]["step_s"] == 20
    inner = [Decimal(row["difference"]) for row in answer["markets"][0]["parts"]]
    assert inner == [0] * len(inner)


def test_what_cannot_be_compared_is_one_line(first, tmp_path):
    def renamed(rows):
        return [dict(row, market="DOGE/USDT@v") for row in rows]

    def later(rows):
        return [dict(row, from_ns=row["from_ns"] + 10**15) for row in rows]

    (tmp_path / "text").write_text("{}\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    other = edited(first, tmp_path / "other", "profit", renamed)
    moved = edited(first, tmp_path / "moved", "profit_over_time", later)
    for path, said in (
        (tmp_path / "none", "cannot be read"),
        (tmp_path / "text", "holds no back-test's"),
        (empty, "cannot be read"),
        (other, "holds no back-test's"),
        (moved, "no moment in common"),
    ):
        error, _ = ballast("compare", first, path)
        assert isinstance(error, UserError), path
        assert said in str(error)


@pytest.mark.parametrize(
    "words", [("--samples", 0), ("--confidence", 1), ("--block", 0.5), ("--seed", -1)]
)
def test_a_number_that_makes_no_interval_is_a_user_s_mistake(first, words):
    error, _ = ballast("compare", first, first, *words)
    assert isinstance(error, UserError)
    assert words[0] in str(error)


def test_a_comparison_too_says_what_is_not_modelled(first):
    code, printed = ballast("compare", first, first)
    assert code == 0
    assert "other traders' answers" in printed.splitlines()[-1]
