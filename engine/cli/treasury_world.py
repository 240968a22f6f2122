"""A treasury put together for one question: its file, its rows, and the facts of the moment."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.cli.treasury_stopped import left_by
from engine.cli.whereabouts import whereabouts
from engine.runtime.control import NotRunning, call
from engine.runtime.limits_told import limits_told
from engine.runtime.treasury_facts import (
    FactsFile,
    facts_file,
    parse_facts,
    price_of,
    scheme_of,
    told,
)
from engine.runtime.treasury_file import TreasuryFile, load_treasury, treasury_digest
from engine.runtime.treasury_rows import locks_of, obligations_of
from engine.treasury.facts import Facts
from engine.treasury.holdings import Holdings
from engine.treasury.limits import Limits
from engine.values.errors import UserError
from engine.values.treasury_words import LimitsSet, LockSet, ObligationSet, PriceReviewed

ANSWER_S = 5.0


class World(msgspec.Struct, frozen=True, kw_only=True):
    """`sources` names what was read, in order; `notes` is what people must know of it first."""

    file: TreasuryFile
    facts: Facts
    limits: Limits
    sources: list[str]
    notes: list[str]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One source of facts, and the same as plain JSON. `note` says how old it is where it is."""

    name: str
    facts: FactsFile
    table: Any
    note: str = ""


def world_of(path: Path, given: list[Told]) -> World:
    """Everything that the facts come to under the file. Raises UserError.

    The rows of the files come first, then each source in turn; after each fact the limits look.
    Where a source tells the limits in force, what the file wishes wider than those only waits.
    """
    file = load_treasury(path)
    holdings, limits = Holdings(scheme_of(file)), Limits()
    at_ns = time.time_ns()
    for in_force in _in_force(given, holdings):
        limits.remember(in_force)
    limits.remember(
        LimitsSet(
            at_ns=at_ns, who="", name=str(path), digest=treasury_digest(file), rows=file.limits
        )
    )
    sources = [str(path)]
    for words in row_facts(file, 0):
        holdings.learn(words)
        sources.append(f"{words.name} ({len(words.rows)} rows)")
    for source in given:
        for row in source.facts.reviewed:
            limits.remember(_reviewed(row, holdings, source.name))
    named = [name for source in given for name in _look(holdings, limits, source)]
    sources += [source.name for source in given]
    limits.look_anew(holdings.facts(), named[-1] if named else sources[-1])
    notes = [source.note for source in given if source.note]
    return World(file=file, facts=holdings.facts(), limits=limits, sources=sources, notes=notes)


def row_facts(file: TreasuryFile, at_ns: int) -> Iterator[ObligationSet | LockSet]:
    """What people wrote into the files that the treasury file names. Raises UserError."""
    if file.files is not None and file.files.obligations:
        yield obligations_of(Path(file.files.obligations), file, at_ns, "")
    if file.files is not None and file.files.locks:
        yield locks_of(Path(file.files.locks), file, at_ns, "")


def told_by(files: list[Path], at: Path | None, policy: Path) -> list[Told]:
    """The picture of the engine at `at` first, then those of files. Raises UserError.

    Of an engine that does not run it is what its journal says (`treasury_stopped`), read by what
    `policy` says of assets; what a file tells of the same place is newer and stands alone.
    """
    found = []
    for path in files:
        facts = facts_file(path)
        found.append(Told(name=str(path), facts=facts, table=msgspec.to_builtins(facts)))
    if at is not None:
        found.insert(0, _engine(at, policy, [told.facts for told in found]))
    return found


def _engine(at: Path, policy: Path, others: list[FactsFile]) -> Told:
    where, note, name = whereabouts(at), "", str(at)
    try:
        table = call(where.socket, "account", {}, ANSWER_S)
    except NotRunning:
        now_ns = time.time_ns()
        left = left_by(where, load_treasury(policy), others, now_ns)
        table, note, name = left.table, left.note(now_ns), f"{where.journal} ({left.mark})"
    return Told(name=name, facts=parse_facts(table, name), table=table, note=note)


def _in_force(given: list[Told], holdings: Holdings) -> Iterator[LimitsSet]:
    for source in given:
        if source.facts.limits is not None:
            yield limits_told(source.facts.limits, holdings.scheme, source.name)
            return


def _look(holdings: Holdings, limits: Limits, source: Told) -> Iterator[str]:
    for name in told(holdings, source.facts, source.name):
        limits.look(holdings.facts(), name)
        yield name


def _reviewed(row: Any, holdings: Holdings, name: str) -> PriceReviewed:
    if row.asset not in holdings.scheme.assets:
        raise UserError(f'{name}: reviewed: "{row.asset[:40]}" is none of [[assets]]')
    price = price_of(row, holdings.scheme, f"{name}: reviewed.{row.asset}")
    return PriceReviewed(
        at_ns=price.at_ns,
        action="",
        asset=row.asset,
        money_atoms=price.money_atoms,
        base_atoms=price.base_atoms,
    )
