"""Locks as an engine tells them: those of its files, and those that only its chain knows of."""

from datetime import datetime

import msgspec

from engine.treasury.facts import Scheme
from engine.values.errors import UserError
from engine.values.treasury_words import Lock, LockKind, LockSet
from engine.values.units import NS_PER_S, Ns, scaled


class LockTold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of `locks.csv`, with the notice in seconds. `until` None: one may ask for it now."""

    name: str
    kind: LockKind
    place: str
    asset: str
    amount: str
    unwind_s: int
    until: datetime | None = None


def locks_told(rows: list[LockTold], scheme: Scheme, at_ns: Ns, name: str) -> LockSet:
    """All that is locked, in place of what was read before. Raises UserError naming a row."""
    found = [_lock(row, scheme, f"{name}: locks[{index}]") for index, row in enumerate(rows)]
    return LockSet(at_ns=at_ns, who="", name=name, digest="", rows=found)


def _lock(row: LockTold, scheme: Scheme, where: str) -> Lock:
    if row.place not in scheme.places:
        raise UserError(f'{where}.place: "{row.place[:40]}" is none of [[places]]')
    is_halt = row.kind is LockKind.HALTED
    if not is_halt and row.asset not in scheme.names():
        raise UserError(f'{where}.asset: "{row.asset[:40]}" is none of this treasury\'s')
    try:
        atoms = 0 if is_halt else scaled(row.amount, scheme.asset(row.asset).exponent)
    except ValueError as error:
        raise UserError(f"{where}.amount: {error}") from error
    if atoms < 0 or row.unwind_s < 0:
        raise UserError(f"{where}: amount and unwind_s may not be below 0")
    until_ns = 0
    if row.until is not None:
        if row.until.tzinfo is None:
            raise UserError(f"{where}.until: has no offset")
        until_ns = int(row.until.timestamp()) * NS_PER_S
    return Lock(
        name=row.name,
        kind=row.kind,
        place=row.place,
        asset=row.asset,
        atoms=atoms,
        unwind_ns=row.unwind_s * NS_PER_S,
        until_ns=until_ns,
    )
