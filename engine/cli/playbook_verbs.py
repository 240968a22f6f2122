"""The verbs of `ballast playbook`: those about files, and those about a running engine."""

from engine.cli.playbook import app
from engine.cli.playbook_live import load, what_if

app.command()(load)
app.command(name="what-if")(what_if)
