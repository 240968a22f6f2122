"""`ballast treasury drill`: a runbook tried on a loopback venue, timed, with a report."""

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import uvloop

from engine.cli.assemble import quiet_logging
from engine.cli.drill_chain import chain_congestion, custody
from engine.cli.drill_log import DrillLog, NotHappened
from engine.cli.drill_page import answer_of, page_of, runbook_lines
from engine.cli.drill_venue import delayed_settlement, exchange_down, wallet_compromise
from engine.cli.drill_world import DrillFiles, DrillWorld, drill_world, wallet_of
from engine.cli.show import as_json, as_text
from engine.runtime.authority_file import load_authority
from engine.runtime.redaction import Redactor
from engine.runtime.treasury_facts import facts_file
from engine.runtime.treasury_file import load_treasury
from engine.treasury.action_text import moment_text
from engine.treasury.runbooks import MINUTES, RUNBOOKS
from engine.values.errors import UserError
from engine.values.units import Atoms, scaled

FAILED = 1
SCRIPTS: dict[str, Callable[[DrillWorld, DrillLog, Atoms], Awaitable[None]]] = {
    "exchange-down": exchange_down,
    "wallet-compromise": wallet_compromise,
    "custody": custody,
    "delayed-settlement": delayed_settlement,
    "chain-congestion": chain_congestion,
}


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
    files = _files(config, file, facts, seed)
    quiet_logging(Redactor())
    log = DrillLog(RUNBOOKS[name], _teller(is_quiet=json), with_people=people)
    began = moment_text(time.time_ns())
    fault = uvloop.run(run_drill(files, log, _missing(files, shortfall)))
    answer = answer_of(log, began, seed, fault)
    answer["report"] = _written(out, answer)
    if json:
        as_json(answer)
    else:
        as_text(*_verdict(answer))
    raise typer.Exit(0 if answer["ok"] else FAILED)


async def run_drill(files: DrillFiles, log: DrillLog, missing: Atoms) -> str:
    """Make a world, run the runbook's script in it, and end it. What ended it early, or ""."""
    with tempfile.TemporaryDirectory(prefix="ballast-drill-") as directory:
        async with drill_world(files, Path(directory)) as world:
            try:
                await SCRIPTS[log.runbook.name](world, log, missing)
                await log.finish()
            except NotHappened as error:
                return str(error)
    return ""


def _files(config: Path, file: Path, facts: Path, seed: int) -> DrillFiles:
    """Everything is read and checked before a venue is started. Raises UserError."""
    treasury = load_treasury(file)
    if treasury.emergency is None:
        raise UserError(f"{file}: emergency: missing; it says which rungs there are")
    wallet_of(treasury)
    return DrillFiles(
        config=config,
        treasury=treasury,
        authority=load_authority(file),
        custody=facts_file(facts),
        seed=seed,
    )


def _missing(files: DrillFiles, text: str) -> Atoms:
    try:
        atoms = scaled(text, files.treasury.money.exponent)
    except ValueError as error:
        raise UserError(f"--shortfall: {error}") from error
    if atoms <= 0:
        raise UserError("--shortfall: must be more than 0")
    return atoms


def _teller(*, is_quiet: bool) -> Callable[[str], None]:
    """Each step is told as it ends, on standard error, so that a person can follow."""
    return lambda line: None if is_quiet else typer.echo(line, err=True)


def _written(out: Path, answer: dict[str, Any]) -> dict[str, str]:
    stem = f"{answer['drill']}-{answer['began'][:19].replace(' ', 'T').replace(':', '')}"
    page, data = out / f"{stem}.html", out / f"{stem}.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        page.write_text(page_of(answer), encoding="utf-8")
        data.write_bytes(msgspec.json.format(msgspec.json.encode(answer)) + b"\n")
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}") from error
    return {"html": str(page), "json": str(data)}


def _verdict(answer: dict[str, Any]) -> list[str]:
    total = f"{answer['total_s'] / 60:.1f} of {MINUTES} minutes"
    verdict = "passed" if answer["ok"] else f"FAILED {answer['fault']}".rstrip()
    return [
        f"{answer['drill']}: {verdict}; {total}, {answer['measured_s']:.1f} s of it measured",
        f"report: {answer['report']['html']} and {answer['report']['json']}",
    ]
