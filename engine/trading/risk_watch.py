"""One row of the gate over time: it trips, holds, cools down and lets go, or stays until told."""

import math
from collections import deque
from fractions import Fraction

import msgspec

from engine.trading.risk_checks import (
    MARKET_MEASURES,
    QUOTE_MEASURES,
    Measure,
    Number,
    Scene,
    finite,
)
from engine.trading.risk_rows import COUNT_MAX, Action, Check, Reading, RiskRow
from engine.treasury.bands import Bands
from engine.values.events import Grade
from engine.values.instrument import Instrument
from engine.values.records import RiskTripped
from engine.values.units import NS_PER_S, PPM, Ns, Ppm, Side

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


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """A row's numbers in the measure's own unit: atoms for money, whole lots for sizes."""

    threshold: Number
    release: Number


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
        self.of_quote = QUOTE_MEASURES.get(row.check)
        snapshot_share = Fraction(snapshot_share_ppm, PPM)
        self._share = _exact(row.threshold)
        self._share_tight = self._share * snapshot_share
        self._market = instrument.market
        self._unit = 10**instrument.quote_exponent if row.check in _MONEY else 1
        self._full = self._bound(Fraction(1))
        is_cap = row.check in _TIGHTER_ON_SNAPSHOT
        self._tight = self._bound(snapshot_share) if is_cap else self._full
        # One more than may be counted is enough to know that it is too many.
        most = math.ceil(min(row.threshold, COUNT_MAX)) + 1
        self._happenings = {side: deque[Ns](maxlen=most) for side in Side}

    def __repr__(self) -> str:
        state = "tripped" if self.trip else "calm"
        return f"<{self.row.check} {self.row.threshold:g} {self.row.action} {state}>"

    @property
    def action(self) -> Action:
        """What the trip does now. A fact that is missing pulls; only one that is there may halt."""
        if self.row.action is Action.HALT and self.trip and not self.trip.is_known:
            return Action.PULL_MARKET
        return self.row.action

    @property
    def is_latched(self) -> bool:
        return self.trip is not None and self.action is Action.HALT

    @property
    def reason(self) -> str:
        """Why it is tripped, for people."""
        value = self.trip.value if self.trip else None
        return self.offence(value, Grade.VERIFIED)

    def offence(self, value: Number | None, grade: Grade) -> str:
        if value is None:
            return f"{self.row.check}: not known"
        limit = self.bound(grade).threshold / self._unit
        return f"{self.row.check}: {value / self._unit:.6g}, limit {limit:.6g}"

    def bound(self, grade: Grade) -> Bound:
        return self._full if grade is Grade.VERIFIED else self._tight

    def share_at(self, grade: Grade) -> Fraction:
        """The threshold as an exact share, tightened where the book is not verified."""
        return self._share if grade is Grade.VERIFIED else self._share_tight

    def note(self, side: Side, at_ns: Ns) -> None:
        self._happenings[side].append(at_ns)

    def scene(self, reading: Reading, instrument: Instrument, bands: Bands) -> Scene:
        bought, sold = self.counts(reading.now_ns)
        return Scene(
            reading=reading,
            instrument=instrument,
            bands=bands,
            row=self.row,
            release=self.bound(reading.grade).release,
            bought=bought,
            sold=sold,
        )

    def counts(self, now_ns: Ns) -> tuple[int, int]:
        """Happenings of (buys, sells) within the row's window, up to one more than its limit."""
        horizon_ns = now_ns - round(self.row.window_s * NS_PER_S)
        for times in self._happenings.values():
            while times and times[0] <= horizon_ns:
                times.popleft()
        return len(self._happenings[Side.BUY]), len(self._happenings[Side.SELL])

    def is_breach(self, value: Number | None, grade: Grade) -> bool:
        return value is None or self._is_beyond(value, self.bound(grade).threshold)

    def judge(self, measure: Measure, now_ns: Ns, grade: Grade) -> RiskTripped | None:
        """Take in one measure; the record of a trip or a release, if it made one."""
        value = finite(measure.value)
        if self.trip is None:
            return self._enter(measure, value, now_ns, grade)
        if value is None or self._is_beyond(value, self.bound(grade).release):
            return self._hold(measure, value, now_ns, grade)
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
        if trip is None or not trip.is_known or self.action is not Action.HEDGE:
            return False
        cool_down_ns = round(self.row.cool_down_s * NS_PER_S)
        if trip.hedged_ns is None:
            return True
        return bool(cool_down_ns) and now_ns - trip.hedged_ns >= cool_down_ns

    def _enter(
        self, measure: Measure, value: Number | None, now_ns: Ns, grade: Grade
    ) -> RiskTripped | None:
        if not self.is_breach(value, grade):
            return None
        self.trip = Trip(
            since_ns=now_ns,
            beyond_ns=now_ns,
            value=value,
            is_known=value is not None,
            sides=measure.sides,
        )
        return self._record(value, now_ns, grade, released=False)

    def _hold(
        self, measure: Measure, value: Number | None, now_ns: Ns, grade: Grade
    ) -> RiskTripped | None:
        assert self.trip is not None
        trip, was_latched = self.trip, self.is_latched
        trip.beyond_ns, trip.value = now_ns, value
        trip.sides += tuple(side for side in measure.sides if side not in trip.sides)
        if value is not None and self.is_breach(value, grade):
            trip.is_known = True
        became_latched = self.is_latched and not was_latched
        return self._record(value, now_ns, grade, released=False) if became_latched else None

    def _is_beyond(self, value: Number, limit: Number) -> bool:
        return value < limit if self.row.check is Check.SPREAD_THIN else value > limit

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
        is_whole = self.row.check in _MONEY or self.row.check is Check.ORDER_SIZE
        turn = math.floor if is_whole else float
        return Bound(
            threshold=turn(_exact(self.row.threshold) * self._unit * share),
            release=turn(_exact(self.row.release) * self._unit * share),
        )


def _exact(number: float) -> Fraction:
    """The decimal that stands in the config, not the binary float nearest to it."""
    return Fraction(repr(number))
