"""`ballast new`: what an author begins with."""

import typer

from engine.cli.new_market import market
from engine.cli.new_strategy import strategy

app = typer.Typer(
    help="Begin a strategy, or make a market to test it on.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("strategy")(strategy)
app.command("market")(market)
