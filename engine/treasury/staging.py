"""From an approved action to its plan: what it sells or buys, where, at no worse a price.

The plan carries the digest of the very bytes that people signed; its limit is never worse than the
`least` in them. A kill switch in an approved action becomes a `Switched`.
"""

from collections.abc import Iterable

import msgspec

from engine.treasury.estimate import Venue
from engine.treasury.execution_params import ExecutionParams
from engine.treasury.facts import Facts
from engine.treasury.limit_measures import Finding
from engine.treasury.planning import NoPlan, Order, plan
from engine.treasury.post_trade import Lessons
from engine.treasury.score import Score
from engine.values.action_words import Coins, Convert, EmergencySale, Rebalance, StopActions
from engine.values.execution_records import ParentPlan, Switched
from engine.values.treasury_words import Measure
from engine.values.units import BUY, SELL, Atoms, Ns, Side

Conversion = Convert | Rebalance | EmergencySale


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """An approved action and what it meets. `volatility` is measured, in ppm per square root of a
    second; None is not known."""

    digest: str
    action: Conversion
    facts: Facts
    score: Score | None
    volatility: int | None


def staged_plan(staged: Staged, lessons: Lessons, params: ExecutionParams) -> ParentPlan:
    """Raises NoPlan with a reason that a person can act on."""
    order = _order(staged)
    venues = [
        Venue(
            market=market_of(staged.facts, venue, order.asset),
            book=book,
            volume_atoms=staged.facts.volume(venue, order.asset),
            lesson_ppm=lessons.ppm(market_of(staged.facts, venue, order.asset)),
        )
        for venue in staged.action.venues
        if (book := staged.facts.book(venue, order.asset)) is not None
    ]
    return plan(order, venues, params)


def market_of(facts: Facts, venue: str, asset: str) -> str:
    """As instruments call it."""
    return f"{asset}/{facts.scheme.money.name}@{venue}"


def switched(action: StopActions, who: str, at_ns: Ns, reason: str) -> Switched:
    """What an approved kill switch turns on."""
    return Switched(
        at_ns=at_ns, scope=action.scope, name=action.name, is_on=True, who=who, reason=reason
    )


def turnover_left(findings: Iterable[Finding], facts: Facts) -> dict[str, Atoms]:
    """By asset, what its daily caps leave; an asset without such a row has all that there is.

    What is not known leaves nothing.
    """
    left = {
        asset: sum(atoms for (_, held), atoms in facts.held.items() if held == asset)
        for asset in facts.scheme.names()
    }
    for one in findings:
        if one.measure is Measure.TURNOVER:
            left[one.asset] = min(left.get(one.asset, 0), max(0, one.room.atoms or 0))
    return left


def _order(staged: Staged) -> Order:
    side, base, least = _sides(staged)
    action, score = staged.action, staged.score
    if staged.volatility is None:
        raise NoPlan(f"the volatility of {base.asset} is not known yet")
    if base.asset not in staged.facts.scheme.assets:
        raise NoPlan(f"{base.asset[:40]} is no asset of this treasury")
    if base.exponent != staged.facts.scheme.asset(base.asset).exponent:
        raise NoPlan(f"{base.asset} is counted with another exponent than this treasury's")
    return Order(
        parent=staged.digest[:16],
        proposal=staged.digest,
        asset=base.asset,
        side=side,
        atoms=base.atoms,
        begin_ns=staged.facts.at_ns,
        until_ns=action.until_ns,
        least=least,
        score_ns=None if score is None else score.age_ns,
        volatility=staged.volatility,
    )


def _sides(staged: Staged) -> tuple[Side, Coins, tuple[Atoms, Atoms]]:
    """(side, what is bought or sold, the worst price as (money, base)); one of them is money."""
    money, sell, least = staged.facts.scheme.money, staged.action.sell, staged.action.least
    for coins in (sell, least):
        if coins.asset == money.name and coins.exponent != money.exponent:
            raise NoPlan(f"{money.name} is counted with another exponent than this treasury's")
    if least.asset == money.name:
        return SELL, sell, (least.atoms, sell.atoms)
    if sell.asset == money.name:
        return BUY, least, (sell.atoms, least.atoms)
    raise NoPlan(f"{sell.asset} for {least.asset}: one of the two must be {money.name}")
