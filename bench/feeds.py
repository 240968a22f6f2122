"""A made-up busy market as rows of L2 and trades, for the back-test's benchmark and its tests."""

from random import Random

import numpy as np
import numpy.typing as npt

DEPTH, TRADE = 0, 1
BUY, SELL = 0, 1
COLUMNS = 6
"""Kind, ns at this host, side (of the level, or of the aggressor), tick, lots, end of message."""
START_NS = 1_700_000_000_000_000_000
NS_PER_S = 1_000_000_000
LEVELS = 40
Rows = npt.NDArray[np.int64]


class Market:
    """Levels a tick apart around a mid that walks when a best level is used up."""

    def __init__(self, seed: int, mid: int) -> None:
        self.dice = Random(seed)
        self.sides = (
            {mid - 1 - n: self.size() for n in range(LEVELS)},
            {mid + 1 + n: self.size() for n in range(LEVELS)},
        )
        self.best = [mid - 1, mid + 1]

    def size(self) -> int:
        return 20 + int(self.dice.expovariate(1 / 200))

    def opening(self) -> list[tuple[int, int, int, int]]:
        return [(DEPTH, side, t, n) for side in (BUY, SELL) for t, n in self.sides[side].items()]

    def message(self) -> list[tuple[int, int, int, int]]:
        """What happens next: (kind, side, tick, lots) of each row, one message of the venue."""
        chance = self.dice.random()
        if chance < 0.12:
            return self._trade()
        side = self.dice.randrange(2)
        if chance < 0.5 and self.best[SELL] - self.best[BUY] > 1:
            return [self._set(side, self.best[side] + (1 - 2 * side), self.size())]
        away = min(int(self.dice.expovariate(1 / 8)), LEVELS - 1)
        tick = self.best[side] - (1 - 2 * side) * away
        lots = self.sides[side].get(tick, 0)
        if away and self.dice.random() < 0.15:
            return [self._set(side, tick, 0)]
        change = int(self.dice.gauss(0, 40))
        return [self._set(side, tick, max(1, lots + change))]

    def _set(self, side: int, tick: int, lots: int) -> tuple[int, int, int, int]:
        book = self.sides[side]
        sign = 1 - 2 * side
        if lots:
            book[tick] = lots
            if sign * tick > sign * self.best[side]:
                self.best[side] = tick
        else:
            book.pop(tick, None)
            while self.best[side] not in book:
                self.best[side] -= sign
        return DEPTH, side, tick, lots

    def _trade(self) -> list[tuple[int, int, int, int]]:
        """Somebody takes from the best level, which then shows less."""
        taker = self.dice.randrange(2)
        side = 1 - taker
        tick = self.best[side]
        shown = self.sides[side][tick]
        lots = min(shown, 1 + int(self.dice.expovariate(1 / 15)))
        rows = [(TRADE, taker, tick, lots), self._set(side, tick, shown - lots)]
        far = self.best[side] - (1 - 2 * side) * (LEVELS - 1)
        if lots == shown and far not in self.sides[side]:
            rows.append(self._set(side, far, self.size()))
        return rows


def busy_hour(count: int, seed: int = 1, mid: int = 6_000_000, hours: float = 1.0) -> Rows:
    """At least `count` rows, spread over the time at random, the opening book first."""
    market, dice = Market(seed, mid), Random(seed + 1)
    rate = count / (hours * 3_600 * NS_PER_S)
    rows: list[tuple[int, ...]] = []
    at_ns = START_NS
    opening = market.opening()
    rows += [(*_row(each, at_ns), each is opening[-1]) for each in opening]
    while len(rows) < count:
        told = market.message()
        at_ns += 1 + int(dice.expovariate(rate / len(told)))
        # A trade is a message of its own; the levels behind it are another.
        trades = [each for each in told if each[0] == TRADE]
        levels = [each for each in told if each[0] == DEPTH]
        for part in (trades, levels):
            rows += [(*_row(each, at_ns), each is part[-1]) for each in part]
    return np.array(rows, dtype=np.int64)


def _row(each: tuple[int, int, int, int], at_ns: int) -> tuple[int, int, int, int, int]:
    kind, side, tick, lots = each
    return kind, at_ns, side, tick, lots
