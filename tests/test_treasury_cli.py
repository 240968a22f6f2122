"""`ballast treasury liquid` and `check`, from files: figures, exit codes and mistakes."""

import json
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from typer.testing import CliRunner

from engine.cli.treasury import app
from engine.values.errors import UserError
from tests.test_treasury_files import AT, ROOT

POLICY = "configs/treasury.toml"
CUSTODY = "configs/treasury_custody.json"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in a treasury file are relative to where the command is run."""
    monkeypatch.chdir(ROOT)


def ran(*words: str) -> tuple[int, str]:
    """Exit code and output; a UserError counts as what the real command makes of it."""
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def answer(*words: str) -> tuple[int, Any]:
    code, text = ran(*words, "--json")
    return code, json.loads(text.splitlines()[-1])


def venue(directory: Path, **changes: Any) -> str:
    """A picture of the venue's account, as the engine would tell it."""
    known: dict[str, Any] = {
        "at": AT,
        "balances": [
            {"place": "loopback", "asset": "BTT", "amount": "200000000"},
            {"place": "loopback", "asset": "USDT", "amount": "1000"},
        ],
        "books": [
            {
                "venue": "loopback", "asset": "BTT", "quote": "USDT", "at": AT,
                "taker_fee_ppm": 1000,
                "bids": [["0.00000062", "4000000"], ["0.0000006", "900000000"]],
                "asks": [["0.00000063", "4000000"]],
            }
        ],
    }  # fmt: skip
    path = directory / "venue.json"
    path.write_text(json.dumps({**known, **changes}))
    return str(path)


def test_liquid_answers_in_tokens_and_in_money(tmp_path: Path) -> None:
    code, found = answer("liquid", POLICY, "--facts", venue(tmp_path), "--facts", CUSTODY)
    assert code == 0
    btt, usdt = found["assets"]
    assert (btt["held"], btt["owed"], btt["liquid"]) == ("2350000000", "2100000000", "250000000")
    # 4,000,000 at 62 and 246,000,000 at 60, less 0.1 % and 5 %, level by level and rounded down.
    assert btt["worth"] == "142.433424"
    assert usdt["liquid"] == "2250"
    assert float(found["liquid_money"]) == pytest.approx(2250 + float(btt["worth"]))
    assert found["first_uncovered"] is None
    assert found["curve"][0]["due"] == "2026-12-01"
    assert found["released"][0]["sell"] == "40000000"


def test_the_headline_is_the_first_line_that_people_read(tmp_path: Path) -> None:
    code, text = ran("liquid", POLICY, "--facts", venue(tmp_path), "--facts", CUSTODY)
    first = text.splitlines()[0]
    assert code == 0
    assert first.startswith("liquid today (cash within 24 h), after all locks and obligations: 2,3")
    assert first.endswith(" USDT")
    assert "every date is covered" in text


def test_a_date_that_is_not_covered_is_named_and_is_the_exit_code(tmp_path: Path) -> None:
    code, found = answer("liquid", POLICY, "--facts", venue(tmp_path))
    assert (code, found["first_uncovered"], found["liquid_money"]) == (1, "2026-12-01", "0")
    code, text = ran("liquid", POLICY, "--facts", venue(tmp_path))
    assert "first date NOT covered: 2026-12-01" in text
    assert "SHORT of" in text


def test_a_lost_price_makes_the_figure_smaller(tmp_path: Path) -> None:
    told = venue(tmp_path, books=[])
    code, found = answer("liquid", POLICY, "--facts", told, "--facts", CUSTODY)
    assert (code, found["liquid_money"], found["liquid_tokens"]) == (0, "2250", None)
    assert found["scores"] == [{"asset": "BTT", "score": None, "why": "no venue is usable"}]


def test_check_lists_each_limit_with_value_ceiling_room_and_fact(tmp_path: Path) -> None:
    code, found = answer("check", POLICY, "--facts", venue(tmp_path), "--facts", CUSTODY)
    assert (code, found["ok"]) == (0, True)
    first = found["limits"][0]
    assert first["limit"] == "unhedged against 30 days"
    assert first["value"] == {"tokens": "250000000", "money": "156.25"}
    assert first["ceiling"] == {"tokens": "300000000", "money": "187.5"}
    assert first["room"] == {"tokens": "50000000", "money": "31.25"}
    assert first["moved_by"] == f"{CUSTODY}: balance of BTT at cold wallet"
    assert len(found["limits"]) == 8


def test_a_passed_limit_is_the_exit_code_of_check(tmp_path: Path) -> None:
    code, text = ran("check", POLICY, "--facts", venue(tmp_path))
    assert code == 1
    assert "PASSED" in text


def test_check_without_facts_proves_the_files(tmp_path: Path) -> None:
    code, text = ran("check", POLICY)
    assert code == 0
    assert f"{POLICY}: fine; 8 limits" in text
    table = tomlkit.parse((ROOT / POLICY).read_text()).unwrap()
    broken = tmp_path / "o.csv"
    broken.write_text("name,due,function,asset,amount\na,never,rebates,BTT,5\n")
    table["files"]["obligations"] = str(broken)
    policy = tmp_path / "t.toml"
    policy.write_text(tomlkit.dumps(table))
    code, text = ran("check", str(policy))
    assert (code, text) == (2, f'{broken}:2: due: "never" is no UTC date like 2026-01-31')


def test_a_doubled_price_is_told_for_review(tmp_path: Path) -> None:
    was = [{"asset": "BTT", "price": "0.0000003", "at": AT}]
    told = venue(tmp_path, reviewed=was)
    code, found = answer("check", POLICY, "--facts", told, "--facts", CUSTODY)
    assert code == 1
    assert found["reviews_due"][0]["asset"] == "BTT"
    assert found["reviews_due"][0]["ratio"] == pytest.approx(0.625 / 0.3)
    assert found["limits"][0]["ceiling"] == {"tokens": "300000000", "money": "90"}


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["liquid", POLICY], "name the facts: --at CONFIG or DATA_DIR of an engine, or --facts"),
        (["liquid", "none.toml"], "name the facts"),
        (["check", "none.toml"], "none.toml: cannot be read: No such file or directory"),
        (["check", POLICY, "--facts", "none.json"], "none.json: cannot be read"),
        (["check", POLICY, "--facts", "README.md"], "README.md: not JSON: "),
        (["check", POLICY, "--at", "README.md"], "README.md: neither a config (.toml) nor a data"),
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_exit_code_2(words: list[str], fault: str) -> None:
    code, text = ran(*words)
    assert code == 2
    assert text.startswith(fault)
    assert len(text.splitlines()) == 1


def test_an_engine_that_is_not_there_is_exit_code_3(tmp_path: Path) -> None:
    code, text = ran("liquid", POLICY, "--at", str(tmp_path))
    assert code == 3
    assert "no engine is running" in text
