"""A thin market to sell into: the synthetic BTT/USDT, its book as the treasury sees it, a clock."""

from collections.abc import Iterator
from itertools import count

from engine.market.book import Book
from engine.sim.market import SyntheticMarket
from engine.sim.market_presets import BTT_THIN
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Act
from engine.sim.matching.terms import CancelOf, NewOrder, SelfTrade, TimeInForce
from engine.treasury.amounts import Asset
from engine.treasury.depth import DepthBook, depth_of
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, SELL, Atoms, Lot, Ns, Tick

BTT = Instrument(
    symbol="BTT/USDT", venue="thin", venue_symbol="BTTUSDT", base="BTT", quote="USDT",
    price_exponent=8, tick=1, size_exponent=0, lot=1, maker_fee_ppm=1_000, taker_fee_ppm=1_000,
)  # fmt: skip
BASE, MONEY = Asset("BTT", 0), Asset("USDT", 8)
DEPTH_LEVELS = 50


class ThinMarket:
    """The same seed is the same market, until somebody of ours trades in it."""

    def __init__(self, seed: int) -> None:
        self._ids = count(1)
        self._market = SyntheticMarket(BTT_THIN, seed, lambda: next(self._ids))
        self._book = MatchingBook()
        self.now_ns: Ns = NS_PER_S
        self.trades: list[tuple[Ns, Atoms]] = []
        for act in self._market.opening():
            self._do(act)

    def run_to(self, until_ns: Ns) -> None:
        """Let the others trade until then."""
        while (next_ns := self._market.next_ns(self.now_ns)) <= until_ns:
            self.now_ns = next_ns
            for act in self._market.step(next_ns, self._book):
                self._do(act)
        self.now_ns = until_ns

    def sell(self, lots: Lot, tick: Tick) -> tuple[Lot, Atoms]:
        """An immediate order of ours: (lots, money) that it got."""
        order = NewOrder(
            order_id=next(self._ids), owner="us", side=SELL, tick=tick, lots=lots,
            tif=TimeInForce.IOC, self_trade=SelfTrade.EXPIRE_TAKER,
        )  # fmt: skip
        found = self._book.submit(order).matches
        done = sum(match.lots for match in found)
        return done, sum(BTT.quote_atoms(match.tick, match.lots) for match in found)

    def depth(self) -> DepthBook:
        bids, asks = (self._levels(is_bid) for is_bid in (True, False))
        seen = Book()
        seen.apply_snapshot(bids, asks)
        return depth_of(seen, BTT, BASE, MONEY, self.now_ns)

    def mid(self) -> float:
        bid, _, ask, _ = self._book.top()
        return (bid + ask) / 2 if bid and ask else 0.0

    def volume_since(self, first_ns: Ns) -> Atoms:
        """What the others traded among themselves."""
        return sum(lots for at_ns, lots in self.trades if at_ns >= first_ns)

    def _levels(self, is_bid: bool) -> list[tuple[Tick, Lot]]:
        return self._book.levels(SELL.opposite if is_bid else SELL, DEPTH_LEVELS)

    def _do(self, act: Act) -> None:
        if isinstance(act, CancelOf):
            self._book.cancel(act.order_id)
            return
        for match in self._book.submit(act).matches:
            self.trades.append((self.now_ns, match.lots))


def mids(market: ThinMarket, seconds: int) -> Iterator[float]:
    """The mid of every second, where there is one."""
    for _ in range(seconds):
        market.run_to(market.now_ns + NS_PER_S)
        if found := market.mid():
            yield found
