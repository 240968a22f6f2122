"""The command line: joins the parts, one file a group of verbs.

Exit codes are stable: 0 fine, 1 found something (a gap, a broken chain, orders left), 2 a mistake
of the user's, 3 no engine is running, 70 our own fault. Every verb has `--json`.
"""

import os
import sys

import typer

from engine.cli import capture, check, demo, doctor, journal, operate, run, venue
from engine.values.errors import UserError

app = typer.Typer(
    name="ballast",
    help="A market-making engine for thin tokens whose quotes answer to a treasury.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("status")(operate.status)
app.command("why")(operate.why)
app.command("halt")(operate.halt)
app.command("resume")(operate.resume)
app.command("stop")(operate.stop)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("venue")(venue.venue)
app.add_typer(operate.rating_app, name="rating")
app.add_typer(journal.app, name="journal")
app.add_typer(capture.app, name="capture")


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
