"""`ballast run`: quote the markets of a config until told to stop."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.start import start


def run(
    config: Annotated[Path, typer.Argument(help="A config file, as in configs/.")],
    live: Annotated[bool, typer.Option("--live", help="Real money: the file must say so too.")] = (
        False
    ),
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Quote the markets of CONFIG until SIGTERM, Ctrl-C or `ballast stop`."""
    raise typer.Exit(start(config, is_live=live, is_json=json))
