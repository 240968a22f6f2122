"""What the treasury would look like after a surplus were put to one use: a picture to be judged.

Every picture is made at its worst: a conversion pays the book, the fee and the haircut; a pool
gives of both sides only what the fall that it is tested with leaves; the margin of a short is
locked. So whatever the coverage curve and the limits say of the picture, they say of a bad day.
"""

from fractions import Fraction
from math import isqrt
from typing import assert_never

import msgspec

from engine.treasury.dates import NS_PER_H
from engine.treasury.depth import merged, walked
from engine.treasury.facts import Facts
from engine.treasury.placement_params import (
    DerivativeParams,
    OptionParams,
    PlacementParams,
    Use,
)
from engine.values.treasury_words import Lock, LockKind
from engine.values.units import PPM, Atoms, Ns, Ppm


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where the surplus lies, and where money for the other side of it does ("" for nowhere)."""

    place: str
    atoms: Atoms
    money_place: str


def after(
    facts: Facts, params: PlacementParams, option: OptionParams, where: Where, atoms: Atoms
) -> Facts | None:
    """`facts` once `atoms` of the surplus were put to this use; None where that cannot be."""
    match option.use:
        case Use.HOLD:
            return facts
        case Use.STABLE:
            return _converted(facts, params.asset, where, atoms)
        case Use.STAKE:
            lock = _lock(facts, option, (where.place, params.asset), atoms, LockKind.STAKED)
            return _moved(facts, {(where.place, params.asset): -atoms}, [lock])
        case Use.POOL:
            return _pooled(facts, params, option, where, atoms)
        case Use.DERIVATIVES:
            assert params.derivatives is not None
            margin = margin_atoms(facts, params.asset, atoms, params.derivatives)
            if margin is None or not where.money_place:
                return None
            money = facts.scheme.money.name
            lock = _lock(facts, option, (where.money_place, money), margin, LockKind.WITHDRAWAL)
            return _moved(facts, {(where.money_place, money): -margin}, [lock])
        case _:
            assert_never(option.use)


def sale(facts: Facts, asset: str, place: str, atoms: Atoms) -> tuple[Atoms, Atoms]:
    """(atoms sold, money) of a sale down the book at a place, less the fee and the haircut."""
    book = facts.book(facts.scheme.places[place].sells_at, asset)
    if book is None:
        return 0, 0
    bids = book.net_bids(facts.scheme.assets[asset].haircut_ppm)
    return walked(merged([bids], is_dear_first=True), atoms, is_up=False)


def slippage_ppm(facts: Facts, asset: str, place: str, atoms: Atoms) -> Ppm | None:
    """What that sale loses against the price, fee included and haircut not; None: not sellable."""
    price = facts.price(asset)
    book = facts.book(facts.scheme.places[place].sells_at, asset)
    if price is None or book is None or atoms <= 0:
        return None
    sold, money = walked(merged([book.net_bids(0)], is_dear_first=True), atoms, is_up=False)
    if sold < atoms:
        return None
    worth = Fraction(price.money_atoms * atoms, price.base_atoms)
    return max(0, -int(-(worth - money) * PPM // worth))


def margin_atoms(facts: Facts, asset: str, atoms: Atoms, params: DerivativeParams) -> Atoms | None:
    """Money that a short of so much needs to stand through its rise without another payment."""
    notional = facts.cost(asset, atoms)
    if notional is None:
        return None
    risen_ppm = PPM + params.rise_ppm
    need_ppm = params.rise_ppm + -(-params.maintenance_ppm * risen_ppm // PPM)
    return -(-notional * need_ppm // PPM)


def _converted(facts: Facts, asset: str, where: Where, atoms: Atoms) -> Facts | None:
    sold, money = sale(facts, asset, where.place, atoms)
    if sold < atoms or not money:
        return None
    key = (where.place, facts.scheme.money.name)
    return _moved(facts, {(where.place, asset): -atoms, key: money}, [])


def _pooled(
    facts: Facts, params: PlacementParams, option: OptionParams, where: Where, atoms: Atoms
) -> Facts | None:
    money, cost = facts.scheme.money.name, facts.cost(params.asset, atoms)
    if cost is None or not where.money_place or params.pool is None:
        return None
    left_ppm = isqrt((PPM - params.pool.fall_ppm) * PPM)
    sides = [(where.place, params.asset, atoms), (where.money_place, money, cost)]
    locks = [
        _lock(facts, option, (place, asset), given * left_ppm // PPM, LockKind.POOL)
        for place, asset, given in sides
    ]
    return _moved(facts, {(place, asset): -given for place, asset, given in sides}, locks)


def _lock(
    facts: Facts, option: OptionParams, where: tuple[str, str], atoms: Atoms, kind: LockKind
) -> Lock:
    until_ns: Ns = facts.at_ns + option.lock_h * NS_PER_H if option.lock_h else 0
    return Lock(
        name=f"{option.platform}/{where[1]} as proposed",
        kind=kind,
        place=where[0],
        asset=where[1],
        atoms=atoms,
        unwind_ns=option.unwind_h * NS_PER_H,
        until_ns=until_ns,
    )


def _moved(facts: Facts, moves: dict[tuple[str, str], Atoms], locks: list[Lock]) -> Facts | None:
    held = dict(facts.held)
    for key, atoms in moves.items():
        held[key] = held.get(key, 0) + atoms
        if held[key] < 0:
            return None
    return msgspec.structs.replace(facts, held=held, locks=(*facts.locks, *locks))
