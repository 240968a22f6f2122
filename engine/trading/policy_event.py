"""What a market remembers of its rating: how long a side has held, and what one may still add.

A signal event begins with a buy, or with a rating that is not known and so might be one. It ends
only when a known neutral or sell has held for the persistence time: whatever comes back sooner is
the same event, so that flapping and going stale earn no fresh allowance. From buy to strong buy no
new event begins either. While an event is open the worst position is bound by `opened_lots` plus
the cap, neutral and sell included. `opened_lots` never rises; it falls with the position whenever
the event is anything but an uninterrupted buy, so that what was sold is not bought twice.
"""

from enum import StrEnum

import msgspec

from engine.trading.posture import Signal
from engine.trading.rules import RulesParams
from engine.values.events import RatingLabel, RatingSet
from engine.values.records import Ruled
from engine.values.units import NS_PER_S, Lot, Ns

SIGNAL_OF = {label: Signal(label.value) for label in RatingLabel}
NEVER: Ns = 1 << 62


class Leaning(StrEnum):
    """The side of a signal: what persistence counts."""

    BUY = "buy"
    NEUTRAL = "neutral"
    SELL = "sell"
    UNKNOWN = "unknown"


LEANING_OF = {
    Signal.STRONG_BUY: Leaning.BUY,
    Signal.BUY: Leaning.BUY,
    Signal.NEUTRAL: Leaning.NEUTRAL,
    Signal.SELL: Leaning.SELL,
    Signal.STRONG_SELL: Leaning.SELL,
    Signal.UNKNOWN: Leaning.UNKNOWN,
}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A signal event: which one, since when, and the position that its cap counts from."""

    number: int
    opened_ns: Ns
    opened_lots: Lot
    is_open: bool


NO_EVENT = Event(number=0, opened_ns=0, opened_lots=0, is_open=False)


class SignalMemory:
    """The clock of one market's rating, and its event. Time never runs back in it."""

    def __init__(self, rules: RulesParams) -> None:
        self.signal = Signal.UNKNOWN
        self.leaning = Leaning.UNKNOWN
        self.began_ns: Ns = 0
        self.away_ns: Ns | None = None
        self.event = NO_EVENT
        self.rating: RatingSet | None = None
        self._lapses_ns: Ns = NEVER
        self._last_ns: Ns = 0
        self._is_told = False
        self._is_sell_hidden = False
        self._is_steady_buy = False
        self.heed(rules)

    def heed(self, rules: RulesParams) -> None:
        """Go by these rules from the next look on; what was remembered stays."""
        self._votes_min = rules.votes_min
        self._votes_needed = rules.votes_needed
        self._age_ns_max = round(rules.rating_age_max_s * NS_PER_S)
        self._persistence_ns = round(rules.persistence_s * NS_PER_S)
        self._is_told = False

    def look(self, rating: RatingSet | None, now_ns: Ns) -> None:
        """Take in what the rating says at `now_ns`. Its own time counts, unless it is past."""
        if rating is not self.rating or not self._is_told:
            self._take(rating, now_ns)
        if now_ns >= self._lapses_ns:
            self._lapse()
        self._last_ns = max(self._last_ns, now_ns)

    def settle(self, position_lots: Lot, now_ns: Ns) -> None:
        """Open, keep or end the event at this position. Comes after `look`."""
        self._end_where_over(now_ns)
        event = self.event
        is_buy = self.leaning is Leaning.BUY
        if is_buy or self.leaning is Leaning.UNKNOWN:
            if not event.is_open:
                self.event = Event(
                    number=event.number + 1,
                    opened_ns=now_ns,
                    opened_lots=position_lots,
                    is_open=True,
                )
            elif not (is_buy and self._is_steady_buy):
                self._sink(position_lots)
        elif event.is_open:
            self._sink(position_lots)
        self._is_steady_buy = is_buy

    def is_held(self, now_ns: Ns) -> bool:
        """Whether a known signal's side has held for the persistence time."""
        is_known = self.leaning is not Leaning.UNKNOWN
        return is_known and now_ns - self.began_ns >= self._persistence_ns

    def due_ns(self, now_ns: Ns) -> Ns:
        """When time alone will change something next; NEVER where it will not."""
        due_ns = self._lapses_ns
        if self.leaning is not Leaning.UNKNOWN and not self.is_held(now_ns):
            due_ns = min(due_ns, self.began_ns + self._persistence_ns)
        if self.event.is_open and self.away_ns is not None:
            due_ns = min(due_ns, self.away_ns + self._persistence_ns)
        return due_ns

    def restore(self, ruled: Ruled) -> None:
        """Go on where a record of ours left off; the rating itself comes with the ratings."""
        numbers, at_ns = ruled.numbers, ruled.at_ns
        self.signal = Signal(ruled.answers["signal"])
        self.leaning = LEANING_OF[self.signal]
        self.began_ns = _before(at_ns, numbers.get("held_s")) or 0
        self.away_ns = _before(at_ns, numbers.get("away_s"))
        self.event = Event(
            number=ruled.event,
            opened_ns=_before(at_ns, numbers.get("event_age_s")) or 0,
            opened_lots=ruled.event_lots,
            is_open=bool(numbers.get("event_open")),
        )
        self._is_steady_buy = self.leaning is Leaning.BUY
        self._is_sell_hidden = bool(numbers.get("sell_hidden"))
        self._is_told = self.rating is not None
        self._lapses_ns = self._lapse_of(self.rating)
        self._last_ns = max(self._last_ns, at_ns)

    @property
    def is_sell_hidden(self) -> bool:
        """Whether a sell went stale: its clock runs on, for cover that waits for persistence."""
        return self._is_sell_hidden

    # --- turning --------------------------------------------------------------------------------

    def _take(self, rating: RatingSet | None, now_ns: Ns) -> None:
        at_ns = now_ns
        if rating is not None:
            at_ns = max(min(rating.at_ns, now_ns), self._last_ns)
        if at_ns >= self._lapses_ns:
            self._lapse()
        self.rating, self._is_told = rating, True
        signal = self._signal_of(rating, now_ns)
        self._turn(signal, at_ns)
        self._lapses_ns = self._lapse_of(rating)

    def _signal_of(self, rating: RatingSet | None, now_ns: Ns) -> Signal:
        if rating is None or now_ns >= self._stale_ns(rating):
            return Signal.UNKNOWN
        is_short = self._votes_needed if rating.voted is None else rating.voted < self._votes_min
        return Signal.UNKNOWN if is_short else SIGNAL_OF[rating.label]

    def _stale_ns(self, rating: RatingSet) -> Ns:
        return min(rating.expires_ns, rating.at_ns + self._age_ns_max)

    def _lapse_of(self, rating: RatingSet | None) -> Ns:
        is_known = rating is not None and self.signal is not Signal.UNKNOWN
        return self._stale_ns(rating) if is_known and rating is not None else NEVER

    def _lapse(self) -> None:
        lapsed_ns = max(self._lapses_ns, self._last_ns)
        self._lapses_ns = NEVER
        self._turn(Signal.UNKNOWN, lapsed_ns)

    def _turn(self, signal: Signal, at_ns: Ns) -> None:
        before, leaning = self.leaning, LEANING_OF[signal]
        self.signal = signal
        if leaning is before and self.began_ns:
            return
        self._end_where_over(at_ns)
        if leaning in (Leaning.BUY, Leaning.UNKNOWN):
            self.away_ns, self._is_steady_buy = None, False
        elif self.away_ns is None:
            self.away_ns = at_ns
        if leaning is Leaning.UNKNOWN and before is Leaning.SELL:
            self._is_sell_hidden = True
        else:
            is_back = leaning is Leaning.SELL and self._is_sell_hidden
            self.began_ns = self.began_ns if is_back else at_ns
            self._is_sell_hidden = False
        self.leaning = leaning

    # --- the event ------------------------------------------------------------------------------

    def _end_where_over(self, now_ns: Ns) -> None:
        if not self.event.is_open or self.away_ns is None:
            return
        if now_ns - self.away_ns >= self._persistence_ns:
            self.event = msgspec.structs.replace(self.event, is_open=False)

    def _sink(self, position_lots: Lot) -> None:
        if position_lots < self.event.opened_lots:
            self.event = msgspec.structs.replace(self.event, opened_lots=position_lots)


def _before(at_ns: Ns, seconds: float | None) -> Ns | None:
    return None if seconds is None else at_ns - round(seconds * NS_PER_S)
