"""`ballast treasury`: what the treasury holds, owes, may do and did. Each verb has its own file."""

import typer

from engine.cli.treasury_calibrate import calibrate_verb
from engine.cli.treasury_check import check, liquid
from engine.cli.treasury_drill import drill
from engine.cli.treasury_inbox import carry_out, inbox
from engine.cli.treasury_ladder import ladder
from engine.cli.treasury_ledger import gains, ledger
from engine.cli.treasury_place import place
from engine.cli.treasury_propose import approve, evidence, propose, reject
from engine.cli.treasury_quarter import quarter
from engine.cli.treasury_report import report
from engine.cli.treasury_roster import app as roster_app
from engine.cli.treasury_roster import authority
from engine.cli.treasury_simulate import simulate

app = typer.Typer(name="treasury", help="Holdings, limits and records.", no_args_is_help=True)
app.command()(liquid)
app.command()(check)
app.command()(ledger)
app.command()(gains)
app.command()(place)
app.command()(ladder)
app.command()(drill)
app.command()(report)
app.command()(quarter)
app.command("calibrate")(calibrate_verb)
for verb in (authority, propose, approve, reject, evidence, inbox, carry_out, simulate):
    app.command()(verb)
app.add_typer(roster_app)
