"""What else the desk might have done, as words that an engine can be told, and the cost of each.

A counterfactual changes nothing but the words: another playbook, and a rating that says neutral.
So the engine, the market and the venue of every run are the same, and only decisions differ.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec
import tomlkit

from engine.sim.epochs import Epoch
from engine.sim.tally import Point
from engine.trading.playbook_file import load_playbook
from engine.trading.posture import AS_IT_IS
from engine.values.events import Event, PlaybookSet, RatingLabel, RatingSet
from engine.values.units import NS_PER_S, Atoms, Lot, Ns

VOTES_ALL = 26
SOURCE = "counterfactual"


class Way(StrEnum):
    """How a recorded session is lived again."""

    AS_IT_WAS = "as it was"
    NO_SIGNAL = "no signal"
    NEUTRAL = "neutral"
    FULL_HEDGE = "full hedge"


COUNTERFACTUALS = (Way.NO_SIGNAL, Way.NEUTRAL, Way.FULL_HEDGE)


def playbook_for(way: Way, text: str, name: str) -> str:
    """The playbook `text` as `way` wants it. Raises UserError where it is none.

    No signal: every row leaves quotes and limits as they are and hedges by stages. Full hedge:
    every row covers all that stands over the target, at once.
    """
    load_playbook(text, name)
    table = tomlkit.parse(text).unwrap()
    for row in [*table["rows"], table["default"]]:
        if way is Way.NO_SIGNAL:
            row["quotes"] = msgspec.structs.asdict(AS_IT_IS.quotes)
            row["limits"] = msgspec.structs.asdict(AS_IT_IS.limits)
            row["hedge"] = AS_IT_IS.hedge.value
        elif way is Way.FULL_HEDGE:
            row["hedge"] = "accelerate"
    return tomlkit.dumps(table)


def words_for(
    way: Way, words: Iterable[Event], opening: PlaybookSet, span: tuple[Ns, Ns]
) -> Iterator[Event]:
    """What people say in a run of `way` in one market, in order, from `span[0]` to `span[1]`.

    `words` are those of the session, `opening` the playbook at its start. Raises UserError.
    """
    yield _changed(way, opening)
    quiet = way in (Way.NO_SIGNAL, Way.NEUTRAL)
    told = list(_neutral(opening, span)) if quiet else []
    for word in words:
        if isinstance(word, PlaybookSet):
            told.append(_changed(way, word))
        elif not (quiet and isinstance(word, RatingSet)):
            told.append(word)
    yield from sorted(told, key=lambda word: word.at_ns)


def _changed(way: Way, word: PlaybookSet) -> Event:
    if way in (Way.AS_IT_WAS, Way.NEUTRAL):
        return word
    return msgspec.structs.replace(word, text=playbook_for(way, word.text, word.name))


def _neutral(opening: PlaybookSet, span: tuple[Ns, Ns]) -> Iterator[Event]:
    """A neutral rating that is never old: said again in half the time that it may be old."""
    rules = load_playbook(opening.text, opening.name).numbers.rules
    every_ns = max(NS_PER_S, int(rules.rating_age_max_s * NS_PER_S / 2))
    for at_ns in range(span[0], span[1] + 1, every_ns):
        yield RatingSet(
            market=opening.market,
            at_ns=at_ns,
            label=RatingLabel.NEUTRAL,
            expires_ns=at_ns + 2 * every_ns,
            source=SOURCE,
            score=0.0,
            voted=VOTES_ALL,
        )


# --- scores -------------------------------------------------------------------------------------


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated life of a market: its curve, and at each decision the worst it could become.

    `worst` holds (moment, position with every bid filled). `rows` is what was ruled, and when.
    """

    way: Way
    curve: list[Point]
    worst: list[tuple[Ns, Lot]]
    rows: list[tuple[Ns, str]]
    fills: int
    bought_lots: Lot
    sold_lots: Lot
    spread_atoms: Atoms
    profit_atoms: Atoms

    def at(self, at_ns: Ns) -> Point:
        """The last point at or before that moment, the first before there was any."""
        return self.curve[max(0, bisect_right(self.curve, at_ns, key=lambda p: p.at_ns) - 1)]

    def row_at(self, at_ns: Ns) -> str:
        place = bisect_right(self.rows, at_ns, key=lambda row: row[0])
        return self.rows[place - 1][1] if place else ""

    def worst_in(self, began_ns: Ns, ended_ns: Ns) -> Lot | None:
        """The worst of the decisions in a span and of the one that stood when it began."""
        first = bisect_right(self.worst, began_ns, key=lambda each: each[0])
        last = bisect_right(self.worst, ended_ns, key=lambda each: each[0])
        stood = self.worst[max(0, first - 1) : last]
        return max((lots for _, lots in stood), default=None)


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """As it was, less a counterfactual, over one epoch; positive profit: the decision was better.

    `own_atoms` is `profit_atoms` without what inventory from earlier epochs moved with the mid, so
    that a decision answers for itself alone. `worst_lots`, `drift_lots`: more is more exposed.
    """

    profit_atoms: Atoms
    own_atoms: Atoms
    worst_lots: Lot
    drift_lots: Lot


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """One decision against each counterfactual. `was_costly`: it earned less than every one."""

    market: str
    number: int
    row: str
    seconds: float
    is_same_row: bool
    against: dict[Way, Against]
    was_costly: bool


def scores(
    epochs: Iterable[Epoch], runs: dict[Way, Run], tick_lot_atoms: Atoms, horizon: tuple[Ns, Ns]
) -> list[Score]:
    """Those epochs of a market that lie within `horizon`, the span that the runs cover."""
    return [
        _score(epoch, runs, tick_lot_atoms)
        for epoch in epochs
        if epoch.row and horizon[0] <= epoch.began_ns and epoch.ended_ns <= horizon[1]
    ]


def _score(epoch: Epoch, runs: dict[Way, Run], tick_lot_atoms: Atoms) -> Score:
    began_ns, ended_ns = epoch.began_ns, epoch.ended_ns
    mine = runs[Way.AS_IT_WAS]
    found: dict[Way, Against] = {
        way: _against(mine, run, (began_ns, ended_ns), tick_lot_atoms)
        for way, run in runs.items()
        if way is not Way.AS_IT_WAS
    }
    return Score(
        market=epoch.market,
        number=epoch.number,
        row=epoch.row,
        seconds=(ended_ns - began_ns) / NS_PER_S,
        is_same_row=mine.row_at(began_ns) == epoch.row,
        against=found,
        was_costly=bool(found) and all(each.own_atoms < 0 for each in found.values()),
    )


def _against(mine: Run, other: Run, span: tuple[Ns, Ns], tick_lot_atoms: Atoms) -> Against:
    a, b = (mine.at(at_ns) for at_ns in span)
    c, d = (other.at(at_ns) for at_ns in span)
    profit = (b.profit_atoms - a.profit_atoms) - (d.profit_atoms - c.profit_atoms)
    moved = b.mid_half_ticks - a.mid_half_ticks
    brought = (a.position_lots - c.position_lots) * moved * tick_lot_atoms // 2
    worst, theirs = mine.worst_in(*span), other.worst_in(*span)
    return Against(
        profit_atoms=profit,
        own_atoms=profit - brought,
        worst_lots=0 if worst is None or theirs is None else worst - theirs,
        drift_lots=abs(b.position_lots - a.position_lots) - abs(d.position_lots - c.position_lots),
    )


class RowScore(msgspec.Struct, frozen=True, kw_only=True):
    """All decisions for one row together. `own_atoms` by counterfactual, summed."""

    row: str
    decisions: int
    seconds: float
    same_row: int
    costly: int
    own_atoms: dict[Way, Atoms]
    profit_atoms: dict[Way, Atoms]


def by_row(found: Sequence[Score]) -> list[RowScore]:
    """In order of first use. Sums of a way are over the decisions that were held against it."""
    rows = []
    for row in dict.fromkeys(score.row for score in found):
        mine = [score for score in found if score.row == row]
        ways = [way for way in COUNTERFACTUALS if any(way in score.against for score in mine)]
        rows.append(
            RowScore(
                row=row,
                decisions=len(mine),
                seconds=sum(score.seconds for score in mine),
                same_row=sum(score.is_same_row for score in mine),
                costly=sum(score.was_costly for score in mine),
                own_atoms={w: sum(a.own_atoms for a in _all(mine, w)) for w in ways},
                profit_atoms={w: sum(a.profit_atoms for a in _all(mine, w)) for w in ways},
            )
        )
    return rows


def _all(found: Iterable[Score], way: Way) -> list[Against]:
    return [score.against[way] for score in found if way in score.against]
