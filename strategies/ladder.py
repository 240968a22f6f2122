# cython: language_level=3, annotation_typing=False
"""The default quoting rule: a ladder whose centre, width and sizes follow market and inventory.

centre = microprice + lean x `lean_ticks`; half-width = volatility over the horizon plus fees, at
least the floor, plus what a thin book asks for; sizes follow the bands and the rating's stance.
"""

import math

import msgspec

from engine.trading.strategy import (
    BUY,
    NS_PER_S,
    SELL,
    Ladder,
    Level,
    Reason,
    Side,
    View,
    Wake,
    Zone,
    passive_tick,
    without_repeats,
)

LEVELS_MAX = 50
_TOWARD_TARGET = {Zone.FLOOR: 1, Zone.BELOW: 1, Zone.INSIDE: 0, Zone.ABOVE: -1, Zone.CAP: -1}
WIDTH_MIN_TICKS = 0.01
"""Less than this and both sides could round to the same tick."""


class LadderParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Distances in ticks from the centre, sizes in lots, shares as fractions of one.

    levels: quotes a side (at most 50). Those that round to one tick become one.
    lots: size of the best level; each further one is larger by `lots_growth` of that.
    step_ticks: distance from one level to the next.
    half_spread_min_ticks: the best quotes never stand closer to the centre.
    volatility_weight, horizon_s: the half-width covers weight x volatility x sqrt(horizon).
    half_spread_unknown_ticks: the least half-width while volatility is not known.
    fee_weight: maker fees that the half-width covers on top (1 is one fill's fee).
    depth_thin_lots: less depth than this on the thinner side, within 5 % of mid, is a thin book.
    thin_widening_ticks: what an empty book would add to the half-width; in proportion before that.
    hold_ticks: an order stays one tick behind the wished price until that lies so much deeper in
        its tick: a place in the queue is worth more than a flicker of the microprice.
    lean_ticks: how far the centre moves down at the cap, up at the floor.
    zone_size_share: below the band bids are larger and asks smaller by this; above, the reverse.

    How the shape leans with a rating is the playbook's: see `Lean`.

    For BTT/USDT at 62 ticks, where one tick is 160 bp and the market one or two ticks wide:
    levels 3, lots 1500000, lots_growth 0.5, step_ticks 1.0, half_spread_min_ticks 0.1,
    volatility_weight 0.5, horizon_s 1.0, half_spread_unknown_ticks 0.5, fee_weight 1.0,
    depth_thin_lots 5000000, thin_widening_ticks 0.5, hold_ticks 0.3, lean_ticks 0.75,
    zone_size_share 0.25. There the fraction of the microprice decides: with a half-width well
    under one tick, floor and ceil make a quote join the touch, step inside a market of two ticks,
    or stand back from a side that is about to give way.
    """

    levels: int
    lots: int
    lots_growth: float
    step_ticks: float
    half_spread_min_ticks: float
    volatility_weight: float
    horizon_s: float
    half_spread_unknown_ticks: float
    fee_weight: float
    depth_thin_lots: int
    thin_widening_ticks: float
    hold_ticks: float
    lean_ticks: float
    zone_size_share: float

    def __post_init__(self) -> None:
        numbers: dict[str, float] = msgspec.structs.asdict(self)
        for name, number in numbers.items():
            if not (math.isfinite(number) and number >= 0):
                raise ValueError(f"{name} must be finite and not negative")
        if not 1 <= self.levels <= LEVELS_MAX:
            raise ValueError(f"levels must lie between 1 and {LEVELS_MAX}")
        if self.lots < 1:
            raise ValueError("lots must be at least 1")
        if self.half_spread_min_ticks < WIDTH_MIN_TICKS:
            raise ValueError(f"half_spread_min_ticks must be at least {WIDTH_MIN_TICKS}")
        if self.zone_size_share > 0.9:
            raise ValueError("zone_size_share must be at most 0.9")


class _Centre(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What both sides of one ladder share: where it stands, and what its reasons say of it."""

    reference: float
    skew: float
    width: float
    stance: str


class LadderStrategy:
    Params = LadderParams
    wake = Wake(top_moved_ticks=1, microprice_moved_ticks=0.25, timer_ns=NS_PER_S)

    def __init__(self, params: LadderParams) -> None:
        self.params = params
        self._sizes = [
            params.lots * (1 + rank * params.lots_growth) for rank in range(params.levels)
        ]

    def quote(self, view: View) -> Ladder:
        reference = _reference(view)
        if reference is None:
            return Ladder(
                bids_absent="the market has neither bids nor asks",
                asks_absent="the market has neither bids nor asks",
            )
        centre = _Centre(
            reference=reference,
            skew=view.bands.lean(view.position_lots) * self.params.lean_ticks,
            width=self.half_width(view),
            stance=f"{_stance_text(view)}, inventory {view.zone}",
        )
        bids, bids_absent = self._side(BUY, view, centre)
        asks, asks_absent = self._side(SELL, view, centre)
        return Ladder(bids=bids, asks=asks, bids_absent=bids_absent, asks_absent=asks_absent)

    def _side(self, side: Side, view: View, centre: _Centre) -> tuple[tuple[Level, ...], str]:
        """The quotes of one side, or why there are none."""
        absent = _absent(side, view)
        if absent:
            return (), absent
        sign, lots_min = side.sign, view.instrument.lots_min
        step, share = self._step(side, view), self._size_share(side, view)
        opening, opening_step = _opening(side, view)
        levels = []
        for rank, size in enumerate(self._sizes):
            apart, clamp = centre.width + rank * step + (opening + rank * opening_step), ""
            wished = centre.reference + centre.skew - sign * apart
            tick, rounding, passive = passive_tick(side, wished, view)
            if rounding < self.params.hold_ticks and self._is_held(side, wished, view):
                apart, clamp = apart + 1, "holds its queue place"
                wished = centre.reference + centre.skew - sign * apart
                tick, rounding, passive = passive_tick(side, wished, view)
            reason = Reason(
                reference=centre.reference,
                skew=centre.skew,
                width=apart,
                rounding=rounding,
                stance=centre.stance,
                clamp=passive or clamp,
            )
            lots = math.floor(size * share)
            levels.append(Level(tick=tick, lots=max(lots, lots_min), reason=reason))
        kept = _within_limits(levels, view)
        return kept, "" if kept else "no price is left within the instrument's limits"

    def _is_held(self, side: Side, price: float, view: View) -> bool:
        """Whether an order of ours one tick behind is not worth giving up for so small a gain."""
        tick = math.floor(price) if side is BUY else math.ceil(price)
        is_behind = tick - side.sign in view.own_ticks(side)
        return is_behind and abs(price - tick) < self.params.hold_ticks

    def half_width(self, view: View) -> float:
        """From the centre to the best quote: the risk of standing there, never under the floor."""
        params = self.params
        fees = params.fee_weight * view.fee_ticks
        if view.volatility is None:
            base = params.half_spread_unknown_ticks + fees
        else:
            moves = view.volatility * math.sqrt(params.horizon_s)
            base = params.volatility_weight * moves + fees
        widening = params.thin_widening_ticks * self._thinness(view)
        return max(params.half_spread_min_ticks, base) + widening

    def _thinness(self, view: View) -> float:
        """0 in a book that is deep enough, 1 where the thinner side is empty."""
        if not self.params.depth_thin_lots:
            return 0.0
        return max(0.0, 1.0 - min(view.depth_lots[2]) / self.params.depth_thin_lots)

    def _step(self, side: Side, view: View) -> float:
        """Between two levels: a playbook may close up the bids."""
        if side is SELL:
            return self.params.step_ticks
        return self.params.step_ticks * (1 - view.lean.bid_closer)

    def _size_share(self, side: Side, view: View) -> float:
        """Inventory shifts size from one side to the other; a playbook changes either."""
        by_zone = 1 + _TOWARD_TARGET[view.zone] * side.sign * self.params.zone_size_share
        return by_zone * view.lean.size(side)


def _opening(side: Side, view: View) -> tuple[float, float]:
    """Ticks away from the market: (all levels, each further one)."""
    lean = view.lean
    return (
        (lean.bid_out_ticks, 0.0) if side is BUY else (lean.ask_out_ticks, lean.upper_ask_out_ticks)
    )


def _reference(view: View) -> float | None:
    """The microprice, kept within the market; mid without one, the only touch of one side."""
    if view.bid_tick and view.ask_tick:
        known = math.isfinite(view.microprice) and view.microprice > 0
        price = view.microprice if known else view.mid
        return max(float(view.bid_tick), min(float(view.ask_tick), price))
    return float(view.bid_tick or view.ask_tick) or None


def _stance_text(view: View) -> str:
    stance, row = view.stance, view.lean.row
    said = stance.label.value
    if stance.was not in ("none", said):
        said = f"{said} ({stance.was} is {stance.age_ns // NS_PER_S} s old: stale)"
    return f"{said}, row {row}" if row else said


def _absent(side: Side, view: View) -> str:
    """Why a side is not quoted at all."""
    if side is BUY:
        if view.zone is Zone.CAP:
            return f"inventory {view.position_lots} lots is at its cap"
        return "" if view.bid_tick else "the market has no bids"
    if view.zone is Zone.FLOOR:
        return f"inventory {view.position_lots} lots is at its floor"
    return "" if view.ask_tick else "the market has no asks"


def _within_limits(levels: list[Level], view: View) -> tuple[Level, ...]:
    low, high = view.instrument.tick_min, view.instrument.tick_max
    return without_repeats([level for level in levels if low <= level.tick <= high])
