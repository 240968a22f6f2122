"""One market's ratings, context and playbook, joined: facts come in, a ruling is asked for.

A rating that somebody set rules while it is fresh; otherwise the engine's own, made from closed
bars, does. Where neither is fresh the last one stands as stale, which no row takes for good news.
"""

from collections import deque
from typing import Any

import msgspec

from engine.signals.context import ContextMeter
from engine.signals.ratings import SOURCE, Ratings, RatingsParams
from engine.signals.trade_bars import TradeBars, compare
from engine.trading.hedge_params import HedgeParams
from engine.trading.hedge_sight import HedgeSight
from engine.trading.hedge_trend import trend_sigmas
from engine.trading.playbook import Playbook
from engine.trading.playbook_file import load_playbook
from engine.trading.policy import Perceived, Policy, Ruling
from engine.trading.policy_explain import explain
from engine.trading.strategy import View
from engine.trading.trials import Supposed, Trial, settled_ns, supposing, try_out
from engine.treasury.bands import Bands, Zone
from engine.values.errors import UserError
from engine.values.events import BarFact, BarsClosed, PlaybookSet, RatingLabel, RatingSet, Trade
from engine.values.facts import Bar
from engine.values.instrument import Instrument
from engine.values.records import BarDiffers, Record, Ruled
from engine.values.units import NS_PER_MS, NS_PER_S, Lot, Ns

SAMPLE_NS = 200 * NS_PER_MS
BARS_KEPT = 1_000
SEEN_KEPT = 3
NO_DEPTHS = ((0, 0), (0, 0), (0, 0))
TREND_BARS = 20
"""The window of the trend that a hedge's third stage waits for, in bars of the policy's span."""


class CounselSetup(msgspec.Struct, frozen=True, kw_only=True):
    """`technical` None: only ratings that somebody sets. `broad` "" : nothing is known of BTC."""

    instrument: Instrument
    bands: Bands
    technical: RatingsParams | None
    broad: str
    playbook: Playbook


class Counsel:
    """Fulfils `advice.Advice`."""

    def __init__(self, setup: CounselSetup) -> None:
        self.market = setup.instrument.market
        self.broad = setup.broad
        self.playbook = setup.playbook
        self.ratings = Ratings(self.market, setup.technical) if setup.technical else None
        self._setup = setup
        self._context = ContextMeter(setup.playbook.numbers.outlook)
        self._policy = self._policy_of(setup.playbook)
        self._set: RatingSet | None = None
        self._own: dict[Ns, RatingSet] = {}
        self._news: list[Record] = []
        spans = setup.technical.spans_ns if setup.technical else ()
        self._seen = {span_ns: TradeBars(span_ns, SEEN_KEPT) for span_ns in spans}
        self._kept: dict[tuple[str, Ns], deque[Bar]] = {}
        self._sampled_ns: Ns = 0

    def __repr__(self) -> str:
        return f"<counsel {self.market} {self._policy!r}>"

    @property
    def hedge(self) -> HedgeParams:
        return self.playbook.numbers.hedge

    def spans_ns(self, market: str) -> tuple[Ns, ...]:
        outlook = self.playbook.numbers.outlook
        spans = {frame.span_ns for frame in outlook.beta} if self.broad else set()
        if market == self.broad:
            spans.add(outlook.regime.span_ns)
        if market == self.market and self.ratings is not None:
            spans.update(self.ratings.params.spans_ns)
        return tuple(sorted(spans)) if market in (self.market, self.broad) else ()

    # --- facts in -------------------------------------------------------------------------------

    def on_bars(self, fact: BarFact) -> None:
        if isinstance(fact, BarsClosed):
            kept = self._kept.setdefault((fact.market, fact.span_ns), deque(maxlen=BARS_KEPT))
            kept.extend(fact.bars)
            self._show(fact.market, fact.span_ns, fact.bars, fact.at_ns)
        if fact.market != self.market or self.ratings is None:
            return
        if isinstance(fact, BarsClosed):
            self.ratings.on_closed(fact)
            if not fact.is_history:
                self._compare(fact)
        else:
            self.ratings.on_forming(fact)

    def on_trade(self, fact: Trade) -> None:
        self._context.on_trade(fact.lots, fact.at_ns)
        for seen in self._seen.values():
            seen.on_trade(fact)

    def on_lost(self, at_ns: Ns) -> None:
        self._context.on_market(at_ns, NO_DEPTHS, None, None, 0.0)
        for seen in self._seen.values():
            seen.on_sight_lost()

    def on_rating(self, word: RatingSet) -> None:
        """The engine's own ratings come back from the journal in this way, too."""
        if word.source == SOURCE and word.span_ns:
            self._own[word.span_ns] = word
        else:
            self._set = word
        self._lead(word)

    def load(self, word: PlaybookSet) -> str:
        """The memory of signals, sizes and events goes on; only what is judged by changes."""
        if word.digest == self.playbook.digest:
            return ""
        try:
            playbook = load_playbook(word.text, word.name)
        except UserError as error:
            return str(error)
        before, self.playbook = self.playbook, playbook
        if playbook.numbers.outlook != before.numbers.outlook:
            self._context = ContextMeter(playbook.numbers.outlook)
            for (market, span_ns), bars in self._kept.items():
                self._show(market, span_ns, list(bars), word.at_ns)
        policy = self._policy_of(playbook)
        policy.take_over(self._policy)
        self._policy = policy
        return ""

    def observe(self, view: View) -> None:
        """Sampled: five times a second are enough for averages over minutes."""
        if view.now_ns - self._sampled_ns < SAMPLE_NS:
            return
        self._sampled_ns = view.now_ns
        mid = view.mid
        spread_bps = (view.ask_tick - view.bid_tick) / mid * 10_000 if mid else None
        self._context.on_market(view.now_ns, view.depth_lots, spread_bps, view.volatility, mid)
        if self.ratings is not None:
            if self.ratings.is_behind:
                self.ratings.advance()
            self._heed_own(view.now_ns)

    # --- answers out ----------------------------------------------------------------------------

    def rating(self, now_ns: Ns) -> RatingSet | None:
        told, own = self._set, self._policy_rating()
        if told is not None and now_ns < told.expires_ns:
            return told
        return own or told

    def rule(self, now_ns: Ns, position_lots: Lot, zone: Zone) -> Ruling:
        return self._policy.ask(self._seen_at(now_ns, position_lots, zone))

    def heed(self, bands: Bands) -> None:
        self._setup = msgspec.structs.replace(self._setup, bands=bands)
        self._policy.heed(bands)

    def records(self, now_ns: Ns) -> list[Record]:
        ruled = self._policy.record_if_changed()
        if ruled is None and not self._news:
            return []
        news, self._news = self._news, []
        return news if ruled is None else [*news, ruled]

    def remember(self, record: Record) -> None:
        if isinstance(record, Ruled) and record.market == self.market:
            self._policy.remember(record)

    def sight(self, now_ns: Ns, markets: tuple[str, ...]) -> HedgeSight:
        ruling = self._policy.ruling
        assert ruling is not None, "a hedge is decided after the market it covers"
        return self._sight(ruling, now_ns, markets)

    def suppose(
        self, supposed: Supposed, now_ns: Ns, position_lots: Lot, markets: tuple[str, ...]
    ) -> tuple[Trial, Trial]:
        def seen_at(at_ns: Ns) -> Perceived:
            zone = self._setup.bands.zone(position_lots)
            return supposing(self._seen_at(at_ns, position_lots, zone), supposed, self.market)

        def sight_of(ruling: Ruling) -> HedgeSight:
            return self._sight(ruling, now_ns, markets)

        until_ns = now_ns + settled_ns(self.playbook.numbers.rules)
        return try_out(self._policy, seen_at, sight_of, now_ns, until_ns)

    def _sight(self, ruling: Ruling, now_ns: Ns, markets: tuple[str, ...]) -> HedgeSight:
        """Of ratios only those against the broad market are known; no carry is told by a venue."""
        outlook = self._context.outlook(now_ns)
        found = self._context.hedge_ratio(now_ns) if self.broad in markets else None
        ratios = {} if found is None else {self.broad: found}
        turnover = outlook.turnover_ratio
        return HedgeSight(
            stance=ruling.hedge,
            signal=ruling.answers.signal,
            signal_held_ns=round(ruling.held_s(now_ns) * NS_PER_S),
            trend_sigmas=self._trend_sigmas(),
            turnover_ratio=None if turnover is None else turnover.value,
            ratios=ratios,
            carries={},
        )

    def told(self, now_ns: Ns) -> dict[str, Any]:
        picture = self._policy.picture(now_ns)
        words: dict[str, Any] = {"playbook": self.playbook.name, "digest": self.playbook.digest}
        return words if picture is None else words | explain(picture)

    # --- how ------------------------------------------------------------------------------------

    def _policy_of(self, playbook: Playbook) -> Policy:
        setup = self._setup
        name = f"{playbook.name} {playbook.digest[:12]}"
        return Policy(playbook, playbook.numbers.rules, setup.instrument, setup.bands, name)

    def _seen_at(self, now_ns: Ns, position_lots: Lot, zone: Zone) -> Perceived:
        return Perceived(
            now_ns=now_ns,
            rating=self.rating(now_ns),
            agreeing=self._agreeing(now_ns) if self._own else (),
            outlook=self._context.outlook(now_ns),
            position_lots=position_lots,
            zone=zone,
        )

    def _show(self, market: str, span_ns: Ns, bars: list[Bar], at_ns: Ns) -> None:
        if market == self.market:
            self._context.on_token_bars(span_ns, bars, at_ns)
        if market == self.broad:
            self._context.on_btc_bars(span_ns, bars, at_ns)

    def _compare(self, fact: BarsClosed) -> None:
        """A venue's bar beside the one of the trades that we saw: what differs is told."""
        for bar in fact.bars:
            own = self._seen[fact.span_ns].bar(bar.open_ns) if fact.span_ns in self._seen else None
            if own is not None and not compare(bar, own).is_nothing:
                self._news.append(
                    BarDiffers(
                        market=self.market,
                        at_ns=fact.at_ns,
                        span_ns=fact.span_ns,
                        venue=bar,
                        own=own,
                    )
                )

    def _heed_own(self, now_ns: Ns) -> None:
        """A rating of ours that says something else is a fact of its own, and is journaled."""
        assert self.ratings is not None
        for fact in self.ratings.news(now_ns):
            before = self._own.get(fact.span_ns)
            self._own[fact.span_ns] = fact
            self._lead(fact)
            if before is None or before.label is not fact.label:
                self._news.append(fact)

    def _lead(self, fact: RatingSet) -> None:
        """The policy hears of a rating at once if it is the one that rules."""
        if fact is self.rating(fact.at_ns):
            self._policy.remember(msgspec.structs.replace(fact, market=self.market))

    def _policy_rating(self) -> RatingSet | None:
        return self._own.get(self.ratings.params.policy_span_ns) if self.ratings else None

    def _agreeing(self, now_ns: Ns) -> tuple[RatingLabel, ...]:
        """Labels that are fresh in other time frames than the one that rules."""
        ruling = self.rating(now_ns)
        return tuple(
            fact.label
            for fact in self._own.values()
            if fact is not ruling and now_ns < fact.expires_ns
        )

    def _trend_sigmas(self) -> float | None:
        if self.ratings is None:
            return None
        series = self.ratings.series(self.ratings.params.policy_span_ns)
        return trend_sigmas([bar.close for bar in series.tail()[-TREND_BARS - 1 :]])
