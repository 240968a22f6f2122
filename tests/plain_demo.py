"""The demo's config without what asks for a second market: for tests of everything else."""

from pathlib import Path
from typing import Any

import tomlkit

DEMO = Path(__file__).resolve().parent.parent / "configs" / "demo.toml"
OF_THE_PLAYBOOK = ("playbook", "broad", "technical")


def plain_demo() -> Any:
    """A document that may be changed: no playbook, no ratings of its own, nothing watched."""
    table: Any = tomlkit.parse(DEMO.read_text())
    del table["watched"]
    for key in OF_THE_PLAYBOOK:
        del table["markets"][0][key]
    return table
