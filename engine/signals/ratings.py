"""The ratings of one market, one for each span of bars, as the bars come in.

Closed bars alone make a rating; the bar that is still forming makes a provisional one, worked out
when somebody asks and kept nowhere. Work is bounded: a long history is rated a few bars at a time.
"""

from collections import deque

import msgspec

from engine.signals.bars import BarSeries, candle_of
from engine.signals.rating import Rated
from engine.signals.rating_batch import rate_last
from engine.signals.rating_stream import RatingStream
from engine.signals.votes import Rules
from engine.values.facts import Bar, BarForming, BarsClosed
from engine.values.units import Ns
from engine.values.words import RatingSet

VOTES = 26
SOURCE = "technical rating"
GAP_BARS_MAX = 3
"""The longest hole, in hours, of what one great venue told of half a year: others are a doubt."""


class RatingsParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a desk wants to know of a market's bars. Nothing here has a default that could trade.

    A rating rests on at least `bars_min` closed bars and `votes_min` of 26 votes, and is stale
    `stale_bars` bars after its bar has closed. Where more than `gap_bars_max` bars in a row lack,
    history begins anew: real venues have holes of some hours. `policy_span_ns` is the span whose
    rating policy reads; the others are for people. `bars_kept` bars are what a stream starts
    again from where one is corrected. `bars_per_step` bounds what one fact may cost.
    """

    spans_ns: tuple[Ns, ...]
    policy_span_ns: Ns
    rules: Rules
    votes_min: int
    bars_min: int
    stale_bars: int
    gap_bars_max: int = GAP_BARS_MAX
    bars_kept: int = 1_000
    bars_per_step: int = 8

    def __post_init__(self) -> None:
        if not self.spans_ns or len(set(self.spans_ns)) != len(self.spans_ns):
            raise ValueError("spans_ns: at least one, and none twice")
        if min(self.spans_ns) <= 0 or self.policy_span_ns not in self.spans_ns:
            raise ValueError("policy_span_ns: must be one of spans_ns, all more than 0")
        if not 1 <= self.votes_min <= VOTES:
            raise ValueError(f"votes_min: must be in 1..{VOTES}")
        if not 1 <= self.bars_min <= self.bars_kept <= 10_000:
            raise ValueError("bars_min: must be in 1..bars_kept, which is at most 10000")
        if self.stale_bars < 1 or self.bars_per_step < 1:
            raise ValueError("stale_bars and bars_per_step: must be at least 1")
        if self.gap_bars_max < 0:
            raise ValueError("gap_bars_max: must not be negative")


class Ratings:
    """Feed it `BarsClosed` and `BarForming` of its market; call `advance` on a timer.

    Facts of other spans are ignored. Raises ValueError for a closed bar off its span's grid.
    """

    def __init__(self, market: str, params: RatingsParams) -> None:
        self.market = market
        self.params = params
        self._spans = {span_ns: _Span(span_ns, params) for span_ns in params.spans_ns}

    def __repr__(self) -> str:
        rated = ", ".join(f"{span.label} of {span.series!r}" for span in self._spans.values())
        return f"<ratings of {self.market}: {rated}>"

    def on_closed(self, fact: BarsClosed) -> None:
        """Join the bars and rate up to `bars_per_step` of those that wait."""
        span = self._spans.get(fact.span_ns)
        if span is not None:
            span.push(fact.bars)
            span.advance(self.params.bars_per_step)

    def on_forming(self, fact: BarForming) -> None:
        span = self._spans.get(fact.span_ns)
        if span is not None:
            span.forming = fact.bar

    @property
    def is_behind(self) -> bool:
        """Whether bars wait to be rated, so that `advance` should be called soon again."""
        return any(span.waiting for span in self._spans.values())

    def advance(self) -> None:
        """Rate up to `bars_per_step` waiting bars, those of the policy's span first."""
        policy = self._spans[self.params.policy_span_ns]
        for span in (policy, *self._spans.values()):
            if span.waiting:
                span.advance(self.params.bars_per_step)
                return

    def rated(self, span_ns: Ns) -> Rated | None:
        """The rating on the last closed bar; None without one, whatever it lacks (`lacks`)."""
        span = self._spans[span_ns]
        return None if span.lacks() else span.rated

    def lacks(self, span_ns: Ns) -> str:
        """Why the span has no rating, "" where it has one."""
        return self._spans[span_ns].lacks()

    def provisional(self, span_ns: Ns) -> Rated | None:
        """As if the forming bar closed now, over the kept bars; never what policy rests on.

        Costs a whole batch. None where no bar forms right after the last that closed.
        """
        return self._spans[span_ns].provisional()

    def series(self, span_ns: Ns) -> BarSeries:
        """The closed bars behind a rating, to look at and not to change."""
        return self._spans[span_ns].series

    def expires_ns(self, span_ns: Ns) -> Ns:
        """When the rating on the last closed bar is stale; 0 without a bar."""
        return self._spans[span_ns].expires_ns()

    def is_stale(self, span_ns: Ns, now_ns: Ns) -> bool:
        return now_ns >= self.expires_ns(span_ns)

    def rating_set(self, span_ns: Ns, now_ns: Ns) -> RatingSet | None:
        """The rating as a fact, stale or not; None where there is none. Expiry is in its bars."""
        rated = self.rated(span_ns)
        if rated is None or rated.label is None:
            return None
        return RatingSet(
            market=self.market,
            at_ns=now_ns,
            label=rated.label,
            expires_ns=self.expires_ns(span_ns),
            source=SOURCE,
            score=rated.all,
            voted=rated.voted,
            span_ns=span_ns,
        )

    def news(self, now_ns: Ns) -> list[RatingSet]:
        """Ratings on bars that have closed since the last call, each told once."""
        told = []
        for span_ns, span in self._spans.items():
            fact = self.rating_set(span_ns, now_ns) if span.is_new else None
            if fact is not None:
                span.is_new = False
                told.append(fact)
        return told


class _Span:
    """The bars of one span, and a stream that has heard all of the tail but those `waiting`."""

    def __init__(self, span_ns: Ns, params: RatingsParams) -> None:
        self.series = BarSeries(span_ns, params.bars_kept, params.gap_bars_max)
        self.waiting: deque[Bar] = deque()
        self.forming: Bar | None = None
        self.is_new = False
        self._params = params
        self._stream = RatingStream(params.rules)

    @property
    def rated(self) -> Rated | None:
        return self._stream.rated

    @property
    def label(self) -> str:
        rated = None if self.lacks() else self.rated
        return str(rated.label) if rated else "-"

    def push(self, bars: list[Bar]) -> None:
        joined = self.series.push(bars)
        if joined.is_restart:
            self._stream = RatingStream(self._params.rules)
            self.waiting = deque(self.series.tail())
        else:
            self.waiting.extend(joined.appended)

    def advance(self, bars_max: int) -> None:
        for _ in range(min(bars_max, len(self.waiting))):
            self._stream.push(candle_of(self.waiting.popleft()))
            self.is_new = True

    def lacks(self) -> str:
        if self.rated is None:
            return "no closed bar"
        if self.waiting:
            return f"{len(self.waiting)} bars are still to be rated"
        if self._stream.bars < self._params.bars_min:
            return f"{self._stream.bars} bars in a row, {self._params.bars_min} are wanted"
        if self.rated.voted < self._params.votes_min:
            return f"{self.rated.voted} of {VOTES} voted, {self._params.votes_min} are wanted"
        return ""

    def provisional(self) -> Rated | None:
        forming = self.forming
        if forming is None or not self.series.is_next(forming):
            return None
        bars = [*self.series.tail(), forming]
        rated = rate_last([candle_of(bar) for bar in bars], self._params.rules)
        is_enough = len(bars) > self._params.bars_min and rated.voted >= self._params.votes_min
        return rated if is_enough else None

    def expires_ns(self) -> Ns:
        last = self.series.last
        bars = 1 + self._params.stale_bars
        return 0 if last is None else last.open_ns + bars * self.series.span_ns
