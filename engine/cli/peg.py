"""`ballast peg`: what a peg's params promise, as a page for the users of the token."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.loading import load_all
from engine.cli.peg_rules import page_of, rules_of, text_of
from engine.cli.show import as_json
from engine.runtime.config import load_config
from engine.runtime.person_file import read_text
from engine.values.errors import UserError
from engine.values.table_check import problems, toml_table
from strategies.peg import PegParams

app = typer.Typer(name="peg", help="Look at a peg's rules.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at a peg's rules."""


@app.command()
def rules(
    file: Annotated[
        Path, typer.Argument(help="A config with pegs, or a TOML file of one's params.")
    ],
    html: Annotated[Path | None, typer.Option(help="Write a page here.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """The rules of every peg in FILE as plain sentences, to publish as they stand."""
    titled = [(name, rules_of(params)) for name, params in _pegs(file)]
    if html is not None:
        _write(html, page_of(titled))
    if json:
        as_json({"pegs": [{"name": name, "rules": dict(found)} for name, found in titled]})
        return
    typer.echo("\n\n".join(text_of(name, found) for name, found in titled))
    if html is not None:
        typer.echo(f"\npage in {html}")


def _pegs(file: Path) -> list[tuple[str, PegParams]]:
    table = toml_table(read_text(file), str(file))
    if "markets" not in table:
        if found := problems(table, PegParams, ""):
            raise UserError("\n".join(f"{file}: {line}" for line in found))
        return [(file.stem, msgspec.convert(table, PegParams))]
    config = load_config(file)
    loaded = zip(config.markets, load_all(config, str(file)), strict=True)
    pegs = [(market.symbol, made.params) for market, made in loaded]
    found_pegs = [(name, params) for name, params in pegs if isinstance(params, PegParams)]
    if not found_pegs:
        raise UserError(f"{file}: no market's strategy is a peg")
    return found_pegs


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from error
