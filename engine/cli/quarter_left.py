"""What a live quarter leaves behind, and whether it holds: journals, ledger, venues, held together.

Everything here is read back from the journals that the engine and the desk of transfers wrote, and
held against what the venues themselves say.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from engine.cli.quarter_sessions import HAUL, Lived
from engine.cli.quarter_venues import ACCOUNT
from engine.cli.treasury_books import Rebuilt, rebuilt, wanted_of
from engine.cli.treasury_calibrate import NO_FLAGS
from engine.cli.treasury_quarter_files import ACTIONS, POLICY, Left, write_left
from engine.runtime.action_driver import JOURNAL_NAME as DESK_NAME
from engine.runtime.config import JOURNAL_NAME
from engine.runtime.journal_reader import read, verify
from engine.treasury.dates import NS_PER_DAY, begin_ns
from engine.treasury.report import TreasuryReport
from engine.values.action_records import Proposed, Reconsidered
from engine.values.events import Fill
from engine.values.execution_records import ChildSent, ParentStarted
from engine.values.records import OrderIntent, Record
from engine.values.units import NS_PER_S, decimal_text

KEPT = frozenset((
    "LimitMoved", "ParentStarted", "ParentMoved", "ChildSent", "ChildRefused", "Reviewed",
    "Switched", "ObligationSet", "ObligationPaid", "BandMoved", "PriceReviewed", "FloatSet",
    *(kind.__name__ for kind in ACTIONS),
))  # fmt: skip
"""Rows for those who read text; all of them are in the journals."""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The journals as they stand, the books made of them, and what does not hold."""

    records: list[Record]
    made: Rebuilt
    faults: list[str]


def ended(lived: Lived, home: Path) -> Ended:
    """After the engine has stopped. Writes what is text beside the journals."""
    records = _records(home)
    made = rebuilt(wanted_of(home / JOURNAL_NAME, home / POLICY, NO_FLAGS))
    write_left(
        home,
        Left(
            policy=home / POLICY,
            records=[row for row in records if type(row).__name__ in KEPT],
            entries=made.entries,
            facts=lived.facts,
            references=lived.ground.treasury.limits.references,
        ),
    )
    faults = [*_chains(home), *made.faults, *_differences(lived, made), *_orders(lived, records)]
    return Ended(records=records, made=made, faults=faults)


def _records(home: Path) -> list[Record]:
    """Of both journals, in the order of their moments."""
    rows = [*read(home / JOURNAL_NAME), *read(home / HAUL / DESK_NAME)]
    return [row.record for row in sorted(rows, key=lambda row: row.at_ns)]


def _chains(home: Path) -> list[str]:
    found = {path: verify(path).problem for path in (home / JOURNAL_NAME, home / HAUL / DESK_NAME)}
    return [f"{path}: {problem}" for path, problem in found.items() if problem]


def _differences(lived: Lived, made: Rebuilt) -> list[str]:
    """Where the ledger is not what the place itself holds, to the atom."""
    held = dict(lived.ground.elsewhere)
    for name, venue in lived.engine.venues.items():
        held |= {(name, asset): atoms for asset, atoms in venue.held().items()}
        venue.exchange.exchange.check()
    ours = {key: made.books.ledger.holdings(*key) for key in held}
    return [
        f"{place} holds {decimal_text(atoms, 8)} {asset}, the ledger says "
        f"{decimal_text(ours[place, asset], 8)}"
        for (place, asset), atoms in held.items()
        if ours[place, asset] != atoms
    ]


def _orders(lived: Lived, records: list[Record]) -> list[str]:
    """Each order at a venue was intended once, each child by a parent, each fill journaled once."""
    intents = {row.order.client_id: row.order for row in records if isinstance(row, OrderIntent)}
    children = {row.client_id for row in records if isinstance(row, ChildSent)}
    fills = Counter((r.market, r.trade_id) for r in records if isinstance(r, Fill))
    found = [
        f"{market} trade {number}: {n} times" for (market, number), n in fills.items() if n > 1
    ]
    for name, venue in lived.engine.venues.items():
        state = venue.exchange.state()
        if state.self_trades:
            found.append(f"{name}: {state.self_trades} trades with ourselves")
        if state.open_orders:
            found.append(f"{name}: {len(state.open_orders)} orders still stand")
        for order, count in Counter(order.client_id for order in state.orders).items():
            if count > 1 or order not in intents:
                found.append(f"{name}: order {order} came {count} times, intended or not")
            elif intents[order].is_ioc != (order in children):
                found.append(f"{name}: order {order} is no child of a parent, and takes")
        ours = sum(n for (market, _), n in fills.items() if market.endswith(f"@{name}"))
        theirs = sum(1 for fill in state.fills if fill.account == ACCOUNT)
        if ours != theirs:
            found.append(f"{name}: {theirs} fills there, {ours} in the journal")
    return found


# --- what people are told -------------------------------------------------------------------------


def live_summary(lived: Lived, end: Ended, made: TreasuryReport) -> dict[str, Any]:
    figures = {row[0]: row for row in made.table("figures").rows}
    passed, slip = figures["policy breaches"], figures["realised slippage"]
    payments, late, slowest_ns = _payments(lived)
    faults = [row for row in made.table("exceptions").rows if row[1] == "the books are proved"]
    unproved = [*end.faults, *(str(row[2]) for row in faults)]
    bad = [late, passed[3], unproved, lived.engine.watch.unverified, lived.people.frozen]
    return {
        "ok": not any(bad),
        "obligations": payments,
        "late": late,
        "slowest_payment_s": round(slowest_ns / NS_PER_S, 3),
        "limits_passed": passed[1],
        "limits_passed_without_approval": passed[3],
        "unproved": unproved,
        "actions": dict(_tiers(end.records)),
        "refused": lived.ground.refused,
        "orders": sum(isinstance(row, ParentStarted) for row in end.records),
        "children": sum(isinstance(row, ChildSent) for row in end.records),
        "slippage": {"realised": slip[1], "expected": slip[3]},
        "placed": lived.engine.watch.placed,
        "fills": sum(isinstance(row, Fill) for row in end.records),
        "refused_by_the_gate": lived.engine.watch.refused,
        "unverified": lived.engine.watch.unverified,
        "frozen": lived.people.frozen,
        "self_trades": _self_trades(lived),
        "ladder": lived.people.rules.ladders,
        "entries": len(end.made.entries),
        "sessions": lived.sessions,
        "overlong": lived.overlong,
        "wires_lost": dict(lived.engine.watch.losses),
        "outage": list(lived.engine.setup.outage),
        "depeg": lived.engine.setup.peg_day,
    }


def _payments(lived: Lived) -> tuple[int, list[str], int]:
    """(how many fell due, those not paid on their day, the longest wait since a day began)."""
    paid = lived.people.rules.paid
    due = [
        row for row in lived.ground.owed.values() if begin_ns(row.due) <= lived.engine.setup.end_ns
    ]
    waits = {row.name: paid.get(row.name, 2**62) - begin_ns(row.due) for row in due}
    late = [name for name, wait_ns in waits.items() if wait_ns >= NS_PER_DAY]
    return len(due), late, max((ns for ns in waits.values() if ns < NS_PER_DAY), default=0)


def _tiers(records: list[Record]) -> Counter[str]:
    """What each action needed in the end."""
    tiers: dict[str, str] = {}
    for row in records:
        if isinstance(row, Proposed | Reconsidered):
            tiers[row.name] = row.ruling.tier.value
    return Counter(tiers.values())


def _self_trades(lived: Lived) -> int:
    return sum(venue.exchange.state().self_trades for venue in lived.engine.venues.values())
