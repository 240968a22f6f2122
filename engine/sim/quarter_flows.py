"""Who else trades on the loopback venues of a quarter: a crowd at the price of the path.

After a leap of time another crowd stands around another price. It acts several times as fast as
the thin market that it is modelled on, so that what takes minutes there takes seconds here.
"""

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from engine.sim.market import SyntheticMarket
from engine.sim.market_maker import MAKER
from engine.sim.market_presets import Preset
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Act
from engine.sim.matching.terms import CancelOf, NewOrder, SelfTrade, TimeInForce
from engine.sim.quarter_venue import crowd_preset
from engine.values.units import BUY, NS_PER_MS, SELL, Ns, Side, Tick

FASTER = 8.0
PEG_OWNER, PEG_TAKER = "~peg", "~taker"
PEG_EVERY_NS = 100 * NS_PER_MS
PEG_LEVELS, PEG_LOTS, PEG_TRADE_LOTS = 10, 500, 100


class CrowdFlow:
    """Fulfils `Flow`. `reopen` takes effect at the next moment at which the venue asks."""

    def __init__(self, seed: str, price: float, ids: Callable[[], int]) -> None:
        self._seed, self._ids = seed, ids
        self._price: float | None = None
        self._crowds = 0
        self._crowd = self._gathered(price)

    def reopen(self, price: float) -> None:
        """Everybody goes, and others come around `price` (in ticks)."""
        self._price = price

    def opening(self) -> Sequence[Act]:
        return self._crowd.opening()

    def next_ns(self, now_ns: Ns) -> Ns:
        return now_ns + 1 if self._price is not None else self._crowd.next_ns(now_ns)

    def step(self, now_ns: Ns, book: MatchingBook) -> Sequence[Act]:
        if self._price is None:
            return self._crowd.step(now_ns, book)
        gone = [CancelOf(one.order_id, one.owner) for one in book.orders_of(MAKER)]
        self._crowd, self._price = self._gathered(self._price), None
        return [*gone, *self._crowd.opening()]

    def _gathered(self, price: float) -> SyntheticMarket:
        self._crowds += 1
        number = Random(f"{self._seed} {self._crowds}").getrandbits(48)
        return SyntheticMarket(_faster(crowd_preset(price)), number, self._ids)


class PegFlow:
    """Fulfils `Flow`: the same levels around the price of a stable asset, filled up again and
    again, and somebody who trades a little, in turn on either side."""

    def __init__(self, price: Tick, ids: Callable[[], int]) -> None:
        self._centre, self._ids = price, ids
        self._turn = 0

    def reopen(self, price: float) -> None:
        self._centre = round(price)

    def opening(self) -> Sequence[Act]:
        return [self._level(side, place) for side in Side for place in range(1, PEG_LEVELS + 1)]

    def next_ns(self, now_ns: Ns) -> Ns:
        return now_ns + PEG_EVERY_NS

    def step(self, now_ns: Ns, book: MatchingBook) -> Sequence[Act]:
        self._turn += 1
        gone = [CancelOf(one.order_id, one.owner) for one in book.orders_of(PEG_OWNER)]
        return [*gone, *self.opening(), self._trade(BUY if self._turn % 2 else SELL)]

    def _level(self, side: Side, place: int) -> NewOrder:
        tick, lots = self._centre - side.sign * place, PEG_LOTS + self._turn % 2
        return NewOrder(order_id=self._ids(), owner=PEG_OWNER, side=side, tick=tick, lots=lots)

    def _trade(self, side: Side) -> NewOrder:
        return NewOrder(
            order_id=self._ids(), owner=PEG_TAKER, side=side,
            tick=self._centre + side.sign * PEG_LEVELS, lots=PEG_TRADE_LOTS,
            tif=TimeInForce.IOC, self_trade=SelfTrade.EXPIRE_TAKER,
        )  # fmt: skip


QuarterFlow = CrowdFlow | PegFlow


def _faster(preset: Preset) -> Preset:
    """The same people, `FASTER` times as often; the large ones as seldom as they are."""
    quick = {
        name: msgspec.structs.replace(part, gap_s=part.gap_s / FASTER)
        for name in ("maker", "noise", "informed", "reflexive")
        for part in [getattr(preset, name)]
    }
    return msgspec.structs.replace(preset, **quick)
