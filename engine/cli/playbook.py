"""`ballast playbook`: prove a playbook, show its grid, and say what a new version changes."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.playbook_page import page_of
from engine.cli.playbook_view import as_answer, row_views, text_lines
from engine.cli.show import as_json, as_text
from engine.runtime.person_file import read_text
from engine.trading.playbook import Playbook
from engine.trading.playbook_diff import Change, changes, numbers_changed
from engine.trading.playbook_file import load_playbook
from engine.values.errors import UserError

File = Annotated[Path, typer.Argument(help="A playbook, as configs/playbook.toml.")]
Json = Annotated[bool, typer.Option("--json", help="One object on the last line.")]

app = typer.Typer(name="playbook", help="Prove, show and load playbooks.", no_args_is_help=True)


@app.command()
def check(file: File, json: Json = False) -> None:
    """Prove FILE over every combination of answers. Exit code 2 where it may not run."""
    try:
        playbook = playbook_of(file)
    except UserError as error:
        if not json:
            raise
        as_json({"ok": False, "file": str(file), "problems": str(error).splitlines()})
        raise typer.Exit(error.exit_code) from error
    if json:
        as_json({"ok": True, "file": str(file), **as_answer(playbook)})
        return
    default = row_views(playbook)[-1]
    total = sum(view.known for view in row_views(playbook))
    as_text(
        f"{file}: whole; {len(playbook.rows)} rows over {playbook.taken.size} cells, "
        f"{playbook.digest[:12]}",
        f'  "{default.name}" takes {default.known} of the {total} cells of known answers, '
        f"{default.cells} in all",
    )


@app.command()
def show(
    file: File,
    html: Annotated[Path | None, typer.Option(help="Write a page with the whole grid.")] = None,
    json: Json = False,
) -> None:
    """Print what FILE comes to: each row with its cells, and signal against BTC."""
    playbook = playbook_of(file)
    if html is not None:
        _write(html, page_of(playbook))
    if json:
        as_json({**as_answer(playbook), "html": None if html is None else str(html)})
        return
    as_text(*text_lines(playbook))
    if html is not None:
        as_text("", f"{html}: the whole grid")


@app.command()
def diff(old: File, new: File, json: Json = False) -> None:
    """Say which cells do something else under NEW than under OLD."""
    was, now = playbook_of(old), playbook_of(new)
    found, numbers = changes(was, now), numbers_changed(was, now)
    cells = sum(change.cells for change in found)
    if json:
        rows = [msgspec.structs.asdict(change) for change in found]
        as_json({"same": not (found or numbers), "cells": cells, "rows": rows, "numbers": numbers})
        return
    if not (found or numbers):
        as_text("no cell and no number changes")
        return
    as_text(f"{cells} of {was.taken.size} cells do something else")
    for change in found:
        as_text(*_change_lines(change))
    for line in numbers:
        as_text(f"number: {line}")


def _change_lines(change: Change) -> list[str]:
    rows = f'"{change.was}"' + ("" if change.was == change.now else f' -> "{change.now}"')
    bolder = "; BOLDER" if change.is_bolder else "; more careful"
    return [
        f"{rows}: {change.known} known cells, {change.cells} in all{bolder}",
        f"  where: {change.where}",
        f"  what:  {'; '.join(change.parts)}",
        f"  as in: {change.example}",
    ]


def playbook_of(file: Path) -> Playbook:
    """The playbook in `file`, proved. Raises UserError with a line for each mistake."""
    return load_playbook(read_text(file), str(file))


def _write(file: Path, page: str) -> None:
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from error
