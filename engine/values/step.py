"""What one fact led to: the answer of `Engine.process`."""

import msgspec

from engine.values.commands import Command
from engine.values.records import Alert, Record
from engine.values.units import Ns


class Step(msgspec.Struct):
    """Commands to do, records to keep, alerts to show, and when the next Timer is wanted.

    `decided` is the market whose strategy was asked, "" for none.

    Records precede commands: an order's intent is among the records of the step that places it.
    """

    commands: list[Command]
    records: list[Record]
    alerts: list[Alert]
    wake_ns: Ns = 0
    decided: str = ""

    def alert(self, market: str, at_ns: Ns, level: str, text: str) -> None:
        self.alerts.append(Alert(market=market, at_ns=at_ns, level=level, text=text))
