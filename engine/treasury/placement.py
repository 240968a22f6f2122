"""The matrix: what a surplus may be used for, scored on one footing, ranked, with reasons.

Five scores of 0 to 100, higher is better: gain g / (g + half), lock-up and unwind half / (half +
hours), slippage half / (half + ppm), and 100 less the complexity. What is not known counts 0. The
result is a table and, where something beats holding, one action in the words of the desk. It is
never an order: somebody asks for it, and it meets the policy of approvals like any other.
"""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from engine.treasury.coverage import curve
from engine.treasury.dates import NS_PER_H, begin_ns
from engine.treasury.facts import Facts
from engine.treasury.impermanent import drawdown, expected_loss, impermanent_loss
from engine.treasury.params import PlaceKind
from engine.treasury.placement_after import Where, after, margin_atoms, sale, slippage_ppm
from engine.treasury.placement_params import OptionParams, PlacementParams, Use
from engine.treasury.placement_room import Desk, Room, room_of, where_of
from engine.values.action_words import Action, AddToPool, Coins, Convert, HedgeAction, Stake
from engine.values.units import NS_PER_S, PPM, Atoms, Ns, Ppm, scaled

LOCKING = (Use.STAKE, Use.POOL)


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """What a source told of an option: its yield a year, and how long its queue is now."""

    option: str
    yield_ppm: Ppm
    unwind_h: int
    at_ns: Ns


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One score of 0 to 100, its weight, and what was found; None where it is not known."""

    name: str
    found: float | None
    score: float
    weight: float


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One option as it stands. `atoms` is what it is scored for, `room` the most it may have.

    back_ns: when it is cash again if one asks as soon as one may. owed_before: how many obligations
    fall due until then. left_money_atoms: the least that is liquid on any due date afterwards.
    """

    option: OptionParams
    score: float
    parts: tuple[Part, ...]
    atoms: Atoms
    room: Room
    back_ns: Ns
    owed_before: int
    left_money_atoms: Atoms | None
    reasons: tuple[str, ...]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """`lines` are ranked. `proposal` is None where nothing beats holding, or it is too little."""

    at_ns: Ns
    asset: str
    surplus_atoms: Atoms
    lines: tuple[Line, ...]
    proposal: Action | None
    why: str


def place(desk: Desk, rates: Mapping[str, Rate], wanted: Atoms | None = None) -> Placement:
    """The ranked table for the surplus, or for so much of it, and what follows from it."""
    where = where_of(desk.facts, desk.params.asset)
    lines = [_line(desk, option, where, (rates, wanted)) for option in desk.params.options]
    lines.sort(key=lambda line: (not line.atoms, -line.score, line.option.name))
    proposal, why = _proposal(desk, lines, where)
    return Placement(
        at_ns=desk.facts.at_ns,
        asset=desk.params.asset,
        surplus_atoms=where.atoms,
        lines=tuple(lines),
        proposal=proposal,
        why=why,
    )


def _line(
    desk: Desk,
    option: OptionParams,
    where: Where,
    asked: tuple[Mapping[str, Rate], Atoms | None],
) -> Line:
    rates, wanted = asked
    facts, params = desk.facts, desk.params
    option, source = _as_told(option, rates.get(option.name), facts, params)
    room = room_of(desk, option, where)
    atoms = room.atoms if wanted is None else min(wanted, room.atoms)
    pictured = after(facts, params, option, where, atoms) if atoms else None
    back_ns = facts.at_ns + (option.lock_h + option.unwind_h) * NS_PER_H
    parts, reasons = _scores(facts, params, option, (where, atoms))
    if option.use in LOCKING and where.place and _is_venue(facts, where.place):
        reasons.append(f"it lies on {where.place}: a transfer to a wallet comes first")
    total = sum(part.weight for part in parts)
    return Line(
        option=option,
        score=sum(part.score * part.weight for part in parts) / total,
        parts=parts,
        atoms=atoms,
        room=room,
        back_ns=back_ns,
        owed_before=sum(max(facts.at_ns, begin_ns(row.due)) < back_ns for row in facts.obligations),
        left_money_atoms=_least_left(pictured) if pictured else None,
        reasons=(f"yield {source}", *reasons, f"at most {room.bound_by}"),
    )


def _as_told(
    option: OptionParams, rate: Rate | None, facts: Facts, params: PlacementParams
) -> tuple[OptionParams, str]:
    """A current figure counts before the file's. One that is too old leaves the worse of both."""
    if rate is None:
        return option, "as the file assumes"
    age_ns = facts.at_ns - rate.at_ns
    is_current = 0 <= age_ns <= params.rate_age_max_s * NS_PER_S
    paid_ppm = rate.yield_ppm if is_current else min(rate.yield_ppm, option.yield_ppm)
    unwind_h = rate.unwind_h if is_current else max(rate.unwind_h, option.unwind_h)
    source = "as told" if is_current else "told too long ago: the worse of that and the file's"
    return msgspec.structs.replace(option, yield_ppm=paid_ppm, unwind_h=unwind_h), source


def _is_venue(facts: Facts, place: str) -> bool:
    return facts.scheme.places[place].kind is PlaceKind.VENUE


def _least_left(facts: Facts) -> Atoms | None:
    return min((point.left_money_atoms for point in curve(facts)), default=None)


# --- scores -------------------------------------------------------------------------------------


def _scores(
    facts: Facts, params: PlacementParams, option: OptionParams, what: tuple[Where, Atoms]
) -> tuple[tuple[Part, ...], list[str]]:
    where, atoms = what
    half, weights = params.half, params.weights
    gain, reasons = _gain_ppm(facts, params, option, what)
    exit_ppm = _exit_ppm(facts, params, option, (where, atoms))
    unwind_h = option.unwind_h
    rows = (
        ("gain", gain, max(0.0, gain) / (max(0.0, gain) + half.gain_ppm), weights.gain),
        ("lock", option.lock_h, _falling(option.lock_h, half.lock_h), weights.lock),
        ("slippage", exit_ppm, _falling(exit_ppm, half.slippage_ppm), weights.slippage),
        ("complexity", option.complexity, 1 - option.complexity / 100, weights.complexity),
        ("unwind", unwind_h, _falling(unwind_h, half.unwind_h), weights.unwind),
    )
    parts = tuple(
        Part(name=name, found=found, score=100 * share, weight=weight)
        for name, found, share, weight in rows
    )
    return parts, reasons


def _falling(found: float | None, half: float) -> float:
    return 0.0 if found is None else half / (half + found)


def _exit_ppm(
    facts: Facts, params: PlacementParams, option: OptionParams, what: tuple[Where, Atoms]
) -> Ppm | None:
    """What it costs to turn all of it into money in a hurry; None where the book ends before."""
    where, atoms = what
    if option.use is Use.STABLE:
        return 0
    probe = atoms or where.atoms
    return slippage_ppm(facts, params.asset, where.place, probe) if where.place else None


def _gain_ppm(
    facts: Facts, params: PlacementParams, option: OptionParams, what: tuple[Where, Atoms]
) -> tuple[float, list[str]]:
    """Yield of one year, less what going in costs and what the model says is lost; with reasons."""
    where, atoms = what
    gain, reasons = float(option.yield_ppm), [f"{option.yield_ppm / 10_000:.2f} % a year"]
    if option.use is Use.STABLE and where.place:
        cost = slippage_ppm(facts, params.asset, where.place, atoms or where.atoms)
        gain -= PPM if cost is None else cost
        reasons.append("no book takes it all" if cost is None else f"going in costs {cost} ppm")
    if option.use is Use.POOL and params.pool is not None:
        lost = expected_loss(params.pool.volatility_ppm / PPM, 1.0)
        fall = params.pool.fall_ppm / PPM
        gain -= lost * PPM
        reasons += [
            f"impermanent loss {100 * lost:.1f} % in the mean of a year",
            f"a fall of {100 * fall:.0f} % takes {100 * drawdown(fall):.1f} % of the capital, "
            f"{-100 * impermanent_loss(1 - fall):.1f} % more than holding both sides",
        ]
    return gain, reasons


# --- what follows -------------------------------------------------------------------------------


def _proposal(desk: Desk, lines: list[Line], where: Where) -> tuple[Action | None, str]:
    least = scaled(desk.params.least, desk.facts.scheme.asset(desk.params.asset).exponent)
    best = lines[0]
    if not where.atoms:
        return None, "there is no surplus to place"
    if best.option.use is Use.HOLD:
        return None, "nothing beats holding"
    if best.atoms < max(1, least):
        return None, f"{best.option.name} is best, for less than is worth it"
    return _action(desk, best, where), f"{best.option.name} is best: ask for it, people decide"


def _action(desk: Desk, line: Line, where: Where) -> Action | None:
    facts, option, asset = desk.facts, line.option, desk.params.asset
    money = facts.scheme.money.name
    until_ns = facts.at_ns + desk.params.convert_h * NS_PER_H
    coins = _coins(facts, asset, line.atoms)
    match option.use:
        case Use.HOLD:
            return None
        case Use.STABLE:
            least = sale(facts, asset, where.place, line.atoms)[1]
            venues = [facts.scheme.places[where.place].sells_at]
            return Convert(
                sell=coins, least=_coins(facts, money, least), venues=venues, until_ns=until_ns
            )
        case Use.STAKE:
            return Stake(
                coins=coins,
                platform=option.platform,
                address=option.address,
                notice_ns=option.unwind_h * NS_PER_H,
            )
        case Use.POOL:
            cost = facts.cost(asset, line.atoms) or 0
            sides = [coins, _coins(facts, money, cost)]
            return AddToPool(pool=option.platform, address=option.address, coins=sides)
        case Use.DERIVATIVES:
            assert desk.params.derivatives is not None
            margin = margin_atoms(facts, asset, line.atoms, desk.params.derivatives) or 0
            return HedgeAction(
                market=option.platform,
                cover=coins,
                margin=_coins(facts, money, margin),
                until_ns=until_ns,
            )
        case _:
            assert_never(option.use)


def _coins(facts: Facts, asset: str, atoms: Atoms) -> Coins:
    return Coins(asset=asset, atoms=atoms, exponent=facts.scheme.asset(asset).exponent)
