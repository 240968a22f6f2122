"""A plan for people and for the desk: what it costs, what stays untouched, what to ask for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, assert_never

import msgspec

from engine.treasury.buckets import Part, split
from engine.treasury.facts import Facts
from engine.treasury.ladder import Ladder, Plan, Source, Taken
from engine.treasury.ladder_params import EmergencyParams, How, RungParams
from engine.treasury.ladder_sources import lock_pieces, money_sides, pool_of
from engine.treasury.locks import Piece
from engine.values.action_words import (
    Action,
    Coins,
    EmergencySale,
    TakeFromPool,
    Unstake,
)
from engine.values.treasury_words import Bucket, Lock, LockKind
from engine.values.units import PPM, Atoms, Ns, Ppm


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One source of the plan, in order.

    `money_atoms` is what it is counted with, after fees and haircut. `slippage_ppm` is what the
    walk down the book, or the desk's discount, takes off the price of the moment; fees and haircut
    are not in it. `back_atoms` come out of a lock and are not sold.
    """

    rung: int
    row: str
    of: str
    asset: str
    atoms: Atoms
    back_atoms: Atoms
    money_atoms: Atoms
    slippage_ppm: Ppm
    ready_ns: Ns


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What stays untouched of one asset in one bucket."""

    asset: str
    bucket: Bucket
    atoms: Atoms


class Unused(msgspec.Struct, frozen=True, kw_only=True):
    """A source that gives nothing, and why."""

    source: Source
    why: str


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    steps: tuple[Step, ...]
    untouched: tuple[Kept, ...]
    unused: tuple[Unused, ...]


def picture(facts: Facts, plan: Plan, params: EmergencyParams, ladder: Ladder) -> Picture:
    """What `plan` of `ladder` comes to, with what is not used and why."""
    used = {one.source.name for one in plan.taken}
    late = {source.name for source in plan.late}
    return Picture(
        steps=tuple(_step(one) for one in plan.taken),
        untouched=tuple(_untouched(facts, plan, params)),
        unused=tuple(
            Unused(source=one, why=_why(plan, one, is_late=one.name in late))
            for one in ladder.sources
            if one.name not in used
        ),
    )


def _step(one: Taken) -> Step:
    source = one.source
    worth = (source.mid + source.beside) * one.atoms - source.mid * (one.atoms - one.sold)
    lost = worth - one.gross
    return Step(
        rung=source.rung,
        row=source.row,
        of=source.of,
        asset=source.asset,
        atoms=one.atoms,
        back_atoms=one.atoms - one.sold,
        money_atoms=int(one.money),
        slippage_ppm=-int(-lost * PPM // worth) if worth > 0 else 0,
        ready_ns=source.ready_ns,
    )


def _why(plan: Plan, source: Source, *, is_late: bool) -> str:
    if is_late:
        return "not cash by the deadline"
    last = max((one.source.rung for one in plan.taken), default=0)
    if source.rung > last and not plan.gap:
        return "not needed"
    if source.rung == last and not plan.gap:
        return "another of its step is cheaper"
    if source.least and not source.market:
        return "less is left than its smallest block"
    return "nothing to sell, or no bid within its slippage" if source.market else "nothing is left"


def _untouched(facts: Facts, plan: Plan, params: EmergencyParams) -> Iterator[Kept]:
    """Every bucket as it is, less the very units that the plan gives up."""
    rows = {row.name: row for row in params.rungs}
    for asset in facts.scheme.names():
        parts = split(facts, asset).parts
        left = [part.atoms for part in parts]
        pieces = {lock.name: piece for lock, piece in lock_pieces(facts, asset)}
        for one in plan.taken:
            _give_up(facts, one, rows[one.source.row], (asset, parts, left, pieces))
        for bucket in Bucket:
            pairs = zip(parts, left, strict=True)
            atoms = sum(atoms for part, atoms in pairs if part.bucket is bucket)
            if atoms:
                yield Kept(asset=asset, bucket=bucket, atoms=atoms)


Stand: TypeAlias = tuple[str, Sequence[Part], list[Atoms], Mapping[str, Piece]]
"""One asset, its parts, what is left of each, and the pieces of its locks by name."""


def _give_up(facts: Facts, one: Taken, row: RungParams, stand: Stand) -> None:
    """Take from what is left what a source gives of this asset, the money beside it too."""
    asset, parts, left, pieces = stand
    if one.source.asset == asset:
        _take(left, [_fits(part, one.source, row, pieces) for part in parts], one.atoms)
    for name, atoms in _beside(facts, one).items():
        if name in pieces:
            _take(left, [_fits_lock(part, pieces[name]) for part in parts], atoms)


def _fits(part: Part, source: Source, row: RungParams, pieces: Mapping[str, Piece]) -> bool:
    if row.how in (How.UNSTAKE, How.POOL):
        return part.bucket is not Bucket.RESERVED and part.piece == pieces[source.of]
    return part.piece.is_free and part.bucket in row.buckets and source.of in ("", part.piece.place)


def _fits_lock(part: Part, piece: Piece) -> bool:
    return part.bucket is not Bucket.RESERVED and part.piece == piece


def _beside(facts: Facts, one: Taken) -> dict[str, Atoms]:
    """What comes of the money side of a pool, by the name of its lock."""
    lock = next((lock for lock in facts.locks if lock.name == one.source.of), None)
    if lock is None or not one.source.beside:
        return {}
    sides = money_sides(facts, lock)
    return {other.name: spare * one.atoms // lock.atoms for other, spare in sides}


def _take(left: list[Atoms], fits: Sequence[bool], atoms: Atoms) -> None:
    for index, is_fit in enumerate(fits):
        part = min(left[index], atoms) if is_fit else 0
        left[index] -= part
        atoms -= part
    assert not atoms, "a plan gives up units that no bucket holds"


# --- what to ask for ----------------------------------------------------------------------------


def actions_of(facts: Facts, plan: Plan, params: EmergencyParams) -> list[Action]:
    """One request for each source that is not money already, in the words of the desk.

    Somebody has to ask for them, and they meet the policy as every other action does. A sale of
    what only comes back later is to be asked for then.
    """
    rows = {row.name: row for row in params.rungs}
    found = (_action(facts, plan, one, rows[one.source.row]) for one in plan.taken)
    return [action for action in found if action is not None]


def _action(facts: Facts, plan: Plan, one: Taken, row: RungParams) -> Action | None:
    coins = _coins(facts, row.asset, one.atoms)
    match row.how:
        case How.SPEND:
            return None
        case How.SELL | How.OTC:
            venue = one.source.market.partition("@")[2] or row.platform or row.name
            return EmergencySale(
                shortfall=_coins(facts, facts.scheme.money.name, plan.shortfall),
                sell=coins,
                least=_coins(facts, facts.scheme.money.name, int(one.money)),
                venues=[venue],
                until_ns=plan.deadline_ns,
            )
        case How.UNSTAKE:
            return Unstake(coins=coins, platform=row.platform or "-", address=row.address or "-")
        case How.POOL:
            lock = next(lock for lock in facts.locks if lock.name == one.source.of)
            sides = [coins, *_other_side(facts, lock, one)]
            return TakeFromPool(pool=pool_of(lock), address=row.address or "-", coins=sides)
        case _:
            assert_never(row.how)


def _other_side(facts: Facts, lock: Lock, one: Taken) -> list[Coins]:
    return [
        _coins(facts, other.asset, other.atoms * one.atoms // lock.atoms)
        for other in facts.locks
        if other.kind is LockKind.POOL
        and other.name != lock.name
        and pool_of(other) == pool_of(lock)
    ]


def _coins(facts: Facts, asset: str, atoms: Atoms) -> Coins:
    return Coins(asset=asset, atoms=atoms, exponent=facts.scheme.asset(asset).exponent)
