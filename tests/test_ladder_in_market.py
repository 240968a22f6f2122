"""The ladder and the gate in the synthetic thin market: fills come, and every promise holds."""

from itertools import count

from engine.sim.market import SyntheticMarket
from engine.sim.market_presets import PRESETS
from engine.sim.matching.book import CancelOf, Kind, MatchingBook, NewOrder
from engine.trading.strategy import View
from engine.values.units import NS_PER_S, Side
from strategies.ladder import LadderStrategy
from tests.test_ladder import params
from tests.trading_builders import BANDS, NOW_NS, gate, reading, view

US = "us"
MINUTES = 10


class Desk:
    """Quotes on a matching book at once after each act of the market, with no delay."""

    def __init__(self, seed: int):
        self.ids = count(1)
        self.book = MatchingBook()
        self.flow = SyntheticMarket(PRESETS["btt-thin"], seed, lambda: next(self.ids))
        self.strategy, self.gate = LadderStrategy(params()), gate()
        self.position, self.fills, self.earned = BANDS.target_lots, 0, 0
        self.takes = self.breaches = 0
        for act in self.flow.opening():
            self.do(act)

    def do(self, act: CancelOf | NewOrder) -> None:
        if isinstance(act, CancelOf):
            self.book.cancel(act.order_id)
            return
        outcome = self.book.submit(act)
        self.takes += act.owner == US and bool(outcome.matches)
        for match in outcome.matches:
            if match.maker_owner == US:
                side = match.aggressor.opposite
                self.position += side.sign * match.lots
                self.earned -= side.sign * match.lots * match.tick
                self.fills += 1

    def working(self, side: Side) -> dict[int, tuple[int, int]]:
        """Our orders on a side: tick to (id, lots left)."""
        mine = self.book.orders_of(US)
        return {one.tick: (one.order_id, one.lots_left) for one in mine if one.side is side}

    def top(self, side: Side) -> tuple[int, int]:
        mine = self.working(side)
        for tick, lots in self.book.levels(side):
            left = lots - mine.get(tick, (0, 0))[1]
            if left:
                return tick, left
        return 0, 0

    def view(self) -> View:
        (bid, bid_lots), (ask, ask_lots) = self.top(Side.BUY), self.top(Side.SELL)
        share = bid_lots / (bid_lots + ask_lots) if bid and ask else 0.5
        return view(
            bid_tick=bid,
            bid_lots=bid_lots,
            ask_tick=ask,
            ask_lots=ask_lots,
            microprice=bid * (1 - share) + ask * share,
            volatility=0.3,
            position_lots=self.position,
        )

    def quote(self, now_ns: int) -> None:
        shown = self.view()
        moment = reading(
            now_ns=now_ns,
            bid_tick=shown.bid_tick,
            ask_tick=shown.ask_tick,
            reference_tick=shown.mid or None,
            position_lots=self.position,
        )
        approved = self.gate.approve(self.strategy.quote(shown), moment)
        for side in Side:
            wished = {level.tick: level.lots for level in approved.ladder.side(side)}
            for tick, (order_id, lots) in self.working(side).items():
                if wished.get(tick, 0) < lots:
                    self.do(CancelOf(order_id, US))
        for side in Side:
            for level in approved.ladder.side(side):
                if level.tick not in self.working(side):
                    self.do(self.order(side, level.tick, level.lots))

    def order(self, side: Side, tick: int, lots: int) -> NewOrder:
        return NewOrder(
            order_id=next(self.ids),
            owner=US,
            side=side,
            tick=tick,
            lots=lots,
            kind=Kind.LIMIT_MAKER,
        )

    def run(self, seconds: int) -> "Desk":
        now_ns, end_ns = NOW_NS, NOW_NS + seconds * NS_PER_S
        while (now_ns := self.flow.next_ns(now_ns)) <= end_ns:
            for act in self.flow.step(now_ns, self.book):
                self.do(act)
            self.quote(now_ns)
            bid = sum(lots for _, lots in self.working(Side.BUY).values())
            ask = sum(lots for _, lots in self.working(Side.SELL).values())
            worst = (self.position + bid, self.position - ask)
            self.breaches += worst[0] > BANDS.cap_lots or worst[1] < BANDS.floor_lots
        return self


def test_a_thin_market_fills_the_ladder_twenty_times_a_minute_and_no_cap_is_passed() -> None:
    for seed in range(3):
        desk = Desk(seed).run(60 * MINUTES)
        assert desk.fills >= 20 * MINUTES
        assert desk.takes == 0
        assert desk.breaches == 0
        assert BANDS.floor_lots <= desk.position <= BANDS.cap_lots
