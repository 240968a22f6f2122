"""What a report is made of, gathered: the picture of the moment, the journals, the assumptions."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec

from engine.cli.treasury_books import Rebuilt, rebuilt, wanted_of
from engine.cli.treasury_calibrate import NO_FLAGS, floating
from engine.cli.treasury_world import Told, World, told_by, world_of
from engine.cli.whereabouts import whereabouts
from engine.runtime.action_driver import desk_of
from engine.runtime.authority_file import load_authority
from engine.runtime.journal_reader import read
from engine.treasury.calibration import Verdict, calibrate
from engine.treasury.depth import rescaled
from engine.treasury.desk_alarms import alarms
from engine.treasury.facts import Scheme
from engine.treasury.liquid import report as liquid_report
from engine.treasury.report_input import (
    Assumption,
    DeskSeen,
    Flow,
    Past,
    Period,
    ReportInput,
    Worked,
    flows_of,
)
from engine.treasury.score import score
from engine.values.action_records import WordRefused
from engine.values.errors import UserError
from engine.values.execution_records import ParentStarted, Reviewed
from engine.values.rebalance_records import BandMoved
from engine.values.treasury_words import LimitMoved
from engine.values.units import scaled

KINDS = ("LimitMoved", "BandMoved", "ParentStarted", "Reviewed")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a person named. `at` is a data directory or a config, `desk` a desk's directory.

    `days` is how many the report covers.
    """

    period: Period
    days: int
    file: Path
    at: Path | None
    desk: Path | None
    facts: tuple[Path, ...]
    assumptions: tuple[Assumption, ...]


def input_of(wanted: Wanted) -> ReportInput:
    """Everything that the files, the engine and the journals say. Raises UserError."""
    given = _given(wanted)
    world = world_of(wanted.file, given)
    facts, file = world.facts, world.file
    journal = _journal(wanted.at)
    made = None if journal is None else rebuilt(wanted_of(journal, wanted.file, NO_FLAGS))
    desk = _desk_path(wanted)
    read_here = dict.fromkeys(path for path in (journal, desk) if path is not None)
    sources = [*world.sources, *map(str, read_here)]
    return ReportInput(
        period=wanted.period,
        days=wanted.days,
        facts=facts,
        liquid=liquid_report(facts, file.liquid),
        liquid_h=file.liquid.within_h,
        standings=tuple(world.limits.standings),
        reviews=tuple(world.limits.reviews.values()),
        rows=tuple(world.limits.rows),
        scores={params.asset: score(facts, params) for params in file.scores},
        floors={params.asset: params.floor for params in file.scores},
        past=None if made is None or journal is None else _past(journal, made, facts.scheme),
        desk=None if desk is None else _desk(desk, wanted.file, world),
        wants_past=file.books is not None,
        wants_desk=file.authority is not None,
        fits=tuple(_fits(world, made)),
        assumptions=(*policy_assumptions(world), *wanted.assumptions),
        sources=tuple(sources),
    )


def _given(wanted: Wanted) -> list[Told]:
    given = told_by(list(wanted.facts), wanted.at, wanted.file)
    if not given:
        raise UserError("name the facts: --at CONFIG or DATA_DIR of an engine, or --facts FILE")
    return given


def _journal(at: Path | None) -> Path | None:
    path = None if at is None else whereabouts(at).journal
    return path if path is not None and path.exists() else None


def _desk_path(wanted: Wanted) -> Path | None:
    """The journal that keeps the desk: where a person said, or the engine's, or beside it."""
    if wanted.desk is not None:
        path = whereabouts(wanted.desk).desk_journal
        if not path.exists():
            raise UserError(f"{path}: there is no desk")
        return path
    journal = None if wanted.at is None else whereabouts(wanted.at).desk_journal
    return journal if journal is not None and journal.exists() else None


# --- the ledger ---------------------------------------------------------------------------------


def _past(journal: Path, made: Rebuilt, scheme: Scheme) -> Past:
    rows = [row.record for row in read(journal, kinds=KINDS)]
    plans = {row.plan.parent: row.plan for row in rows if isinstance(row, ParentStarted)}
    names = set(scheme.names())
    return Past(
        flows=tuple(
            flow
            for entry in made.entries
            for flow in flows_of(entry)
            if flow.asset in names
            for flow in [_in_scheme(flow, made, scheme)]
        ),
        worked=tuple(
            Worked(plan=plans[row.parent], said=row)
            for row in rows
            if isinstance(row, Reviewed) and row.parent in plans
        ),
        limits=tuple(row for row in rows if isinstance(row, LimitMoved)),
        bands=tuple(row for row in rows if isinstance(row, BandMoved)),
        suspended={
            (place, asset): rescaled(
                atoms, made.measures.exponent(asset), scheme.asset(asset).exponent
            )
            for (place, asset), atoms in made.suspended.items()
            if asset in names
        },
        faults=tuple(made.faults),
    )


def _in_scheme(flow: Flow, made: Rebuilt, scheme: Scheme) -> Flow:
    """The books may count finer than the treasury file does: toward zero, as it sees holdings."""
    was, now = made.measures.exponent(flow.asset), scheme.asset(flow.asset).exponent
    atoms, fee = (
        (1 if each >= 0 else -1) * rescaled(abs(each), was, now)
        for each in (flow.atoms, flow.fee_atoms)
    )
    return msgspec.structs.replace(flow, atoms=atoms, fee_atoms=fee)


def _fits(world: World, made: Rebuilt | None) -> Iterator[Verdict]:
    file = world.file
    if file.rebalance is None or made is None:
        return
    params = file.rebalance.calibration
    for asset, bucket in world.facts.scheme.buckets.items():
        for row in bucket.float:
            if scaled(row.target, world.facts.scheme.asset(asset).exponent):
                found = floating(world.facts, asset, row, made, params)
                yield calibrate(found, params)


# --- the desk -----------------------------------------------------------------------------------


def _desk(path: Path, file: Path, world: World) -> DeskSeen:
    """As its journal says. Raises UserError."""
    authority = load_authority(file) if world.file.authority is not None else None
    desk = desk_of(path, authority)
    refused = [cast(WordRefused, row.record) for row in read(path, kinds=("WordRefused",))]
    return DeskSeen(
        proposals=tuple(desk.proposals.all()),
        refused=tuple(refused),
        people=tuple(desk.roster.people.values()),
        alarms=tuple(alarms(desk.watched, world.facts.at_ns)),
    )


# --- what is taken for granted ------------------------------------------------------------------


def policy_assumptions(world: World) -> Iterator[Assumption]:
    """What the treasury file itself takes for granted, each with its key."""
    file = world.file
    for index, asset in enumerate(file.assets):
        key = f"assets[{index}]"
        yield Assumption(
            name=f"haircut of {asset.name}", value=f"{asset.haircut_ppm} ppm",
            where=f"{key}.haircut_ppm", basis="a sale brings less than the book says",
            revisit="monthly, beside the realised slippage",
        )  # fmt: skip
        yield Assumption(
            name=f"age of a price of {asset.name}", value=f"{asset.price_age_max_s} s",
            where=f"{key}.price_age_max_s", basis="older is unknown, and worth nothing",
            revisit="monthly",
        )  # fmt: skip
    for index, place in enumerate(file.places):
        yield Assumption(
            name=f"time to cash of {place.name}", value=f"{place.cash_h} h",
            where=f"places[{index}].cash_h", basis="from asking to the sale",
            revisit="after every drill and withdrawal",
        )  # fmt: skip
    yield Assumption(
        name="books of later dates", value="as today", where="the coverage curve",
        basis="no others are known", revisit="at every report",
    )  # fmt: skip
    if file.execution is not None:
        found = file.execution.estimate
        yield Assumption(
            name="cost of an unknown volume", value=f"{found.unknown_volume_ppm} ppm",
            where="execution.estimate.unknown_volume_ppm", basis="nobody told the volume",
            revisit="monthly, beside the staged orders",
        )  # fmt: skip
