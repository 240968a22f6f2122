"""The liquidity score of an asset, with its parts and its age: no conversion runs without it.

Over all usable venues (their book is current and sane, and the place not halted): the best spread,
the depth of the thinner side within 1, 2 and 5 % of each venue's own mid, what anybody traded in
24 hours, the number of venues, and the slippage of our own size across all of them. A part that is
not known is worth 0. Without a usable venue there is no score.
"""

import math

import msgspec

from engine.market.liquidity_score import Part, less_is_better, more_is_better, score_of_parts
from engine.treasury.depth import DepthBook, Level, merged, walked
from engine.treasury.facts import Facts
from engine.treasury.params import check_amount
from engine.values.units import PPM, Atoms, Ns, Ppm, scaled

REACHES_PPM: tuple[Ppm, ...] = (10_000, 20_000, 50_000)


class ScoreParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[scores]]`: each part is worth half its weight at its own half point.

    depth_half: whole tokens within 1, 2 and 5 %. volume_half: whole tokens in 24 h.
    own_size: whole tokens that we would trade at once. floor: below it an order gets a staged plan.
    """

    asset: str
    own_size: str
    spread_half_ppm: int
    spread_weight: float
    depth_half: tuple[str, str, str]
    depth_weights: tuple[float, float, float]
    volume_half: str
    volume_weight: float
    venues_half: float
    venues_weight: float
    slippage_half_ppm: int
    slippage_weight: float
    floor: float

    def __post_init__(self) -> None:
        for text in (self.own_size, self.volume_half, *self.depth_half):
            check_amount("own_size, volume_half and depth_half", text)
            if not float(text):
                raise ValueError("own_size, volume_half and depth_half must be above 0")
        if min(self.spread_half_ppm, self.slippage_half_ppm) <= 0 or not self.venues_half > 0:
            raise ValueError("half points must be above 0")
        weights = (
            self.spread_weight, *self.depth_weights, self.volume_weight, self.venues_weight,
            self.slippage_weight,
        )  # fmt: skip
        if not all(math.isfinite(one) and one >= 0 for one in weights) or not any(weights):
            raise ValueError("weights must be finite, not negative, and some of them above 0")
        if not 0 <= self.floor <= 100:
            raise ValueError("floor must be 0 to 100")


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """0 to 100, how it came about, and the age of the oldest book behind it."""

    asset: str
    score: float
    parts: tuple[Part, ...]
    venues: tuple[str, ...]
    age_ns: Ns


def score(facts: Facts, params: ScoreParams) -> Score | None:
    """None where no venue is usable: then nothing may be converted."""
    asset, exponent = params.asset, facts.scheme.asset(params.asset).exponent
    books = _usable(facts, asset)
    if not books:
        return None
    depths = [sum(_depth(book, reach) for book in books) for reach in REACHES_PPM]
    spread = min(_spread_ppm(book) for book in books)
    slippage = slippage_ppm(books, scaled(params.own_size, exponent))
    traded = _volume(facts, asset, books)
    volume = None if traded is None else traded / 10**exponent
    parts = [
        _part(
            "spread, ppm",
            spread,
            less_is_better(spread, params.spread_half_ppm),
            params.spread_weight,
        )
    ]
    for index, percent in enumerate((1, 2, 5)):
        tokens, half = depths[index] / 10**exponent, float(params.depth_half[index])
        worth = more_is_better(tokens, half)
        parts.append(
            _part(f"tokens within {percent} %", tokens, worth, params.depth_weights[index])
        )
    worth = 0.0 if volume is None else more_is_better(volume, float(params.volume_half))
    parts.append(_part("tokens traded in 24 h", volume, worth, params.volume_weight))
    worth = more_is_better(len(books), params.venues_half)
    parts.append(_part("venues", len(books), worth, params.venues_weight))
    worth = 0.0 if slippage is None else less_is_better(slippage, params.slippage_half_ppm)
    parts.append(_part("slippage of own size, ppm", slippage, worth, params.slippage_weight))
    return Score(
        asset=asset,
        score=score_of_parts(parts),
        parts=tuple(parts),
        venues=tuple(book.venue for book in books),
        age_ns=max(facts.at_ns - book.at_ns for book in books),
    )


def slippage_ppm(books: list[DepthBook], atoms: Atoms) -> float | None:
    """How much worse than the highest mid the average price of selling so much at once is.

    Across all books, dearest level first. None where they do not reach.
    """
    levels = merged([book.bids for book in books], is_dear_first=True)
    taken, money = walked(levels, atoms, is_up=False)
    if taken < atoms or not atoms:
        return None
    mid = max(book.mid().money_atoms / book.mid().base_atoms for book in books)
    return max(0.0, (mid - money / atoms) / mid * PPM)


def _usable(facts: Facts, asset: str) -> list[DepthBook]:
    found = [facts.book(venue, base) for venue, base in sorted(facts.books) if base == asset]
    return [book for book in found if book is not None]


def _depth(book: DepthBook, reach_ppm: Ppm) -> Atoms:
    """The thinner side within reach of the mid, both bounds included."""
    mid = book.mid()
    low, high = mid.money_atoms * (PPM - reach_ppm), mid.money_atoms * (PPM + reach_ppm)
    unit = mid.base_atoms * PPM
    bids = sum(b.atoms for b in book.bids if b.money_atoms * unit >= low * b.atoms)
    asks = sum(a.atoms for a in book.asks if a.money_atoms * unit <= high * a.atoms)
    return min(bids, asks)


def _spread_ppm(book: DepthBook) -> float:
    bid, ask = _unit(book.bids[0]), _unit(book.asks[0])
    return 2 * PPM * (ask - bid) / (ask + bid)


def _unit(level: Level) -> float:
    return level.money_atoms / level.atoms


def _volume(facts: Facts, asset: str, books: list[DepthBook]) -> Atoms | None:
    """Of usable venues, as far as it is known; None where none of them is."""
    told = [facts.volume(book.venue, asset) for book in books]
    known = [atoms for atoms in told if atoms is not None]
    return sum(known) if known else None


def _part(name: str, found: float | None, part: float, weight: float) -> Part:
    return Part(name=name, found=found, part=part, weight=weight)
