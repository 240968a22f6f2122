"""The work of `ballast treasury quarter --live`: an engine in a directory, and its end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from engine.cli.assemble import quiet_logging
from engine.cli.progress import shown
from engine.cli.quarter_engine import quarter_engine
from engine.cli.quarter_home import engine_files
from engine.cli.quarter_left import ended, live_summary
from engine.cli.quarter_sessions import Lived, live_through, steps_of
from engine.cli.treasury_quarter import reported
from engine.cli.treasury_quarter_files import refuse_full
from engine.runtime.private_files import private_directory
from engine.runtime.redaction import Redactor
from engine.sim.quarter_setup import QuarterSetup
from engine.treasury.report import TreasuryReport

SUMMARY = "summary.json"


def lived(
    home: Path, setup: QuarterSetup, files: tuple[Path, Path]
) -> tuple[dict[str, Any], TreasuryReport, Callable[[dict[str, Any], int], list[str]]]:
    """(summary, report, how people read the summary). `files` are the policy and the engine's.

    Raises UserError.
    """
    refuse_full(home)
    private_directory(home)
    quiet_logging(Redactor())
    engine_files(home, setup, files)
    found = uvloop.run(_run(home, setup))
    end = ended(found, home)
    made = reported(home, setup.days + 1)
    answer = live_summary(found, end, made)
    (home / SUMMARY).write_bytes(msgspec.json.format(msgspec.json.encode(answer)) + b"\n")
    return answer, made, live_lines


async def _run(home: Path, setup: QuarterSetup) -> Lived:
    steps = len(steps_of(setup))
    told = iter(shown(range(steps), f"of {steps} sessions", every=1))
    next(told)
    async with quarter_engine(setup, home) as engine:
        return await live_through(engine, home, lambda: next(told, None))


def live_lines(answer: dict[str, Any], days: int) -> list[str]:
    """The summary as people read it."""
    paid = answer["obligations"] - len(answer["late"])
    tiers = ", ".join(f"{count} {tier}" for tier, count in sorted(answer["actions"].items()))
    proved = "NOT PROVED" if answer["unproved"] else "proved against venues, wallet and custodian"
    slip = answer["slippage"]
    first, last = answer["outage"]
    lines = [
        f"{days} days in {answer['took_s']} s, {answer['sessions']} sessions of a running engine: "
        f"an outage from day {first} to {last}, a depeg on day {answer['depeg']}",
        f"{paid} of {answer['obligations']} obligations paid on their day, the slowest "
        f"{answer['slowest_payment_s']} s into it",
        f"limits passed: {answer['limits_passed']}, without approval: "
        f"{answer['limits_passed_without_approval']}",
        f"actions: {tiers}; {answer['orders']} staged orders in {answer['children']} children, "
        f"slippage {slip['realised']} % (expected {slip['expected']} %)",
        f"{answer['placed']} orders, {answer['fills']} fills, "
        f"{answer['self_trades']} with ourselves; "
        f"refused by the gate: {answer['refused_by_the_gate']}; on books that nobody vouched for: "
        f"{len(answer['unverified'])}",
        f"books: {answer['entries']} entries, {proved}",
    ]
    for name in ("late", "unproved", "unverified", "frozen", "refused"):
        lines += [f"{name.upper()}: {text}" for text in answer[name]]
    return lines
