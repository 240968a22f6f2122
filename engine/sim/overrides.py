"""Rating changes and what followed, and the words of people that went past the rules.

A word counts as an override where rules were there to decide: another's rating while an own one is
fresh, a halt, a resume, a playbook set by hand. Many of them mean that the rules do not fit.
A buy or a sell is judged by the mid at its end against the mid when it was said: it was right where
the market went its way by then, and a false positive otherwise.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.signals.ratings import SOURCE
from engine.values.events import Halt, PlaybookSet, RatingLabel, RatingSet, Resume
from engine.values.records import Ruled
from engine.values.units import NS_PER_S, Ns, Tick

NS_PER_DAY = 86_400 * NS_PER_S
CONFIG_SOURCE = "config"
"""What a config says at a start is no word of a person's against the rules."""
SIGNS = {
    RatingLabel.STRONG_SELL: -1,
    RatingLabel.SELL: -1,
    RatingLabel.NEUTRAL: 0,
    RatingLabel.BUY: 1,
    RatingLabel.STRONG_BUY: 1,
}
Channel: TypeAlias = tuple[str, Ns]
"""A market and the span of our own rating in it, or -1 for words from outside."""
TOLD_NS = -1


class Verdict(StrEnum):
    """What became of a buy or a sell."""

    NONE = ""
    """A neutral one, one that policy did not hear, one that still holds, or no mid is known."""
    RIGHT = "right"
    FALSE = "false"


class RatingChange(msgspec.Struct, kw_only=True):
    """Another label of a market, of our own in one time frame (`span_ns`) or told from outside.

    Who tells from outside does not matter: the last word rules until it expires, and our own rating
    in the frame of policy after that. `was_heard` says whether this one ruled when it was said.
    `row` is the one in force then, `row_after` the next that was ruled. `ended_ns` is when another
    label took its place or a word from outside expired, 0 while it holds. Mids are in half ticks,
    bid plus ask, when it was said and when it ended; 0 is unknown.
    """

    market: str
    at_ns: Ns
    source: str
    span_ns: Ns
    before: str
    label: RatingLabel
    score: float | None
    voted: int | None
    was_heard: bool
    mid_half_ticks: Tick
    mid_end_half_ticks: Tick = 0
    row: str
    row_after: str = ""
    answers: dict[str, str] = {}
    ended_ns: Ns = 0
    verdict: Verdict = Verdict.NONE

    @property
    def sign(self) -> int:
        """1 for a buy, -1 for a sell, 0 for neutral."""
        return SIGNS[self.label]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A word of a person. `kind`: rating, halt, resume or playbook; `day` counts from 1970."""

    market: str
    at_ns: Ns
    day: int
    kind: str
    who: str
    row: str
    what: str


class Words:
    """Follows ratings and words over all markets.

    `policy_ns` is, by market, the time frame whose own rating policy reads; where none is known all
    of them count as heard.
    """

    def __init__(self, policy_ns: Mapping[str, Ns]) -> None:
        self.changes: list[RatingChange] = []
        self.overrides: list[Override] = []
        self._policy_ns = policy_ns
        self._rows: dict[str, str] = {}
        self._own: dict[str, dict[Ns, RatingSet]] = {}
        self._told: dict[str, RatingSet] = {}
        self._last: dict[Channel, RatingChange] = {}
        self._waiting: dict[str, list[RatingChange]] = {}

    def on_ruled(self, ruled: Ruled) -> None:
        self._rows[ruled.market] = ruled.row
        for change in self._waiting.pop(ruled.market, ()):
            change.row_after = ruled.row
            change.answers = ruled.answers

    def on_word(
        self,
        word: RatingSet | PlaybookSet | Halt | Resume,
        markets: Iterable[str],
        mids: dict[str, Tick],
    ) -> None:
        """`markets` are all those known: a word to "" is for each of them."""
        for market in [word.market] if word.market else list(markets):
            if isinstance(word, RatingSet):
                self._rate(word, market, mids.get(market, 0))
            else:
                self._overrule(word, market)

    def settle(self, last_ns: Ns, market: str, mid_at: Callable[[Ns], Tick]) -> None:
        """End what has expired by `last_ns`, and judge what has ended. Once, at the end."""
        told = self._told.get(market)
        if told is not None and told.expires_ns <= last_ns:
            self._lapse(market)
        for change in self.changes:
            if change.market == market and change.ended_ns:
                change.mid_end_half_ticks = mid_at(change.ended_ns)
                change.verdict = _verdict(change)

    def _rate(self, word: RatingSet, market: str, mid: Tick) -> None:
        is_own = word.source == SOURCE and word.span_ns > 0
        told = self._told.get(market)
        if told is not None and told.expires_ns <= word.at_ns:
            self._lapse(market)
            told = None
        if is_own:
            policy_ns = self._policy_ns.get(market, word.span_ns)
            self._change(word, market, mid, told is None and word.span_ns == policy_ns)
            self._own.setdefault(market, {})[word.span_ns] = word
            return
        self._change(word, market, mid, True)
        self._told[market] = word
        own = self._own.get(market, {}).values()
        is_fresh = any(each.at_ns <= word.at_ns < each.expires_ns for each in own)
        if is_fresh and word.source != CONFIG_SOURCE:
            self._add(market, word.at_ns, "rating", word.source, str(word.label.value))

    def _lapse(self, market: str) -> None:
        """The last word from outside has expired."""
        change = self._last.pop((market, TOLD_NS))
        change.ended_ns = self._told.pop(market).expires_ns

    def _change(self, word: RatingSet, market: str, mid: Tick, was_heard: bool) -> None:
        is_own = word.source == SOURCE and word.span_ns > 0
        channel = market, word.span_ns if is_own else TOLD_NS
        before = self._last.get(channel)
        if before is not None and before.label is word.label:
            return
        if before is not None:
            before.ended_ns = word.at_ns
        change = RatingChange(
            market=market,
            at_ns=word.at_ns,
            source=word.source,
            span_ns=word.span_ns,
            before=before.label.value if before else "",
            label=word.label,
            score=word.score,
            voted=word.voted,
            was_heard=was_heard,
            mid_half_ticks=mid,
            row=self._rows.get(market, ""),
        )
        self._last[channel] = change
        self.changes.append(change)
        self._waiting.setdefault(market, []).append(change)

    def _overrule(self, word: PlaybookSet | Halt | Resume, market: str) -> None:
        if word.who == CONFIG_SOURCE:
            return
        if isinstance(word, PlaybookSet):
            self._add(market, word.at_ns, "playbook", word.who, f"{word.name} {word.digest[:12]}")
        else:
            kind = "halt" if isinstance(word, Halt) else "resume"
            self._add(market, word.at_ns, kind, word.who, word.reason)

    def _add(self, market: str, at_ns: Ns, kind: str, who: str, what: str) -> None:
        self.overrides.append(
            Override(
                market=market,
                at_ns=at_ns,
                day=at_ns // NS_PER_DAY,
                kind=kind,
                who=who,
                row=self._rows.get(market, ""),
                what=what,
            )
        )


def _verdict(change: RatingChange) -> Verdict:
    known = change.was_heard and change.mid_half_ticks and change.mid_end_half_ticks
    if not known or not change.sign:
        return Verdict.NONE
    moved = change.sign * (change.mid_end_half_ticks - change.mid_half_ticks)
    return Verdict.RIGHT if moved > 0 else Verdict.FALSE


def by_day(overrides: Iterable[Override]) -> dict[int, int]:
    """How many on each day that had any."""
    return dict(sorted(Counter(each.day for each in overrides).items()))


def by_row(overrides: Iterable[Override], market: str) -> dict[str, int]:
    """How many while each row of a market was in force."""
    return dict(Counter(each.row for each in overrides if each.market == market))
