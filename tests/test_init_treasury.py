"""`ballast init treasury`: what it writes runs, says what it is, and replaces nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from typer.testing import CliRunner

from engine.cli.init_treasury import asked_until_fine
from engine.cli.treasury import app as treasury_app
from engine.cli.verbs import app_of
from engine.runtime.treasury_file import load_treasury
from engine.values.errors import UserError

ANSWERS = {
    "--asset": "BTT",
    "--money": "USDT",
    "--venue": "binance",
    "--float": "200000000",
    "--float-money": "500",
    "--buffer-days": "14",
    "--convert-over": "120",
    "--convert-most": "100",
}


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ran(app: Any, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def init(*words: str, **changes: str) -> tuple[int, str]:
    given = ANSWERS | {f"--{name.replace('_', '-')}": text for name, text in changes.items()}
    flags = [word for pair in given.items() if pair[1] for word in pair]
    return ran(app_of(["init"]), "init", "treasury", *words, *flags)


def test_what_init_writes_is_a_whole_treasury_file() -> None:
    code, text = init("mine")
    assert code == 0
    assert text.count("written: ") == 4
    file = load_treasury(Path("mine/treasury.toml"))
    (btt, usdt) = file.buckets
    assert (btt.float[0].target, btt.float[0].upper_ppm) == ("200000000", 1_200_000)
    assert usdt.float[0].target == "500"
    assert file.limits[0].days == 14
    assert file.authority is not None
    assert file.rebalance is not None
    assert file.execution is not None


def test_liquid_and_check_and_report_run_on_it() -> None:
    init("mine")
    facts = ("--facts", "mine/facts.json")
    assert ran(treasury_app, "check", "mine/treasury.toml")[0] == 0
    assert ran(treasury_app, "check", "mine/treasury.toml", *facts)[0] == 0
    assert ran(treasury_app, "authority", "mine/treasury.toml")[0] == 0
    code, text = ran(treasury_app, "liquid", "mine/treasury.toml", *facts)
    assert (code, text.splitlines()[0][-6:]) == (0, "0 USDT")
    code, text = ran(treasury_app, "report", "daily", "mine/treasury.toml", *facts)
    assert "no desk was shown" in text


def test_the_file_explains_what_each_later_layer_adds() -> None:
    code, text = init("mine", "--json")
    answer = json.loads(text.splitlines()[-1])
    policy = Path("mine/treasury.toml").read_text()
    assert code == 0
    assert len(answer["layers"]) == 8
    for number in range(1, 9):
        assert f"# {number}. " in policy


def test_the_one_threshold_is_automatic_and_all_else_is_not() -> None:
    init("mine", convert_most="250")
    rows = tomlkit.parse(Path("mine/treasury.toml").read_text()).unwrap()["authority"]["rows"]
    automatic = [row for row in rows if row["tier"] == "automatic"]
    assert [row["kind"] for row in automatic] == [["stop"], ["rebalance"]]
    assert automatic[1]["window_money_max"] == "250"


def test_nothing_that_is_there_is_replaced() -> None:
    Path("mine").mkdir()
    Path("mine/locks.csv").write_text("kept")
    code, text = init("mine")
    assert (code, text) == (2, "mine/locks.csv: is there already; nothing was written")
    assert [path.name for path in Path("mine").iterdir()] == ["locks.csv"]
    assert Path("mine/locks.csv").read_text() == "kept"


@pytest.mark.parametrize(
    ("flag", "text", "fault"),
    [
        ("float", "0", "--float '0': must be more than 0"),
        ("float", "many", "--float 'many': "),
        ("asset", "btt", "--asset 'btt': capital letters"),
        ("money", "BTT", "--money: must be another than --asset"),
        ("venue", "My Venue", "--venue 'My Venue': small letters"),
        ("buffer_days", "400", "--buffer-days 400: 1 to 366"),
        ("convert_over", "90", "--convert-over 90: 101 to 500 percent"),
        ("convert_most", "-5", "--convert-most '-5': must be more than 0"),
        ("convert_most", "", "--convert-most: missing, and nobody can be asked"),
    ],
)
def test_a_wrong_answer_is_one_line_and_writes_nothing(flag: str, text: str, fault: str) -> None:
    code, said = init("mine", **{flag: text})
    assert code == 2
    assert said.startswith(fault)
    assert len(said.splitlines()) == 1
    assert not Path("mine").exists()


def test_it_asks_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.cli.init_treasury as verb

    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return list(ANSWERS.values())[len(asked) - 1]

    monkeypatch.setattr(verb.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(verb.typer, "prompt", answer)
    verb.treasury(
        Path("mine"), asset="", money="", venue="", float_="", float_money="", buffer_days=0,
        convert_over=0, convert_most="",
    )  # fmt: skip
    assert len(asked) == len(ANSWERS)
    assert load_treasury(Path("mine/treasury.toml")).money.name == "USDT"


def test_a_slip_is_asked_about_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    replies = iter(["abc", "0", " 200000000 "])
    assert asked_until_fine("--float", "How many", lambda _: next(replies)) == "200000000"
    assert capsys.readouterr().err.splitlines() == [
        "'abc': not a plain decimal: 'abc'",
        "'0': must be more than 0",
    ]
