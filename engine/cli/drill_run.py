"""The work of `ballast treasury drill`: a world, a script that is run in it, a report."""

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import typer
import uvloop

from engine.cli.assemble import quiet_logging
from engine.cli.drill_chain import chain_congestion, custody
from engine.cli.drill_log import DrillLog, NotHappened
from engine.cli.drill_page import answer_of, page_of
from engine.cli.drill_venue import delayed_settlement, exchange_down, wallet_compromise
from engine.cli.drill_world import DrillFiles, DrillWorld, drill_world, wallet_of
from engine.runtime.authority_file import load_authority
from engine.runtime.redaction import Redactor
from engine.runtime.treasury_facts import facts_file
from engine.runtime.treasury_file import load_treasury
from engine.treasury.action_text import moment_text
from engine.treasury.runbooks import Runbook
from engine.values.errors import UserError
from engine.values.units import Atoms, scaled

SCRIPTS: dict[str, Callable[[DrillWorld, DrillLog, Atoms], Awaitable[None]]] = {
    "exchange-down": exchange_down,
    "wallet-compromise": wallet_compromise,
    "custody": custody,
    "delayed-settlement": delayed_settlement,
    "chain-congestion": chain_congestion,
}


def drilled(
    files: DrillFiles, missing: Atoms, runbook: Runbook, how: tuple[Path, bool, bool]
) -> dict[str, Any]:
    """Run it and write the report; `how` is (where to, with people, told as it goes)."""
    out, with_people, is_told = how
    quiet_logging(Redactor())
    log = DrillLog(runbook, _teller(is_quiet=not is_told), with_people=with_people)
    began = moment_text(time.time_ns())
    fault = uvloop.run(run_drill(files, log, missing))
    answer = answer_of(log, began, files.seed, fault)
    answer["report"] = _written(out, answer)
    return answer


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


def files_of(config: Path, file: Path, facts: Path, seed: int) -> DrillFiles:
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


def missing_of(files: DrillFiles, text: str) -> Atoms:
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
