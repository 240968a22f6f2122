"""How much of a surplus each use may have: the rules, one after the other, each with its reason.

Nothing is placed but surplus. Staked, or put into a pool, is of that only what exceeds the needs of
so many days, in the asset itself and of everything in money. Then come the use's own rules; then,
on the picture of afterwards: no date may be less covered, and no limit passed that holds now.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import isqrt

import msgspec

from engine.treasury.buckets import split
from engine.treasury.coverage import curve
from engine.treasury.dates import day_text
from engine.treasury.facts import Facts
from engine.treasury.limit_measures import findings_of
from engine.treasury.locks import locked_atoms, total_atoms
from engine.treasury.obligations import due_within, owed_atoms, owed_money
from engine.treasury.placement_after import Where, after, margin_atoms
from engine.treasury.placement_params import OptionParams, PlacementParams, PoolParams, Use
from engine.values.treasury_words import Bucket, LimitRow, LockKind
from engine.values.units import PPM, Atoms, scaled

PARTS = 1_024
"""The room is found to a 1024th of what the rules before it leave, rounded down."""
LOCKING = (LockKind.STAKED, LockKind.POOL)


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """At most so much, and what binds it."""

    atoms: Atoms
    bound_by: str


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What an option is judged by: the facts, the section of the file, and the rows of limits."""

    facts: Facts
    params: PlacementParams
    limits: Sequence[LimitRow]


def where_of(facts: Facts, asset: str) -> Where:
    """The place with most of the free surplus, and the one with most free surplus of money."""
    money = facts.scheme.money.name
    surplus = _free(facts, asset, (Bucket.SURPLUS,))
    funds = _free(facts, money, (Bucket.SURPLUS, Bucket.DISCRETIONARY))
    place = max(surplus, key=lambda name: surplus[name], default="")
    money_place = max(funds, key=lambda name: funds[name], default="")
    return Where(place=place, atoms=surplus.get(place, 0), money_place=money_place)


def room_of(desk: Desk, option: OptionParams, where: Where) -> Room:
    """The most that may be put to this use. To hold needs no room: it is what happens anyway."""
    room = Room(atoms=where.atoms, bound_by="the surplus at one place")
    if option.use is Use.HOLD:
        return room
    for rule in (_needs, _own_rules):
        found = rule(desk, option, where)
        room = found if found.atoms < room.atoms else room
    if room.atoms <= 0:
        return Room(atoms=0, bound_by=room.bound_by)
    return _bearable(desk, option, where, room)


def spare_atoms(facts: Facts, asset: str, days: int) -> Room:
    """What exceeds the needs of so many days, locked positions already taken off it."""
    due = due_within(facts, days)
    locked = locked_atoms(facts, asset, LOCKING)
    spare = total_atoms(facts, asset) - owed_atoms(due, asset) - locked
    in_atoms = Room(atoms=max(0, spare), bound_by=f"needs of {days} days, in {asset}")
    price, needs = facts.price(asset), owed_money(facts, due)
    if price is None or needs is None:
        return Room(atoms=0, bound_by=f"no price of {asset}, or of what is owed")
    worth = sum(facts.worth(name, total_atoms(facts, name)) for name in facts.scheme.names())
    tied = sum(
        facts.cost(name, locked_atoms(facts, name, LOCKING)) or 0 for name in facts.scheme.names()
    )
    left = max(0, worth - needs - tied)
    in_money = Room(
        atoms=left * price.base_atoms // price.money_atoms,
        bound_by=f"needs of {days} days, in money",
    )
    return min(in_atoms, in_money, key=lambda room: room.atoms)


# --- rules --------------------------------------------------------------------------------------


def _needs(desk: Desk, option: OptionParams, where: Where) -> Room:
    """For what locks units up. What is only sold or hedged is judged by the dates."""
    if option.use not in (Use.STAKE, Use.POOL):
        return Room(atoms=where.atoms, bound_by="the surplus at one place")
    return spare_atoms(desk.facts, desk.params.asset, desk.params.needs_days)


def _own_rules(desk: Desk, option: OptionParams, where: Where) -> Room:
    if option.use is Use.POOL and desk.params.pool is not None:
        return _pool_room(desk.facts, desk.params.asset, desk.params.pool)
    if option.use is Use.DERIVATIVES:
        return _short_room(desk, where)
    return Room(atoms=where.atoms, bound_by="the surplus at one place")


def _pool_room(facts: Facts, asset: str, params: PoolParams) -> Room:
    """Ring-fenced: both sides of all pools inside the capital, and its fall inside the drawdown."""
    price, exponent = facts.price(asset), facts.scheme.money.exponent
    if price is None:
        return Room(atoms=0, bound_by=f"no price of {asset}")
    there = sum(
        facts.cost(name, locked_atoms(facts, name, (LockKind.POOL,))) or 0
        for name in facts.scheme.names()
    )
    lost_ppm = PPM - isqrt((PPM - params.fall_ppm) * PPM)
    capital = scaled(params.capital_money_max, exponent)
    bearable = scaled(params.drawdown_money_max, exponent) * PPM // lost_ppm
    money = max(0, min(capital, bearable) - there)
    why = "ring-fenced capital" if capital <= bearable else "the drawdown limit"
    return Room(atoms=money // 2 * price.base_atoms // price.money_atoms, bound_by=why)


def _short_room(desk: Desk, where: Where) -> Room:
    facts, params = desk.facts, desk.params.derivatives
    price = facts.price(desk.params.asset)
    assert params is not None
    undone = [name for name, is_done in params.checklist.items() if not is_done]
    if undone:
        return Room(atoms=0, bound_by=f"checklist: not yet {', '.join(undone)}")
    if price is None or not where.money_place:
        return Room(atoms=0, bound_by="no price, or no free money for the margin")
    most = scaled(params.notional_money_max, facts.scheme.money.exponent)
    atoms = most * price.base_atoms // price.money_atoms
    free = _free(facts, facts.scheme.money.name, (Bucket.SURPLUS, Bucket.DISCRETIONARY))
    margin = margin_atoms(facts, desk.params.asset, atoms, params)
    if margin and margin > free[where.money_place]:
        atoms = int(Fraction(free[where.money_place], margin) * atoms)
        return Room(atoms=atoms, bound_by="free money for a margin that forces no sale")
    return Room(atoms=atoms, bound_by="notional_money_max")


def _bearable(desk: Desk, option: OptionParams, where: Where, room: Room) -> Room:
    """The largest part of the room after which nothing is worse: dates, limits, what is there."""
    before = _worries(desk, desk.facts, is_after=False)

    def problem(atoms: Atoms) -> str:
        pictured = after(desk.facts, desk.params, option, where, atoms)
        if pictured is None:
            return "what is free there, or its book"
        now = _worries(desk, pictured, is_after=True)
        worse = [name for name, short in now.items() if short > before.get(name, 0)]
        return worse[0] if worse else ""

    why = problem(room.atoms)
    if not why:
        return room
    part = _last(PARTS, lambda parts: not problem(room.atoms * parts // PARTS))
    return Room(atoms=room.atoms * part // PARTS, bound_by=why)


def _worries(desk: Desk, facts: Facts, *, is_after: bool) -> dict[str, int]:
    """What is short on which date, and which limits are passed: names a person can read.

    One that cannot be known is no excuse for what was before, and stops what would be after.
    """
    found: dict[str, int] = {}
    for point in curve(facts):
        for short in point.shorts:
            key = f"{short.asset} that is due on {day_text(short.due)}"
            found[key] = max(found.get(key, 0), short.atoms)
    for row in desk.limits:
        for finding in findings_of(row, facts, {}):
            if finding.is_breached or (finding.is_unknown and is_after):
                found[f"limit {finding.limit} {finding.subject}".rstrip()] = 1
    return found


def _last(count: int, is_fine: Callable[[int], bool]) -> int:
    """The largest number below `count` that is fine, where smaller ones are fine too."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_fine(middle) else (low, middle)
    return low


def _free(facts: Facts, asset: str, buckets: tuple[Bucket, ...]) -> dict[str, Atoms]:
    found: dict[str, Atoms] = {}
    for part in split(facts, asset).parts:
        if part.bucket in buckets and part.piece.is_free:
            found[part.piece.place] = found.get(part.piece.place, 0) + part.atoms
    return found
