"""The simulated quarter, shortened: every obligation paid, no limit passed, figures that stand."""

import ast
import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from engine.cli.treasury import app
from engine.cli.treasury_quarter_setup import setup_of
from engine.runtime.treasury_file import load_treasury
from engine.sim.quarter import Outcome, run
from engine.sim.quarter_setup import PricePath, prices
from engine.treasury.proposals import Status
from engine.values.action_records import Tier
from engine.values.action_words import Override, Trigger
from engine.values.errors import UserError
from engine.values.execution_records import Switched
from tests import quarter_truth

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "configs" / "quarter.toml"
DAYS = 9
"""All that happens in 90 days happens in these too, earlier: a whole one is for a release."""
PATHS = tuple(PricePath)


@cache
def lived(path: PricePath, *, with_signals: bool = False) -> Outcome:
    return run(setup_of(FILE, load_treasury(FILE), (3, DAYS, path), with_signals=with_signals))


def ran(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["quarter", *map(str, words)])
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The files of a quarter, and what the verb said of it."""
    place = tmp_path_factory.mktemp("quarter") / "out"
    code, text = ran(FILE, "--days", DAYS, "--seed", 3, "--out", place, "--json")
    assert code == 0, text
    return place, json.loads(text.splitlines()[-1])


# --- what must hold -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_every_obligation_is_paid_at_the_first_moment_of_its_day(path: PricePath) -> None:
    found = lived(path)
    assert len(found.payments) >= 4
    assert found.late == []


@pytest.mark.parametrize("path", PATHS)
def test_no_limit_is_passed(path: PricePath) -> None:
    found = lived(path)
    assert found.world.passed == []
    looked = {one.finding.limit for one in found.world.treasury.limits.standings}
    assert len(looked) == 7


@pytest.mark.parametrize("path", PATHS)
def test_the_books_explain_what_every_place_holds(path: PricePath) -> None:
    found = lived(path)
    assert found.unproved == ()
    assert found.world.alerts == []
    assert found.world.books.readings >= 4


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_done_without_what_the_policy_asks_for(path: PricePath) -> None:
    desk = lived(path).world.desk
    desk.proposals.check()
    began = [one for one in desk.proposals.all() if one.began_ns]
    assert len(began) > 4
    for one in began:
        assert not one.open_slots
        if one.ruling.tier is Tier.TWO_PEOPLE:
            assert {given.role.value for given in one.signatures} == {"finance", "operations"}
    assert not [one for one in desk.proposals.all() if one.status is Status.UNKNOWN]


def test_the_outage_stops_the_venue_and_its_evidence_follows() -> None:
    found = lived(PricePath.FLAT)
    switches = [row for row in found.world.records if isinstance(row, Switched)]
    assert [(row.name, row.is_on) for row in switches] == [("beta", True), ("beta", False)]
    (stop,) = _overrides(found, Trigger.EXCHANGE_OUTAGE)
    assert (stop.status, stop.missing, len(stop.evidence)) == (Status.DONE, [], 2)
    assert "0 missing, 0 raised, gap 0" in found.ladders


def test_the_ladder_could_always_raise_what_is_rehearsed() -> None:
    rehearsed = [text for text in lived(PricePath.DOWN).ladders if "rehearsed" in text]
    assert len(rehearsed) == 2
    assert all(text.endswith("gap 0") for text in rehearsed)


def test_the_depeg_is_sold_by_an_override_that_a_second_person_signs() -> None:
    found = lived(PricePath.FLAT)
    (sale,) = _overrides(found, Trigger.DEPEG)
    assert (sale.status, sale.missing) == (Status.DONE, [])
    assert [given.who for given in sale.signatures] != ["anna"]
    assert found.world.held["alpha", "USDD"] == 0


def _overrides(found: Outcome, trigger: Trigger) -> list[Any]:
    return [
        one
        for one in found.world.desk.proposals.all()
        if isinstance(one.request.action, Override) and one.request.action.trigger is trigger
    ]


def test_staged_orders_stay_within_their_ceilings() -> None:
    worked = lived(PricePath.FLAT).orders.worked
    assert worked
    for one in worked:
        limit = one.plan.limit
        assert one.said.money_atoms * limit[1] >= one.said.atoms * limit[0] * 999_999 // 10**6


# --- nothing reads a forecast ---------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_with_signals_and_without_the_decisions_are_the_same(path: PricePath) -> None:
    without, shown = lived(path), lived(path, with_signals=True)
    assert (len(without.ratings), len(shown.ratings)) == (0, DAYS * 4 + 1)
    assert len(set(shown.ratings)) > 2
    assert shown.decisions == without.decisions
    assert msgspec.json.encode(shown.world.records) == msgspec.json.encode(without.world.records)


def test_another_seed_is_another_quarter() -> None:
    other = run(setup_of(FILE, load_treasury(FILE), (4, 3, PricePath.UP), with_signals=False))
    same = run(setup_of(FILE, load_treasury(FILE), (3, 3, PricePath.UP), with_signals=False))
    assert other.decisions != same.decisions


def test_prices_go_up_down_and_nowhere() -> None:
    file = load_treasury(FILE)
    ends = []
    for path in PATHS:
        found = prices(setup_of(FILE, file, (1, 90, path), with_signals=False))
        ends.append(found[-1] / found[0])
    assert ends[0] > 2
    assert ends[1] < 0.55
    assert 0.8 < ends[2] < 1.25


# --- the report, worked out again -----------------------------------------------------------------


def test_the_independent_script_imports_nothing_of_the_engine() -> None:
    tree = ast.parse(Path(quarter_truth.__file__).read_text())
    names = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not {name for name in names if name.split(".")[0] in ("engine", "adapters", "tests")}


def test_the_figures_of_the_report_follow_from_the_ledger_alone(left: tuple[Path, Any]) -> None:
    place, answer = left
    found = quarter_truth.truth(place, DAYS + 1)
    tables = answer["report"]["tables"]
    figures = {row["figure"]: row for row in tables["figures"]["rows"]}
    assert (found["unbalanced"], found["differences"], found["late"]) == ([], [], [])
    assert found["unsigned"] == []

    def told(name: str, cell: str = "value") -> float:
        return float(figures[name][cell])

    assert told("realised slippage") == pytest.approx(100 * found["realised slippage"], abs=2e-4)
    beside = told("realised slippage", "beside")
    assert beside == pytest.approx(100 * found["expected slippage"], abs=2e-4)
    assert told("time to liquidity") == pytest.approx(found["time to liquidity"], abs=4e-4)
    assert told("time to liquidity", "beside") == pytest.approx(found["longest"], abs=4e-4)
    covered = told("obligations covered by liquid reserves")
    assert covered == pytest.approx(100 * found["covered"], abs=2e-4)
    assert told("policy breaches") == found["policy breaches"] == 0
    assert told("unplanned drift") == pytest.approx(100 * found["unplanned drift"], abs=2e-4)
    for row in tables["drift"]["rows"]:
        share = found["drifts"][f"{row['venue']} {row['asset']}"]
        assert float(row["% of target"]) == pytest.approx(100 * share, abs=2e-4)


def test_the_ledger_alone_shows_that_shares_and_turnover_were_kept(left: tuple[Path, Any]) -> None:
    found = quarter_truth.truth(left[0], DAYS + 1)
    assert 0 < found["largest share"] <= 0.4
    assert 0 < found["largest turnover"] <= 120_000_000 * 10**8


def test_the_script_sees_a_ledger_that_was_changed(left: tuple[Path, Any], tmp_path: Path) -> None:
    for path in left[0].iterdir():
        if path.suffix in (".csv", ".json", ".jsonl", ".toml"):
            (tmp_path / path.name).write_text(path.read_text())
    with (tmp_path / "ledger.csv").open() as stream:
        head, *rows = list(csv.reader(stream))
    index = next(n for n, row in enumerate(rows) if row[5].startswith("paid "))
    rows[index][7] = str(int(rows[index][7]) - 1)
    with (tmp_path / "ledger.csv").open("w") as stream:
        csv.writer(stream).writerows([head, *rows])
    found = quarter_truth.truth(tmp_path, DAYS + 1)
    assert len(found["unbalanced"]) == 1
    assert len(found["late"]) == 1


# --- the verb -------------------------------------------------------------------------------------


def test_the_verb_leaves_what_other_verbs_read(left: tuple[Path, Any]) -> None:
    place, answer = left
    assert answer["ok"] is True
    assert answer["late"] == []
    result = CliRunner().invoke(
        app, ["ledger", str(place), "--policy", str(place / "treasury.toml"), "--json"]
    )
    found = json.loads(result.output.splitlines()[-1])
    assert (found["ok"], found["differences"]) == (True, 0)
    assert found["entries"] == answer["entries"]
    result = CliRunner().invoke(
        app,
        ["report", "weekly", str(place / "treasury.toml"), "--at", str(place), "--facts",
         str(place / "facts.json"), "--json"],
    )  # fmt: skip
    tables = json.loads(result.output.splitlines()[-1])["tables"]
    assert {row["state"] for row in tables["limits"]["rows"]} == {"holds"}
    assert tables["orders"]["rows"]


def test_a_limit_that_nobody_can_keep_is_said_and_is_the_exit_code(tmp_path: Path) -> None:
    tight = tmp_path / "tight.toml"
    policy = FILE.read_text().replace("share_ppm = 150_000", "share_ppm = 15_000")
    tight.write_text(policy)
    code, text = ran(tight, "--days", 2, "--json")
    answer = json.loads(text.splitlines()[-1])
    assert (code, answer["ok"]) == (1, False)
    assert answer["limits_passed_without_approval"] > 0


def test_a_directory_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    code, text = ran(FILE, "--days", 1, "--out", tmp_path)
    assert (code, text) == (2, f"{tmp_path}: is not empty")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_file_without_a_section_is_one_line(tmp_path: Path) -> None:
    thin = tmp_path / "thin.toml"
    thin.write_text(FILE.read_text().partition("[emergency]")[0])
    code, text = ran(thin, "--days", 1)
    assert code == 2
    assert text == f"{thin}: needs [authority], [execution], [rebalance] and [emergency]"
