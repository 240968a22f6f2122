"""The quarter with the running engine, shortened: an outage, a depeg and a payment over sockets.

It is lived once, by the verb in a process of its own; what it left is looked at from all sides.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.cli.quarter_live import live_lines
from engine.runtime.journal_reader import read, verify
from engine.values.action_words import Scope
from engine.values.execution_records import ParentState
from engine.values.records import StateChanged
from tests import quarter_truth

ROOT = Path(__file__).resolve().parent.parent
DAYS = 3
"""Of these the venue beta is gone on day 1, on which the peg breaks; payroll is due on day 2."""
DAY_S = 86_400
HANDED_OVER = ParentState.HANDED_OVER


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """What the quarter left, and what the verb said of it."""
    place = tmp_path_factory.mktemp("live") / "q"
    command = [
        sys.executable, "-m", "engine.cli", "treasury", "quarter", "--live", "--days", str(DAYS),
        "--seed", "3", "--out", str(place), "--json",
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    told = (place / "summary.json").read_text() if place.exists() else ""
    assert ran.returncode == 0, told + ran.stderr[-3_000:]
    return place, json.loads(ran.stdout.splitlines()[-1])


def rows(place: Path, kind: str) -> list[Any]:
    return [row.record for row in read(place / "journal.db", kinds=(kind,))]


def test_what_is_owed_is_paid_on_its_day_and_nothing_is_passed(left: tuple[Path, Any]) -> None:
    place, answer = left
    assert (answer["obligations"], answer["late"]) == (1, [])
    assert answer["slowest_payment_s"] < DAY_S
    assert (answer["limits_passed"], answer["limits_passed_without_approval"]) == (0, 0)
    assert len(rows(place, "ObligationPaid")) == 1


def test_every_order_is_intended_once_and_meets_nobody_of_ours(left: tuple[Path, Any]) -> None:
    _, answer = left
    assert answer["placed"] > 5
    assert answer["fills"] > 0
    assert (answer["self_trades"], answer["unverified"]) == (0, [])
    assert answer["children"] >= answer["orders"] >= 1
    assert answer["frozen"] == []


def test_the_journals_hold_and_the_books_are_the_venues_to_the_atom(left: tuple[Path, Any]) -> None:
    place, answer = left
    assert answer["unproved"] == []
    assert [verify(place / name).problem for name in ("journal.db", "haul/treasury.db")] == ["", ""]


def test_every_leap_of_time_pulls_and_the_engine_finds_its_feet(left: tuple[Path, Any]) -> None:
    """Hours of silence are seen as such, and quotes stand again in the same session."""
    place, answer = left
    moves = [row for row in rows(place, "StateChanged") if isinstance(row, StateChanged)]
    pulled = Counter(row.market for row in moves if "silent for " in row.reason)
    leaps = answer["sessions"] - 1
    assert sum(pulled.values()) >= leaps
    assert answer["placed"] > leaps, "and quotes after them"


def test_the_venue_that_went_away_was_stopped_and_let_go_again(left: tuple[Path, Any]) -> None:
    place, answer = left
    # People may stop one conversion too, where the thin book had no room for it twice.
    switches = [row for row in rows(place, "Switched") if row.scope is Scope.VENUE]
    assert [(row.name, row.is_on) for row in switches] == [("beta", True), ("beta", False)]
    assert any(name.startswith("beta") for name in answer["wires_lost"])
    assert answer["actions"]["override"] >= 2, "the outage and the depeg"


def test_the_stable_asset_that_lost_its_peg_was_sold(left: tuple[Path, Any]) -> None:
    """All of it, or people have been handed what the day's turnover left no room for."""
    place, _ = left
    found = quarter_truth.truth(place, DAYS + 1, DAY_S)
    sales = [row.plan for row in rows(place, "ParentStarted") if row.plan.asset == "USDD"]
    assert sales
    to_people = [row.parent for row in rows(place, "ParentMoved") if row.after is HANDED_OVER]
    too_small = 10**8
    left_atoms = found["held"].get("alpha USDD", 0)
    assert left_atoms < too_small or (left_atoms < sales[0].atoms and sales[0].parent in to_people)


def test_the_figures_follow_from_ledger_and_journal_alone(left: tuple[Path, Any]) -> None:
    place, answer = left
    found = quarter_truth.truth(place, DAYS + 1, DAY_S)
    for name in ("unbalanced", "differences", "late", "unsigned"):
        assert found[name] == [], name
    figures = {row["figure"]: row for row in answer["report"]["tables"]["figures"]["rows"]}

    def told(name: str, cell: str = "value") -> float:
        return float(figures[name][cell])

    slip = told("realised slippage"), told("realised slippage", "beside")
    wanted = 100 * found["realised slippage"], 100 * found["expected slippage"]
    assert slip == pytest.approx(wanted, abs=2e-4)
    assert told("time to liquidity") == pytest.approx(found["time to liquidity"], abs=4e-4)
    covered = told("obligations covered by liquid reserves")
    assert covered == pytest.approx(100 * found["covered"], abs=2e-4)
    assert told("unplanned drift") == pytest.approx(100 * found["unplanned drift"], abs=2e-4)
    assert 0 < found["largest share"] <= 0.4
    assert 0 < found["largest turnover"] <= 120_000_000 * 10**8


def test_people_read_what_does_not_hold_in_lines_of_its_own(left: tuple[Path, Any]) -> None:
    bad = {**left[1], "late": ["rent"], "unproved": ["alpha holds 1 BTT, the ledger says 2"]}
    lines = live_lines({**bad, "took_s": 1.0}, DAYS)
    assert "LATE: rent" in lines
    assert any("NOT PROVED" in line for line in lines)


def test_a_quarter_that_is_lived_leaves_alone_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    command = [
        sys.executable, "-m", "engine.cli", "treasury", "quarter", "--live", "--out", str(tmp_path)
    ]  # fmt: skip
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr.strip()) == (2, f"ballast: {tmp_path}: is not empty")
