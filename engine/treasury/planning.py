"""From an approved amount to the plan of a parent: how many children, how long, how bad at most.

An amount that one child can do is one child; a larger one is never a single order.
"""

from collections.abc import Sequence

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.estimate import Estimate, Venue, estimate, worst_of
from engine.treasury.execution_params import CHILDREN_MAX, ExecutionParams
from engine.values.execution_records import ParentPlan
from engine.values.units import NS_PER_S, PPM, SELL, Atoms, Ns, Side

DAY_S = 86_400


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What people agreed to: buy or sell so much, by a time, at no worse a price than `least`.

    `least` is (money, base) atoms: a sale's smallest proceeds, a purchase's largest cost; None
    where the slippage ceiling alone decides. `score_ns` is how old the liquidity score is, None
    for none: nothing runs without a current one.
    """

    parent: str
    proposal: str
    asset: str
    side: Side
    atoms: Atoms
    begin_ns: Ns
    until_ns: Ns
    least: tuple[Atoms, Atoms] | None
    score_ns: Ns | None
    volatility: int
    """Measured, in ppm per square root of a second."""


class NoPlan(Exception):
    """Why no plan can be made; nothing was started."""


def plan(order: Order, venues: Sequence[Venue], params: ExecutionParams) -> ParentPlan:
    """Raises NoPlan with a reason that a person can act on."""
    if order.score_ns is None or order.score_ns > params.stale_s * NS_PER_S:
        raise NoPlan(f"{order.asset} has no current liquidity score")
    if not venues:
        raise NoPlan("no allowed venue has a book that can be relied on")
    found, count, span_ns = _estimated(order, venues, params)
    room_ns = order.until_ns - order.begin_ns
    if span_ns > room_ns:
        left = f"there are {room_ns // NS_PER_S} s" if room_ns > 0 else "the time for it has passed"
        raise NoPlan(f"{count} children need {span_ns // NS_PER_S} s, {left}")
    limit = _limit(order, found)
    return ParentPlan(
        parent=order.parent,
        proposal=order.proposal,
        asset=order.asset,
        side=order.side,
        atoms=order.atoms,
        markets=tuple(venue.market for venue in venues),
        begin_ns=order.begin_ns,
        end_ns=order.begin_ns + span_ns,
        children=count,
        child_atoms_max=found.child_atoms,
        mid=(found.mid.money_atoms, found.mid.base_atoms),
        limit=limit,
        estimate_ppm=found.expected_ppm,
        at_once_ppm=found.at_once_ppm,
        ceiling_ppm=found.ceiling_ppm,
        because=found.because,
    )


def _estimated(
    order: Order, venues: Sequence[Venue], params: ExecutionParams
) -> tuple[Estimate, int, Ns]:
    """The time that it takes is part of its risk: first how long, then how much."""
    timing = (params.child_depth_ppm, order.volatility, 0)
    first = _possible(estimate(order.side, order.atoms, venues, timing, params.estimate))
    every_ns = params.child_every_s * NS_PER_S
    count = -(-order.atoms // first.child_atoms)
    if count > CHILDREN_MAX:
        raise NoPlan(f"it would take {count} children, {CHILDREN_MAX} are the most")
    span_ns = max(count * every_ns, _at_pace(order.atoms, venues, params))
    timing = (params.child_depth_ppm, order.volatility, span_ns)
    found = estimate(order.side, order.atoms, venues, timing, params.estimate)
    return _possible(found), count, span_ns


def _possible(found: Estimate) -> Estimate:
    if found.why_not:
        raise NoPlan(f"{found.why_not}: {'; '.join(found.because)}")
    return found


def _at_pace(atoms: Atoms, venues: Sequence[Venue], params: ExecutionParams) -> Ns:
    """How long it takes at our share of what is usually traded; 0 where nobody told."""
    volume = sum(venue.volume_atoms or 0 for venue in venues)
    if not volume:
        return 0
    return atoms * DAY_S * NS_PER_S * PPM // (volume * params.participation_ppm)


def _limit(order: Order, found: Estimate) -> tuple[Atoms, Atoms]:
    """The stricter of the ceiling and of what people signed."""
    worst = worst_of(found.mid, order.side, found.ceiling_ppm)
    if order.least is None:
        return worst.money_atoms, worst.base_atoms
    signed = Price(
        asset=order.asset, money_atoms=order.least[0], base_atoms=order.least[1], at_ns=0
    )
    is_signed_dearer = signed.money_atoms * worst.base_atoms > worst.money_atoms * signed.base_atoms
    strict = signed if is_signed_dearer == (order.side is SELL) else worst
    return strict.money_atoms, strict.base_atoms
