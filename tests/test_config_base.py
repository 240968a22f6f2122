"""A config that stands on another: what differs is all that it holds."""

from pathlib import Path

import pytest
import tomlkit

from engine.runtime.config import config_hash, load_config, parse_config
from engine.runtime.config_base import laid_over
from engine.values.errors import UserError
from tests.live_world import ROOT

DEMO = ROOT / "configs" / "demo.toml"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def written(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text)
    return path


def fault(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_config(path)
    return str(caught.value)


def test_the_demo_with_a_treasury_is_the_demo_but_for_its_treasury() -> None:
    plain, made = load_config(DEMO), load_config(ROOT / "configs" / "demo_treasury.toml")
    assert made.treasury is not None
    assert (made.name, made.data_dir) == ("demo-treasury", "var/demo_treasury")
    for key in ("mode", "runtime", "venues", "markets", "watched", "journal", "id_prefix"):
        assert getattr(made, key) == getattr(plain, key)


def test_what_comes_out_is_hashed_however_it_was_written(tmp_path: Path) -> None:
    table = tomlkit.parse(DEMO.read_text()).unwrap() | {"name": "other"}
    table["runtime"]["reconcile_s"] = 7.0
    whole = written(tmp_path, "whole.toml", tomlkit.dumps(table))
    thin = written(
        tmp_path, "thin.toml", f'base = "{DEMO}"\nname = "other"\n[runtime]\nreconcile_s = 7.0\n'
    )
    assert config_hash(load_config(thin)) == config_hash(load_config(whole))
    assert load_config(thin).runtime.quote_budget_ms == load_config(DEMO).runtime.quote_budget_ms


def test_a_list_is_replaced_whole_and_nothing_is_changed_in_place() -> None:
    under = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    over = {"a": {"c": [3]}, "d": {"e": 1}}
    assert laid_over(under, over) == {"a": {"b": 1, "c": [3]}, "d": {"e": 1}}
    assert under == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base = 3\n", "t.toml: base: expected the name of a config"),
        ('base = "none.toml"\n', "none.toml: cannot be read"),
        (
            'base = "configs/demo_treasury.toml"\n',
            "t.toml: base: configs/demo_treasury.toml",
        ),
        ('base = "configs/demo.toml"\nnmae = "x"\n', 't.toml: nmae: unknown key; did you mean "na'),
        ('base = "configs/demo.toml"\nname = "x y"\n', "t.toml: name: letters, digits"),
    ],
)
def test_a_mistake_is_named_by_its_own_file(tmp_path: Path, text: str, said: str) -> None:
    found = fault(written(tmp_path, "t.toml", text))
    assert found.removeprefix(f"{tmp_path}/").startswith(said)
    assert len(found.splitlines()) == 1


def test_a_mistake_of_the_base_is_named_by_the_base(tmp_path: Path) -> None:
    base = written(tmp_path, "base.toml", DEMO.read_text().replace('mode = "demo"', 'mode = "x"'))
    thin = written(tmp_path, "thin.toml", f'base = "{base}"\n')
    assert fault(thin).startswith(f"{base}: mode: ")


def test_text_alone_stands_on_nothing() -> None:
    with pytest.raises(UserError, match="t: base: unknown key"):
        parse_config('base = "configs/demo.toml"\n', "t")
