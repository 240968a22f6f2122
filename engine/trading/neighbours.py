"""What markets have to do with each other: prices that others see, bars, playbooks and cover."""

from collections.abc import Sequence
from typing import Any

from engine.trading.client_ids import ClientIds
from engine.trading.hedge_desk import HedgeSetup
from engine.trading.hedger import Hedger
from engine.trading.maker import Maker, MakerParams
from engine.trading.moved_money import moved_at
from engine.trading.portfolio import OPENING
from engine.trading.risk import Gate
from engine.trading.strategy import Other
from engine.trading.sweeps import Leg
from engine.trading.treasurer import Treasurer
from engine.treasury.bands import Bands
from engine.values.action_records import ActionWord
from engine.values.events import (
    BarFact,
    CancelFailed,
    Event,
    Fill,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    PlaybookSet,
    Timer,
    TopOfBook,
    TreasuryWord,
    VenueState,
)
from engine.values.instrument import Instrument
from engine.values.ledger_words import LedgerWord
from engine.values.records import Record
from engine.values.step import Step
from engine.values.units import Ns

HEDGE_FACTS = (
    Timer, VenueState, Fill, OrderReport, OrderFailed, OrderAbsent, CancelFailed,
)  # fmt: skip
"""After these cover may be due, or may have come."""


class Neighbours:
    """Built over all makers of an engine; `watched` are looked at and never traded."""

    def __init__(
        self,
        makers: dict[str, Maker],
        watched: Sequence[Instrument],
        ids: ClientIds,
        params: MakerParams,
        treasurer: Treasurer | None = None,
    ) -> None:
        self._makers = makers
        self._watched = {instrument.market: instrument for instrument in watched}
        self._mids: dict[str, tuple[float, Ns]] = {}
        self._advised = [m for m in makers.values() if m.quoter.guidance.advice is not None]
        self._curious = [m for m in makers.values() if m.quoter.setup.others]
        self.hedgers: dict[str, Hedger] = {}
        self.act = bool(self._curious)
        """Whether anything here needs a word after every fact."""
        for maker in makers.values():
            if maker.quoter.setup.ways:
                maker.hedger = self._hedger_of(maker, ids, params.config_hash)
                self.hedgers[maker.market] = maker.hedger
                self.act = True

        self.treasurer = treasurer
        if treasurer is not None:
            treasurer.join(makers, self.heed)
            if treasurer.actor is not None:
                treasurer.actor.open(makers, ids)
            self.act = True

    # --- facts in -------------------------------------------------------------------------------

    def on_bars(self, fact: BarFact) -> None:
        for maker in self._advised:
            advice = maker.quoter.guidance.advice
            if advice is not None and fact.market in (maker.market, advice.broad):
                advice.on_bars(fact)

    def on_top(self, fact: TopOfBook) -> None:
        """The price of a market that nobody trades here."""
        item = self._watched.get(fact.market)
        if item is not None and fact.bid_tick and fact.ask_tick:
            self._mids[fact.market] = _price(item, fact.bid_tick, fact.ask_tick), fact.at_ns

    def on_playbook(self, word: PlaybookSet, makers: list[Maker], step: Step) -> None:
        """Whoever gave it to us has checked it; what is wrong all the same changes nothing."""
        for maker in makers:
            advice = maker.quoter.guidance.advice
            problem = "this market has no playbook" if advice is None else advice.load(word)
            if problem:
                told = f"playbook {word.name} is not in force: {problem.splitlines()[0]}"
                step.alert(maker.market, word.at_ns, "critical", told)
            elif maker.hedger is not None and advice is not None:
                maker.hedger.heed(advice.hedge)

    def count(self, maker: Maker, now_ns: Ns, step: Step) -> None:
        """Before `maker` decides on what just happened to its orders."""
        if self.treasurer is not None and step.records:
            self.treasurer.count(maker, now_ns, step)

    def after(self, event: Event, now_ns: Ns, step: Step) -> None:
        """Once every maker has heard `event`: prices for the curious, and cover where it is due."""
        if isinstance(event, Timer) and self._curious:
            self._tell_prices(now_ns)
        if self.hedgers:
            self._cover(event, now_ns, step)
        if self.treasurer is not None:
            self.treasurer.after(event, now_ns, step)

    def on_treasury(self, word: TreasuryWord, step: Step) -> None:
        """What is held, owed, locked or allowed; what may be done; and what went into the books."""
        if isinstance(word, LedgerWord):
            step.records.append(word)
            self._move(word)
        elif self.treasurer is None:
            return
        elif not isinstance(word, ActionWord):
            self.treasurer.learn(word, step)
        elif self.treasurer.actor is not None:
            self.treasurer.actor.take(word, step)

    def treasury_told(self, market: str) -> dict[str, Any]:
        """What a market may use of the treasury, for people; nothing without one."""
        return {} if self.treasurer is None else self.treasurer.told(market)

    def heed(self, maker: Maker, bands: Bands) -> None:
        """Other bands from now on for a market, and for the gates that cover is bought through."""
        maker.quoter.heed(bands)
        for hedger in self.hedgers.values():
            for sweeps in hedger.desk.sweeps:
                if sweeps.leg.market == maker.market:
                    sweeps.leg.gate.heed(bands)

    def remember(self, record: Record) -> None:
        if isinstance(record, LedgerWord):
            self._move(record)
        for maker in self._advised:
            if maker.quoter.guidance.advice is not None:
                maker.quoter.guidance.advice.remember(record)
        for hedger in self.hedgers.values():
            hedger.remember(record)
        if self.treasurer is not None:
            self.treasurer.remember(record)

    # --- how ------------------------------------------------------------------------------------

    def _move(self, word: LedgerWord) -> None:
        """What people moved at a venue of ours is expected to be gone there, or to have come.

        What moved before the account's first reading is in its opening balance.
        """
        keepers = {m.quoter.setup.instrument.venue: m.keeper for m in self._makers.values()}
        for venue, keeper in keepers.items():
            for asset, atoms in moved_at(word, venue):
                if OPENING in keeper.portfolio.accounts(asset):
                    keeper.portfolio.adjust(asset, atoms, word.at_ns)

    def _cover(self, event: Event, now_ns: Ns, step: Step) -> None:
        for record in list(step.records):
            for hedger in self.hedgers.values():
                hedger.remember(record)
        if not isinstance(event, HEDGE_FACTS):
            return
        for market, hedger in self.hedgers.items():
            maker = self._makers[market]
            advice = maker.quoter.guidance.advice
            if advice is None or maker.quoter.guidance.ruling is None:
                continue
            markets = tuple(way.market for way in maker.quoter.setup.ways)
            cause = hedger.look(now_ns, step, advice.sight(now_ns, markets))
            if cause:
                maker.look(now_ns, step, cause)

    def _tell_prices(self, now_ns: Ns) -> None:
        for market, maker in self._makers.items():
            book = maker.quoter.book
            if book.bid_tick and book.ask_tick:
                item = maker.quoter.setup.instrument
                mid = _price(item, book.bid_tick, book.ask_tick)
                self._mids[market] = mid, maker.quoter.vouched_ns
        for maker in self._curious:
            maker.quoter.others = {
                market: Other(mid=self._mids[market][0], age_ns=now_ns - self._mids[market][1])
                for market in maker.quoter.setup.others
                if market in self._mids
            }

    def _hedger_of(self, maker: Maker, ids: ClientIds, config_hash: str) -> Hedger:
        setup = maker.quoter.setup
        assert setup.hedge is not None, "ways to hedge come with the numbers that say when"
        legs = []
        for way in setup.ways:
            there = self._makers[way.market]
            # The same rows, watched apart: what a hedge trips must not pull the quotes, nor the
            # reverse, while each order passes them all.
            item = there.quoter.setup
            gate = Gate(item.instrument, item.bands, item.rows, item.snapshot_share_ppm)
            legs.append(Leg(way=way, keeper=there.keeper, quoter=there.quoter, gate=gate))
        hedging = HedgeSetup(
            keeper=maker.keeper,
            quoter=maker.quoter,
            legs=tuple(legs),
            params=setup.hedge,
            config_hash=config_hash,
        )
        return Hedger(hedging, ids)


def _price(item: Instrument, bid_tick: int, ask_tick: int) -> float:
    """The mid in the quote currency."""
    return float((bid_tick + ask_tick) * item.tick) / float(2 * 10**item.price_exponent)
