"""`check`, `journal` and `doctor` answer people in text, scripts in JSON, all in exit codes."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import tomlkit
import typer
from typer.testing import CliRunner

from engine.cli import check, doctor, journal
from engine.runtime.doctor import Grade, Host, examine
from engine.runtime.journal import JournalParams, open_journal
from engine.values.errors import UserError
from engine.values.events import Halt, Stop
from tests.test_config import table
from tests.test_plugins import plugin

app = typer.Typer()
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.add_typer(journal.app, name="journal")


def ran(*words: str) -> tuple[int, str]:
    """Exit code and output; a UserError counts as what the real command makes of it."""
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    async with await open_journal(tmp_path / "journal.db", JournalParams()) as writing:
        writing.append([Stop(at_ns=10**18 + n, who=f"person {n}") for n in range(30)])
        writing.append([Halt(market="BTT/USDT@loop", at_ns=1, who="me", reason="test")])
    return tmp_path


def config_file(directory: Path, **changes: Any) -> str:
    content = table()
    content["data_dir"] = str(directory)
    content["markets"][0]["strategy"] = plugin(directory)
    content["markets"][0].update(changes)
    (directory / "c.toml").write_text(tomlkit.dumps(content))
    return str(directory / "c.toml")


def test_check_says_what_would_run(tmp_path: Path) -> None:
    code, text = ran("check", config_file(tmp_path))
    assert code == 0
    assert "BTT/USDT@loop: Quiet" in text
    code, text = ran("check", config_file(tmp_path), "--json")
    answer = json.loads(text.splitlines()[-1])
    assert code == 0
    assert answer["ok"] is True
    assert answer["markets"][0]["params"]["levels"] == 3
    assert len(answer["config_hash"]) == len(answer["markets"][0]["file_hash"]) == 64


def test_check_refuses_wrong_params_with_file_and_path(tmp_path: Path) -> None:
    code, text = ran("check", config_file(tmp_path, params={"level": 3}))
    assert code == 2
    assert text.splitlines() == [
        f'{tmp_path}/c.toml: markets[0].params.level: unknown key; did you mean "levels"?',
        f"{tmp_path}/c.toml: markets[0].params.levels: missing",
    ]


def test_check_refuses_options_that_the_adapter_does_not_know(tmp_path: Path) -> None:
    path = config_file(tmp_path)
    content = tomlkit.parse(Path(path).read_text()).unwrap()
    content["venues"][0]["options"] = {"recv_window": 5, "sandbox": True}
    Path(path).write_text(tomlkit.dumps(content))
    code, text = ran("check", path)
    assert code == 2
    assert "venues[0].options.recv_window: unknown key; did you mean" in text
    assert "venues[0].options.sandbox: stands in [[venues]] itself" in text


def test_check_refuses_a_data_dir_too_long_for_its_socket(tmp_path: Path) -> None:
    path = config_file(tmp_path)
    content = tomlkit.parse(Path(path).read_text()).unwrap()
    content["data_dir"] = "d/" * 60
    Path(path).write_text(tomlkit.dumps(content))
    code, text = ran("check", path)
    assert (code, "shorter data_dir" in text) == (2, True)


def test_a_whole_journal_is_exit_code_0_by_file_directory_or_config(data: Path) -> None:
    for place in (data / "journal.db", data, Path(config_file(data))):
        code, text = ran("journal", "verify", str(place), "--json")
        answer = json.loads(text.splitlines()[-1])
        assert (code, answer["ok"], answer["records"]) == (0, True, 31)
    assert "whole; 31 records in 1 sessions" in ran("journal", "verify", str(data))[1]


def test_a_broken_journal_is_exit_code_1_and_names_the_record(data: Path) -> None:
    connection = sqlite3.connect(data / "journal.db")
    connection.execute("DROP TRIGGER records_stay")
    connection.execute("UPDATE records SET at_ns = 0 WHERE seq = 17")
    connection.commit()
    connection.close()
    code, text = ran("journal", "verify", str(data))
    assert code == 1
    assert "BROKEN: record 17" in text
    code, text = ran("journal", "verify", str(data), "--json")
    assert (code, json.loads(text)["broken_seq"]) == (1, 17)


def test_no_journal_is_exit_code_2(tmp_path: Path) -> None:
    code, text = ran("journal", "verify", str(tmp_path))
    assert code == 2
    assert "no journal here" in text


def test_show_prints_the_last_records_one_a_line(data: Path) -> None:
    code, text = ran("journal", "show", str(data), "--last", "3")
    lines = text.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines] == ["29", "30", "31"]
    assert "2001-09-09 01:46:40.000 Stop" in lines[0]
    _, text = ran("journal", "show", str(data), "--kind", "Halt", "--json")
    assert json.loads(text)["record"]["reason"] == "test"
    _, text = ran("journal", "show", str(data), "--market", "BTT/USDT@loop")
    assert len(text.splitlines()) == 1


def test_export_writes_every_record_as_a_line_of_json(data: Path) -> None:
    code, text = ran("journal", "export", str(data))
    assert code == 0
    assert [json.loads(line)["seq"] for line in text.splitlines()] == list(range(1, 32))


@pytest.mark.parametrize(
    ("flag", "word", "told"),
    [
        ("--kind", "fill", "--kind 'fill': there is none; there are: "),
        ("--market", "BTT/USDT", "--market 'BTT/USDT': name the venue too"),
    ],
)
@pytest.mark.parametrize("verb", ["show", "export"])
def test_a_misspelt_filter_is_refused_and_not_nothing_found(
    data: Path, verb: str, flag: str, word: str, told: str
) -> None:
    code, text = ran("journal", verb, str(data), flag, word)
    assert code == 2
    assert text.startswith(told)


def test_doctor_grades_each_finding_and_says_what_to_do(tmp_path: Path) -> None:
    code, text = ran("doctor", "--data-dir", str(tmp_path), "--json")
    answer = json.loads(text.splitlines()[-1])
    assert (code == 0) is answer["ok"]
    names = [finding["name"] for finding in answer["findings"]]
    assert {"python", "packages", "kernels", "disk", "clock source", "open files"} <= set(names)
    for finding in answer["findings"]:
        assert (finding["grade"] == "ok") is (finding["remedy"] == "")


def test_doctor_reads_the_host_that_it_is_shown(tmp_path: Path) -> None:
    source = tmp_path / "sys/devices/system/clocksource/clocksource0/current_clocksource"
    governor = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    isolated = tmp_path / "sys/devices/system/cpu/isolated"
    pages = tmp_path / "sys/kernel/mm/transparent_hugepage/enabled"
    for path, content in (
        (source, "hpet\n"), (governor, "powersave\n"), (isolated, "2-3\n"),
        (pages, "[always] madvise never\n"),
    ):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    found = {finding.name: finding for finding in examine(Host(root=tmp_path, data_path=tmp_path))}
    assert found["clock source"].grade is Grade.WARN
    assert found["cpu governor"].grade is Grade.WARN
    assert found["cores"].grade is Grade.OK
    assert found["huge pages"].grade is Grade.WARN
