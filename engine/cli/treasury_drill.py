"""`ballast treasury drill`: a runbook tried on a loopback venue, timed, with a report."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.drill_page import runbook_lines
from engine.cli.show import as_json, as_text
from engine.treasury.runbooks import MINUTES, RUNBOOKS
from engine.values.errors import UserError

FAILED = 1
RUN = "engine.cli.drill_run"
"""Loaded by a drill alone: the venue and the engine in it cost every other verb a second."""


def drill(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(RUNBOOKS)}.")],
    file: Annotated[Path, typer.Option("--file", help="The treasury file.")] = Path(
        "configs/treasury.toml"
    ),
    config: Annotated[Path, typer.Option(help="What the engine of the drill runs.")] = Path(
        "configs/demo.toml"
    ),
    facts: Annotated[Path, typer.Option(help="What the wallet opens with.")] = Path(
        "configs/treasury_custody.json"
    ),
    shortfall: Annotated[str, typer.Option(help="What the ladder is asked for, in money.")] = "500",
    seed: Annotated[int, typer.Option(help="Seed of the market and of the chain.")] = 7,
    out: Annotated[Path, typer.Option(help="Where the report goes, as HTML and JSON.")] = Path(
        "var/drills"
    ),
    people: Annotated[
        bool, typer.Option("--people", help="Wait for people and time them.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the runbook; run nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Run the drill NAME on a venue, a chain and a desk of its own. Nothing real is touched.

    Exit code 1 where a step failed or took too long.
    """
    if name not in RUNBOOKS:
        raise UserError(f"no drill {name[:40]!r}; there are {', '.join(RUNBOOKS)}")
    if show:
        as_text(*runbook_lines(RUNBOOKS[name]))
        return
    run: Any = import_module(RUN)
    files = run.files_of(config, file, facts, seed)
    missing = run.missing_of(files, shortfall)
    answer = run.drilled(files, missing, RUNBOOKS[name], (out, people, not json))
    if json:
        as_json(answer)
    else:
        as_text(*_verdict(answer))
    raise typer.Exit(0 if answer["ok"] else FAILED)


def _verdict(answer: dict[str, Any]) -> list[str]:
    total = f"{answer['total_s'] / 60:.1f} of {MINUTES} minutes"
    verdict = "passed" if answer["ok"] else f"FAILED {answer['fault']}".rstrip()
    return [
        f"{answer['drill']}: {verdict}; {total}, {answer['measured_s']:.1f} s of it measured",
        f"report: {answer['report']['html']} and {answer['report']['json']}",
    ]
