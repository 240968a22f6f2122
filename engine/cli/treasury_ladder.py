"""`ballast treasury ladder`: so much is missing by then: what to do, in order, at what cost."""

import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_check import At, FactsFiles, File, Json
from engine.cli.treasury_text import number, table
from engine.cli.treasury_world import World, told_by, world_of
from engine.runtime.treasury_facts import moment_ns
from engine.treasury.action_text import moment_text
from engine.treasury.dates import NS_PER_DAY, NS_PER_H, begin_ns
from engine.treasury.facts import Facts
from engine.treasury.ladder import Plan, solve
from engine.treasury.ladder_params import EmergencyParams
from engine.treasury.ladder_plan import Picture, Step, actions_of, picture
from engine.treasury.ladder_sources import ladder_of
from engine.values.errors import UserError
from engine.values.units import Atoms, Ns, decimal_text, scaled

SPAN = re.compile(r"\+([0-9]{1,5})([hd])")
DAY_ONE = date(1970, 1, 1).toordinal()
NOT_ENOUGH = 1


def ladder(
    file: File,
    shortfall: Annotated[str, typer.Option(help="What is missing, in money: 500.")],
    deadline: Annotated[str, typer.Option(help="A day, a moment with offset, or +36h, +7d.")],
    facts: FactsFiles = None,
    at: At = None,
    out: Annotated[
        Path | None, typer.Option(help="Write each action to propose into this directory.")
    ] = None,
    json: Json = False,
) -> None:
    """Plan how to raise SHORTFALL by DEADLINE. It orders nothing.

    Exit code 1 where it cannot be done, with what is missing even so.
    """
    given = told_by(facts or [], at, file)
    if not given:
        raise UserError("name the facts: --at CONFIG or DATA_DIR of an engine, or --facts FILE")
    world = world_of(file, given)
    params = emergency_of(world, file)
    plan, found = planned(world, params, (shortfall, deadline))
    actions = [msgspec.to_builtins(one) for one in actions_of(world.facts, plan, params)]
    names = _written(out, actions)
    if json:
        as_json({**answer_of(world, plan, found), "actions": actions, "out": names})
    else:
        as_text(*world.notes, *lines_of(world.facts, plan, found))
    raise typer.Exit(NOT_ENOUGH if plan.gap else 0)


def emergency_of(world: World, file: Path) -> EmergencyParams:
    """Raises UserError where the file has no ladder."""
    if world.file.emergency is None:
        raise UserError(f"{file}: emergency: missing; it says which rungs there are")
    return world.file.emergency


def planned(world: World, params: EmergencyParams, asked: tuple[str, str]) -> tuple[Plan, Picture]:
    """The plan for (shortfall, deadline) as people write them. Raises UserError."""
    facts = world.facts
    rungs = ladder_of(facts, params)
    missing, deadline_ns = _money(asked[0], facts), deadline_of(asked[1], facts.at_ns)
    try:
        plan = solve(rungs, missing, deadline_ns)
    except ValueError as error:
        raise UserError(f"emergency: {error}") from error
    return plan, picture(facts, plan, params, rungs)


def deadline_of(text: str, now_ns: Ns) -> Ns:
    """`2026-12-01` is the beginning of that day in UTC, as for obligations. Raises UserError."""
    if span := SPAN.fullmatch(text):
        unit_ns = NS_PER_H if span[2] == "h" else NS_PER_DAY
        return now_ns + int(span[1]) * unit_ns
    try:
        if len(text) == len("2026-12-01"):
            return begin_ns(date.fromisoformat(text).toordinal() - DAY_ONE)
        return moment_ns(datetime.fromisoformat(text), "--deadline")
    except ValueError as error:
        raise UserError(f"--deadline: {text[:40]!r} is no day, no moment and no +36h") from error


def _money(text: str, facts: Facts) -> Atoms:
    try:
        atoms = scaled(text, facts.scheme.money.exponent)
    except ValueError as error:
        raise UserError(f"--shortfall: {error}") from error
    if atoms <= 0:
        raise UserError("--shortfall: must be more than 0")
    return atoms


def answer_of(world: World, plan: Plan, found: Picture) -> dict[str, Any]:
    facts, money = world.facts, world.facts.scheme.money.name
    possible_ns = plan.possible_ns
    return {
        "sources": world.sources,
        "notes": world.notes,
        "at": moment_text(facts.at_ns),
        "money": money,
        "shortfall": _text(facts, money, plan.shortfall),
        "deadline": moment_text(plan.deadline_ns),
        "feasible": not plan.gap,
        "raised": _text(facts, money, plan.raised),
        "gap": _text(facts, money, plan.gap),
        "possible_at": None if possible_ns is None else moment_text(possible_ns),
        "steps": [_step(facts, step) for step in found.steps],
        "untouched": [
            {"asset": one.asset, "bucket": one.bucket, "amount": _text(facts, one.asset, one.atoms)}
            for one in found.untouched
        ],
        "unused": [
            {
                "rung": one.source.name,
                "asset": one.source.asset,
                "amount": _text(facts, one.source.asset, one.source.atoms),
                "cash": moment_text(one.source.ready_ns),
                "why": one.why,
            }
            for one in found.unused
        ],
    }


def _step(facts: Facts, step: Step) -> dict[str, Any]:
    return {
        "step": step.rung,
        "rung": step.row,
        "of": step.of,
        "asset": step.asset,
        "amount": _text(facts, step.asset, step.atoms),
        "not_sold": _text(facts, step.asset, step.back_atoms),
        "money": _text(facts, facts.scheme.money.name, step.money_atoms),
        "slippage_ppm": step.slippage_ppm,
        "cash": moment_text(step.ready_ns),
        "hours": (step.ready_ns - facts.at_ns) / NS_PER_H,
    }


def lines_of(facts: Facts, plan: Plan, found: Picture) -> list[str]:
    money = facts.scheme.money.name
    told = number(_text(facts, money, plan.shortfall))
    lines = [f"{told} {money} by {moment_text(plan.deadline_ns)}", ""]
    if found.steps:
        head = ["do", "with", "amount", f"brings, {money}", "slippage", "cash in"]
        lines += [*table(head, [_cells(facts, step) for step in found.steps], left=2), ""]
    lines += [_verdict(facts, plan), ""]
    lines += ["stays untouched:"]
    lines += [
        f"  {number(_text(facts, one.asset, one.atoms))} {one.asset}, {one.bucket}"
        for one in found.untouched
    ]
    if found.unused:
        lines += ["not used:"]
        lines += [
            f"  {one.source.name}: {one.why}"
            + (f" (cash {moment_text(one.source.ready_ns)})" if "deadline" in one.why else "")
            for one in found.unused
        ]
    return lines


def _cells(facts: Facts, step: Step) -> list[str]:
    return [
        f"{step.rung}. {step.row}",
        step.of,
        f"{number(_text(facts, step.asset, step.atoms))} {step.asset}",
        number(_text(facts, facts.scheme.money.name, step.money_atoms)),
        f"{step.slippage_ppm / 10_000:.2f} %",
        f"{(step.ready_ns - facts.at_ns) / NS_PER_H:.0f} h",
    ]


def _verdict(facts: Facts, plan: Plan) -> str:
    money = facts.scheme.money.name
    if not plan.gap:
        return f"it can be done: {number(_text(facts, money, plan.raised))} {money}"
    later = (
        "never with these rungs and books"
        if plan.possible_ns is None
        else f"the same ladder covers it at {moment_text(plan.possible_ns)}"
    )
    return (
        f"IT CANNOT BE DONE: {number(_text(facts, money, plan.gap))} {money} are missing even so; "
        f"{later}"
    )


def _written(out: Path | None, actions: list[Any]) -> list[str]:
    if out is None:
        return []
    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for index, action in enumerate(actions, 1):
            paths.append(out / f"{index}-{action['type'].replace(' ', '-')}.json")
            paths[-1].write_bytes(msgspec.json.format(msgspec.json.encode(action)) + b"\n")
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror}") from error
    return [str(path) for path in paths]


def _text(facts: Facts, asset: str, atoms: Atoms) -> str:
    return decimal_text(atoms, facts.scheme.asset(asset).exponent)
