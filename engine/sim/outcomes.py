"""The audit of a journal: its epochs with what came of them, rating changes, and people's words.

One walk over the records in their order. Markouts are judged afterwards, since they look ahead.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from engine.sim.epochs import Epoch, Market, Marks, edge_half, unit_instrument
from engine.sim.overrides import Override, RatingChange, Words
from engine.values.events import Fill, Halt, PlaybookSet, RatingSet, Resume
from engine.values.instrument import Instrument
from engine.values.records import (
    Decision,
    HedgeMoved,
    HedgeSent,
    Opening,
    Record,
    RiskTripped,
    Ruled,
    SessionEnded,
    SessionStarted,
)
from engine.values.units import NS_PER_S, Ns

HORIZONS_NS = (NS_PER_S, 5 * NS_PER_S, 30 * NS_PER_S, 60 * NS_PER_S)
REVIEWED = (
    "SessionStarted", "SessionEnded", "Opening", "Decision", "Ruled", "RatingSet", "PlaybookSet",
    "Halt", "Resume", "Fill", "HedgeMoved", "HedgeSent", "RiskTripped",
)  # fmt: skip
"""The kinds of records that a review reads."""


class Span(msgspec.Struct, kw_only=True):
    """One session of the journal: `ended_ns` is its last reviewed record's moment."""

    epoch: int
    began_ns: Ns
    ended_ns: Ns
    was_orderly: bool = False


class Hedge(msgspec.Struct, frozen=True):
    """A fill of an order for cover of `market`, in the session `epoch`."""

    market: str
    epoch: int
    fill: Fill


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal tells. `marks` are the mids, by market, that decisions looked at."""

    sessions: list[Span]
    epochs: list[Epoch]
    changes: list[RatingChange]
    overrides: list[Override]
    marks: dict[str, Marks]
    instruments: dict[str, Instrument]
    hedges: list[Hedge]


class Review:
    """Feed it the records of `REVIEWED` kinds in their order; then ask once for the `result`.

    A market that is not among `instruments` is counted in ticks x lots: see `unit_instrument`.
    `policy_ns` is, by market, the time frame whose own rating policy reads, as far as known.
    """

    def __init__(
        self,
        instruments: dict[str, Instrument],
        horizons_ns: Sequence[Ns] = HORIZONS_NS,
        policy_ns: Mapping[str, Ns] | None = None,
    ) -> None:
        self.sessions: list[Span] = []
        self.markets: dict[str, Market] = {}
        self._instruments = instruments
        self._horizons_ns = tuple(horizons_ns)
        self._words = Words(policy_ns or {})
        self._hedges: list[Hedge] = []
        self._sent: dict[str, HedgeSent] = {}

    def feed(self, record: Record) -> None:
        """Takes any record; those that say nothing of outcomes are passed over."""
        at_ns: Ns = getattr(record, "at_ns", 0)
        if isinstance(record, SessionStarted):
            self._start(record)
        elif not self.sessions:
            self.sessions.append(Span(epoch=0, began_ns=at_ns, ended_ns=at_ns))
        self.sessions[-1].ended_ns = max(self.sessions[-1].ended_ns, at_ns)
        market: str = getattr(record, "market", "")
        if market:
            self._market(market)
        self._join(record, at_ns)

    def result(self, marks: dict[str, Marks] | None = None) -> Reviewed:
        """Settle everything. `marks` are better mids to judge markouts by, where there are any."""
        last_ns = self.sessions[-1].ended_ns if self.sessions else 0
        for market in self.markets.values():
            market.end(last_ns)
            self._judge(market, (marks or {}).get(market.item.market, market.marks))
            self._words.settle(last_ns, market.item.market, market.marks.at)
        found = self.markets.items()
        return Reviewed(
            sessions=self.sessions,
            epochs=[epoch for _, market in found for epoch in market.epochs],
            changes=self._words.changes,
            overrides=self._words.overrides,
            marks={name: market.marks for name, market in found},
            instruments={name: market.item for name, market in found},
            hedges=self._hedges,
        )

    # --- how ------------------------------------------------------------------------------------

    def _start(self, started: SessionStarted) -> None:
        at_ns = started.at_ns
        if self.sessions:
            for market in self.markets.values():
                market.end(self.sessions[-1].ended_ns)
        self.sessions.append(Span(epoch=started.epoch, began_ns=at_ns, ended_ns=at_ns))
        for market in self.markets.values():
            market.begin(at_ns, started.epoch, None)

    def _market(self, name: str) -> Market:
        market = self.markets.get(name)
        if market is None:
            item = self._instruments.get(name)
            market = Market(
                item or unit_instrument(name), self._horizons_ns, is_known=item is not None
            )
            self.markets[name] = market
            span = self.sessions[-1]
            market.begin(span.began_ns, span.epoch, None)
        return market

    def _join(self, record: Record, at_ns: Ns) -> None:
        match record:
            case Ruled():
                market = self.markets[record.market]
                market.end(record.at_ns)
                market.begin(record.at_ns, self.sessions[-1].epoch, record)
                self._words.on_ruled(record)
            case Decision():
                self.markets[record.market].on_decision(record)
            case Fill():
                self._fill(record)
            case Opening():
                self.markets[record.market].settled_id = record.trade_id
            case RatingSet() | PlaybookSet() | Halt() | Resume():
                self._words.on_word(record, tuple(self.markets), self._mids())
            case HedgeSent():
                self._sent[record.client_id] = record
                if record.hedge_market in self.markets:
                    self.markets[record.hedge_market].look(at_ns, record.mid_half_ticks)
            case HedgeMoved():
                self.markets[record.market].covered_lots = record.covered_lots
                _note(self._told(record.market).hedge_stances, record.stance)
            case RiskTripped() if not record.released:
                _note(self._told(record.market).tripped, record.check)
            case SessionEnded():
                self.sessions[-1].was_orderly = True
            case _:
                pass

    def _told(self, market: str) -> Any:
        return self.markets[market].epochs[-1].outcome

    def _mids(self) -> dict[str, int]:
        return {
            name: market.marks.mids[-1] if market.marks.mids else 0
            for name, market in self.markets.items()
        }

    def _fill(self, fill: Fill) -> None:
        market = self.markets[fill.market]
        sent = self._sent.get(fill.client_id)
        if not market.on_fill(fill) or sent is None:
            return
        hedged = self._market(sent.market).epochs[-1].outcome.hedged
        self._hedges.append(Hedge(sent.market, self.sessions[-1].epoch, fill))
        hedged.fills += 1
        hedged.lots[fill.market] = hedged.lots.get(fill.market, 0) + fill.lots
        cost = -edge_half(market.item, fill, sent.mid_half_ticks)
        hedged.slippage_half[fill.market] = hedged.slippage_half.get(fill.market, 0) + cost

    def _judge(self, market: Market, marks: Marks) -> None:
        """A fill is judged at the last mid before its horizon, within its own session."""
        ends = {span.epoch: span.ended_ns for span in self.sessions}
        for fill, epoch in market.fills:
            for markout in epoch.outcome.markouts:
                due_ns = fill.at_ns + markout.horizon_ns
                mid = marks.at(due_ns) if due_ns <= ends[epoch.session] else 0
                if mid:
                    markout.fills += 1
                    markout.half_atoms += edge_half(market.item, fill, mid)
                    markout.traded_atoms += market.item.quote_atoms(fill.tick, fill.lots)


def reviewed(
    records: Iterable[Record],
    instruments: dict[str, Instrument],
    marks: dict[str, Marks] | None = None,
) -> Reviewed:
    """All at once."""
    review = Review(instruments)
    for record in records:
        review.feed(record)
    return review.result(marks)


def _note(words: list[str], word: str) -> None:
    if word not in words:
        words.append(word)
