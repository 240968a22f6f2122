# cython: language_level=3, annotation_typing=False
"""One market in the kernel's pass: its two books, what they show, and what would wake the engine.

What is known of the rest of the world holds for one pass: `enter` forgets it, `leave` tells the
engine's parts what only others ask of them.
"""

from engine.core import Engine
from engine.sim.account import Account
from engine.sim.kernel_block import NEVER_NS
from engine.sim.tally import Tally
from engine.trading.quoter import Quoter
from engine.trading.strategy import Wake
from engine.values.events import Event, RatingLabel, Stream, TopOfBook
from engine.values.units import Ns

NEUTRAL = RatingLabel.NEUTRAL
"""For the pass: Python 3.11 takes longer to find a member in its enum than to use it."""


class Lane:
    """`engine` must run this market and `account` hold it."""

    def __init__(self, market: str, engine: Engine, account: Account, tally: Tally) -> None:
        self.market, self.account, self.tally, self.trail = market, account, tally, tally.trail
        self.engine, self.maker = engine, engine.makers[market]
        quoter: Quoter = self.maker.quoter
        self.quoter = quoter
        self.book, self.features = quoter.book, quoter.features
        self.delay, self.second_stream = quoter.delay, quoter.second_stream
        # Advice and a treasury count trades: they are told each one.
        counts = quoter.guidance.advice is not None or engine.neighbours.treasurer is not None
        self.is_advised = counts
        links = engine.links[quoter.setup.instrument.venue]
        self.link, self._private = links[Stream.PUBLIC], links[Stream.PRIVATE]
        self._silence_ns_max = engine.params.links.silence_ns_max
        self.shadow = account.books[market]
        self.venue_bids, self.venue_asks = self.shadow.bids, self.shadow.asks
        self._strategy, self._own_orders_show = quoter.setup.strategy, quoter.setup.own_orders_show
        self._standing, self._guidance = quoter.standing, quoter.guidance
        self._wake: Wake | None = None
        self.has_tops = False
        self.enter()

    def __repr__(self) -> str:
        return f"<lane of {self.market}>"

    def enter(self) -> None:
        """Anything may have happened since the last pass."""
        self._is_known = self._is_felt = self._is_timed = False
        self.ticked_ns = self._vouched_ns = 0
        self.heard_ns, self.book_ns, self.sequence = 0, 0, self.quoter.sequence
        self.our_bid, self.our_ask = self.venue_bids.prices.first(), self.venue_asks.prices.first()
        self._find_venue_top()

    def leave(self) -> None:
        """Say what was heard, and that the features were shown the book as it is."""
        if self.heard_ns:
            self.link.alive(self.heard_ns)
        if self.ticked_ns:
            self.quoter.vouched_ns = self._vouched_ns
        now_ns = max(self.heard_ns, self.ticked_ns)
        if now_ns and self.engine.now_ns < now_ns:
            self.engine.now_ns = now_ns
        if self.book_ns:
            self.quoter.sequence, self.quoter.book_ns = self.sequence, self.book_ns
        if self._is_felt:
            self.features.saw(self.book)

    # --- at the venue ---------------------------------------------------------------------------

    def put(self, is_sell: bool, tick: int, lots: int) -> None:
        """One level of the recorded market, and of the queues of ours that stand there."""
        if is_sell:
            self.venue_asks.show(tick, lots)
            self._is_venue_touched |= tick <= self.venue_ask or not self.venue_ask
        else:
            self.venue_bids.show(tick, lots)
            self._is_venue_touched |= tick >= self.venue_bid

    def is_crossed(self, now_ns: Ns) -> bool:
        """After the last level of a fact: does the recorded market reach a price of ours?"""
        if self._is_venue_touched:
            self._find_venue_top()
            self.trail.on_top(now_ns, self.venue_bid, self.venue_ask)
        if self.our_bid and self.venue_ask and self.our_bid >= self.venue_ask:
            return True
        return self.our_ask > 0 and self.our_ask <= self.venue_bid

    def is_reached(self, is_sell: bool, tick: int) -> bool:
        """Does a recorded trade at `tick`, sold or bought, come to a price of ours?"""
        if is_sell:
            return self.our_bid > 0 and self.our_bid >= tick
        return self.our_ask > 0 and self.our_ask <= tick

    def _find_venue_top(self) -> None:
        self._is_venue_touched = False
        self.venue_bid = self.venue_bids.recorded.prices.first()
        self.venue_ask = self.venue_asks.recorded.prices.first()

    # --- in the engine --------------------------------------------------------------------------

    def is_asleep(self, now_ns: Ns) -> bool:
        """Is the market quoting undisturbed, so that only its strategy's wishes can wake it?"""
        if not self._is_known:
            self._learn(now_ns)
        return self._is_asleep

    def _learn(self, now_ns: Ns) -> None:
        maker, quoter, book = self.maker, self.quoter, self.book
        wake = self._strategy.wake
        is_plain = not (self._own_orders_show and quoter.own)
        self._is_known = True
        self._is_asleep = is_plain and not maker._is_barred and self._standing.may_quote
        if wake is not self._wake:
            self._wake = wake
            self._top_moved_ticks = wake.top_moved_ticks
            self._microprice_moved = wake.microprice_moved_ticks
            self._has_timer = wake.timer_ns > 0
        self._bid_seen, self._ask_seen, self._microprice_seen = quoter._seen
        self._wakes_ns = quoter._timer_due_ns if self._has_timer else NEVER_NS
        self._wakes_ns = min(self._wakes_ns, self._turns_ns(now_ns))
        self.bid, self.ask, self._is_touched = book.bid_tick, book.ask_tick, False

    def _turns_ns(self, now_ns: Ns) -> Ns:
        """When the stance will be another than the strategy last saw; now where nobody can say."""
        quoter, guidance = self.quoter, self._guidance
        if guidance.has_turned or guidance.advice is not None:
            return now_ns
        if not guidance.has_rating and quoter._seen_label is NEUTRAL:
            return NEVER_NS
        if guidance.stance(now_ns).label is not quoter._seen_label:
            return now_ns
        rating = guidance._rating
        if rating is None or now_ns >= rating.expires_ns:
            return NEVER_NS
        return rating.expires_ns

    # --- at a timer -----------------------------------------------------------------------------

    def is_quiet(self, now_ns: Ns) -> bool:
        """Would this market do nothing at the engine's timer of now but note how old its wire is?

        Its own wishes to be woken are seen at each row; here is what only time brings.
        """
        if not self.is_asleep(now_ns) or now_ns >= self._wakes_ns:
            return False
        if not self._is_timed:
            self._find_quiet()
        if self.second_stream._behind_since_ns or now_ns >= self._quiet_ns:
            return False
        return now_ns - self._alive_ns() <= self._silence_ns_max

    def pass_tick(self, now_ns: Ns) -> None:
        self.ticked_ns, self._vouched_ns = now_ns, self._alive_ns()

    def _alive_ns(self) -> Ns:
        return self.heard_ns if self.heard_ns > self._link_ns else self._link_ns

    def _find_quiet(self) -> None:
        """Until when timers have nothing to look at, ask for or judge; 0 where that is unsure."""
        engine, maker, self._is_timed = self.engine, self.maker, True
        self._link_ns = self.link.last_ns
        keeper, orders = maker.keeper, maker.keeper.orders
        is_busy = engine._turns.is_left or engine.neighbours.act or engine.disturbances.is_shaken
        is_new = self.quoter.last is None  # until the first wish each timer looks
        if is_busy or is_new or not orders.is_calm(self.market):
            self._quiet_ns = 0
            return
        self._quiet_ns = min(
            maker._observe_due_ns,
            keeper._asking[self.market].due_ns,
            self._private.last_ns + self._silence_ns_max + 1,
            self.tally.due_ns,
        )

    # --- levels ---------------------------------------------------------------------------------

    def hear_level(self, is_sell: bool, tick: int, lots: int) -> None:
        if is_sell:
            self.book.asks.put(tick, lots)
            self._is_touched |= tick <= self.ask or not self.ask
        else:
            self.book.bids.put(tick, lots)
            self._is_touched |= tick >= self.bid

    def wakes(self, sequence: int, venue_ns: Ns) -> bool:
        """After the last level of a fact, heard at `heard_ns`: must the engine process it?"""
        book, now_ns, is_touched = self.book, self.heard_ns, self._is_touched
        self.sequence, self.book_ns = sequence, now_ns
        if is_touched or book.has_excess():
            self._feel()
        if venue_ns:
            self.delay.observe(now_ns, venue_ns)
        if 0 < self.ask <= self.bid:
            return True
        if now_ns >= self._wakes_ns and self.quoter.wake_cause(now_ns):
            return True
        if self.has_tops and self._is_doubted():
            return True
        return is_touched and self._has_moved()

    def _feel(self) -> None:
        book = self.book
        book.settle()
        self.bid, self.ask = book.bid_tick, book.ask_tick
        self.features.on_whole_book(book, self.heard_ns)
        self._is_touched, self._is_felt = False, True

    def _is_doubted(self) -> bool:
        book = self.book
        bid, ask = (book.bid_tick, book.bid_lots), (book.ask_tick, book.ask_lots)
        return bool(self.second_stream.on_book(self.sequence, bid, ask, self.book_ns))

    def _has_moved(self) -> bool:
        """As the quoter judges it: has the top gone far enough from where it was at the wish?"""
        features = self.features
        if self._top_moved_ticks:
            moved = max(
                abs(features.bid_tick - self._bid_seen), abs(features.ask_tick - self._ask_seen)
            )
            if moved >= self._top_moved_ticks:
                return True
        if not self._microprice_moved:
            return False
        drift = abs((features.microprice or 0.0) - self._microprice_seen)
        return drift >= self._microprice_moved

    def hear_top(self, fact: Event) -> None:
        assert isinstance(fact, TopOfBook), f"{fact} in a row of best prices"
        self.second_stream.on_top(fact, self.sequence)
