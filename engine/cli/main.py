"""The command line: joins the parts, one file a group of verbs.

Exit codes are stable: 0 fine, 1 found something (a gap, a broken chain, orders left), 2 a mistake
of the user's, 3 no engine is running, 70 our own fault. Every verb has `--json`.
"""

import os
import sys

import typer

from engine.cli.capture import app as capture_app
from engine.cli.check import check
from engine.cli.demo import demo
from engine.cli.doctor import doctor
from engine.cli.journal import app as journal_app
from engine.cli.operate import halt, rating_app, resume, status, stop, why
from engine.cli.rate import rate
from engine.cli.run import run
from engine.cli.venue import venue
from engine.values.errors import UserError

app = typer.Typer(
    name="ballast",
    help="A market-making engine for thin tokens whose quotes answer to a treasury.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in (demo, run, status, why, halt, resume, stop, check, doctor, venue, rate):
    app.command(verb.__name__)(verb)
for name, verbs in (("rating", rating_app), ("journal", journal_app), ("capture", capture_app)):
    app.add_typer(verbs, name=name)


def main() -> None:
    """Run one verb. A user's mistake is one line on standard error, never a traceback."""
    try:
        app()
    except UserError as error:
        sys.stderr.write(f"ballast: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
