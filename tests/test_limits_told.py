"""`treasury check --at` shows the limits in force; what a file wishes wider is told beside them."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.cli.treasury_text import limit_lines
from engine.cli.treasury_view import limits_answer
from engine.cli.treasury_world import Told, World, world_of
from engine.runtime.operating import moment_text
from engine.runtime.treasury_facts import parse_facts, scheme_of
from engine.runtime.treasury_file import TreasuryFile, load_treasury
from engine.trading.treasury_told import account_told
from engine.treasury.treasury import Treasury
from engine.values.errors import UserError
from engine.values.treasury_words import LimitRow, LimitsSet, LimitWidened, Measure
from tests.report_builders import POLICY, ROOT, written
from tests.test_treasury_stopped import ran, session

CAP = "daily turnover"
WAITS = "the file asks for 600,000,000 BTT; widening waits for a second person"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def words(file: TreasuryFile, *beside: LimitRow, **changes: Any) -> LimitsSet:
    """The rows of the file, its turnover changed; `beside` come last."""
    rows = [msgspec.structs.replace(r, **changes) if r.name == CAP else r for r in file.limits]
    return LimitsSet(
        at_ns=time.time_ns(), who="file", name="t.toml", digest="", rows=[*rows, *beside]
    )


def running(*told: LimitsSet | LimitWidened) -> World:
    """What an engine that has heard these answers, read beside today's file."""
    file = load_treasury(Path(POLICY))
    treasury = Treasury(scheme_of(file), file.liquid, [])
    for word in told:
        treasury.learn(word, "t")
    bare = {"at": moment_text(time.time_ns()), "balances": [], "books": [], "may_fill": []}
    table = account_told(bare, treasury, moment_text)
    read = json.loads(json.dumps(table))
    return world_of(Path(POLICY), [Told(name="e", facts=parse_facts(read, "e"), table=read)])


def cap(world: World) -> dict[str, Any]:
    return next(row for row in limits_answer(world) if row["limit"] == CAP)


def test_a_running_engine_shows_the_limit_in_force_and_what_the_file_asks_for() -> None:
    file = load_treasury(Path(POLICY))
    world = running(words(file, tokens="300000000"), words(file))
    row = cap(world)
    assert row["ceiling"] == {"tokens": "300000000", "money": "400"}
    assert (row["asks"]["tokens"], row["waits"]) == ("600000000", WAITS)
    [line] = [line for line in limit_lines(limits_answer(world), "USDT") if CAP in line]
    assert "at most 300,000,000 BTT" in line
    assert line.endswith(WAITS)


def test_what_a_second_person_agreed_to_is_in_force_and_waits_no_more() -> None:
    file = load_treasury(Path(POLICY))
    [wide] = [row for row in file.limits if row.name == CAP]
    widened = LimitWidened(at_ns=time.time_ns(), action="d", name=CAP, row=wide)
    row = cap(running(words(file, tokens="300000000"), words(file), widened))
    assert (row["ceiling"]["tokens"], row["asks"], row["waits"]) == ("600000000", None, "")


def test_a_row_that_the_file_no_longer_has_is_still_in_force() -> None:
    old = LimitRow(name="old", measure=Measure.STABLE_BUFFER, days=3)
    found = limits_answer(running(words(load_treasury(Path(POLICY)), old)))
    [row] = [row for row in found if row["limit"] == "old"]
    assert row["waits"] == "the file has it no more; that waits for a second person"


def test_a_stopped_engine_shows_them_too(tmp_path: Path) -> None:
    file = load_treasury(Path(POLICY))
    told = [words(file, tokens="300000000", money="99"), words(file)]
    written(tmp_path / "journal.db", session(*told, is_ended=True))
    _, text = ran("check", POLICY, "--at", tmp_path, "--json")
    [row] = [r for r in json.loads(text.splitlines()[-1])["limits"] if r["limit"] == CAP]
    assert row["ceiling"] == {"tokens": "300000000", "money": "99"}
    assert "the file asks for 600,000,000 BTT, 400 USDT; widening waits" in row["waits"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"name": "a", "measure": "staked", "days": 3}, "limits[0].asset: missing"),
        ({"name": "a", "measure": "staked", "asset": "XYZ", "days": 3}, 'limits[0].asset: "XYZ"'),
    ],
)
def test_a_row_that_makes_no_sense_is_named(row: dict[str, Any], fault: str) -> None:
    table = {"at": moment_text(0), "balances": [], "limits": [row]}
    with pytest.raises(UserError) as caught:
        world_of(Path(POLICY), [Told(name="f", facts=parse_facts(table, "f"), table=table)])
    assert fault in str(caught.value)
