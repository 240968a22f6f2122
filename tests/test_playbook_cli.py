"""`ballast playbook` proves, shows and compares, for people and for scripts."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from typer.testing import CliRunner

from engine.cli.playbook import app
from engine.trading.playbook_diff import changes, numbers_changed
from engine.values.errors import UserError
from tests.playbook_builders import SHIPPED, content, parsed, playbook, row, shipped

VOID = {"meta", "br"}


def ran(*words: str) -> tuple[int, str]:
    """Exit code and output; a UserError counts as what the real command makes of it."""
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def answer(*words: str) -> Any:
    code, text = ran(*words, "--json")
    return code, json.loads(text.splitlines()[-1])


def saved(directory: Path, table: dict[str, Any], name: str = "p.toml") -> str:
    (directory / name).write_text(tomlkit.dumps(table))
    return str(directory / name)


def test_check_says_how_much_falls_to_the_default() -> None:
    code, text = ran("check", str(SHIPPED))
    assert code == 0
    assert "5 rows over 69120 cells" in text
    assert "takes 4176 of the 6480 cells of known answers, 32760 in all" in text


def test_check_answers_scripts() -> None:
    code, found = answer("check", str(SHIPPED))
    assert (code, found["ok"]) == (0, True)
    assert sum(one["known"] for one in found["rows"]) == 6_480
    assert sum(one["cells"] for one in found["rows"]) == 69_120


def test_a_bad_playbook_exits_with_2_and_names_file_and_rows(tmp_path: Path) -> None:
    file = saved(tmp_path, content(row("a", 1, {}), row("b", 1, {}, bid_size=0.5)))
    code, text = ran("check", file)
    assert code == 2
    assert text.startswith(f'{file}: rows "a" and "b" have rank 1 and both match: signal ')
    code, found = answer("check", file)
    assert (code, found["ok"]) == (2, False)
    assert found["problems"] == text.splitlines()


@pytest.mark.parametrize("verb", ["check", "show"])
def test_a_file_that_is_not_there_is_one_line(tmp_path: Path, verb: str) -> None:
    code, text = ran(verb, str(tmp_path / "none.toml"))
    assert (code, text) == (2, f"{tmp_path}/none.toml: cannot be read: No such file or directory")


def test_show_prints_a_grid_that_a_person_can_read() -> None:
    code, text = ran("show", str(SHIPPED))
    assert code == 0
    assert len(text.splitlines()) < 70
    assert "least exposed first: E < D < C < F < B < A" in text
    assert re.search(r"^sell +F 89 %, D 11 % +F 89 %, D 11 % +E +E$", text, re.MULTILINE)
    assert re.search(r"^buy .*C 50 %, F 50 % !", text, re.MULTILINE)


class Page(HTMLParser):
    """Refuses tags that are left open or fetch something; collects the text of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "img", "iframe")
        assert not {"src", "href", "onclick"} & {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_stands_alone_and_holds_every_part_of_the_grid(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert ran("show", str(SHIPPED), "--html", str(file))[0] == 0
    page = Page()
    page.feed(file.read_text())
    assert page.open == []
    assert sum(text.startswith("signal ") and ", btc" in text for text in page.text) == 24


def test_names_in_a_page_are_escaped(tmp_path: Path) -> None:
    source = saved(tmp_path, content(row("<script>x", 1, {"btc": ["weak"]}, bid_size=0.5)))
    file = tmp_path / "page.html"
    assert ran("show", source, "--html", str(file))[0] == 0
    assert "<script>" not in file.read_text()
    assert "&lt;script&gt;x" in file.read_text()


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    code, text = ran("show", str(SHIPPED), "--html", str(tmp_path))
    assert (code, text) == (2, f"{tmp_path}: cannot be written: Is a directory")


def test_the_same_playbook_has_no_difference() -> None:
    code, text = ran("diff", str(SHIPPED), str(SHIPPED))
    assert (code, text) == (0, "no cell and no number changes\n")


def test_a_changed_row_is_told_with_its_cells_and_an_example(tmp_path: Path) -> None:
    table = shipped()
    table["rows"][0]["quotes"]["bid_size"] = 1.2
    code, text = ran("diff", str(SHIPPED), saved(tmp_path, table))
    assert code == 0
    assert text.splitlines() == [
        "1440 of 69120 cells do something else",
        '"buy, depth improving, BTC stable": 288 known cells, 1440 in all; BOLDER',
        "  where: signal strong buy or buy; btc stable; depth improving",
        "  what:  quotes.bid_size 1.1 -> 1.2",
        "  as in: signal strong buy, inventory below, btc stable, correlation low, "
        "depth improving, volatility falling, book deep, turnover low",
    ]


def test_a_new_row_is_told_by_the_rows_that_it_takes_cells_from() -> None:
    one = row("thin", 1, {"book": ["thin"]}, bid_size=0.8)
    two = row("weak", 2, {"btc": ["weak"]}, bid_size=0.5)
    pairs = {(c.was, c.now): c for c in changes(playbook(one), playbook(one, two))}
    assert set(pairs) == {("thin", "weak"), ("default", "weak")}
    assert pairs["default", "weak"].where == "btc weak; book deep"
    assert pairs["default", "weak"].known == 5 * 4 * 2 * 3 * 3 * 3
    assert not pairs["default", "weak"].is_bolder


def test_a_new_name_alone_changes_no_action() -> None:
    table = shipped()
    table["rows"][0]["name"] = "another name"
    assert changes(parsed(shipped()), parsed(table)) == []


def test_changed_numbers_are_told_by_their_path(tmp_path: Path) -> None:
    table = shipped()
    table["hedge"]["child_value"] = "8"
    table["outlook"]["beta"][0]["bars_min"] = 50
    expected = ["outlook.beta[0].bars_min 48 -> 50", "hedge.child_value 6 -> 8"]
    assert numbers_changed(parsed(shipped()), parsed(table)) == expected
    code, found = answer("diff", str(SHIPPED), saved(tmp_path, table))
    assert (code, found["same"], found["numbers"]) == (0, False, expected)
