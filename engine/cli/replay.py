"""`ballast replay`: a recorded session through the engine again, held against what it decided."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.progress import shown
from engine.cli.rebuild import rebuilt
from engine.cli.show import as_json, as_text
from engine.cli.tables import why_lines
from engine.runtime.recording import Session, ending, entries, sessions
from engine.sim.replay import Difference, Entry, Made, Outcome, Replay
from engine.trading.report import why as why_of
from engine.values.errors import UserError
from engine.values.records import Decision
from engine.values.units import NS_PER_S, Ns

FOUND = 1
SHOWN_MAX = 12


def replay(
    session: Annotated[Path, typer.Argument(help="A data directory, or a file of a session.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Exit 1 at the first decision that differs.")
    ] = False,
    epoch: Annotated[int, typer.Option(help="Which session of the directory; 0 for the last.")] = 0,
    at: Annotated[
        str, typer.Option(help="Stop here: seconds from the start, or ISO time as of UTC.")
    ] = "",
    why: Annotated[bool, typer.Option("--why", help="Say why each quote stands then.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Feed a recorded SESSION to the engine as it was, without any venue."""
    chosen = _chosen(session, epoch)
    until_ns = moment(at, chosen.header.at_ns) if at else 0
    made = rebuilt(chosen)
    run = Replay(made.engine)
    began_s = time.monotonic()
    found = _fed(run, shown(_until(entries(chosen), until_ns)), is_verified=verify)
    if found is None and verify and not until_ns and ending(chosen) is not None:
        found = run.finish()
    answer = {
        "session": chosen.header.epoch,
        "facts": run.facts,
        "outcomes": run.outcomes,
        "digest": run.digest,
        "seconds": time.monotonic() - began_s,
        "whole": ending(chosen) is not None,
        "verified": verify and found is None and run.facts > 0,
        "notes": made.notes,
        "difference": _told(found) if found else None,
        "why": _why(run, until_ns) if why else [],
    }
    if json:
        as_json(answer)
    else:
        as_text(*_lines(answer, found, is_verified=verify))
    raise typer.Exit(FOUND if found else 0)


def moment(text: str, start_ns: Ns) -> Ns:
    """`12.5` seconds after the start, or an ISO time. Raises UserError."""
    try:
        return start_ns + int(float(text) * NS_PER_S)
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--at {text!r}: seconds from the start, or an ISO time") from error
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(aware.timestamp() * NS_PER_S)


def _chosen(path: Path, epoch: int) -> Session:
    found = sessions(path)
    wanted = [each for each in found if not epoch or each.header.epoch == epoch]
    if not wanted:
        known = ", ".join(str(each.header.epoch) for each in found)
        raise UserError(f"{path}: no session {epoch}; there are: {known}")
    return wanted[-1]


def _until(source: Iterable[Entry], until_ns: Ns) -> Iterator[Entry]:
    """Everything up to the first fact after `until_ns`; 0 is all of it."""
    for entry in source:
        if until_ns and not isinstance(entry, Made) and entry.at_ns > until_ns:
            return
        yield entry


def _fed(run: Replay, source: Iterable[Entry], *, is_verified: bool) -> Difference | None:
    """Feed it all, or to the first difference where that is what is asked for."""
    for entry in source:
        found = run.feed(entry)
        if found is not None and is_verified:
            return found
    return None


def _why(run: Replay, until_ns: Ns) -> list[dict[str, Any]]:
    now_ns = until_ns or run.engine.now_ns
    told = run.engine.neighbours.treasury_told
    return [
        why_of(maker, now_ns) | {"treasury": told(market)}
        for market, maker in run.engine.makers.items()
    ]


def _told(found: Difference) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(found)
    both = {"recorded": _inputs(found.recorded), "replayed": _inputs(found.replayed)}
    return told | {"inputs": both}


def _inputs(outcome: Outcome) -> list[dict[str, Any]]:
    return [record.inputs for record in outcome.records if isinstance(record, Decision)]


def _lines(answer: dict[str, Any], found: Difference | None, *, is_verified: bool) -> list[str]:
    lines = [
        f"session {answer['session']}: {answer['facts']:,} facts, {answer['outcomes']:,} of them "
        f"led to something, in {answer['seconds']:.1f} s; digest {answer['digest']}"
    ]
    lines += [f"note: {note}" for note in answer["notes"]]
    if not answer["whole"]:
        lines.append("note: the session was not closed in order; read up to the last whole block")
    for market in answer["why"]:
        lines += why_lines(market)
    if found is not None:
        lines += difference_lines(found)
    elif answer["verified"]:
        lines.append("no difference: every decision is as it was")
    elif is_verified:
        lines.append("nothing to compare: there is no fact in it")
    return lines


def difference_lines(found: Difference) -> list[str]:
    """Where it went another way, and both sides of it."""
    at = datetime.fromtimestamp(found.at_ns / NS_PER_S, UTC).isoformat(timespec="milliseconds")
    lines = [
        f"first difference at fact {found.number}, {at}",
        f"  fact: {found.event}",
        f"  {found.what}",
    ]
    for name, side in (("recorded", found.recorded), ("replayed", found.replayed)):
        lines += [f"  {name} looked at: {inputs}" for inputs in _inputs(side)]
        rows = [*side.records, *side.commands]
        lines += [f"  {name}: {row}" for row in rows[:SHOWN_MAX]] or [f"  {name}: nothing"]
    return lines
