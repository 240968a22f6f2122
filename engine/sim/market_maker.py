"""The background maker of a synthetic market: keeps a rolling ladder around what it thinks."""

import math
from collections.abc import Callable
from random import Random

from engine.sim.market_presets import MakerPreset, Sizes
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Act
from engine.sim.matching.terms import CancelOf, Kind, NewOrder
from engine.values.units import Lot, Side, Tick, away_from_market

MAKER = "~maker"
PRESSURE_HALF_LIFE_S = 8.0


def drawn(sizes: Sizes, dice: Random) -> Lot:
    """A size of at least one lot."""
    lots = round(sizes.lots_median * math.exp(sizes.spread * dice.gauss(0.0, 1.0)))
    return max(1, min(lots, sizes.lots_max))


class _Own:
    """An order of the maker as it last saw it. It is unseen until it was found in the book."""

    __slots__ = ("lots", "order_id", "seen", "side")

    def __init__(self, order_id: int, side: Side, lots: Lot) -> None:
        self.order_id = order_id
        self.side = side
        self.lots = lots
        self.seen = False


class BackgroundMaker:
    """Centre follows the value; fills on one side push it away for a while, as impact does."""

    def __init__(
        self, preset: MakerPreset, centre: float, dice: Random, ids: Callable[[], int]
    ) -> None:
        self.centre = centre
        self.pressure_lots = 0.0
        self._preset = preset
        self._dice = dice
        self._ids = ids
        self._own: dict[Side, dict[Tick, _Own]] = {Side.BUY: {}, Side.SELL: {}}

    @property
    def push_ticks(self) -> float:
        """Where recent fills push the price: up after buying, down after selling."""
        return self._preset.impact_ticks * math.tanh(self.pressure_lots / self._preset.impact_lots)

    def open(self) -> list[Act]:
        """The whole ladder at once."""
        acts: list[Act] = []
        for side in (Side.BUY, Side.SELL):
            acts += self._mend(side, self._touch(side), self._preset.levels)
        return acts

    def act(self, value: float, passed_s: float, book: MatchingBook) -> list[Act]:
        """Look at what was filled, think again, cancel what is wrong, then mend the ladder."""
        self.pressure_lots *= 0.5 ** (passed_s / PRESSURE_HALF_LIFE_S)
        for side in (Side.BUY, Side.SELL):
            self._look(side, book)
        self.centre += self._preset.follow * (value + self.push_ticks - self.centre)
        cancels: list[Act] = []
        places: list[Act] = []
        for side in (Side.BUY, Side.SELL):
            touch = self._touch(side)
            cancels += self._withdraw(side, touch)
            places += self._mend(side, touch, self._preset.adds_max)
        return cancels + places

    def _touch(self, side: Side) -> Tick:
        """Its best price: the two sides are never less than a tick apart."""
        half = self._preset.half_spread_ticks * self._dice.uniform(0.6, 1.4)
        return max(1, away_from_market(side, self.centre - side.sign * half))

    def _look(self, side: Side, book: MatchingBook) -> None:
        """Forget what is gone; what was filled becomes pressure."""
        own = self._own[side]
        for tick, order in list(own.items()):
            resting = book.order(order.order_id)
            left = resting.lots_left if resting else 0
            if resting is None:
                del own[tick]
            if order.seen or resting:
                self.pressure_lots -= side.sign * (order.lots - left)
            order.seen, order.lots = True, left

    def _withdraw(self, side: Side, touch: Tick) -> list[Act]:
        """Cancel what is better than its touch, sometimes its best order, and what is too deep."""
        own = self._own[side]
        sign = side.sign
        inside = [tick for tick in own if sign * (tick - touch) > 0]
        kept = sorted(own.keys() - set(inside), key=lambda tick: -sign * tick)
        deep = kept[self._preset.levels :]
        renewed = kept[:1] if self._dice.random() < self._preset.renew_chance else []
        gone = dict.fromkeys(inside + renewed + deep)
        return [CancelOf(own.pop(tick).order_id, MAKER) for tick in gone]

    def _mend(self, side: Side, touch: Tick, adds_max: int) -> list[Act]:
        """Walk down from the touch and place what is missing, the best price first."""
        own, step, sign = self._own[side], self._preset.step_ticks, side.sign
        standing = sorted(own, key=lambda tick: -sign * tick)
        places: list[Act] = []
        tick = touch
        for _ in range(self._preset.levels):
            if tick < 1 or len(places) == adds_max:
                break
            while standing and sign * (standing[0] - tick) > 0:
                standing.pop(0)
            if standing and sign * (tick - standing[0]) < step:
                tick = standing[0]
            else:
                places.append(self._place(side, tick, is_touch=tick == touch))
            tick -= sign * self._dice.randint(1, 2 * step - 1)
        return places

    def _place(self, side: Side, tick: Tick, *, is_touch: bool) -> NewOrder:
        lots = drawn(self._preset.touch if is_touch else self._preset.deep, self._dice)
        order_id = self._ids()
        self._own[side][tick] = _Own(order_id, side, lots)
        return NewOrder(
            order_id=order_id,
            owner=MAKER,
            side=side,
            tick=tick,
            lots=lots,
            kind=Kind.LIMIT_MAKER,
        )
