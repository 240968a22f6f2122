"""`ballast init`: what a treasurer begins with."""

import typer

from engine.cli.init_treasury import treasury

app = typer.Typer(help="Begin a treasury, thin.", no_args_is_help=True, rich_markup_mode=None)
app.command("treasury")(treasury)


@app.callback()
def _whole() -> None:
    """Begin something that runs, and is explained."""
