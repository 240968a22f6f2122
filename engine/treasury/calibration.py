"""Do the bands fit? Each float's bands beside what volatility, payouts and liquidity ask of them.

- Volatility: the market maker's inventory wanders. A band closer to the target than the usual way
  of a day is passed by noise. `usual` is the root mean square of daily changes, as a share of the
  target, times `noise_times`.
- Payouts: what must be paid from the float before it can be filled again must be there when the
  lower band stops the selling.
- Liquidity: what is over the upper band must be sellable within a day at our share of the volume.

Money's own volatility is not among them: the bands are in tokens. Floats are only in this report.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from engine.treasury.chart import Account, AccountKind, Entry, Reason
from engine.treasury.dates import day_of
from engine.values.treasury_words import Day
from engine.values.units import PPM, Atoms, Ppm

DAYS_MAX = 366
DAYS_MIN = 7
"""A history that is shorter says nothing about noise."""
BY_THE_MARKET = frozenset({Reason.FILL, Reason.FUNDING})


class CalibrationParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rebalance.calibration]`. noise_times: so many usual daily changes must fit between target
    and band. participation_ppm: our share of a day's volume. payout_days: what falls due within
    them must be payable from the float: so long does it take to fill it again."""

    noise_times: float
    participation_ppm: Ppm
    payout_days: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise_times) and self.noise_times > 0):
            raise ValueError("noise_times must be more than 0")
        if not 0 < self.participation_ppm <= PPM:
            raise ValueError(f"participation_ppm must be 1 to {PPM}")
        if not 0 <= self.payout_days <= DAYS_MAX:
            raise ValueError(f"payout_days must be 0 to {DAYS_MAX}")


class DayEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What a float held at the end of a day. Rebalancing moved `rebalanced_atoms` of it away."""

    day: Day
    held_atoms: Atoms
    rebalanced_atoms: Atoms


class Floating(msgspec.Struct, frozen=True, kw_only=True):
    """One float: its bands as they are, its past, and what is asked of it.

    `payout_atoms` must be payable from it before it is filled again. `day_volume_atoms` None where
    nobody told it.
    """

    name: str
    target_atoms: Atoms
    lower_ppm: Ppm
    upper_ppm: Ppm
    history: tuple[DayEnd, ...]
    payout_atoms: Atoms
    day_volume_atoms: Atoms | None


class Fit(StrEnum):
    FITS = "fits"
    NARROW = "narrower than noise"
    LOW = "too low for the payouts"
    WIDE = "wider than a day can sell"
    UNKNOWN = "not known"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One float. `usual_ppm` is a usual day's change; None where the history is too short.

    The suggested bands meet payouts and liquidity, and noise as far as those leave room;
    `conflict` says where they do not. `breaches` counts days outside the bands as they are, and
    `suggested_breaches` those outside the suggested ones, in the same past.
    """

    name: str
    usual_ppm: Ppm | None
    payout_ppm: Ppm
    liquidity_ppm: Ppm | None
    lower: Fit
    upper: Fit
    suggested_lower_ppm: Ppm
    suggested_upper_ppm: Ppm
    breaches: int
    suggested_breaches: int
    days: int
    conflict: str


def day_ends(entries: Iterable[Entry], venue: str, asset: str) -> tuple[DayEnd, ...]:
    """What a venue held at each day's end, from the ledger; a quiet day ends as the one before.

    What the fills of quotes and funding did is the market's; all else is what people or the
    treasury's own staged orders moved.
    """
    account = Account(AccountKind.HOLDINGS, venue)
    market: dict[Day, Atoms] = {}
    moved: dict[Day, Atoms] = {}
    for entry in entries:
        sums = market if entry.reason in BY_THE_MARKET else moved
        for each in entry.postings:
            if (each.account, each.asset) == (account, asset):
                day = day_of(entry.when_ns)
                sums[day] = sums.get(day, 0) + each.atoms
    days = market.keys() | moved.keys()
    ends, held = [], 0
    for day in range(min(days, default=0), max(days, default=-1) + 1):
        held += market.get(day, 0) + moved.get(day, 0)
        ends.append(DayEnd(day=day, held_atoms=held, rebalanced_atoms=-moved.get(day, 0)))
    return tuple(ends)


def calibrate(floating: Floating, params: CalibrationParams) -> Verdict:
    """Raises ValueError for a float without a target: it has no bands to judge."""
    target = floating.target_atoms
    if target <= 0:
        raise ValueError(f"{floating.name} has no target")
    usual = usual_ppm(floating.history, target)
    noise = None if usual is None else math.ceil(usual * params.noise_times)
    payout = -(-floating.payout_atoms * PPM // target)
    room = None
    if floating.day_volume_atoms is not None:
        room = floating.day_volume_atoms * params.participation_ppm // target
    lower = _lower(floating, noise, payout)
    upper = _upper(floating, noise, room)
    low, high, conflict = _suggested(floating, noise, payout, room)
    return Verdict(
        name=floating.name,
        usual_ppm=usual,
        payout_ppm=payout,
        liquidity_ppm=room,
        lower=lower,
        upper=upper,
        suggested_lower_ppm=low,
        suggested_upper_ppm=high,
        breaches=breaches(floating, floating.lower_ppm, floating.upper_ppm),
        suggested_breaches=breaches(floating, low, high),
        days=len(floating.history),
        conflict=conflict,
    )


def usual_ppm(history: Sequence[DayEnd], target_atoms: Atoms) -> Ppm | None:
    """Root mean square of daily changes without what rebalancing did, as a share of the target."""
    changes = [
        after.held_atoms + after.rebalanced_atoms - before.held_atoms
        for before, after in itertools.pairwise(history)
        if after.day == before.day + 1
    ]
    if len(changes) < DAYS_MIN:
        return None
    mean_square = sum(change * change for change in changes) // len(changes)
    return math.isqrt(mean_square) * PPM // target_atoms


def breaches(floating: Floating, lower_ppm: Ppm, upper_ppm: Ppm) -> int:
    """Days of the past on which the float ended outside these bands."""
    shares = [day.held_atoms * PPM // floating.target_atoms for day in floating.history]
    return sum(not lower_ppm <= share <= upper_ppm for share in shares)


def _lower(floating: Floating, noise: Ppm | None, payout: Ppm) -> Fit:
    if floating.lower_ppm < payout:
        return Fit.LOW
    if noise is None:
        return Fit.UNKNOWN
    return Fit.NARROW if PPM - floating.lower_ppm < noise else Fit.FITS


def _upper(floating: Floating, noise: Ppm | None, room: Ppm | None) -> Fit:
    if room is None or noise is None:
        return Fit.UNKNOWN
    if floating.upper_ppm - PPM > room:
        return Fit.WIDE
    return Fit.NARROW if floating.upper_ppm - PPM < noise else Fit.FITS


def _suggested(
    floating: Floating, noise: Ppm | None, payout: Ppm, room: Ppm | None
) -> tuple[Ppm, Ppm, str]:
    """(lower, upper, conflict). What is not known changes nothing."""
    low, high, conflicts = floating.lower_ppm, floating.upper_ppm, []
    if noise is not None:
        low, high = max(0, min(low, PPM - noise)), max(high, PPM + noise)
    if low < payout:
        low = min(payout, PPM)
        if noise is not None and PPM - low < noise:
            conflicts.append("payouts need a lower band that noise will pass: raise the target")
    if payout > PPM:
        conflicts.append("payouts are larger than the target")
    if room is not None and high - PPM > room:
        high = PPM + room
        if noise is not None and room < noise:
            conflicts.append("a day cannot sell what noise brings: lower the target")
    return low, high, "; ".join(conflicts)
