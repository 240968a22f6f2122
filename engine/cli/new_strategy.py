"""`ballast new strategy`: class, typed params, test, config, package: green on the first test."""

import keyword
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from engine.cli.show import as_json, as_text
from engine.values.errors import UserError

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
FILES = {
    "strategy.py.tmpl": "{name}.py",
    "config.toml.tmpl": "{name}.toml",
    "test.py.tmpl": "test_{name}.py",
    "pyproject.toml.tmpl": "pyproject.toml",
}


def strategy(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _: of the new module.")],
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where to write it; else a new folder NAME.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Begin a strategy: everything that a first `pytest` needs, and nothing that it does not."""
    check_name(name)
    place = directory or Path(name)
    written = write_files(place, name)
    if json:
        as_json({"name": name, "class": class_name(name), "files": [str(f) for f in written]})
        return
    as_text(
        *(f"written: {file}" for file in written),
        "",
        "Next:",
        f"  cd {place}",
        "  pytest",
        "  ballast new market market.gz",
        f"  ballast backtest {name}.toml --data market.gz",
    )


def check_name(name: str) -> None:
    """Raises UserError for what cannot be a module, or is one already."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UserError(f"{name!r}: small letters, digits and _, from a letter on, at most 32")
    if name in ("test", "strategies") or find_spec(name) is not None:
        raise UserError(f"{name!r}: a module of that name is there already; it would be hidden")


def class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def write_files(place: Path, name: str) -> list[Path]:
    """Writes all files or, where one of them is there already, none. Raises UserError."""
    words = {"name": name, "cls": class_name(name), "dist": name.replace("_", "-")}
    texts = {
        place / target.format(name=name): filled(template, words)
        for template, target in FILES.items()
    }
    for path in texts:
        if path.exists():
            raise UserError(f"{path}: is there already; nothing was written")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text)
    except OSError as error:
        raise UserError(f"{place}: cannot be written: {error.strerror}") from error
    return list(texts)


def filled(template: str, words: dict[str, str]) -> str:
    """A template of ours with its words put in; each word that it wants must be given."""
    text = (files("engine.cli") / "templates" / template).read_text()
    return Template(text).substitute(words)
