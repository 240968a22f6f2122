"""`ballast treasury place`: what the surplus could be used for, ranked, and what to ask for."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_check import At, FactsFiles, File, Json
from engine.cli.treasury_text import number, table
from engine.cli.treasury_world import World, told_by, world_of
from engine.runtime.placement_rates import rates_of
from engine.treasury.action_text import moment_text
from engine.treasury.facts import Facts
from engine.treasury.placement import Line, Placement
from engine.treasury.placement import place as placed
from engine.treasury.placement_room import Desk
from engine.values.errors import UserError
from engine.values.units import decimal_text, scaled


def place(
    file: File,
    facts: FactsFiles = None,
    at: At = None,
    rates: Annotated[Path | None, typer.Option(help="What platforms pay now, as JSON.")] = None,
    amount: Annotated[str, typer.Option(help="Score this much of the surplus, not all.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write the action to propose.")] = None,
    json: Json = False,
) -> None:
    """Rank the uses of the surplus: hold, stable, stake, pool, derivatives. It orders nothing.

    What is best becomes an action in a file, for `ballast treasury propose`.
    """
    given = told_by(facts or [], at, file)
    if not given:
        raise UserError("name the facts: --at CONFIG or DATA_DIR of an engine, or --facts FILE")
    world = world_of(file, given)
    params = world.file.placement
    if params is None:
        raise UserError(f"{file}: placement: missing; it says what a surplus may be used for")
    told = rates_of(rates, params) if rates is not None else {}
    wanted = _atoms(amount, world.facts, params.asset)
    desk = Desk(facts=world.facts, params=params, limits=world.file.limits)
    found = placed(desk, told, wanted)
    if out is not None:
        save_action(out, found.proposal)
    if json:
        as_json({**answer_of(world, found), "out": None if out is None else str(out)})
    else:
        as_text(*world.notes, *lines_of(world.facts, found))


def save_action(path: Path, action: Any) -> None:
    """Raises UserError where there is nothing to write, or it cannot be written."""
    if action is None:
        raise UserError(f"{path}: not written: there is nothing to propose")
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(action)) + b"\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def answer_of(world: World, found: Placement) -> dict[str, Any]:
    facts = world.facts
    return {
        "sources": world.sources,
        "notes": world.notes,
        "at": moment_text(found.at_ns),
        "asset": found.asset,
        "money": facts.scheme.money.name,
        "surplus": _text(facts, found.asset, found.surplus_atoms),
        "options": [_row(facts, found.asset, line) for line in found.lines],
        "proposal": None if found.proposal is None else msgspec.to_builtins(found.proposal),
        "why": found.why,
    }


def _row(facts: Facts, asset: str, line: Line) -> dict[str, Any]:
    left = line.left_money_atoms
    return {
        "option": line.option.name,
        "use": line.option.use.value,
        "score": line.score,
        "parts": [msgspec.structs.asdict(part) for part in line.parts],
        "amount": _text(facts, asset, line.atoms),
        "room": _text(facts, asset, line.room.atoms),
        "bound_by": line.room.bound_by,
        "cash_again": moment_text(line.back_ns),
        "owed_before": line.owed_before,
        "least_left": None if left is None else _text(facts, facts.scheme.money.name, left),
        "reasons": list(line.reasons),
    }


def lines_of(facts: Facts, found: Placement) -> list[str]:
    head = ["", "score", *(part.name for part in found.lines[0].parts), "room", "cash again"]
    rows = [
        [
            line.option.name,
            f"{line.score:.1f}",
            *(f"{part.score:.0f}" for part in line.parts),
            number(_text(facts, found.asset, line.room.atoms)),
            moment_text(line.back_ns)[:10],
        ]
        for line in found.lines
    ]
    lines = [
        f"surplus of {found.asset} at one place: "
        f"{number(_text(facts, found.asset, found.surplus_atoms))}",
        "",
        *table(head, rows),
        "",
    ]
    for line in found.lines:
        lines.append(f"{line.option.name}: {'; '.join(line.reasons)}")
        if line.owed_before and line.atoms:
            lines.append(f"  {line.owed_before} obligations fall due before it is cash again")
    lines += ["", found.why]
    if found.proposal is not None:
        lines.append(msgspec.json.encode(found.proposal).decode())
    return lines


def _atoms(text: str, facts: Facts, asset: str) -> int | None:
    if not text:
        return None
    try:
        atoms = scaled(text, facts.scheme.asset(asset).exponent)
    except ValueError as error:
        raise UserError(f"--amount: {error}") from error
    if atoms <= 0:
        raise UserError("--amount: must be more than 0")
    return atoms


def _text(facts: Facts, asset: str, atoms: int) -> str:
    return decimal_text(atoms, facts.scheme.asset(asset).exponent)
