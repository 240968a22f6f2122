"""Facts that are ticks and lots already, told of another market's name or on a finer grid."""

from fractions import Fraction

import msgspec

from engine.values.errors import UserError
from engine.values.events import (
    BarForming,
    BarsClosed,
    BookDelta,
    BookLost,
    BookSnapshot,
    Event,
    TopOfBook,
    Trade,
)
from engine.values.facts import Bar
from engine.values.instrument import Instrument
from engine.values.units import Levels


class Regrid:
    """From one instrument's name and units to another's. Raises UserError where units are coarser.

    Facts of accounts and orders keep their numbers: only public ones change their units.
    """

    def __init__(self, source: Instrument, target: Instrument) -> None:
        self._market = target.market
        self._is_same = source.market == target.market
        self._ticks = _factor(
            (source.tick, source.price_exponent), (target.tick, target.price_exponent), source
        )
        self._lots = _factor(
            (source.lot, source.size_exponent), (target.lot, target.size_exponent), source
        )

    @property
    def changes_nothing(self) -> bool:
        return self._is_same and self._ticks == self._lots == 1

    def told(self, fact: Event) -> Event:
        if self.changes_nothing:
            return fact
        ticks, lots = self._ticks, self._lots
        changed: dict[str, object] = {"market": self._market}
        match fact:
            case BookSnapshot() | BookDelta():
                changed |= {"bids": self._levels(fact.bids), "asks": self._levels(fact.asks)}
            case TopOfBook():
                changed |= {"bid_tick": fact.bid_tick * ticks, "ask_tick": fact.ask_tick * ticks}
                changed |= {"bid_lots": fact.bid_lots * lots, "ask_lots": fact.ask_lots * lots}
            case Trade():
                changed |= {"tick": fact.tick * ticks, "lots": fact.lots * lots}
            case BarsClosed():
                changed["bars"] = [self._bar(bar) for bar in fact.bars]
            case BarForming():
                changed["bar"] = self._bar(fact.bar)
            case BookLost():
                pass
            case _:
                return fact
        return msgspec.structs.replace(fact, **changed)

    def _levels(self, levels: Levels) -> Levels:
        ticks, lots = self._ticks, self._lots
        return [(tick * ticks, size * lots) for tick, size in levels]

    def _bar(self, bar: Bar) -> Bar:
        by = self._ticks
        return Bar(
            bar.open_ns, bar.open * by, bar.high * by, bar.low * by, bar.close * by,
            bar.lots * self._lots,
        )  # fmt: skip


def _factor(source: tuple[int, int], target: tuple[int, int], market: Instrument) -> int:
    wanted = Fraction(source[0], 10 ** source[1]) / Fraction(target[0], 10 ** target[1])
    if wanted.denominator != 1:
        raise UserError(f"{market.market}: its units are finer than those it is wanted in")
    return wanted.numerator
