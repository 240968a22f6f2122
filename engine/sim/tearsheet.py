"""One market's tear sheet: what a back-test earned, where from, and how well it quoted.

Pure: from the venue's own fills, the recorded best prices and our orders as the venue held them.
Money is in quote atoms and exact; ratios are floats.
"""

from collections.abc import Sequence

import msgspec

from engine.sim.deflated import Moments, moments_of
from engine.sim.execution import HORIZONS_NS, AtHorizon, Judged, at_horizons, judge
from engine.sim.profit_parts import Bucket, Funding, Parts, bucket_edges, parts_at
from engine.sim.quoting import (
    Held,
    Obligation,
    Quoting,
    inventory_of,
    quoting_of,
    time_in_zones,
)
from engine.sim.tally import MarketTally, Point
from engine.sim.trail import Trail
from engine.treasury.bands import Bands, Zone
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Atoms, Ns

YEAR_S = 365.25 * 86_400
BUCKETS_MAX = 2_000
STEP_S = 10
ANNUAL_STEPS_MIN = 30


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """`step_ns` is the step of the profits that the Sharpe ratio is of, and of the buckets."""

    step_ns: Ns
    obligation: Obligation | None = None
    horizons_ns: tuple[Ns, ...] = HORIZONS_NS


class Span(msgspec.Struct, frozen=True):
    """From when to when, both in venue time."""

    began_ns: Ns
    ended_ns: Ns


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """The deepest fall of the profit from its high so far (which starts at 0).

    `length_ns` is from that high until the profit was there again, or until the end where it never
    was; `longest_ns` is the longest time that the profit was below a high.
    """

    depth_atoms: Atoms = 0
    high_ns: Ns = 0
    low_ns: Ns = 0
    length_ns: Ns = 0
    has_recovered: bool = True
    longest_ns: Ns = 0


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """`messages` are orders sent and orders cancelled; `turnover_atoms` what changed hands."""

    fills: int
    maker_fills: int
    orders: int
    cancelled: int
    refused: int
    turnover_atoms: Atoms
    days: float

    @property
    def orders_to_fills(self) -> float | None:
        return self.orders / self.fills if self.fills else None

    @property
    def messages_to_fills(self) -> float | None:
        return (self.orders + self.cancelled) / self.fills if self.fills else None

    @property
    def turnover_per_day_atoms(self) -> Atoms:
        return int(self.turnover_atoms / self.days) if self.days else 0


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """`parts.total` is the profit of the run to the atom, and so is the sum over the buckets.

    `moments` are of the whole steps only; None where there is no Sharpe ratio.
    """

    item: Instrument
    span: Span
    parts: Parts
    buckets: list[Bucket]
    step_ns: Ns
    fees: dict[str, Atoms]
    judged: list[Judged]
    horizons: list[AtHorizon]
    quoting: Quoting
    obligation: Obligation | None
    held: list[Held]
    bands: Bands | None
    zones: dict[Zone, Ns]
    drawdown: Drawdown
    moments: Moments | None
    activity: Activity
    curve: list[Point]
    trail: Trail

    @property
    def sharpe_annual(self) -> float | None:
        """Times the root of the steps in a year; None from fewer than `ANNUAL_STEPS_MIN` steps."""
        if self.moments is None or self.moments.steps < ANNUAL_STEPS_MIN:
            return None
        return self.moments.sharpe * float((YEAR_S * NS_PER_S / self.step_ns) ** 0.5)


def sheet_of(
    item: Instrument,
    tally: MarketTally,
    trail: Trail,
    span: Span,
    wanted: tuple[Params, Bands | None, Sequence[Funding]],
) -> Sheet:
    """`wanted` is how to look at it, the market's bands, and what funding was paid (spot: none).

    Raises AssertionError where parts and profit disagree, which is always our own fault.
    """
    params, bands, funding = wanted
    fills = list(zip(tally.fills, trail.fill_mids, strict=True))
    numbered = bucket_edges(span.began_ns, span.ended_ns, params.step_ns)
    edges = [(at_ns, trail.mid(at_ns)) for _, at_ns in numbered]
    so_far = list(parts_at(item, fills, edges, funding))
    buckets = _buckets([number for number, _ in numbered], so_far)
    parts = so_far[-1]
    if tally.curve:
        funded = sum(each.atoms for each in funding if each.at_ns <= span.ended_ns)
        assert parts.total - funded == tally.profit_atoms, "parts and profit disagree"
    judged = judge(item, fills, trail.mid, span.ended_ns, params.horizons_ns)
    held = inventory_of(item, tally.fills, trail.opening_base_atoms, span.began_ns)
    return Sheet(
        item=item,
        span=span,
        parts=parts,
        buckets=buckets,
        step_ns=params.step_ns,
        fees=tally.fees,
        judged=judged,
        horizons=at_horizons(item, judged, params.horizons_ns),
        quoting=quoting_of(trail, span.ended_ns, params.obligation),
        obligation=params.obligation,
        held=held,
        bands=bands,
        zones=time_in_zones(held, bands, span.ended_ns) if bands else {},
        drawdown=drawdown_of(tally.curve),
        moments=moments_of([each.parts.total for each in _whole(buckets, span, params.step_ns)]),
        activity=_activity(tally, span),
        curve=tally.curve,
        trail=trail,
    )


def step_for(span: Span) -> Ns:
    """Ten seconds, doubled until the buckets are few enough to write down and to draw again."""
    step_ns = STEP_S * NS_PER_S
    while (span.ended_ns - span.began_ns) // step_ns > BUCKETS_MAX:
        step_ns *= 2
    return step_ns


def drawdown_of(curve: Sequence[Point]) -> Drawdown:
    """Of the sampled curve: a fall between two samples is not seen."""
    if not curve:
        return Drawdown()
    high, high_ns, worst, longest_ns = 0, curve[0].at_ns, Drawdown(), 0
    for point in curve:
        longest_ns = max(longest_ns, (point.at_ns - high_ns) * (point.profit_atoms < high))
        if point.profit_atoms >= high:
            worst = _recovered(worst, high_ns, point.at_ns)
            high, high_ns = point.profit_atoms, point.at_ns
        elif high - point.profit_atoms > worst.depth_atoms:
            worst = Drawdown(
                depth_atoms=high - point.profit_atoms,
                high_ns=high_ns,
                low_ns=point.at_ns,
                has_recovered=False,
            )
    length_ns = worst.length_ns if worst.has_recovered else curve[-1].at_ns - worst.high_ns
    return msgspec.structs.replace(
        worst, length_ns=length_ns, longest_ns=max(longest_ns, length_ns)
    )


def _recovered(worst: Drawdown, high_ns: Ns, at_ns: Ns) -> Drawdown:
    """The profit is at its high again: that ends the deepest fall if it was the one still open."""
    if worst.has_recovered or worst.high_ns != high_ns:
        return worst
    return msgspec.structs.replace(worst, length_ns=at_ns - high_ns, has_recovered=True)


def _buckets(numbers: list[int], so_far: list[Parts]) -> list[Bucket]:
    before = [Parts(), *so_far[:-1]]
    return [
        Bucket(number, now.less(then))
        for number, now, then in zip(numbers, so_far, before, strict=True)
    ]


def _whole(buckets: list[Bucket], span: Span, step_ns: Ns) -> list[Bucket]:
    """Without the first and the last where the run was in them for a part only."""
    return [
        each
        for each in buckets
        if each.number * step_ns >= span.began_ns
        and (each.number + 1) * step_ns - 1 <= span.ended_ns
    ]


def _activity(tally: MarketTally, span: Span) -> Activity:
    return Activity(
        fills=len(tally.fills),
        maker_fills=sum(fill.is_maker for fill in tally.fills),
        orders=tally.placed,
        cancelled=tally.cancelled,
        refused=tally.refused,
        turnover_atoms=tally.turnover_atoms,
        days=(span.ended_ns - span.began_ns) / (86_400 * NS_PER_S),
    )
