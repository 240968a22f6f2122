"""One market: what is known of it, whether that wakes the strategy, and what it then wishes."""

import msgspec

from engine.market.book import Book, BookView
from engine.market.delay import DelayMeter, DelayParams
from engine.market.features import Features, FeaturesParams
from engine.market.second_stream import SecondStream, SecondStreamParams
from engine.signals.stance import Stance, stance_at
from engine.trading.risk import Gate
from engine.trading.risk_rows import RiskRow
from engine.trading.standing import Standing
from engine.trading.strategy import Strategy, View
from engine.trading.turns import next_turn_ns
from engine.treasury.bands import Bands
from engine.values.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    Grade,
    RatingLabel,
    RatingSet,
    TopOfBook,
    Trade,
)
from engine.values.instrument import Instrument
from engine.values.intents import Ladder
from engine.values.records import Decision
from engine.values.units import Lot, Ns, Ppm, Side, Tick

OwnLevels = dict[tuple[Side, Tick], Lot]


class MarketSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one market is run with. `own_orders_show` is false only on a recorded market,
    whose public book cannot contain our orders."""

    instrument: Instrument
    bands: Bands
    rows: list[RiskRow]
    strategy: Strategy
    strategy_name: str
    features: FeaturesParams
    snapshot_share_ppm: Ppm
    own_orders_show: bool = True
    delay: DelayParams = DelayParams()
    second_stream: SecondStreamParams = SecondStreamParams()


class Quoter:
    """Perception and wish of one market. Holds no order and reaches no venue."""

    def __init__(self, setup: MarketSetup) -> None:
        self.setup = setup
        self.market = setup.instrument.market
        self.book = Book()
        self.features = Features(setup.features)
        self.delay = DelayMeter(setup.delay)
        self.second_stream = SecondStream(setup.second_stream)
        self.gate = Gate(setup.instrument, setup.bands, setup.rows, setup.snapshot_share_ppm)
        self.standing = Standing()
        self.rating: RatingSet | None = None
        self.grade = Grade.VERIFIED
        self.sequence = 0
        self.book_ns: Ns = 0
        self.last: Decision | None = None
        self.nonsense = 0
        self.own: OwnLevels = {}
        self.vouched_ns: Ns = 0
        self._seen: tuple[Tick, Tick, float] = (0, 0, 0.0)
        self._seen_label = RatingLabel.NEUTRAL
        self.phase_ppm: Ppm = 0
        self._timer_due_ns: Ns = 0

    # --- perception -----------------------------------------------------------------------------

    def on_snapshot(self, fact: BookSnapshot) -> None:
        self.book.apply_snapshot(fact.bids, fact.asks)
        self.grade = fact.grade
        self.standing.settle("book")
        self.second_stream.begin_anew()
        self._after_book(fact)

    def on_delta(self, fact: BookDelta) -> None:
        """Nothing is applied past a loss: the next snapshot starts the book afresh."""
        if "book" in self.standing.doubts:
            return
        self.book.apply_delta(fact.bids, fact.asks)
        self._after_book(fact)

    def on_lost(self, fact: BookLost) -> None:
        self.standing.doubt("book", fact.reason)
        self.book.clear()
        self.features.pause()
        self.second_stream.reset()
        self.delay.reset()

    def on_top(self, fact: TopOfBook) -> None:
        self.second_stream.on_top(fact, self.sequence)

    def on_trade(self, fact: Trade) -> None:
        self.features.on_trade(fact.aggressor, fact.lots, fact.at_ns)

    def _after_book(self, fact: BookSnapshot | BookDelta) -> None:
        book = self.book
        self.sequence, self.book_ns = fact.sequence, fact.at_ns
        self.delay.observe(fact.at_ns, fact.venue_ns)
        self.features.on_book(self._theirs(), fact.at_ns)
        if book.is_crossed():
            self.standing.doubt("crossed", f"bid {book.bid_tick} against ask {book.ask_tick}")
        else:
            self.standing.settle("crossed")
        bid, ask = (book.bid_tick, book.bid_lots), (book.ask_tick, book.ask_lots)
        wrong = self.second_stream.on_book(fact.sequence, bid, ask, fact.at_ns)
        if wrong:
            self.standing.doubt("second stream", wrong)
        else:
            self.standing.settle("second stream")

    def watch(self, now_ns: Ns) -> None:
        """What only time shows: a book that stopped while the second stream moves on."""
        stopped = self.second_stream.doubt(now_ns)
        if stopped:
            self.standing.doubt("stalled", stopped)
        else:
            self.standing.settle("stalled")

    # --- wake -----------------------------------------------------------------------------------

    def wake_cause(self, now_ns: Ns) -> str:
        """Which wish of the strategy to be woken has come true; "" for none."""
        wake, features = self.setup.strategy.wake, self.features
        bid, ask, microprice = self._seen
        moved = max(abs(features.bid_tick - bid), abs(features.ask_tick - ask))
        if wake.top_moved_ticks and moved >= wake.top_moved_ticks:
            return "top of book moved"
        drift = abs((features.microprice or 0.0) - microprice)
        if wake.microprice_moved_ticks and drift >= wake.microprice_moved_ticks:
            return "microprice moved"
        if wake.timer_ns and now_ns >= self._timer_due_ns:
            return "timer"
        if stance_at(self.rating, now_ns).label is not self._seen_label:
            return "stance changed"
        return ""

    # --- wish -----------------------------------------------------------------------------------

    def stance(self, now_ns: Ns) -> Stance:
        return stance_at(self.rating, now_ns)

    def view(self, now_ns: Ns, position_lots: Lot) -> View:
        """The market as a strategy may see it: without our own orders."""
        market, features, bands = self._theirs(), self.features, self.setup.bands
        return View(
            now_ns=now_ns,
            instrument=self.setup.instrument,
            grade=self.grade,
            bid_tick=market.bid_tick,
            bid_lots=market.bid_lots,
            ask_tick=market.ask_tick,
            ask_lots=market.ask_lots,
            microprice=features.microprice or 0.0,
            imbalance=0.5 if features.imbalance is None else features.imbalance,
            volatility=features.volatility_ticks(now_ns),
            depth_lots=_depths(market),
            own_bid_ticks=tuple(tick for side, tick in self.own if side is Side.BUY),
            own_ask_ticks=tuple(tick for side, tick in self.own if side is Side.SELL),
            position_lots=position_lots,
            bands=bands,
            zone=bands.zone(position_lots),
            stance=self.stance(now_ns),
        )

    def wish(self, view: View) -> Ladder:
        """Ask the strategy. The caller guards against what a plugin may raise."""
        features = self.features
        self._seen = (features.bid_tick, features.ask_tick, features.microprice or 0.0)
        self._seen_label = view.stance.label
        period_ns = self.setup.strategy.wake.timer_ns
        if period_ns:
            self._timer_due_ns = next_turn_ns(view.now_ns, period_ns, self.phase_ppm)
        return self.setup.strategy.quote(view)

    def _theirs(self) -> Book | BookView:
        """The book less our own orders, where the venue shows those in it."""
        if not self.own or not self.setup.own_orders_show:
            return self.book
        return self.book.without(self.own)


def _depths(market: Book | BookView) -> tuple[tuple[Lot, Lot], tuple[Lot, Lot], tuple[Lot, Lot]]:
    within = [
        (market.depth_within(Side.BUY, bps), market.depth_within(Side.SELL, bps))
        for bps in (100, 200, 500)
    ]
    return within[0], within[1], within[2]
