"""Keeps a token in a corridor around a reference: a fixed price, a basket, or another venue.

Noise is leaned against, structural drift is not: a t-test on the means of whole blocks of time
(batch means: Law, Simulation Modeling and Analysis, section 9.5.3) tells the one from the other.
`ballast peg rules` prints what the params say. Other markets' prices come in `view.others`.
"""

import math
from typing import Literal, TypeAlias

import msgspec
import numpy as np

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
    quote_level,
)

BPS, ERROR_MIN_BPS = 10_000, 1e-6
MAY_BE_ZERO = ("fixed", "mean_min_bps", "injection_cap_lots", "injection_rest_s", "pull")
State: TypeAlias = Literal["quiet", "intervening", "drifting"]
Mood: TypeAlias = Literal["usual", "loose", "tight"]


class PegParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The deviation is 10,000 x ln(mid / reference), in bp. Raises ValueError with the wrong key.

    fixed, units: one token is worth so much of the quote currency and so many units of the base of
        each market. Another venue: fixed 0 and one unit of the token itself, "T/USDT@venue".
    age_max_s: another market's price that is older is unknown; no quote without a reference.
    corridor_bps: no bid above and no ask below the reference by more than this.
    threshold_bps, patience_s: intervention begins after so long beyond the threshold in a row,
    release_share: and ends within this share of the threshold.
    sample_s: how often the deviation is looked at (at most twice a second).
    block_s, blocks: the test is over so many whole blocks of time; a drift is structural where
    mean_min_bps, t_from, t_below: their mean is so large and so many standard errors off zero,
        until below the last.
    breadth, breadth_min, loose_share: the threshold is so many times as wide while the rating is a
        buy and at least this share of the breadth markets is above its mean of the blocks.
    spread_wide, spread_calm, tight_share: threshold, patience and sample are this share of
        themselves while the rating is a sell and the spread so many times its mean of the blocks.
    injection_cap_lots, injection_s, injection_rest_s: shown on top while tight and intervening, so
        much for so long at most, and no other for so long after its end.
    lots, half_spread_ticks: one quote a side, so far from the centre, which lies
    pull, intervening_pull: this share of the way from mid to the reference, at mid in a drift.
    intervening_size, drifting_size: times `lots`, toward the reference; on either side in a drift.
    """

    fixed: float
    units: dict[str, float]
    age_max_s: float
    corridor_bps: float
    threshold_bps: float
    patience_s: float
    release_share: float
    sample_s: float
    block_s: float
    blocks: int
    mean_min_bps: float
    t_from: float
    t_below: float
    breadth: list[str]
    breadth_min: float
    loose_share: float
    spread_wide: float
    spread_calm: float
    tight_share: float
    injection_cap_lots: int
    injection_s: float
    injection_rest_s: float
    lots: int
    half_spread_ticks: float
    pull: float
    intervening_pull: float
    intervening_size: float
    drifting_size: float

    def __post_init__(self) -> None:
        right = {
            name: math.isfinite(number) and (number > 0 or (number == 0 and name in MAY_BE_ZERO))
            for name, number in msgspec.structs.asdict(self).items()
            if isinstance(number, int | float)
        }
        are_fine = all(0 < unit < math.inf for unit in self.units.values())
        right["units"] = are_fine and bool(self.fixed or self.units)
        right["corridor_bps"] &= self.threshold_bps < self.corridor_bps < BPS
        right["release_share"] &= self.release_share < 1
        right["blocks"] &= 3 <= self.blocks <= 1_000
        right["t_below"] &= self.t_below < self.t_from
        right["breadth_min"] &= self.breadth_min <= 1
        right["loose_share"] &= 1 <= self.loose_share <= self.corridor_bps / self.threshold_bps
        right["spread_calm"] &= 1 <= self.spread_calm < self.spread_wide
        right["tight_share"] &= self.tight_share <= 1
        right["intervening_pull"] &= self.pull <= self.intervening_pull <= 1
        right["intervening_size"] &= self.intervening_size >= 1
        right["drifting_size"] &= self.drifting_size <= 1
        for name in [name for name, is_right in right.items() if not is_right]:
            raise ValueError(f"{name} makes no sense: {getattr(self, name)}")


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What the corridor is told. `bias` is the rating's; `prices` those breadth markets' known."""

    now_ns: int
    deviation_bps: float
    spread_bps: float
    bias: int
    position_lots: int
    prices: dict[str, float]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`side` pushes toward the reference; `t` is the test's, NaN until its blocks are whole."""

    state: State
    mood: Mood
    side: Side
    threshold_bps: float
    t: float
    injection_lots: int


class Blocks:
    """Sums of the last whole blocks of time, by name."""

    def __init__(self, params: PegParams) -> None:
        self._block_ns, self._count, self._number = _ns(params.block_s), params.blocks, 0
        self._blocks: dict[int, dict[str, tuple[float, int]]] = {}

    def add(self, now_ns: int, values: dict[str, float]) -> None:
        self._number = now_ns // self._block_ns
        oldest = self._number - self._count
        self._blocks = {number: sums for number, sums in self._blocks.items() if number >= oldest}
        sums = self._blocks.setdefault(self._number, {})
        for name, value in values.items():
            total, count = sums.get(name, (0.0, 0))
            sums[name] = (total + value, count + 1)

    def test(self, name: str) -> tuple[float, float]:
        """(mean, unsigned Student's t) of the blocks before this one; NaN while one lacks."""
        blocks = (self._blocks.get(self._number - age, {}) for age in range(1, self._count + 1))
        means = [total / count for total, count in (sums[name] for sums in blocks if name in sums)]
        if len(means) < self._count:
            return math.nan, math.nan
        mean, error = float(np.mean(means)), float(np.std(means, ddof=1)) / math.sqrt(len(means))
        return mean, abs(mean) / max(error, ERROR_MIN_BPS)


class Corridor:
    """Told what is seen, says what to do about it; it knows nothing but what it was told."""

    def __init__(self, params: PegParams) -> None:
        self._params = params
        self._blocks = Blocks(params)
        self._state: State = "quiet"
        self._mood: Mood = "usual"
        self._side = BUY
        self._t = math.nan
        self._sampled_ns = self._outside_ns = self._rested_ns = 0
        self._began: tuple[int, int] | None = None  # an injection: when, and the position then

    def see(self, sight: Sight) -> Verdict:
        if sight.now_ns - self._sampled_ns >= _ns(self._params.sample_s * self._tightness):
            self._sampled_ns = sight.now_ns
            values = {"deviation": sight.deviation_bps, "spread": sight.spread_bps}
            self._blocks.add(sight.now_ns, sight.prices | values)
            self._mood = self._mood_of(sight)
            self._turn(sight.deviation_bps, sight.now_ns)
        return Verdict(
            state=self._state,
            mood=self._mood,
            side=self._side,
            threshold_bps=self._threshold_bps,
            t=self._t,
            injection_lots=self._injected(sight.now_ns, sight.position_lots),
        )

    @property
    def _tightness(self) -> float:
        return self._params.tight_share if self._mood == "tight" else 1.0

    @property
    def _threshold_bps(self) -> float:
        loose = self._params.loose_share if self._mood == "loose" else 1.0
        return self._params.threshold_bps * self._tightness * loose

    def _mood_of(self, sight: Sight) -> Mood:
        params = self._params
        times = params.spread_calm if self._mood == "tight" else params.spread_wide
        if sight.bias < 0 and sight.spread_bps >= times * self._blocks.test("spread")[0]:
            return "tight"
        risen = sum(price > self._blocks.test(name)[0] for name, price in sight.prices.items())
        is_broad = risen >= params.breadth_min * max(1, len(params.breadth))
        return "loose" if sight.bias > 0 and is_broad else "usual"

    def _turn(self, off_bps: float, now_ns: int) -> None:
        params, before = self._params, self._side
        mean_bps, self._t = self._blocks.test("deviation")
        t_wanted = params.t_below if self._state == "drifting" else params.t_from
        is_drift = abs(mean_bps) >= params.mean_min_bps and self._t >= t_wanted
        self._side = BUY if off_bps < 0 else SELL
        if abs(off_bps) <= self._threshold_bps:
            self._outside_ns = 0
        elif not self._outside_ns or self._side is not before:
            self._outside_ns = now_ns
        patience_ns = _ns(params.patience_s * self._tightness)
        is_long = self._outside_ns and now_ns - self._outside_ns >= patience_ns
        is_back = abs(off_bps) <= params.release_share * self._threshold_bps
        is_held = self._state == "intervening" and self._side is before and not is_back
        self._state = "drifting" if is_drift else "intervening" if is_held or is_long else "quiet"
        if self._began and (self._state != "intervening" or self._side is not before):
            self._end_injection(now_ns)

    def _end_injection(self, now_ns: int) -> None:
        self._began, self._rested_ns = None, now_ns + _ns(self._params.injection_rest_s)

    def _injected(self, now_ns: int, position_lots: int) -> int:
        """What is left of an injection's cap, by what the position has gained since it began."""
        cap_lots = self._params.injection_cap_lots
        if self._began and now_ns - self._began[0] >= _ns(self._params.injection_s):
            self._end_injection(now_ns)
        is_wanted = self._state == "intervening" and self._mood == "tight"
        if not self._began and is_wanted and now_ns >= self._rested_ns:
            self._began = (now_ns, position_lots)
        gained = self._side.sign * (position_lots - self._began[1]) if self._began else cap_lots
        return min(cap_lots, max(0, cap_lots - gained))


class PegStrategy:
    Params = PegParams
    wake = Wake(top_moved_ticks=1, microprice_moved_ticks=0.0, timer_ns=NS_PER_S // 2)

    def __init__(self, params: PegParams) -> None:
        self.params = params
        self._corridor = Corridor(params)

    def quote(self, view: View) -> Ladder:
        params, prices = self.params, _prices(view, _ns(self.params.age_max_s))
        unknown = [name for name in params.units if name not in prices]
        if unknown or not view.mid:
            why = f"no price of {unknown[0]}" if unknown else "no mid price"
            return Ladder(bids_absent=why, asks_absent=why)
        worth = params.fixed + sum(unit * prices[name] for name, unit in params.units.items())
        reference = worth * 10**view.instrument.price_exponent / view.instrument.tick
        sight = Sight(
            now_ns=view.now_ns,
            deviation_bps=BPS * math.log(view.mid / reference),
            spread_bps=BPS * view.spread_ticks / view.mid,
            bias=view.stance.bias,
            position_lots=view.position_lots,
            prices={name: prices[name] for name in params.breadth if name in prices},
        )
        verdict = self._corridor.see(sight)
        bids, no_bids = self._side(BUY, view, verdict, reference)
        asks, no_asks = self._side(SELL, view, verdict, reference)
        return Ladder(bids=bids, asks=asks, bids_absent=no_bids, asks_absent=no_asks)

    def _side(
        self, side: Side, view: View, verdict: Verdict, reference: float
    ) -> tuple[tuple[Level, ...], str]:
        """The quote of one side, or why there is none."""
        params, sign, state = self.params, side.sign, verdict.state
        if view.zone is (Zone.CAP if side is BUY else Zone.FLOOR):
            return (), f"inventory {view.position_lots} lots is {view.zone}"
        pushes = state == "intervening" and side is verdict.side
        pull, size = (params.intervening_pull if state == "intervening" else params.pull), 1.0
        if pushes or state == "drifting":
            pull, size = (pull, params.intervening_size) if pushes else (0.0, params.drifting_size)
        skew = pull * (reference - view.mid)
        edge = reference * (1 + sign * params.corridor_bps / BPS)
        width = max(params.half_spread_ticks, sign * (view.mid + skew - edge))
        clamp = "kept in the corridor" if width > params.half_spread_ticks else ""
        stance = f"{state} (worth {reference:.2f} ticks, {verdict.mood} threshold)"
        reason = Reason(
            reference=view.mid, skew=skew, width=width, rounding=0.0, stance=stance, clamp=clamp
        )
        lots = math.floor(params.lots * size) + (verdict.injection_lots if pushes else 0)
        level = quote_level(side, max(lots, view.instrument.lots_min), view, reason)
        is_allowed = view.instrument.tick_min <= level.tick <= view.instrument.tick_max
        return ((level,), "") if is_allowed else ((), "no price within the instrument's limits")


def _prices(view: View, age_max_ns: int) -> dict[str, float]:
    """Mids of other markets that are fresh, in their quote currency."""
    others = view.others.items()
    return {name: o.mid for name, o in others if o.age_ns <= age_max_ns and o.mid > 0}


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
