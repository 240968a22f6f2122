"""A strategy is one file and one word; whatever is wrong with it is one line."""

import hashlib
from pathlib import Path

import pytest

from engine.runtime.plugins import load_strategy
from engine.values.errors import UserError

GOOD = '''
"""Quotes nothing, politely."""
from typing import ClassVar
import msgspec
from engine.trading.strategy import Ladder, View, Wake

class Rung(msgspec.Struct, frozen=True, kw_only=True):
    width_bps: float

class Quiet:
    class Params(msgspec.Struct, frozen=True, kw_only=True):
        levels: int
        gap_ticks: float = 1.0
        rungs: list[Rung] = []

        def __post_init__(self) -> None:
            if self.levels < 1:
                raise ValueError("levels must be at least 1")

    def __init__(self, params: "Quiet.Params") -> None:
        if params.levels > 10:
            raise ValueError("too many levels")
        self.wake = Wake()
        self.params = params

    def quote(self, view: View) -> Ladder:
        return Ladder(bids_absent="quiet", asks_absent="quiet")
'''


def plugin(directory: Path, source: str = GOOD) -> str:
    (directory / "mine.py").write_text(source)
    return f"{directory / 'mine.py'}:Quiet"


def refused(spec: str, params: dict[str, object]) -> str:
    with pytest.raises(UserError) as caught:
        load_strategy(spec, params, "markets[0]")
    return str(caught.value)


def test_a_file_is_loaded_with_typed_params_and_its_hash(tmp_path: Path) -> None:
    loaded = load_strategy(plugin(tmp_path), {"levels": 3, "gap_ticks": 2}, "markets[0]")
    assert loaded.name == "Quiet"
    assert loaded.params.levels == 3  # type: ignore[attr-defined]
    assert loaded.file_hash == hashlib.sha256(GOOD.encode()).hexdigest()
    assert callable(loaded.strategy.quote)


def test_a_changed_file_is_another_strategy(tmp_path: Path) -> None:
    first = load_strategy(plugin(tmp_path), {"levels": 3}, "markets[0]")
    second = load_strategy(plugin(tmp_path, GOOD + "\n# new\n"), {"levels": 3}, "markets[0]")
    assert first.file_hash != second.file_hash
    assert type(first.strategy) is not type(second.strategy)


def test_a_module_is_loaded_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin(tmp_path)
    (tmp_path / "mine.py").rename(tmp_path / "ballast_test_plugin.py")
    monkeypatch.syspath_prepend(tmp_path)
    loaded = load_strategy("ballast_test_plugin:Quiet", {"levels": 1}, "markets[0]")
    assert loaded.file.endswith("ballast_test_plugin.py")


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({}, "markets[0].params.levels: missing"),
        ({"levels": "3"}, "markets[0].params.levels: expected int, got str"),
        ({"levels": True}, "markets[0].params.levels: expected int, got bool"),
        ({"levels": 3, "gap_tick": 1}, "markets[0].params.gap_tick: unknown key"),
        ({"levels": 3, "rungs": [{}]}, "markets[0].params.rungs[0].width_bps: missing"),
        ({"levels": 0}, "markets[0].params: levels must be at least 1"),
        ({"levels": 11}, "markets[0].params: "),
    ],
)
def test_c01_wrong_params_are_named_by_their_path(
    tmp_path: Path, params: dict[str, object], line: str
) -> None:
    assert refused(plugin(tmp_path), params).startswith(line)


def test_c01_all_wrong_params_are_reported_at_once(tmp_path: Path) -> None:
    assert len(refused(plugin(tmp_path), {"gap_ticks": "x", "more": 1}).splitlines()) == 3


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import no_such_module_anywhere\n", "ModuleNotFoundError"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("class Other: pass\n", 'no class "Quiet"'),
        ("Quiet = 7\n", 'no class "Quiet"'),
        ("class Quiet: pass\n", "no attribute Params"),
        (GOOD.replace("self.wake = Wake()", "self.wake = 3"), "no attribute wake"),
        (GOOD.replace("def quote", "def other"), "no method quote"),
    ],
)
def test_a_plugin_that_is_none_is_refused_in_one_line(
    tmp_path: Path, source: str, what: str
) -> None:
    message = refused(plugin(tmp_path, source), {"levels": 1})
    assert message.startswith("markets[0].strategy: ")
    assert what in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("spec", "what"),
    [
        ("no_such_strategy", "installed:"),
        ("no_such_module:Thing", "ModuleNotFoundError"),
        ("/no/such/file.py:Thing", "FileNotFoundError"),
        (":", "cannot be loaded"),
        ("", "no strategy is called"),
        ("os:path", 'no class "path"'),
    ],
)
def test_a_strategy_that_is_not_there_is_named(spec: str, what: str) -> None:
    message = refused(spec, {})
    assert what in message
    assert "\n" not in message
