"""Before the trade: what a size should cost against mid, what it may cost at most, and why.

Worst is plus: ppm of mid that a sale brings less, or a purchase costs more. Fees are not slippage.

Walking the book says what one child meets at once. That a large order moves the price as it is
worked, however small its children, is the square-root law: impact = Y * sigma * sqrt(Q / V), with
the size Q, a day's volume V, the volatility sigma of a day and a Y of order one (Toth et al.,
"Anomalous price impact and the critical nature of liquidity in financial markets", Physical Review
X 1, 021006, 2011, equation 1; Almgren et al., "Direct estimation of equity market impact", 2005,
fit a power of 3/5). Y is `EstimateParams.impact_ppm`.
"""

import math
from collections.abc import Sequence

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.depth import DepthBook, Level, merged, walked
from engine.treasury.execution_params import EstimateParams
from engine.values.units import NS_PER_S, PPM, SELL, Atoms, Ns, Ppm, Side

DAY_S = 86_400


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """One market as it stands: its book without our orders, and what reviews taught of it.

    `volume_atoms` is what anybody traded there in 24 hours; None where nobody told it.
    """

    market: str
    book: DepthBook
    volume_atoms: Atoms | None
    lesson_ppm: Ppm


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """`expected_ppm` for the staged order, `at_once_ppm` for one order (None: the books end).

    `why_not` is why no plan may be made of it, "" for nothing.
    """

    side: Side
    atoms: Atoms
    mid: Price
    child_atoms: Atoms
    expected_ppm: Ppm
    at_once_ppm: Ppm | None
    ceiling_ppm: Ppm
    daily_share_ppm: Ppm | None
    because: tuple[str, ...]
    why_not: str = ""


def estimate(
    side: Side, atoms: Atoms, venues: Sequence[Venue], timing: tuple[int, int, Ns],
    params: EstimateParams,
) -> Estimate:  # fmt: skip
    """Size against visible depth, impact and excess by the share of a day's volume, buffers for
    volatility and for venues.

    `timing` is (share of the depth in ppm that one child may take, volatility in ppm per square
    root of a second, how long it takes). Every venue's book is sane. Raises ValueError for none.
    """
    if not venues or atoms <= 0:
        raise ValueError("an estimate needs a size, and a venue with a book")
    child_ppm, volatility, span_ns = timing
    mid = best_mid([venue.book for venue in venues], side)
    levels = levels_of([venue.book for venue in venues], side)
    within = atoms_within(levels, worst_of(mid, side, params.ceiling_ppm_max), side)
    child = max(1, min(atoms, within * child_ppm // PPM))
    at_once, staged = walk_ppm(levels, atoms, mid, side), walk_ppm(levels, child, mid, side)
    lesson = max((venue.lesson_ppm for venue in venues), default=0)
    drift = _drift_ppm(volatility, span_ns, params.volatility_ppm)
    spread_out = (len(venues) - 1) * params.fragmentation_ppm
    share, excess = _volume(atoms, venues, params)
    impact = _impact_ppm(share, volatility, params.impact_ppm)
    expected = max(0, (staged or 0) + impact + lesson)
    ceiling = expected + drift + spread_out + excess
    of_depth = f"{-(-atoms * PPM // within)} ppm" if within else "more than all"
    of_day = "an unknown share" if share is None else f"{share} ppm"
    because = [
        f"the size is {of_depth} of what stands within {params.ceiling_ppm_max} ppm of mid",
        f"a child of {child} atoms walks the book by {_text(staged)}",
        f"{impact} ppm for what {of_day} of a day's volume moves the price by",
        f"{lesson} ppm from reviews of earlier orders",
        f"{drift} ppm for volatility over {span_ns // NS_PER_S} s",
        f"{spread_out} ppm for {len(venues)} venues",
        f"{excess} ppm for {of_day} of a day's volume, beyond {params.daily_share_ppm} ppm",
    ]
    why_not = "" if within else "nothing stands within the largest ceiling"
    if ceiling > params.ceiling_ppm_max:
        because.append(f"{ceiling} ppm would be needed; {params.ceiling_ppm_max} ppm is the most")
        ceiling = params.ceiling_ppm_max
        why_not = why_not or ("" if expected <= ceiling else "it costs more than the most allowed")
    return Estimate(
        side=side,
        atoms=atoms,
        mid=mid,
        child_atoms=child,
        expected_ppm=expected,
        at_once_ppm=at_once,
        ceiling_ppm=ceiling,
        daily_share_ppm=share,
        because=tuple(because),
        why_not=why_not,
    )


# --- prices and books ---------------------------------------------------------------------------


def best_mid(books: Sequence[DepthBook], side: Side) -> Price:
    """The mid that slippage is measured from: the highest for a sale, the lowest for a purchase."""
    mids = sorted((book.mid() for book in books), key=_unit)
    return mids[-1] if side is SELL else mids[0]


def levels_of(books: Sequence[DepthBook], side: Side) -> list[Level]:
    """What a taker of this side meets, best first, across all books."""
    rows = [book.bids if side is SELL else book.asks for book in books]
    return merged(rows, is_dear_first=side is SELL)


def worst_of(mid: Price, side: Side, ppm: Ppm) -> Price:
    """The price that is so much worse than mid."""
    return Price(
        asset=mid.asset,
        money_atoms=mid.money_atoms * (PPM - ppm if side is SELL else PPM + ppm),
        base_atoms=mid.base_atoms * PPM,
        at_ns=mid.at_ns,
    )


def is_within(level: Level, worst: Price, side: Side) -> bool:
    """Whether a level's price is no worse than `worst`."""
    ours = level.money_atoms * worst.base_atoms
    theirs = worst.money_atoms * level.atoms
    return ours >= theirs if side is SELL else ours <= theirs


def atoms_within(levels: Sequence[Level], worst: Price, side: Side) -> Atoms:
    return sum(level.atoms for level in levels if is_within(level, worst, side))


def walk_ppm(levels: Sequence[Level], atoms: Atoms, mid: Price, side: Side) -> Ppm | None:
    """Slippage of taking so much at once; None where the levels do not reach."""
    taken, money = walked(levels, atoms, is_up=side is not SELL)
    return None if taken < atoms else slippage_ppm((taken, money), mid, side)


def slippage_ppm(done: tuple[Atoms, Atoms], mid: Price, side: Side) -> Ppm:
    """Of (atoms, money) against mid, rounded up: never better than it was. Below 0 is better."""
    atoms, money = done
    at_mid = atoms * mid.money_atoms
    paid = money * mid.base_atoms
    worse = at_mid - paid if side is SELL else paid - at_mid
    return -(-worse * PPM // at_mid)


def _drift_ppm(volatility: int, span_ns: Ns, weight_ppm: Ppm) -> Ppm:
    """One standard deviation of a walk: volatility times the square root of the time."""
    root_ms = math.isqrt(span_ns * 10**6 // NS_PER_S)
    return volatility * root_ms * weight_ppm // (1_000 * PPM)


def _impact_ppm(share: Ppm | None, volatility: int, impact_ppm: Ppm) -> Ppm:
    """The square-root law; 0 where the share is not known: another term stands for that."""
    if share is None:
        return 0
    root_day_ms, root_share = math.isqrt(DAY_S * 10**6), math.isqrt(share * PPM)
    return -(-impact_ppm * volatility * root_day_ms * root_share // (1_000 * PPM * PPM))


def _volume(
    atoms: Atoms, venues: Sequence[Venue], params: EstimateParams
) -> tuple[Ppm | None, Ppm]:
    """(share of a day's volume, what it adds); a venue that tells no volume counts as none."""
    told = [venue.volume_atoms for venue in venues if venue.volume_atoms is not None]
    if not sum(told):
        return None, params.unknown_volume_ppm
    share = -(-atoms * PPM // sum(told))
    over = max(0, share - params.daily_share_ppm)
    return share, over * params.daily_excess_ppm // params.daily_share_ppm


def _unit(price: Price) -> int:
    return price.money_atoms * 10**30 // price.base_atoms


def _text(ppm: Ppm | None) -> str:
    return "more than it holds" if ppm is None else f"{ppm} ppm"
