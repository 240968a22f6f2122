"""A synthetic market: seeded noise, informed and reflexive takers around a background maker."""

import math
from collections.abc import Callable, Sequence
from random import Random

from engine.sim.market_maker import BackgroundMaker, drawn
from engine.sim.market_presets import Preset, TakerPreset, Value
from engine.sim.matching.book import MatchingBook
from engine.sim.matching.flow import Act
from engine.sim.matching.terms import NewOrder, SelfTrade, TimeInForce
from engine.values.units import NS_PER_S, Ns, Side

NOISE, LARGE, INFORMED, REFLEXIVE = "~noise", "~large", "~informed", "~reflexive"
GAP_NS_MIN = NS_PER_S // 1000
TREND_HALF_LIFE_S = 20.0


class SyntheticMarket:
    """Fulfils `Flow`. All chance comes from the seed and all time from the calls.

    The flow is the same for the same seed, the same moments and the same book, in any process.
    A `step` that comes late acts once for each trader that is due: it never catches up in a burst.
    """

    def __init__(self, preset: Preset, seed: int, ids: Callable[[], int]) -> None:
        self.preset = preset
        self.value = preset.value.mean_ticks
        self._dice = Random(seed)
        self._ids = ids
        self._maker = BackgroundMaker(preset.maker, self.value, self._dice, ids)
        self._trend_from = self.value
        self._seen_ns: Ns = 0
        self._maker_ns: Ns = 0
        self._due_ns: list[Ns] = []
        self._gaps_s = (
            preset.maker.gap_s,
            preset.noise.gap_s,
            preset.large.gap_s,
            preset.informed.gap_s,
            preset.reflexive.gap_s,
        )
        self._actors: tuple[Callable[[Ns, MatchingBook], Sequence[Act]], ...] = (
            self._make,
            self._noise,
            self._large,
            self._informed,
            self._reflect,
        )

    def __repr__(self) -> str:
        return f"<{self.preset.name} value {self.value:.2f} centre {self._maker.centre:.2f}>"

    def opening(self) -> list[Act]:
        """The first book."""
        return self._maker.open()

    def next_ns(self, now_ns: Ns) -> Ns:
        """The first moment at which a trader is due, later than `now_ns`."""
        self._start(now_ns)
        return max(min(self._due_ns), now_ns + 1)

    def step(self, now_ns: Ns, book: MatchingBook) -> list[Act]:
        """What every trader that is due does now. All of them see the same book."""
        self._start(now_ns)
        self._move(now_ns, book)
        acts: list[Act] = []
        for i, actor in enumerate(self._actors):
            if self._due_ns[i] <= now_ns:
                acts += actor(now_ns, book)
                self._due_ns[i] = now_ns + self._gap_ns(i)
        return acts

    def _start(self, now_ns: Ns) -> None:
        if not self._due_ns:
            self._seen_ns = self._maker_ns = now_ns
            self._due_ns = [now_ns + self._gap_ns(i) for i in range(len(self._gaps_s))]

    def _gap_ns(self, i: int) -> Ns:
        gap_s = self._dice.expovariate(1.0 / self._gaps_s[i])
        return max(GAP_NS_MIN, round(gap_s * NS_PER_S))

    def _move(self, now_ns: Ns, book: MatchingBook) -> None:
        """Let time pass for the value and for what reflexive traders remember of the price."""
        passed_s = (now_ns - self._seen_ns) / NS_PER_S
        self._seen_ns = now_ns
        self.value = walked(self.preset.value, self.value, passed_s, self._dice)
        weight = 1.0 - 0.5 ** (passed_s / TREND_HALF_LIFE_S)
        self._trend_from += weight * (self._price(book) - self._trend_from)

    def _price(self, book: MatchingBook) -> float:
        bid, _, ask, _ = book.top()
        return (bid + ask) / 2 if bid and ask else self._maker.centre

    def _make(self, now_ns: Ns, book: MatchingBook) -> list[Act]:
        passed_s = (now_ns - self._maker_ns) / NS_PER_S
        self._maker_ns = now_ns
        return self._maker.act(self.value, passed_s, book)

    def _noise(self, now_ns: Ns, book: MatchingBook) -> list[Act]:
        return [self._take(NOISE, self._coin(), self.preset.noise)]

    def _large(self, now_ns: Ns, book: MatchingBook) -> list[Act]:
        return [self._take(LARGE, self._coin(), self.preset.large)]

    def _informed(self, now_ns: Ns, book: MatchingBook) -> list[Act]:
        """Trade where the book is off the value; pay no more than the value itself."""
        bid, _, ask, _ = book.top()
        edge = self.preset.informed.edge_ticks
        if ask and ask <= self.value - edge:
            return [self._take(INFORMED, Side.BUY, self.preset.informed)]
        if bid and bid >= self.value + edge:
            return [self._take(INFORMED, Side.SELL, self.preset.informed)]
        return []

    def _reflect(self, now_ns: Ns, book: MatchingBook) -> list[Act]:
        """Run after the price and after the last fills."""
        trend = self._price(book) - self._trend_from + self._maker.push_ticks
        if abs(trend) < self.preset.reflexive.edge_ticks:
            return []
        side = Side.BUY if trend > 0 else Side.SELL
        return [self._take(REFLEXIVE, side, self.preset.reflexive)]

    def _coin(self) -> Side:
        return Side.BUY if self._dice.random() < 0.5 else Side.SELL

    def _take(self, owner: str, side: Side, preset: TakerPreset) -> NewOrder:
        """Immediate or cancel, within reach of the fair price: an empty book is not paid for."""
        fair = self.value if owner == INFORMED else self._maker.centre
        worst = fair + side.sign * preset.reach_ticks
        return NewOrder(
            order_id=self._ids(),
            owner=owner,
            side=side,
            tick=max(1, math.floor(worst) if side is Side.BUY else math.ceil(worst)),
            lots=drawn(preset.sizes, self._dice),
            tif=TimeInForce.IOC,
            self_trade=SelfTrade.EXPIRE_TAKER,
        )


def walked(value: Value, now_ticks: float, passed_s: float, dice: Random) -> float:
    """One exact step of the mean-reverting walk (Ornstein-Uhlenbeck), kept within its bounds."""
    kept = math.exp(-passed_s / value.relax_s)
    scatter = value.deviation_ticks * math.sqrt(1.0 - kept * kept)
    there = value.mean_ticks + (now_ticks - value.mean_ticks) * kept
    there += scatter * dice.gauss(0.0, 1.0)
    return min(max(there, value.low_ticks), value.high_ticks)
