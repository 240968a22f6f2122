"""Delays for a back-test from a recorded session: how long its own orders took, there and back."""

from pathlib import Path

from engine.runtime.recording import Session, entries, sessions
from engine.sim.latency import Delay, Table
from engine.sim.parity_live import lived
from engine.values.errors import UserError
from engine.values.units import Ns


def ways_of(own: list[Session], path: str, flag: str) -> tuple[Delay, Delay]:
    """Both ways of the orders in `own`, or of all sessions in `path`. Raises UserError.

    Half of the time from the first byte to the first word is each way, since no two clocks have to
    agree for it; a moment takes the delay between those of the orders before and after it.
    """
    found = sessions(Path(path)) if path else own
    there: dict[Ns, Ns] = {}
    back: dict[Ns, Ns] = {}
    for session in found:
        for order in lived(entries(session)).orders.values():
            if order.sent_ns and order.answered_ns:
                half_ns = (order.answered_ns - order.sent_ns) // 2
                there[order.sent_ns] = back[order.answered_ns] = half_ns
    if not there:
        where = path or "the data"
        raise UserError(f"--latency {flag!r}: no order of a recorded session is in {where}")
    return Table(tuple(sorted(there.items()))), Table(tuple(sorted(back.items())))
