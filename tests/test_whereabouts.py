"""`--at CONFIG` finds the engine that runs, whatever was done to the files of its config since."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit

from engine.cli.whereabouts import whereabouts
from engine.values.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def home() -> Iterator[Path]:
    """Short, for a socket's path may have no more than some hundred characters."""
    directory = Path(tempfile.mkdtemp(prefix="bal"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def config_with_a_broken_debt(home: Path) -> Path:
    debts, policy, config = (home / name for name in ("o.csv", "t.toml", "c.toml"))
    debts.write_text("name,due,function,asset,amount\nbad,2026-13-01,rebates,BTT,1\n")
    table = tomlkit.parse((ROOT / "configs" / "treasury.toml").read_text()).unwrap()
    table["files"]["obligations"] = str(debts)
    policy.write_text(tomlkit.dumps(table))
    wanted = {
        "base": "configs/demo.toml",
        "data_dir": str(home / "data"),
        "treasury": {"file": str(policy), "statements": [], "every_s": 1.0},
    }
    config.write_text(tomlkit.dumps(wanted))
    return config


def test_a_running_engine_is_found_though_a_file_of_its_config_was_broken_since(
    home: Path,
) -> None:
    config = config_with_a_broken_debt(home)
    (home / "data").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(home / "data" / "control.sock"))
        assert whereabouts(config).socket == home / "data" / "control.sock"


def test_where_nothing_runs_the_mistake_is_told(home: Path) -> None:
    with pytest.raises(UserError, match=r"o\.csv:2: due: "):
        whereabouts(config_with_a_broken_debt(home))
