"""After the trade: what it did cost beside what was expected, by venue, and what that teaches.

A lesson is a number of ppm that the next estimate adds for a market: it goes a share of the way to
what the last review found, within bounds, and every step of it is in a `Reviewed` record.
"""

from collections.abc import Sequence

from engine.treasury.amounts import Price
from engine.treasury.estimate import slippage_ppm
from engine.treasury.execution import Child, Parent
from engine.treasury.execution_params import EstimateParams
from engine.values.execution_records import Reviewed, VenueOutcome
from engine.values.units import PPM, SELL, Atoms, Ns, Ppm, Side

FINE = 10**12
"""Money is summed in so many parts of an atom: mids differ from child to child."""


class Lessons:
    """What reviews taught, by market. Only `Reviewed` records change it."""

    def __init__(self, params: EstimateParams) -> None:
        self._params = params
        self._ppm: dict[str, Ppm] = {}

    def ppm(self, market: str) -> Ppm:
        return self._ppm.get(market, 0)

    def remember(self, record: Reviewed) -> None:
        self._ppm |= record.lessons

    def after(self, outcome: VenueOutcome) -> Ppm:
        """Where a market's lesson goes after this: a share of the deviation, within bounds."""
        step = outcome.deviation_ppm * self._params.lesson_weight_ppm // PPM
        most = self._params.lesson_ppm_max
        return max(-most, min(most, self.ppm(outcome.market) + step))


def review(parent: Parent, lessons: Lessons, at_ns: Ns) -> Reviewed:
    """Of a parent none of whose children is still out."""
    assert not parent.out_atoms, f"{parent!r} has a child out"
    plan, done = parent.plan, (parent.done_atoms, parent.money_atoms)
    outcomes = tuple(
        outcome_of(market, _children(parent, market), plan.side)
        for market in plan.markets
        if _children(parent, market)
    )
    mid = Price(asset=plan.asset, money_atoms=plan.mid[0], base_atoms=plan.mid[1], at_ns=0)
    taught = {each.market: lessons.after(each) for each in outcomes if each.atoms}
    last_ns = max((child.last_ns for child in parent.children.values()), default=0)
    return Reviewed(
        at_ns=at_ns,
        parent=plan.parent,
        asset=plan.asset,
        atoms=done[0],
        money_atoms=done[1],
        left_atoms=plan.atoms - done[0],
        estimate_ppm=plan.estimate_ppm,
        realised_ppm=slippage_ppm(done, mid, plan.side) if done[0] else None,
        took_ns=max(0, last_ns - plan.begin_ns),
        venues=outcomes,
        lessons=taught,
        because=tuple(_because(each, lessons, taught) for each in outcomes),
    )


def outcome_of(market: str, children: Sequence[Child], side: Side) -> VenueOutcome:
    """Realised against expected, each child against the mid that it was sent at."""
    atoms = sum(child.atoms for child in children)
    money = sum(child.money_atoms for child in children)
    at_mid = sum(_at_mid(child) for child in children)
    expected = sum(_at_mid(child) * child.sent.estimate_ppm for child in children)
    waits = [child.last_ns - child.sent.at_ns for child in children if child.atoms]
    worse = at_mid - money * FINE if side is SELL else money * FINE - at_mid
    return VenueOutcome(
        market=market,
        children=len(children),
        unfilled=sum(not child.atoms for child in children),
        atoms=atoms,
        money_atoms=money,
        estimate_ppm=expected // at_mid if at_mid else 0,
        realised_ppm=-(-worse * PPM // at_mid) if at_mid else 0,
        wait_ns=sum(waits) // len(waits) if waits else None,
    )


def _at_mid(child: Child) -> Atoms:
    """What it would have come to at mid, in fine parts of money's atoms."""
    money, base = child.sent.mid
    return child.atoms * money * FINE // base


def _children(parent: Parent, market: str) -> list[Child]:
    return [child for child in parent.children.values() if child.sent.market == market]


def _because(outcome: VenueOutcome, lessons: Lessons, taught: dict[str, Ppm]) -> str:
    market = outcome.market
    if market not in taught:
        return f"{market}: none of {outcome.children} children filled; nothing learned of its price"
    was, now, deviation = lessons.ppm(market), taught[market], outcome.deviation_ppm
    return (
        f"{market}: {outcome.realised_ppm} ppm realised, {outcome.estimate_ppm} ppm expected: "
        f"{deviation:+} ppm; the next estimate adds {now} ppm (was {was})"
    )
