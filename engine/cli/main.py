"""The command line: joins the parts, one file a group of verbs.

Exit codes are stable: 0 fine, 1 found something (a gap, a broken chain, orders left), 2 a mistake
of the user's, 3 no engine is running, 70 our own fault. Every verb has `--json`.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

from engine.values.errors import UserError

RUN_FLAGS = {"--live", "--json"}


def main() -> None:
    """Run one verb. A user's mistake is one line on standard error, never a traceback."""
    words = sys.argv[1:]
    try:
        if is_plain_run(words):
            sys.exit(_start(words))
        _parse(words)
    except UserError as error:
        sys.stderr.write(f"ballast: {error}\n")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if not error.filename:
            raise
        # A path that may not be looked at, or is too long: asking whether it is there raises.
        sys.stderr.write(f"ballast: {error.filename}: {error.strerror}\n")
        sys.exit(UserError.exit_code)


def is_plain_run(words: list[str]) -> bool:
    """`run CONFIG` and whole flags after it: what a service starts needs no parser.

    The parser takes longer to import than the engine does; it still reads everything else.
    """
    is_run = len(words) > 1 and words[0] == "run" and not words[1].startswith("-")
    return is_run and set(words[2:]) <= RUN_FLAGS


def _start(words: list[str]) -> int:
    start = import_module("engine.cli.start").start
    code: int = start(Path(words[1]), is_live="--live" in words, is_json="--json" in words)
    return code


def _parse(words: list[str]) -> None:
    verbs = import_module("engine.cli.verbs")
    everything = [*verbs.VERBS, *verbs.GROUPS]
    wanted = [name for name in words[:1] if name in everything]
    sys.exit(verbs.obeyed(wanted or everything))
