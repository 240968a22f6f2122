"""A back-test's own fills beside the real ones, by the public trade that each of them was.

A back-test decides anew, so that its orders soon are others than those of the session.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from engine.sim.parity import CROSSED_ID, is_reached
from engine.sim.parity_live import Key
from engine.sim.trail import Quoted, Trail
from engine.values.events import Fill, Trade
from engine.values.units import Lot, Ns, Side


class Stance(StrEnum):
    """How a back-test met a trade that filled one of the two."""

    SAME = "the same"
    ELSEWHERE = "no order there"
    QUEUED = "an order there, behind others"
    MORE = "filled for more"


def lots_by_trade(fills: Iterable[Fill], trades: Iterable[Trade], feed_ns: Ns) -> Counter[Key]:
    """Lots filled by each public trade; what the book itself crossed is keyed by `CROSSED_ID`.

    A back-test stamps a fill with the moment of its trade at the venue, `feed_ns` before the
    recording heard of it.
    """
    at: dict[tuple[str, Ns], list[Trade]] = {}
    for trade in trades:
        at.setdefault((trade.market, trade.at_ns - feed_ns), []).append(trade)
    found: Counter[Key] = Counter()
    for fill in fills:
        left = fill.lots
        for trade in at.get((fill.market, fill.at_ns), ()):
            key = trade.market, trade.trade_id
            if is_reached(fill.side, fill.tick, trade) and fill.is_maker:
                lots = min(left, trade.lots - found[key])
                found[key] += lots
                left -= lots
        if left:
            found[fill.market, CROSSED_ID] += left
    return found


def stance_of(trade: Trade, trail: Trail, lots: tuple[Lot, Lot], feed_ns: Ns) -> Stance:
    """`lots` are those of reality and of the back-test, of this trade."""
    real, mine = lots
    if real == mine:
        return Stance.SAME
    if mine > real:
        return Stance.MORE
    return Stance.QUEUED if _stood(trail, trade, trade.at_ns - feed_ns) else Stance.ELSEWHERE


def _stood(trail: Trail, trade: Trade, at_ns: Ns) -> bool:
    """Just before the trade: what came of it is stamped with its very moment."""
    place = bisect_left(trail.quoted, at_ns, key=lambda quoted: quoted.at_ns) - 1
    if place < 0:
        return False
    side = trade.aggressor.opposite
    return any(is_reached(side, tick, trade) for tick, _ in _levels(trail.quoted[place], side))


def _levels(quoted: Quoted, side: Side) -> list[tuple[int, int]]:
    return quoted.bids if side is Side.BUY else quoted.asks
