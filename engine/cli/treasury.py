"""`ballast treasury`: what the treasury holds, owes, may do and did. Each verb has its own file."""

import typer

from engine.cli.treasury_check import check, liquid
from engine.cli.treasury_ledger import gains, ledger

app = typer.Typer(name="treasury", help="Holdings, limits and records.", no_args_is_help=True)
app.command()(liquid)
app.command()(check)
app.command()(ledger)
app.command()(gains)
