"""Which way to hedge costs least now: each way's numbers, and none that nobody knows."""

import math
from collections.abc import Iterable

import msgspec

from engine.market.book import Book, BookView
from engine.market.liquidity import slippage_bps, spread_bps
from engine.signals.outlook import HedgeRatio
from engine.trading.hedge_params import DAY_S, HedgeInstrument, HedgeKind, HedgeParams
from engine.values.instrument import Instrument
from engine.values.units import PPM, SELL, Lot, Side

BPS = 10_000


SAME_ASSET = HedgeRatio(ratio=1.0, error=0.0, residual_share=0.0)
"""The token covers itself exactly."""


class Carry(msgspec.Struct, frozen=True, kw_only=True):
    """What holding a short perpetual costs and risks.

    `basis_bps`: the perpetual's price over the spot's. `funding_bps_day`: what a short pays a day,
    negative where it is paid. `margin_share`: of the margin, used. `liquidation_distance`: share
    of the price that it may rise before the position is liquidated.
    """

    basis_bps: float
    funding_bps_day: float
    margin_share: float
    liquidation_distance: float


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One way to hedge, seen at one moment. `lots` of the hedge market would be taken by `side`.

    `book` is the market's without our orders. `ratio` and `carry` are None while not known;
    `problem` says why this way is out, "" for no such reason.
    """

    way: HedgeInstrument
    item: Instrument
    book: Book | BookView
    side: Side
    lots: Lot
    ratio: HedgeRatio | None
    carry: Carry | None
    problem: str = ""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What a way would cost in bp of the token's value that it covers, part by part.

    `cost_bps` is their sum, None where one is not known: such a way is never chosen, and `why_not`
    says why. The penalty for what stays at risk is a part, though nobody pays it.
    """

    way: HedgeInstrument
    parts: dict[str, float]
    cost_bps: float | None
    why_not: str

    @property
    def text(self) -> str:
        """For people: 4.1 bp (half spread 1, slippage 2.1, fee 1)."""
        numbers = ", ".join(f"{name} {bps:.3g}" for name, bps in self.parts.items())
        if self.cost_bps is None:
            return f"not chosen: {self.why_not}" + (f" ({numbers})" if numbers else "")
        return f"{self.cost_bps:.3g} bp ({numbers})"


def assess(offer: Offer, params: HedgeParams) -> Candidate:
    """Expected cost of one way. Letting go has no penalty, it ends what stays at risk."""
    ratio = offer.ratio
    problem = offer.problem or _ratio_problem(ratio, params)
    if problem or ratio is None:
        return _out(offer, problem)
    half_spread, walked = spread_bps(offer.book), slippage_bps(offer.book, offer.side, offer.lots)
    if half_spread is None or walked is None:
        return _out(offer, "cost not known: the book is empty or too thin")
    parts = {
        "half spread": half_spread / 2 * ratio.ratio,
        "slippage": (walked - half_spread / 2) * ratio.ratio,
        "fee": offer.item.taker_fee_ppm / PPM * BPS * ratio.ratio,
    }
    if offer.way.kind is HedgeKind.PERPETUAL and offer.side is SELL:
        if problem := _carry_problem(offer.carry, params):
            return _out(offer, problem, parts)
        assert offer.carry is not None
        parts["basis"] = -offer.carry.basis_bps * ratio.ratio
        days = params.carry_horizon_s / DAY_S
        parts["funding"] = offer.carry.funding_bps_day * days * ratio.ratio
    if offer.side is SELL:
        parts["residual risk"] = ratio.residual_share * params.residual_bps
    return _in(offer, parts)


def choose(candidates: Iterable[Candidate], *, is_urgent: bool) -> list[Candidate]:
    """Those that may be taken, best first. Where it is urgent, what shrinks inventory comes first.

    Equal costs keep the config's order.
    """
    known = [each for each in candidates if each.cost_bps is not None]

    def rank(each: Candidate) -> tuple[bool, float]:
        is_later = is_urgent and each.way.kind is not HedgeKind.CONVERSION
        return is_later, each.cost_bps or 0.0

    return sorted(known, key=rank)


def _ratio_problem(ratio: HedgeRatio | None, params: HedgeParams) -> str:
    """Why a hedge ratio is nothing to trade on, "" if it is."""
    if ratio is None:
        return "hedge ratio not known"
    if (
        not all(map(math.isfinite, (ratio.ratio, ratio.error, ratio.residual_share)))
        or ratio.ratio <= 0
    ):
        return f"hedge ratio {ratio.ratio:.3g} is no ratio to sell by"
    if ratio.ratio < params.ratio_confidence_min * ratio.error:
        return f"hedge ratio {ratio.ratio:.3g} +- {ratio.error:.3g} is too uncertain"
    if ratio.residual_share > params.residual_share_max:
        return f"would leave {ratio.residual_share:.0%} of the risk"
    return ""


def _carry_problem(carry: Carry | None, params: HedgeParams) -> str:
    if carry is None:
        return "cost not known: no basis, funding and margin"
    numbers = (carry.basis_bps, carry.funding_bps_day, carry.liquidation_distance)
    if not all(map(math.isfinite, numbers)):
        return "cost not known: no basis, funding and margin"
    if carry.liquidation_distance < params.liquidation_distance_min:
        return f"liquidation is {carry.liquidation_distance:.0%} away"
    return ""


def _out(offer: Offer, why: str, parts: dict[str, float] | None = None) -> Candidate:
    return Candidate(way=offer.way, parts=parts or {}, cost_bps=None, why_not=why)


def _in(offer: Offer, parts: dict[str, float]) -> Candidate:
    return Candidate(way=offer.way, parts=parts, cost_bps=sum(parts.values()), why_not="")
