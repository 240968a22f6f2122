"""Where every unit of an asset is and when it is cash: pieces that together are all of it."""

from collections.abc import Iterator

import msgspec

from engine.treasury.dates import NS_PER_H
from engine.treasury.facts import Facts
from engine.values.treasury_words import Lock, LockKind
from engine.values.units import Atoms, Ns

FREE = "free"


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Units of an asset at one place that are cash at the same moment. `how` says what holds them.

    `sells_at` is the venue in whose book they can be sold then. What is `beside` is locked and not
    part of the place's balance.
    """

    asset: str
    place: str
    sells_at: str
    how: str
    atoms: Atoms
    ready_ns: Ns

    @property
    def is_beside(self) -> bool:
        return self.how not in (FREE, LockKind.HALTED.value)

    @property
    def is_free(self) -> bool:
        return self.how == FREE


def cash_ns(lock: Lock, at_ns: Ns) -> Ns:
    """When what is locked is cash if one asks now, or as soon as one may."""
    return max(at_ns, lock.until_ns) + lock.unwind_ns


def pieces_of(facts: Facts, asset: str) -> list[Piece]:
    """All of an asset: balances by place in the order of the file, then locks in theirs."""
    key = "pieces", asset
    if key not in facts.memo:
        facts.memo[key] = tuple(_pieces(facts, asset))
    return list(facts.memo[key])


def _pieces(facts: Facts, asset: str) -> Iterator[Piece]:
    for place in facts.scheme.places.values():
        atoms = facts.held.get((place.name, asset), 0)
        if atoms:
            how, ready_ns = _standing(facts, place.name, facts.at_ns + place.cash_h * NS_PER_H)
            yield _piece(facts, (asset, place.name), how, atoms, ready_ns)
    for lock in facts.locks:
        if lock.asset == asset and lock.kind is not LockKind.HALTED:
            ready_ns = max(cash_ns(lock, facts.at_ns), _standing(facts, lock.place, facts.at_ns)[1])
            yield _piece(facts, (asset, lock.place), lock.kind.value, lock.atoms, ready_ns)


def locked_atoms(facts: Facts, asset: str, kinds: tuple[LockKind, ...]) -> Atoms:
    return sum(lock.atoms for lock in facts.locks if lock.asset == asset and lock.kind in kinds)


def total_atoms(facts: Facts, asset: str) -> Atoms:
    """All of an asset, wherever it is and however long it takes to become cash."""
    return sum(piece.atoms for piece in pieces_of(facts, asset))


def _standing(facts: Facts, place: str, free_ns: Ns) -> tuple[str, Ns]:
    """A halted venue gives nothing back before its lock says so, whatever else is true there."""
    halts = [
        cash_ns(lock, facts.at_ns)
        for lock in facts.locks
        if lock.kind is LockKind.HALTED and lock.place == place
    ]
    return (LockKind.HALTED.value, max(free_ns, *halts)) if halts else (FREE, free_ns)


def _piece(facts: Facts, where: tuple[str, str], how: str, atoms: Atoms, ready_ns: Ns) -> Piece:
    asset, place = where
    return Piece(
        asset=asset,
        place=place,
        sells_at=facts.scheme.places[place].sells_at,
        how=how,
        atoms=atoms,
        ready_ns=ready_ns,
    )
