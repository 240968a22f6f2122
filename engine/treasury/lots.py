"""Lots of one asset: what was bought when and for how much, and what each disposal realised."""

from bisect import insort
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

import msgspec

from engine.treasury.chart import Move, TaxTag
from engine.values.units import Atoms, Ns


class LotMethod(StrEnum):
    """Which lot goes first: the oldest, the newest, the dearest, or the one that was named."""

    FIFO = "fifo"
    LIFO = "lifo"
    HIFO = "hifo"
    SPECIFIC = "specific"


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of one acquisition, and of its cost in money (None: not known).

    `unit` is the cost of an atom as it was bought: what HIFO goes by. `acquired_ns` None is a
    holding from before the books, of which nobody told when it was bought.
    """

    name: str
    atoms: Atoms
    cost_atoms: Atoms | None
    acquired_ns: Ns | None
    unit: Fraction | None


class Disposal(msgspec.Struct, frozen=True, kw_only=True):
    """So many atoms of one lot went. `gain_atoms` is None where cost or proceeds are not known.

    `lot` is "" while nothing that we had can have been sold (`acquired_ns` None): the next that is
    acquired covers it.
    """

    key: str
    asset: str
    when_ns: Ns
    tag: TaxTag
    atoms: Atoms
    lot: str
    acquired_ns: Ns | None
    cost_atoms: Atoms | None
    proceeds_atoms: Atoms | None

    @property
    def gain_atoms(self) -> Atoms | None:
        if self.cost_atoms is None or self.proceeds_atoms is None:
            return None
        return self.proceeds_atoms - self.cost_atoms


class Short(msgspec.Struct, frozen=True, kw_only=True):
    """A disposal of what we did not have yet. It is covered by what comes next."""

    move: Move
    atoms: Atoms
    proceeds_atoms: Atoms | None


Choices = Mapping[tuple[str, str], tuple[tuple[str, Atoms], ...]]
"""By (entry key, asset): the lots that a person named, with how much of each."""


class Shelf(msgspec.Struct):
    """The lots of one asset in the order in which they go, and what is sold but not yet covered."""

    method: LotMethod
    lots: list[Lot]
    shorts: list[Short]

    def copy(self) -> "Shelf":
        return Shelf(self.method, list(self.lots), list(self.shorts))

    def apply(self, move: Move, choices: Choices) -> list[Disposal]:
        """Take in the next move; returns what it realised."""
        if move.atoms > 0:
            return self._acquire(move)
        return self._dispose(move, choices.get((move.key, move.asset), ()))

    # --- in -------------------------------------------------------------------------------------

    def _acquire(self, move: Move) -> list[Disposal]:
        left, cost = move.atoms, move.worth_atoms
        unit = None if cost is None else Fraction(cost, left)
        done: list[Disposal] = []
        while left and self.shorts:
            short = self.shorts.pop(0)
            taken = min(left, short.atoms)
            part, cost = _split(cost, left, taken)
            proceeds, rest = _split(short.proceeds_atoms, short.atoms, taken)
            lot = Lot(
                name=move.lot, atoms=taken, cost_atoms=part, acquired_ns=_dated(move), unit=unit
            )
            done.append(_disposal(short.move, lot, proceeds))
            left -= taken
            if taken < short.atoms:
                kept = short.atoms - taken
                self.shorts.insert(0, Short(move=short.move, atoms=kept, proceeds_atoms=rest))
        if left:
            self._put(
                Lot(name=move.lot, atoms=left, cost_atoms=cost, acquired_ns=_dated(move), unit=unit)
            )
        return done

    def _put(self, lot: Lot) -> None:
        match self.method:
            case LotMethod.FIFO | LotMethod.SPECIFIC:
                self.lots.append(lot)
            case LotMethod.LIFO:
                self.lots.insert(0, lot)
            case LotMethod.HIFO:
                insort(self.lots, lot, key=_dearest_first)
            case _:
                assert_never(self.method)

    # --- out ------------------------------------------------------------------------------------

    def _dispose(self, move: Move, chosen: tuple[tuple[str, Atoms], ...]) -> list[Disposal]:
        left, proceeds = -move.atoms, move.worth_atoms
        done: list[Disposal] = []
        if self.method is LotMethod.SPECIFIC:
            for name, atoms in chosen:
                index = self._index(name)
                taken = 0 if index < 0 else min(left, atoms, self.lots[index].atoms)
                if taken:
                    part, proceeds = _split(proceeds, left, taken)
                    done.append(_disposal(move, self._take(index, taken), part))
                    left -= taken
        while left and self.lots:
            taken = min(left, self.lots[0].atoms)
            part, proceeds = _split(proceeds, left, taken)
            done.append(_disposal(move, self._take(0, taken), part))
            left -= taken
        if left:
            self.shorts.append(Short(move=move, atoms=left, proceeds_atoms=proceeds))
        return done

    def _index(self, name: str) -> int:
        return next((i for i, lot in enumerate(self.lots) if lot.name == name), -1)

    def _take(self, index: int, atoms: Atoms) -> Lot:
        """So much out of a lot, with its share of the cost; what is left keeps the rest of it."""
        lot = self.lots[index]
        part, rest = _split(lot.cost_atoms, lot.atoms, atoms)
        if atoms == lot.atoms:
            del self.lots[index]
        else:
            self.lots[index] = msgspec.structs.replace(
                lot, atoms=lot.atoms - atoms, cost_atoms=rest
            )
        return msgspec.structs.replace(lot, atoms=atoms, cost_atoms=part)

    # --- what there is --------------------------------------------------------------------------

    @property
    def atoms(self) -> Atoms:
        """What the lots say that we have, less what is sold but not covered."""
        return sum(lot.atoms for lot in self.lots) - sum(short.atoms for short in self.shorts)

    def uncovered(self) -> list[Disposal]:
        """What was sold and not had: its gain is not known."""
        nothing = Lot(name="", atoms=0, cost_atoms=None, acquired_ns=None, unit=None)
        return [
            _disposal(
                short.move, msgspec.structs.replace(nothing, atoms=short.atoms),
                short.proceeds_atoms,
            )
            for short in self.shorts
        ]  # fmt: skip

    def check(self) -> None:
        assert all(lot.atoms > 0 for lot in self.lots), "an empty lot is left"
        assert all(short.atoms > 0 for short in self.shorts), "an empty short is left"
        assert not (self.lots and self.shorts), "something is both held and owed"
        if self.method is LotMethod.HIFO:
            assert self.lots == sorted(self.lots, key=_dearest_first)


def _disposal(move: Move, lot: Lot, proceeds: Atoms | None) -> Disposal:
    return Disposal(
        key=move.key,
        asset=move.asset,
        when_ns=move.when_ns,
        tag=move.tag,
        atoms=lot.atoms,
        lot=lot.name,
        acquired_ns=lot.acquired_ns,
        cost_atoms=lot.cost_atoms,
        proceeds_atoms=proceeds,
    )


def _dated(move: Move) -> Ns | None:
    return move.when_ns if move.is_dated else None


def _split(
    money: Atoms | None, atoms: Atoms, taken: Atoms
) -> tuple[Atoms, Atoms] | tuple[None, None]:
    """Money of `taken` out of `atoms`, and of the rest. Nothing is lost to rounding."""
    if money is None:
        return None, None
    part = money if taken == atoms else money * taken // atoms
    return part, money - part


def _dearest_first(lot: Lot) -> tuple[bool, Fraction]:
    """A lot of unknown cost goes last: it cannot be called dear."""
    return (lot.unit is None, -(lot.unit or Fraction(0)))
