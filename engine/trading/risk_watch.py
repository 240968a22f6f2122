# cython: language_level=3, annotation_typing=False
"""One row of the gate over time: it trips, holds, cools down and lets go, or stays until told."""

import math
from collections import deque
from collections.abc import Sequence
from fractions import Fraction

import msgspec

from engine.trading.risk_checks import (
    MARKET_MEASURES,
    NO_COUNTS,
    QUOTE_MEASURES,
    SIDES_AT_FAULT,
    Counts,
    Number,
    Scene,
    Span,
    finite,
)
from engine.trading.risk_rows import COUNT_MAX, Action, Check, RiskRow
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.records import RiskTripped
from engine.values.units import BUY, NS_PER_S, PPM, Ns, Ppm, Side

CALM_MAX = 1e300
"""Above it a value may be infinite: then the slower, exact judgement decides."""
VALUE_UNKNOWN = -1.0
"""Journaled where a check tripped for want of a fact; no measure is negative."""

_MONEY = {Check.ORDER_VALUE, Check.WORST_VALUE, Check.TURNOVER, Check.LOSS}
_TIGHTER_ON_SNAPSHOT = {
    Check.ORDER_SIZE,
    Check.ORDER_VALUE,
    Check.WORST_POSITION,
    Check.WORST_VALUE,
    Check.TURNOVER,
}


VERIFIED = Grade.VERIFIED
_COUNTING = {Check.MESSAGE_RATE, Check.REJECTS, Check.FILLS}
# Named once: Python 3.11 takes longer to find a member in its enum than to use it.
_HALT, _HEDGE, _PULL_MARKET = Action.HALT, Action.HEDGE, Action.PULL_MARKET
_ORDER_SIZE, _SPREAD_THIN = Check.ORDER_SIZE, Check.SPREAD_THIN


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A row's numbers in the measure's own unit: atoms for money, whole lots for sizes.

    From `calm_low` to `calm_high` a value is surely known, finite and no breach.
    """

    threshold: Number
    release: Number
    calm_low: Number
    calm_high: Number


class Trip(msgspec.Struct, kw_only=True):
    """`beyond_ns` is when the value was last beyond release; `value` None while unknown."""

    since_ns: Ns
    beyond_ns: Ns
    value: Number | None
    is_known: bool
    sides: tuple[Side, ...]
    hedged_ns: Ns | None = None


class Watch:
    """One row, its recent happenings and its trip."""

    def __init__(self, row: RiskRow, instrument: Instrument, snapshot_share_ppm: Ppm) -> None:
        self.row = row
        self.trip: Trip | None = None
        self.of_market = MARKET_MEASURES.get(row.check)
        self.of_quotes = QUOTE_MEASURES.get(row.check)
        self._sides_of = SIDES_AT_FAULT.get(row.check)
        self._is_counting = row.check in _COUNTING
        self._window_ns = round(row.window_s * NS_PER_S)
        snapshot_share = Fraction(snapshot_share_ppm, PPM)
        self._share = _exact(row.threshold)
        self._share_tight = self._share * snapshot_share
        self._market = instrument.market
        self._unit = 10**instrument.quote_exponent if row.check in _MONEY else 1
        self._snapshot_share = snapshot_share if row.check in _TIGHTER_ON_SNAPSHOT else Fraction(1)
        self._full = self._tight = self._bound(Fraction(1))
        self.narrow(1.0)
        # One more than may be counted is enough to know that it is too many.
        most = math.ceil(min(row.threshold, COUNT_MAX)) + 1
        self._bought, self._sold = deque[Ns](maxlen=most), deque[Ns](maxlen=most)

    def __repr__(self) -> str:
        state = "tripped" if self.trip else "calm"
        return f"<{self.row.check} {self.row.threshold:g} {self.row.action} {state}>"

    def narrow(self, share: float) -> None:
        """Trip at this share of the row's own threshold, and let go at the same of its release."""
        self._full = self._bound(_exact(share))
        self._tight = self._bound(_exact(share) * self._snapshot_share)
        self._calm_low, self._calm_high = self._full.calm_low, self._full.calm_high

    @property
    def action(self) -> Action:
        """What the trip does now. A fact that is missing pulls; only one that is there may halt."""
        if self.row.action is _HALT and self.trip and not self.trip.is_known:
            return _PULL_MARKET
        return self.row.action

    @property
    def is_latched(self) -> bool:
        return self.trip is not None and self.action is _HALT

    @property
    def reason(self) -> str:
        """Why it is tripped, for people."""
        value = self.trip.value if self.trip else None
        return self.offence(value, VERIFIED)

    def offence(self, value: Number | None, grade: Grade) -> str:
        if value is None:
            return f"{self.row.check}: not known"
        limit = self.bound(grade).threshold / self._unit
        return f"{self.row.check}: {value / self._unit:.6g}, limit {limit:.6g}"

    def bound(self, grade: Grade) -> Bound:
        return self._full if grade is VERIFIED else self._tight

    def share_at(self, grade: Grade) -> Fraction:
        """The threshold as an exact share, tightened where the book is not verified."""
        return self._share if grade is VERIFIED else self._share_tight

    def note(self, side: Side, at_ns: Ns) -> None:
        (self._bought if side is BUY else self._sold).append(at_ns)

    def look(self, at: Scene) -> RiskTripped | None:
        """Judge the market as it is; the record of a trip or a release, if it made one."""
        if self.of_market is None:
            return None if self.trip is None else self.judge(0, (), at)
        counts = self.counts(at.reading.now_ns) if self._is_counting else NO_COUNTS
        value = self.of_market(at, counts)
        bound = self._full if at.reading.grade is VERIFIED else self._tight
        if self.trip is None and value is not None and bound.calm_low <= value <= bound.calm_high:
            return None
        sides = self._sides_of(at, counts, bound.release) if self._sides_of else ()
        return self.judge(value, sides, at)

    def counts(self, now_ns: Ns) -> Counts:
        """Happenings of (buys, sells) within the row's window, up to one more than its limit."""
        horizon_ns = now_ns - self._window_ns
        bought, sold = self._bought, self._sold
        while bought and bought[0] <= horizon_ns:
            bought.popleft()
        while sold and sold[0] <= horizon_ns:
            sold.popleft()
        return len(bought), len(sold)

    def left(self, now_ns: Ns) -> int:
        """How many more happenings its window would bear; below 0 where it has too many."""
        bought, sold = self.counts(now_ns)
        return math.floor(self.row.threshold) - bought - sold

    def clears(self, side: Side, span: Span, at: Scene) -> bool:
        """Whether surely no quote of this span has more than the row allows."""
        if self.of_quotes is None:
            return self._calm_low <= 0 <= self._calm_high
        value = self.of_quotes(side, span, at, self.row)
        return value is not None and self._calm_low <= value <= self._calm_high

    def quoted(self, side: Side, span: Span, at: Scene) -> Number | None:
        """The most that quotes of this span have of what the row limits; None if unknown."""
        return finite(self.of_quotes(side, span, at, self.row)) if self.of_quotes else 0

    def is_breach(self, value: Number | None, grade: Grade) -> bool:
        return value is None or self._is_beyond(value, self.bound(grade).threshold)

    def judge(
        self, measured: Number | None, sides: tuple[Side, ...], at: Scene
    ) -> RiskTripped | None:
        """Take in one measure; the record of a trip or a release, if it made one.

        `sides` are at fault; none named means the side that adds.
        """
        value, now_ns, grade = finite(measured), at.reading.now_ns, at.reading.grade
        if self.trip is None:
            return self._enter(value, sides, now_ns, grade)
        if value is None or self._is_beyond(value, self.bound(grade).release):
            return self._hold(value, sides, now_ns, grade)
        cool_down_ns = round(self.row.cool_down_s * NS_PER_S)
        if self.is_latched or now_ns - self.trip.beyond_ns < cool_down_ns:
            return None
        self.trip = None
        return self._record(value, now_ns, grade, released=True)

    def resume(self) -> None:
        """A person lets go of a halt; it trips again if there is still cause."""
        if self.is_latched:
            self.trip = None

    def is_hedge_due(self, now_ns: Ns) -> bool:
        """Once a trip, and again whenever a cool-down has gone by and it still stands."""
        trip = self.trip
        if trip is None or not trip.is_known or self.action is not _HEDGE:
            return False
        cool_down_ns = round(self.row.cool_down_s * NS_PER_S)
        if trip.hedged_ns is None:
            return True
        return bool(cool_down_ns) and now_ns - trip.hedged_ns >= cool_down_ns

    def _enter(
        self, value: Number | None, sides: tuple[Side, ...], now_ns: Ns, grade: Grade
    ) -> RiskTripped | None:
        if not self.is_breach(value, grade):
            return None
        self.trip = Trip(
            since_ns=now_ns,
            beyond_ns=now_ns,
            value=value,
            is_known=value is not None,
            sides=sides,
        )
        return self._record(value, now_ns, grade, released=False)

    def _hold(
        self, value: Number | None, sides: tuple[Side, ...], now_ns: Ns, grade: Grade
    ) -> RiskTripped | None:
        assert self.trip is not None
        trip, was_latched = self.trip, self.is_latched
        trip.beyond_ns, trip.value = now_ns, value
        trip.sides += tuple(side for side in sides if side not in trip.sides)
        if value is not None and self.is_breach(value, grade):
            trip.is_known = True
        became_latched = self.is_latched and not was_latched
        return self._record(value, now_ns, grade, released=False) if became_latched else None

    def _is_beyond(self, value: Number, limit: Number) -> bool:
        return value < limit if self.row.check is _SPREAD_THIN else value > limit

    def _record(
        self, value: Number | None, now_ns: Ns, grade: Grade, *, released: bool
    ) -> RiskTripped:
        return RiskTripped(
            market=self._market,
            at_ns=now_ns,
            check=self.row.check,
            action=self.action,
            value=VALUE_UNKNOWN if value is None else value / self._unit,
            threshold=self.bound(grade).threshold / self._unit,
            released=released,
        )

    def _bound(self, share: Fraction) -> Bound:
        is_whole = self.row.check in _MONEY or self.row.check is _ORDER_SIZE
        turn = math.floor if is_whole else float
        threshold = turn(_exact(self.row.threshold) * self._unit * share)
        is_floor = self.row.check is _SPREAD_THIN
        return Bound(
            threshold=threshold,
            release=turn(_exact(self.row.release) * self._unit * share),
            calm_low=threshold if is_floor else 0,
            calm_high=CALM_MAX if is_floor else threshold,
        )


def all_clear(watches: Sequence[Watch], side: Side, span: Span, at: Scene) -> bool:
    """Whether surely no quote of this span has more than any of the rows allows."""
    for watch in watches:  # noqa: SIM110 a generator would cost more than what it asks
        if not watch.clears(side, span, at):
            return False
    return True


def _exact(number: float) -> Fraction:
    """The decimal that stands in the config, not the binary float nearest to it."""
    return Fraction(repr(number))
