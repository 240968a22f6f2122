"""`ballast treasury liquid` and `check`: how much is liquid today, and which limits hold."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_text import limit_lines, liquid_lines
from engine.cli.treasury_view import limits_answer, liquid_answer, reviews_answer
from engine.cli.treasury_world import Told, told_by, world_of
from engine.runtime.treasury_file import treasury_digest
from engine.treasury.limit_measures import UNKNOWN
from engine.values.errors import UserError

File = Annotated[Path, typer.Argument(help="A treasury file, as configs/treasury.toml.")]
FactsFiles = Annotated[
    list[Path] | None,
    typer.Option("--facts", help="Balances, prices and books as JSON; repeatable."),
]
At = Annotated[
    Path | None,
    typer.Option("--at", help="An engine's config or data directory: ask it, or its journal."),
]
Save = Annotated[Path | None, typer.Option(help="Keep what the engine said, for --facts.")]
Json = Annotated[bool, typer.Option("--json", help="One object on the last line.")]


def liquid(
    file: File,
    facts: FactsFiles = None,
    at: At = None,
    save: Save = None,
    json: Json = False,
) -> None:
    """How much is liquid today, after all locks and obligations? Exit code 1 where some date is
    not covered."""
    given = told_by(facts or [], at, file)
    if not given:
        raise UserError("name the facts: --at CONFIG or DATA_DIR of an engine, or --facts FILE")
    world = world_of(file, given)
    answer = liquid_answer(world)
    _save(save, given)
    if json:
        as_json(answer)
    else:
        as_text(*world.notes, *liquid_lines(answer))
    raise typer.Exit(0 if answer["first_uncovered"] is None else 1)


def check(file: File, facts: FactsFiles = None, at: At = None, json: Json = False) -> None:
    """Check FILE and the rows that it names; with facts, every limit under them.

    Exit code 2 where something makes no sense, 1 where a limit is passed or cannot be known.
    """
    given = told_by(facts or [], at, file)
    world = world_of(file, given)
    limits = limits_answer(world) if given else []
    passed = [row["limit"] for row in limits if row["is_breached"]]
    unknown = [row["limit"] for row in limits if row["state"] == UNKNOWN]
    is_fine = not (passed or unknown)
    answer = {
        "ok": is_fine,
        "file": str(file),
        "digest": treasury_digest(world.file),
        "sources": world.sources,
        "notes": world.notes,
        "rows": [row.name for row in world.file.limits],
        "limits": limits,
        "unknown": unknown,
        "reviews_due": reviews_answer(world),
    }
    if json:
        as_json(answer)
    else:
        as_text(*world.notes, *_lines(answer, world.file.money.name))
    raise typer.Exit(0 if is_fine else 1)


def _lines(answer: dict[str, Any], money: str) -> list[str]:
    count = len(answer["rows"])
    lines = [f"{answer['file']}: fine; {count} limits; read {', '.join(answer['sources'])}"]
    if not answer["limits"]:
        return [
            *lines,
            "name the facts to see where the limits stand: --at CONFIG or DIR, or --facts FILE",
        ]
    lines += limit_lines(answer["limits"], money)
    return lines + [
        f"{one['asset']}: the price is {one['ratio']:.2f} times that of the limits' last review; "
        "until people look, their money ceilings stay"
        for one in answer["reviews_due"]
    ]


def _save(path: Path | None, given: list[Told]) -> None:
    """The first source, which is the engine where one was asked."""
    if path is None:
        return
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(given[0].table)) + b"\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
