"""`ballast lint-strategy`: reads a strategy's source for what makes a back-test lie."""

from collections.abc import Iterable
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.lint_names import Finding, Rule
from engine.cli.lint_rules import findings_in, modules_of
from engine.cli.show import as_json, as_text
from engine.runtime.person_file import read_text
from engine.runtime.plugins import GROUP
from engine.values.errors import UserError

FOUND = 1


def lint_strategy(
    what: Annotated[
        list[str], typer.Argument(metavar="FILE|MODULE...", help="As in a config, or a folder.")
    ],
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Find wall clocks, chance, I/O, shared state and look-ahead in a strategy's source.

    Nothing is imported or run. Exit code 0: nothing found, 1: found, 2: cannot be read.
    """
    files = [file for each in what for file in files_of(each)]
    looked, found = lint_files(files)
    if json:
        as_json({"files": [str(file) for file in looked], "findings": found})
    else:
        many = "file" if len(looked) == 1 else "files"
        as_text(*map(str, found), f"{len(looked)} {many}, {len(found)} found")
    if found:
        raise typer.Exit(FOUND)


def lint_files(files: Iterable[Path]) -> tuple[list[Path], list[Finding]]:
    """(files looked at, findings): modules beside a file that it imports are looked at too.

    Raises UserError for what is no Python source.
    """
    waiting, looked = list(files), dict[Path, list[Finding]]()
    while waiting:
        file = waiting.pop(0)
        if file in looked:
            continue
        source = _source(file)
        beside = {name: file.parent / f"{name.replace('.', '/')}.py" for name in modules_of(source)}
        near = {name: path for name, path in beside.items() if path.exists()}
        looked[file] = [
            each
            for each in findings_in(source, str(file))
            if not (each.rule is Rule.REACH and each.why.partition(" ")[0] in near)
        ]
        waiting += near.values()
    return list(looked), [each for found in looked.values() for each in found]


def _source(file: Path) -> str:
    text = read_text(file)
    try:
        compile(text, str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise UserError(f"{file}:{line}: not Python: {error}") from error
    return text


def files_of(what: str) -> list[Path]:
    """`mine.py`, `mine.py:Mine`, `package.module:Mine`, an entry point's name, or a folder.

    Raises UserError where nothing is found.
    """
    where = what.rpartition(":")[0] or what
    path = Path(where).expanduser()
    if path.is_dir():
        found = [file for file in sorted(path.glob("*.py")) if not file.name.startswith("test_")]
        if not found:
            raise UserError(f"{where}: no .py file is in it")
        return found
    if where.endswith(".py"):
        return [path]
    return [_module_file(_named(where))]


def _named(where: str) -> str:
    points = entry_points(group=GROUP, name=where)
    return next(iter(points)).module if points else where


def _module_file(name: str) -> Path:
    here = Path(f"{name.replace('.', '/')}.py")
    if here.exists():
        return here
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise UserError(f"{name!r} is no file, module or installed strategy with a source")
    return Path(spec.origin)
