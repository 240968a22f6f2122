"""Every verb and where it lives: a command line of those that are wanted, and of nothing else."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

import typer

from engine.values.errors import UserError

VERBS = {
    "demo": "demo",
    "run": "run",
    "status": "operate",
    "why": "operate",
    "halt": "operate",
    "resume": "operate",
    "stop": "operate",
    "watchdog": "watchdog",
    "check": "check",
    "doctor": "doctor",
    "venue": "venue",
    "rate": "rate",
    "bench": "bench",
    "replay": "replay",
    "backtest": "backtest",
    "sweep": "sweep",
    "lint-strategy": "lint_strategy",
    "compare": "compare",
    "parity": "parity",
    "record": "record",
    "review": "review",
}
"""Each verb and the file beside this one that holds it, as a function of the same name."""
GROUPS = {
    "rating": "operate:rating_app",
    "journal": "journal:app",
    "capture": "capture:app",
    "data": "data:app",
    "playbook": "playbook_verbs:app",
    "study": "study:app",
    "peg": "peg:app",
    "new": "new:app",
    "init": "init:app",
    "treasury": "treasury:app",
}
"""Verbs with verbs of their own, and the Typer that holds those."""


WrongWords: Any = typer.BadParameter.__bases__[0]
"""What the parser raises for an unknown flag, a missing or an impossible argument."""


def obeyed(names: Iterable[str]) -> int:
    """Parse the command line with these verbs, do what it says, and return the exit code.

    Raises UserError, one line, where the words make no sense: the parser's own answer is four.
    """
    try:
        code = app_of(names)(prog_name="ballast", standalone_mode=False)
    except WrongWords as wrong:
        return _told(wrong)
    except typer.Abort:
        raise UserError("given up, nothing was done") from None
    return code if isinstance(code, int) else 0


def app_of(names: Iterable[str]) -> typer.Typer:
    """The command line with these verbs alone; only their files are imported.

    A start to the first order counts in milliseconds: `run` must not pay for what `demo` needs.
    """
    app = typer.Typer(
        name="ballast",
        help="A market-making engine for thin tokens whose quotes answer to a treasury.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_whole)
    for name in names:
        file, _, attribute = GROUPS.get(name, f"{VERBS.get(name)}:{name}").partition(":")
        found = getattr(import_module(f"engine.cli.{file}"), attribute.replace("-", "_"))
        if name in GROUPS:
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _told(wrong: Any) -> int:
    """A group without a verb shows its help; all else is a mistake, told in one line."""
    text = wrong.format_message()
    if text.startswith("Usage:"):
        typer.echo(text, err=True)
        return UserError.exit_code
    path = wrong.ctx.command_path if wrong.ctx else "ballast"
    where = path.removeprefix("ballast").strip()
    said = " ".join(text.split()).rstrip(".")
    raise UserError(f"{where + ': ' if where else ''}{said}; see `{path} --help`") from None


def _whole() -> None:
    """A market-making engine for thin tokens whose quotes answer to a treasury."""
