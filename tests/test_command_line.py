"""What a start imports: `run` needs no parser, and no verb pays for another."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.main import is_plain_run, main
from engine.cli.verbs import GROUPS, VERBS, app_of

POLICY = Path(__file__).resolve().parent.parent / "configs" / "treasury.toml"


@pytest.mark.parametrize(
    "words", [["run", "a.toml"], ["run", "a.toml", "--live"], ["run", "a.toml", "--json", "--live"]]
)
def test_a_service_start_needs_no_parser(words):
    assert is_plain_run(words)


@pytest.mark.parametrize(
    "words",
    [[], ["run"], ["run", "--help"], ["run", "--live", "a.toml"], ["run", "a.toml", "--lives"],
     ["run", "a.toml", "b.toml"], ["check", "a.toml"], ["run", "a.toml", "--help"]],
)  # fmt: skip
def test_everything_else_is_parsed(words):
    assert not is_plain_run(words)


@pytest.mark.parametrize("name", [*VERBS, *GROUPS])
def test_every_verb_is_where_the_table_says(name):
    assert app_of([name]).registered_commands or app_of([name]).registered_groups


@pytest.mark.parametrize("heavy", ["typer", "pydantic", "rich", "ccxt", "numpy"])
def test_the_work_of_run_imports_nothing_that_it_does_not_use(heavy):
    code = f"import sys, engine.cli.start; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_wrong_config_is_one_line_and_exit_code_two_without_a_parser(tmp_path):
    command = [sys.executable, "-m", "engine.cli", "run", str(tmp_path / "none.toml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("ballast: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["status", "--nope"], "ballast: status: No such option: --nope"),
        (["statis"], "ballast: No such command 'statis'"),
        (["treasury", "report"], "ballast: treasury report: Missing argument 'period'"),
        (["demo", "--seconds", "x"], "ballast: demo: Invalid value for '--seconds'"),
    ],
)
def test_a_wrong_flag_is_one_line_that_names_verb_and_flag(words, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ballast", *words])
    with pytest.raises(SystemExit) as left:
        main()
    lines = capsys.readouterr().err.splitlines()
    assert (left.value.code, len(lines)) == (2, 1)
    assert lines[0].startswith(told)


def test_a_group_without_a_verb_shows_its_verbs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ballast", "peg"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "Usage: ballast peg" in capsys.readouterr().err


def test_a_path_that_cannot_even_be_looked_at_is_one_line(monkeypatch, capsys):
    place = "x" * 300
    monkeypatch.setattr(sys, "argv", ["ballast", "journal", "verify", place])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert capsys.readouterr().err == f"ballast: {place}: File name too long\n"


def test_a_report_of_an_engine_that_does_not_run_says_what_is_missing(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        sys, "argv", ["ballast", "treasury", "report", "daily", str(POLICY), "--at", str(tmp_path)]
    )
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 3
    told = f"ballast: no engine is running at {tmp_path}, and it left no journal there\n"
    assert capsys.readouterr().err == told
