"""`ballast treasury check` and `liquid`: a treasury file, and what the facts come to under it."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.show import as_json, as_text
from engine.runtime.treasury_file import load_treasury, treasury_digest

File = Annotated[Path, typer.Argument(help="A treasury file, as configs/treasury.toml.")]
Json = Annotated[bool, typer.Option("--json", help="One object on the last line.")]


def check(file: File, json: Json = False) -> None:
    """Check FILE. Exit code 2 where it makes no sense."""
    treasury = load_treasury(file)
    answer = {"ok": True, "file": str(file), "digest": treasury_digest(treasury)}
    if json:
        as_json(answer)
        return
    as_text(f"{file}: fine; {len(treasury.assets)} assets in {len(treasury.places)} places")
