"""`ballast treasury roster` and `authority`: who may sign, and the rows that say when they must."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_desk import DEFAULT_DESK, At, Desk, Json, TreasuryFileFlag, now_ns, on_desk
from engine.runtime.action_answers import roster_answer
from engine.runtime.action_driver import ActionDriver, desk_of
from engine.runtime.authority_file import authority_word, load_authority, load_roster, roster_word
from engine.runtime.signing import make_key
from engine.treasury.action_text import moment_text
from engine.treasury.authority import Rule
from engine.treasury.authority_check import cells
from engine.treasury.desk_alarms import AHEAD_NS
from engine.treasury.roster import NAME as PERSON
from engine.treasury.roster import Roster, Shortfall
from engine.values.errors import UserError

File = Annotated[Path, typer.Argument(help="A roster file.")]
Policy = Annotated[Path, typer.Option("--file", help="The treasury file whose tiers count.")]

app = typer.Typer(name="roster", help="The people who may sign.", no_args_is_help=True)


@app.command()
def check(file: File, policy: Policy, json: Json = False) -> None:
    """Check FILE, and whether enough people can sign, now and for a week ahead. Exit code 1: no."""
    at_ns = now_ns()
    people = load_roster(file)
    short = Roster(people).shortfalls_ahead(load_authority(policy), at_ns, at_ns + AHEAD_NS)
    found = [_short(one) for one in short]
    digest = roster_word(people, str(file), "", at_ns).digest
    if json:
        as_json({"ok": not found, "people": len(people), "digest": digest, "short": found})
    else:
        as_text(f"{file}: {len(people)} people, {digest}", *(f"  {one['text']}" for one in found))
    raise typer.Exit(1 if found else 0)


@app.command()
def load(
    file: File, at: At = DEFAULT_DESK, policy: TreasuryFileFlag = None, json: Json = False
) -> None:
    """Bring FILE into force at a desk. A file with a mistake changes nothing."""

    async def act(driver: ActionDriver) -> list[dict[str, Any]]:
        return roster_answer(driver.desk, now_ns())

    people = on_desk(Desk(at=at, file=policy, roster=file), act)
    if json:
        as_json({"ok": True, "people": people})
    else:
        as_text(f"{file}: in force at {at}", *_people_lines(people))


@app.command()
def show(at: At = DEFAULT_DESK, json: Json = False) -> None:
    """The roster that is in force at a desk."""
    desk = desk_of(Desk(at=at).where.kept_desk(), None)
    people = roster_answer(desk, now_ns())
    if json:
        as_json({"people": people})
    else:
        as_text(
            *(_people_lines(people) or ["nobody yet; load a file: ballast treasury roster load"])
        )


@app.command()
def key(
    name: Annotated[str, typer.Argument(help="Whose key it is, as on the roster.")],
    out: Annotated[Path, typer.Option("--out", help="Where the private key goes; it must be new.")],
    json: Json = False,
) -> None:
    """Make a key on the machine of the one who will sign. Only the public half goes elsewhere."""
    if not PERSON.fullmatch(name):
        raise UserError(f"{name[:40]!r}: small letters, digits and ._-, at most 32")
    public = make_key(out)
    if json:
        as_json({"name": name, "key": public, "out": str(out)})
    else:
        as_text(f"{out}: private, stays here", f'name = "{name}"', f'key = "{public}"')


def authority(
    file: Annotated[Path, typer.Argument(help="A treasury file.")], json: Json = False
) -> None:
    """Prove the [authority] of FILE over its whole grid, and print its rows."""
    policy = load_authority(file)
    rows = [_row(row) for row in policy.rows]
    digest = authority_word(policy, str(file), "", 1).digest
    if json:
        overrides = [msgspec.to_builtins(row, order="sorted") for row in policy.overrides]
        count = cells(policy)
        as_json(
            {"ok": True, "cells": count, "digest": digest, "rows": rows, "overrides": overrides}
        )
        return
    as_text(f"{file}: whole; {len(rows)} rows over {cells(policy)} cells of sizes, {digest}")
    as_text(*(f"  {row['tier']:<11} {row['name']}: {row['why']}" for row in rows))
    for one in policy.overrides:
        alone = "alone" if one.alone else "one signs"
        roles = " or ".join(sorted(one.roles))
        minutes = one.act_within_ns // 60_000_000_000
        as_text(
            f"  override    {one.trigger}: {roles}, {alone}, within {minutes} min; "
            f"evidence: {', '.join(one.evidence)}"
        )


def _row(row: Rule) -> dict[str, Any]:
    return {
        "name": row.name,
        "tier": row.tier,
        "why": row.why,
        "initiator": sorted(row.initiators),
        "kind": sorted(row.kinds),
        "function": sorted(row.functions),
        "any_size": row.bounds is None,
    }


def _short(one: Shortfall) -> dict[str, Any]:
    text = f"{one!r}, from {moment_text(one.at_ns)}"
    return {"need": one.need, "roles": list(one.roles), "asker": one.asker, "text": text}


def _people_lines(people: list[dict[str, Any]]) -> list[str]:
    return [
        f"  {one['name']:<16} {one['role']:<11} {'absent' if one['is_absent'] else 'live':<7} "
        f"{one['key'][:16]} {one['contact']}"
        for one in people
    ]
