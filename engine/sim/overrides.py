"""Rating changes and what followed, and the words of people that went past the rules.

A word counts as an override where rules were there to decide: another's rating while an own one is
fresh, a halt, a resume, a playbook set by hand. Many of them mean that the rules do not fit.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from engine.signals.ratings import SOURCE
from engine.values.events import Halt, PlaybookSet, RatingLabel, RatingSet, Resume
from engine.values.records import Ruled
from engine.values.units import NS_PER_S, Ns, Tick

NS_PER_DAY = 86_400 * NS_PER_S
CONFIG_SOURCE = "config"
"""What a config says at a start is no word of a person's against the rules."""


class RatingChange(msgspec.Struct, kw_only=True):
    """A source said another label of a market, in one time frame (`span_ns`, 0 for none).

    `row` is the one in force then, `row_after` the next that was ruled. `ended_ns` is when the same
    source said something else, 0 while nobody has. `mid_half_ticks` is the mid then, 0 unknown.
    """

    market: str
    at_ns: Ns
    source: str
    span_ns: Ns
    before: str
    label: RatingLabel
    score: float | None
    voted: int | None
    mid_half_ticks: Tick
    row: str
    row_after: str = ""
    answers: dict[str, str] = {}
    ended_ns: Ns = 0


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
    """Follows ratings and words over all markets."""

    def __init__(self) -> None:
        self.changes: list[RatingChange] = []
        self.overrides: list[Override] = []
        self._rows: dict[str, str] = {}
        self._own: dict[str, dict[Ns, RatingSet]] = {}
        self._last: dict[tuple[str, str, Ns], RatingChange] = {}
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

    def _rate(self, word: RatingSet, market: str, mid: Tick) -> None:
        self._change(word, market, mid)
        own = self._own.setdefault(market, {})
        if word.source == SOURCE:
            own[word.span_ns] = word
            return
        is_fresh = any(each.at_ns <= word.at_ns < each.expires_ns for each in own.values())
        if is_fresh and word.source != CONFIG_SOURCE:
            self._add(market, word.at_ns, "rating", word.source, str(word.label.value))

    def _change(self, word: RatingSet, market: str, mid: Tick) -> None:
        key = market, word.source, word.span_ns
        before = self._last.get(key)
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
            mid_half_ticks=mid,
            row=self._rows.get(market, ""),
        )
        self._last[key] = change
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


def by_day(overrides: Iterable[Override]) -> dict[int, int]:
    """How many on each day that had any."""
    return dict(sorted(Counter(each.day for each in overrides).items()))


def by_row(overrides: Iterable[Override], market: str) -> dict[str, int]:
    """How many while each row of a market was in force."""
    return dict(Counter(each.row for each in overrides if each.market == market))
