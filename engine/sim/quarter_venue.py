"""The venues of the quarter: the matching core with a crowd in it, whose price follows the path."""

from itertools import count
from random import Random
from typing import Protocol

import msgspec

from engine.market.book import Book
from engine.sim.market import SyntheticMarket
from engine.sim.market_presets import BTT_THIN, Preset, Value
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Act
from engine.sim.matching.terms import CancelOf, NewOrder, SelfTrade, TimeInForce
from engine.treasury.amounts import Asset
from engine.treasury.depth import DepthBook, depth_of
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, PPM, SELL, Atoms, Lot, Ns, Side, Tick

DEPTH_LEVELS = 50
WARM_NS = 60 * NS_PER_S
DAY_S = 86_400
ATTEMPTS = 20
REACH = 0.15
"""A crowd stays within so much of the price that it was opened at."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an order of ours, with the fee in money."""

    trade_id: int
    tick: Tick
    lots: Lot
    fee_atoms: Atoms


class SimMarket(Protocol):
    """One market of one venue, as the quarter meets it."""

    item: Instrument
    now_ns: Ns

    def open(self, at_ns: Ns, price: float, seed: str) -> None: ...
    def run_to(self, until_ns: Ns) -> None: ...
    def take(self, side: Side, lots: Lot, tick: Tick) -> list[Done]: ...
    def make(self, side: Side, lots: Lot) -> list[Done]: ...
    def depth(self, base: Asset, money: Asset) -> DepthBook: ...
    def volume_since(self, first_ns: Ns) -> Lot: ...
    def day_volume(self) -> Lot: ...


class CrowdMarket:
    """A thin market: seeded traders around a background maker, until somebody of ours trades."""

    def __init__(self, item: Instrument) -> None:
        self.item = item
        self.now_ns: Ns = 0
        self._trade_ids, self._ids = count(1), count(1)
        self._trades: list[tuple[Ns, Lot]] = []
        self._opened_ns: Ns = 0
        self._book = MatchingBook()
        self._crowd: SyntheticMarket | None = None

    def open(self, at_ns: Ns, price: float, seed: str) -> None:
        """Another crowd around another price, warmed up so that both sides stand at `at_ns`."""
        for attempt in range(ATTEMPTS):
            self._warm_up(at_ns, price, f"{seed} {attempt}")
            if self._is_two_sided():
                return

    def _warm_up(self, at_ns: Ns, price: float, seed: str) -> None:
        number = Random(seed).getrandbits(48)
        self._crowd = SyntheticMarket(crowd_preset(price), number, lambda: next(self._ids))
        self._book, self._trades = MatchingBook(), []
        self.now_ns = self._opened_ns = at_ns - WARM_NS
        for act in self._crowd.opening():
            self._do(act)
        self.run_to(at_ns)

    def _is_two_sided(self) -> bool:
        bid, _, ask, _ = self._book.top()
        return 0 < bid < ask

    def run_to(self, until_ns: Ns) -> None:
        """Let the others trade until then."""
        assert self._crowd is not None, "a market is opened first"
        while (next_ns := self._crowd.next_ns(self.now_ns)) <= until_ns:
            self.now_ns = next_ns
            for act in self._crowd.step(next_ns, self._book):
                self._do(act)
        self.now_ns = until_ns

    def take(self, side: Side, lots: Lot, tick: Tick) -> list[Done]:
        """An immediate order of ours, no worse than `tick`."""
        order = NewOrder(
            order_id=next(self._ids), owner="us", side=side, tick=tick, lots=lots,
            tif=TimeInForce.IOC, self_trade=SelfTrade.EXPIRE_TAKER,
        )  # fmt: skip
        found = self._book.submit(order).matches
        return [self._done(match.tick, match.lots, self.item.taker_fee_ppm) for match in found]

    def make(self, side: Side, lots: Lot) -> list[Done]:
        """A quote of ours at the best price, met by somebody from outside the crowd."""
        bid, _, ask, _ = self._book.top()
        tick = bid if side is Side.BUY else ask
        return [self._done(tick, lots, self.item.maker_fee_ppm)] if tick and lots > 0 else []

    def depth(self, base: Asset, money: Asset) -> DepthBook:
        bids, asks = (self._book.levels(s, DEPTH_LEVELS) for s in (Side.BUY, Side.SELL))
        seen = Book()
        seen.apply_snapshot(bids, asks)
        return depth_of(seen, self.item, base, money, self.now_ns)

    def volume_since(self, first_ns: Ns) -> Lot:
        """What the others traded among themselves."""
        return sum(lots for at_ns, lots in self._trades if at_ns >= first_ns)

    def day_volume(self) -> Lot:
        """Of a day, at the pace since the crowd came."""
        passed_s = max(1, (self.now_ns - self._opened_ns) // NS_PER_S)
        return self.volume_since(0) * DAY_S // passed_s

    def _done(self, tick: Tick, lots: Lot, fee_ppm: int) -> Done:
        fee = -(-self.item.quote_atoms(tick, lots) * fee_ppm // PPM)
        return Done(trade_id=next(self._trade_ids), tick=tick, lots=lots, fee_atoms=fee)

    def _do(self, act: Act) -> None:
        if isinstance(act, CancelOf):
            self._book.cancel(act.order_id)
            return
        for match in self._book.submit(act).matches:
            self._trades.append((self.now_ns, match.lots))


class PegMarket:
    """A stable asset against money: the same levels around its price, filled up each second."""

    LEVELS, LOTS = 10, 500

    def __init__(self, item: Instrument) -> None:
        self.item = item
        self.now_ns: Ns = 0
        self._trade_ids = count(1)
        self._centre: Tick = 0
        self._taken: dict[Tick, Lot] = {}

    def open(self, at_ns: Ns, price: float, seed: str) -> None:
        self._centre = round(price * 10**self.item.price_exponent)
        self.now_ns, self._taken = at_ns, {}

    def run_to(self, until_ns: Ns) -> None:
        self.now_ns, self._taken = until_ns, {}

    def take(self, side: Side, lots: Lot, tick: Tick) -> list[Done]:
        found = []
        for price, size in self._levels(side.opposite):
            is_within = price >= tick if side is SELL else price <= tick
            part = min(lots, size - self._taken.get(price, 0))
            if is_within and part > 0:
                lots -= part
                self._taken[price] = self._taken.get(price, 0) + part
                fee = -(-self.item.quote_atoms(price, part) * self.item.taker_fee_ppm // PPM)
                found.append(
                    Done(trade_id=next(self._trade_ids), tick=price, lots=part, fee_atoms=fee)
                )
        return found

    def make(self, side: Side, lots: Lot) -> list[Done]:
        """Nobody makes this market for us."""
        return []

    def depth(self, base: Asset, money: Asset) -> DepthBook:
        seen = Book()
        seen.apply_snapshot(self._levels(Side.BUY), self._levels(SELL))
        return depth_of(seen, self.item, base, money, self.now_ns)

    def volume_since(self, first_ns: Ns) -> Lot:
        return self.LEVELS * self.LOTS

    def day_volume(self) -> Lot:
        return self.LEVELS * self.LOTS * 1_000

    def _levels(self, side: Side) -> list[tuple[Tick, Lot]]:
        return [
            (self._centre + side.opposite.sign * place, self.LOTS)
            for place in range(1, self.LEVELS + 1)
        ]


def crowd_preset(price: float) -> Preset:
    value = Value(
        mean_ticks=price,
        deviation_ticks=0.02 * price,
        relax_s=14_400,
        low_ticks=(1 - REACH) * price,
        high_ticks=(1 + REACH) * price,
    )
    return msgspec.structs.replace(BTT_THIN, value=value)
