"""`ballast treasury quarter`: a simulated quarter with the whole policy on, and its report."""

import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_quarter_files import FACTS, POLICY, write_quarter
from engine.cli.treasury_quarter_setup import setup_of
from engine.cli.treasury_report import lines_of, write
from engine.cli.treasury_report_data import Wanted, input_of
from engine.cli.treasury_report_files import answer_of
from engine.runtime.treasury_file import load_treasury
from engine.sim.quarter import Outcome, run
from engine.sim.quarter_setup import PricePath
from engine.treasury.report import TreasuryReport, report_of
from engine.treasury.report_input import Period
from engine.values.errors import UserError

File = Annotated[Path, typer.Argument(help="A treasury file, as configs/quarter.toml.")]
SHIPPED = Path("configs/quarter.toml")
ENGINE = Path("configs/quarter_live.toml")
LIVE = "engine.cli.quarter_live"
"""Only who wants the engine pays for its venues."""


def quarter(
    file: File = SHIPPED,
    path: Annotated[PricePath, typer.Option(help="Where the price goes.")] = PricePath.FLAT,
    seed: Annotated[int, typer.Option(help="The same seed is the same quarter.")] = 1,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it is.")] = 90,
    signals: Annotated[bool, typer.Option(help="Show ratings beside; nobody hears.")] = False,
    out: Annotated[Path | None, typer.Option(help="Leave journals and ledger here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page.")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="With the running engine, on loopback venues.")
    ] = False,
    engine: Annotated[Path, typer.Option(help="What the engine of --live runs with.")] = ENGINE,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Live through a quarter in minutes. Exit code 1 where an obligation was late, a limit was
    passed without its approval, or the books are not proved."""
    began_s = time.perf_counter()
    if live and signals:
        raise UserError("--signals: belongs to the quarter without --live")
    setup = setup_of(file, load_treasury(file), (seed, days, path), with_signals=signals)
    with tempfile.TemporaryDirectory(prefix="ballast-") as somewhere:
        place = out if out is not None else Path(somewhere) / "quarter"
        if live:
            working: Any = import_module(LIVE)
            answer, made, lines = working.lived(place, setup, (file, engine))
        else:
            outcome = run(setup)
            write_quarter(place, file, outcome)
            made = reported(place, days + 1)  # its very first moment too
            answer, lines = summary(outcome, made), _lines
    write(made, html, None, None)
    answer["took_s"] = round(time.perf_counter() - began_s, 1)
    if json:
        as_json({**answer, "report": answer_of(made)})
    else:
        as_text(*lines(answer, days), "", *lines_of(made))
    raise typer.Exit(0 if answer["ok"] else 1)


def reported(place: Path, days: int) -> TreasuryReport:
    """The monthly pack over the whole quarter, from the files that it left. Raises UserError."""
    wanted = Wanted(
        period=Period.MONTHLY, days=days, file=place / POLICY, at=place, desk=None,
        facts=(place / FACTS,), assumptions=(),
    )  # fmt: skip
    return report_of(input_of(wanted))


def summary(outcome: Outcome, made: TreasuryReport) -> dict[str, Any]:
    figures = {row[0]: row for row in made.table("figures").rows}
    passed = figures["policy breaches"]
    tiers: dict[str, int] = {}
    for one in outcome.world.desk.proposals.all():
        tiers[one.ruling.tier] = tiers.get(one.ruling.tier, 0) + 1
    faults = [row for row in made.table("exceptions").rows if row[1] == "the books are proved"]
    return {
        "ok": not (outcome.late or passed[3] or outcome.unproved or faults),
        "obligations": len(outcome.payments),
        "late": outcome.late,
        "limits_passed": passed[1],
        "limits_passed_without_approval": passed[3],
        "unproved": [*outcome.unproved, *(str(row[2]) for row in faults)],
        "actions": tiers,
        "refused": list(outcome.refused),
        "orders": len(outcome.orders.worked),
        "ladder": list(outcome.ladders),
        "entries": len(outcome.world.entries),
        "outage": list(outcome.world.setup.outage),
        "depeg": outcome.world.setup.peg_day,
        "ratings": len(outcome.ratings),
        "decisions": outcome.decisions,
    }


def _lines(answer: dict[str, Any], days: int) -> list[str]:
    paid = answer["obligations"] - len(answer["late"])
    tiers = ", ".join(f"{count} {tier}" for tier, count in sorted(answer["actions"].items()))
    proved = "NOT PROVED" if answer["unproved"] else "proved"
    lines = [
        f"{days} days in {answer['took_s']} s: an outage from day "
        f"{answer['outage'][0]} to {answer['outage'][1]}, a depeg on day {answer['depeg']}",
        f"{paid} of {answer['obligations']} obligations paid at the first moment of their day",
        f"limits passed: {answer['limits_passed']}, without approval: "
        f"{answer['limits_passed_without_approval']}",
        f"actions: {tiers}; {answer['orders']} staged orders",
        f"books: {answer['entries']} entries, {proved}",
        f"decisions: {answer['decisions']}",
    ]
    return lines + [f"LATE: {name}" for name in answer["late"]]
