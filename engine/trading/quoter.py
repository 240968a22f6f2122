"""One market: what is known of it, whether that wakes the strategy, and what it then wishes."""

import msgspec

from engine.market.book import Book, BookView
from engine.market.delay import DelayMeter, DelayParams
from engine.market.features import Features, FeaturesParams
from engine.market.second_stream import SecondStream, SecondStreamParams
from engine.trading.advice import Advice
from engine.trading.guidance import Guidance
from engine.trading.hedge_params import HedgeInstrument, HedgeParams
from engine.trading.links import Link
from engine.trading.risk import Gate
from engine.trading.risk_rows import RiskRow
from engine.trading.standing import Standing
from engine.trading.strategy import Other, Strategy, View, Wake
from engine.trading.turns import next_turn_ns
from engine.treasury.bands import Bands
from engine.values.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    Grade,
    RatingLabel,
    TopOfBook,
    Trade,
)
from engine.values.instrument import Instrument
from engine.values.intents import Ladder
from engine.values.records import Decision
from engine.values.units import BUY, SELL, Lot, Ns, Ppm, Side, Tick

DEPTHS_BPS = (100, 200, 500)
OwnLevels = dict[tuple[Side, Tick], Lot]
_NEUTRAL = RatingLabel.NEUTRAL


class MarketSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one market is run with. `own_orders_show` is false only on a recorded market,
    whose public book cannot contain our orders. `ways` are how its inventory may be covered, by
    `hedge`; `others` are the markets whose prices its strategy sees.
    """

    instrument: Instrument
    bands: Bands
    rows: list[RiskRow]
    strategy: Strategy
    strategy_name: str
    features: FeaturesParams
    snapshot_share_ppm: Ppm
    own_orders_show: bool = True
    advice: Advice | None = None
    ways: tuple[HedgeInstrument, ...] = ()
    hedge: HedgeParams | None = None
    others: tuple[str, ...] = ()
    delay: DelayParams = DelayParams()
    second_stream: SecondStreamParams = SecondStreamParams()


class Quoter:
    """Perception and wish of one market. Holds no order and reaches no venue."""

    def __init__(self, setup: MarketSetup) -> None:
        self.setup, self.bands, self._strategy = setup, setup.bands, setup.strategy
        self.market = setup.instrument.market
        self.book = Book()
        self.features = Features(setup.features)
        self.delay = DelayMeter(setup.delay)
        self.second_stream = SecondStream(setup.second_stream)
        self.gate = Gate(setup.instrument, setup.bands, setup.rows, setup.snapshot_share_ppm)
        self.standing = Standing()
        self.guidance = Guidance(setup.advice, self.gate)
        self.others: dict[str, Other] = {}
        self.grade = Grade.VERIFIED
        self.link = Link()
        """The wire that the book comes over: the venue's, once an engine runs this market."""
        self.sequence = 0
        self.book_ns: Ns = 0
        self.last: Decision | None = None
        self.nonsense = 0
        self.own: OwnLevels = {}
        self._own_ticks: tuple[tuple[Tick, ...], tuple[Tick, ...]] = (), ()
        self._own_ticks_of: OwnLevels = self.own
        self.vouched_ns: Ns = 0
        self._seen: tuple[Tick, Tick, float] = (0, 0, 0.0)
        self._shown_own: OwnLevels = self.own
        self._seen_label = _NEUTRAL
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
        if self.guidance.advice is not None:
            self.guidance.advice.on_lost(fact.at_ns)

    def on_top(self, fact: TopOfBook) -> None:
        self.second_stream.on_top(fact, self.sequence)

    def on_trade(self, fact: Trade) -> None:
        self.features.on_trade(fact.aggressor, fact.lots, fact.at_ns)
        if self.guidance.advice is not None:
            self.guidance.advice.on_trade(fact)

    def _after_book(self, fact: BookSnapshot | BookDelta) -> None:
        book = self.book
        self.sequence, self.book_ns = fact.sequence, fact.at_ns
        self.delay.observe(fact.at_ns, fact.venue_ns)
        self._feel(book, fact.at_ns)
        standing = self.standing
        if book.is_crossed():
            standing.doubt("crossed", f"bid {book.bid_tick} against ask {book.ask_tick}")
        elif standing.doubts:
            standing.settle("crossed")
        bid, ask = (book.bid_tick, book.bid_lots), (book.ask_tick, book.ask_lots)
        wrong = self.second_stream.on_book(fact.sequence, bid, ask, fact.at_ns)
        if wrong:
            standing.doubt("second stream", wrong)
        elif standing.doubts:
            standing.settle("second stream")

    def _feel(self, book: Book, at_ns: Ns) -> None:
        """Show the features the top without us, unless it must be the one that they know.

        What stands at the best prices and what of it is ours make it, where we do not hide a price.
        """
        features, own = self.features, self.own
        is_known = features.saw(book) and own is self._shown_own
        is_felt = features.bid_tick == book.bid_tick and features.ask_tick == book.ask_tick
        if is_known and is_felt:
            return
        self._shown_own = own
        features.on_book(self._top(), at_ns)

    def watch(self, now_ns: Ns) -> None:
        """What only time shows: a book that stopped while the second stream moves on."""
        stopped = self.second_stream.doubt(now_ns)
        if stopped:
            self.standing.doubt("stalled", stopped)
        else:
            self.standing.settle("stalled")

    def note_own(self, own: OwnLevels) -> None:
        """What of the public book is ours; the same object means that nothing has changed."""
        self.own = own

    def heed(self, bands: Bands) -> None:
        """Other bands from now on, for the gate and whoever advises, too."""
        self.bands = bands
        self.gate.heed(bands)
        if self.guidance.advice is not None:
            self.guidance.advice.heed(bands)

    # --- wake -----------------------------------------------------------------------------------

    def wake_cause(self, now_ns: Ns) -> str:
        """Which wish of the strategy to be woken has come true; "" for none."""
        wake, features, guidance = self._strategy.wake, self.features, self.guidance
        if features.has_left_mark():
            cause = self._move(wake)
            if cause:
                return cause
            features.mark()
        if guidance.has_turned:
            return "the playbook's lean changed"
        if wake.timer_ns and now_ns >= self._timer_due_ns:
            return "timer"
        if guidance.has_rating or self._seen_label is not _NEUTRAL:
            is_same = guidance.stance(now_ns).label is self._seen_label
            return "" if is_same else "stance changed"
        return ""

    def _move(self, wake: Wake) -> str:
        """Whether the top has gone far enough from where it was at the last wish."""
        features = self.features
        bid, ask, microprice = self._seen
        moved = max(abs(features.bid_tick - bid), abs(features.ask_tick - ask))
        if wake.top_moved_ticks and moved >= wake.top_moved_ticks:
            return "top of book moved"
        drift = abs((features.microprice or 0.0) - microprice)
        if wake.microprice_moved_ticks and drift >= wake.microprice_moved_ticks:
            return "microprice moved"
        return ""

    # --- wish -----------------------------------------------------------------------------------

    def view(self, now_ns: Ns, position_lots: Lot) -> View:
        """The market as a strategy may see it: without our own orders."""
        market, features, bands = self._theirs(), self.features, self.bands
        imbalance = features.imbalance
        zone = bands.zone(position_lots)
        lean = self.guidance.lean(now_ns, position_lots, zone)
        near, middle, far = market.depths(DEPTHS_BPS)
        own_bid_ticks, own_ask_ticks = self._ticks_of_own()
        return View(
            now_ns=now_ns,
            instrument=self.setup.instrument,
            grade=self.grade,
            bid_tick=market.bid_tick,
            bid_lots=market.bid_lots,
            ask_tick=market.ask_tick,
            ask_lots=market.ask_lots,
            microprice=features.microprice or 0.0,
            imbalance=0.5 if imbalance is None else imbalance,
            volatility=features.volatility_ticks(now_ns),
            depth_lots=(near, middle, far),
            own_bid_ticks=own_bid_ticks,
            own_ask_ticks=own_ask_ticks,
            position_lots=position_lots,
            bands=bands,
            zone=zone,
            stance=self.guidance.stance(now_ns),
            lean=lean,
            others=self.others,
        )

    def wish(self, view: View) -> Ladder:
        """Ask the strategy. The caller guards against what a plugin may raise."""
        features = self.features
        self._seen = (features.bid_tick, features.ask_tick, features.microprice or 0.0)
        features.mark()
        self._seen_label = view.stance.label
        self.guidance.has_turned = False
        period_ns = self._strategy.wake.timer_ns
        if period_ns:
            self._timer_due_ns = next_turn_ns(view.now_ns, period_ns, self.phase_ppm)
        return self._strategy.quote(view)

    def _ticks_of_own(self) -> tuple[tuple[Tick, ...], tuple[Tick, ...]]:
        """(bids, asks) where our orders stand, worked out once for what is ours."""
        own = self.own
        if own is not self._own_ticks_of:
            bids = tuple([tick for side, tick in own if side is BUY])
            self._own_ticks = bids, tuple([tick for side, tick in own if side is SELL])
            self._own_ticks_of = own
        return self._own_ticks

    def _top(self) -> Book | BookView:
        """Where the market's best prices without us are: in the book, unless we stand there."""
        book, own = self.book, self.own
        if (BUY, book.bid_tick) in own or (SELL, book.ask_tick) in own:
            return self._theirs()
        return book

    def _theirs(self) -> Book | BookView:
        """The book less our own orders, where the venue shows those in it."""
        if not self.own or not self.setup.own_orders_show:
            return self.book
        return self.book.without(self.own)
