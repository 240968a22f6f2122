"""Public facts of some markets as columns of integers: a row is one level, one trade, or one fact.

The last row of a fact is marked, so that a message of many levels stays one fact.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from engine.values.events import BookDelta, Event, TopOfBook, Trade
from engine.values.units import BUY, SELL, Levels, Ns

LEVEL, TRADE, TOP, OTHER = range(4)
"""Kinds of a row. TOP and OTHER keep their whole fact beside the columns."""
KIND, IS_SELL, IS_LAST, LANE_SHIFT = 3, 4, 8, 4
"""How `flags` hold kind, side (of a level's book half or of an aggressor), end and market."""
NEVER_NS = 2**63 - 1
Column: TypeAlias = "array[int] | memoryview"


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Equally long columns of 64-bit integers, in order of `at_ns`, which is this host's moment.

    `number` is a book's sequence or a trade's id; `venue_ns` is 0 where the venue stamped nothing.
    """

    flags: Column
    at_ns: Column
    venue_ns: Column
    number: Column
    tick: Column
    lots: Column


class Block:
    """Some rows on one clock. `markets` are those that the lanes in `flags` mean.

    `facts` holds the facts that are kept whole, by their first row. `turns` is the kernel's: which
    number each fact has among all that is under way, 0 for one that it does not hold.
    """

    def __init__(self, columns: Columns, markets: list[str], facts: Mapping[int, Event]) -> None:
        self.columns = columns
        self.markets = markets
        self.facts = facts
        self.turns = array("q", bytes(8 * len(self)))

    def __len__(self) -> int:
        return len(self.columns.flags)

    def __repr__(self) -> str:
        return f"<block of {len(self)} rows of {', '.join(self.markets)}>"

    def fact(self, row: int) -> Event:
        """The fact whose first row this is."""
        kept = self.facts.get(row)
        if kept is not None:
            return kept
        told, flags = self.columns, self.columns.flags[row]
        assert flags & KIND in (LEVEL, TRADE), f"row {row} says of no fact"
        market = self.markets[flags >> LANE_SHIFT]
        if flags & KIND == LEVEL:
            return self._delta(market, row)
        return Trade(
            market=market,
            at_ns=told.at_ns[row],
            venue_ns=told.venue_ns[row],
            trade_id=told.number[row],
            tick=told.tick[row],
            lots=told.lots[row],
            aggressor=SELL if flags & IS_SELL else BUY,
        )

    def _delta(self, market: str, first: int) -> BookDelta:
        told, row = self.columns, first
        sides: tuple[Levels, Levels] = ([], [])
        while True:
            flags = told.flags[row]
            sides[bool(flags & IS_SELL)].append((told.tick[row], told.lots[row]))
            if flags & IS_LAST:
                break
            row += 1
        return BookDelta(
            market=market,
            at_ns=told.at_ns[first],
            venue_ns=told.venue_ns[first],
            sequence=told.number[row],
            bids=sides[0],
            asks=sides[1],
        )


class _Packer:
    """Fills columns fact by fact."""

    def __init__(self, markets: list[str]) -> None:
        self.markets = markets
        self.lanes = {market: lane << LANE_SHIFT for lane, market in enumerate(markets)}
        self.moment_ns: Ns = 0
        self.begin()

    def begin(self) -> None:
        self.rows: tuple[list[int], ...] = ([], [], [], [], [], [])
        self.facts: dict[int, Event] = {}

    def take(self, fact: Event) -> None:
        """A fact that would not be the same again from columns is kept whole."""
        flags, at_ns, venue_ns, number, tick, lots = self.rows
        self.facts[len(flags)] = fact
        is_in_turn = fact.at_ns >= self.moment_ns
        self.moment_ns = max(fact.at_ns, self.moment_ns)
        lane = self.lanes.get(getattr(fact, "market", ""))
        if lane is None or not is_in_turn:
            self._one(OTHER, (0, 0, 0, 0))
        elif type(fact) is TopOfBook:
            self._one(lane | TOP, (0, 0, 0, 0))
        elif type(fact) is Trade:
            side = IS_SELL if fact.aggressor is SELL else 0
            row = (fact.venue_ns, fact.trade_id, fact.tick, fact.lots)
            self._one(lane | TRADE | side, row)
        elif type(fact) is BookDelta and (fact.bids or fact.asks):
            count = len(fact.bids) + len(fact.asks)
            flags += [lane | LEVEL] * len(fact.bids)
            flags += [lane | LEVEL | IS_SELL] * len(fact.asks)
            flags[-1] |= IS_LAST
            at_ns += [fact.at_ns] * count
            venue_ns += [fact.venue_ns] * count
            number += [fact.sequence] * count
            tick += [level[0] for side in (fact.bids, fact.asks) for level in side]
            lots += [level[1] for side in (fact.bids, fact.asks) for level in side]
        else:
            self._one(OTHER, (0, 0, 0, 0))

    def _one(self, flags: int, row: tuple[int, int, int, int]) -> None:
        values = (flags | IS_LAST, self.moment_ns, *row)
        for column, value in zip(self.rows, values, strict=True):
            column.append(value)

    def block(self) -> Block:
        names = Columns.__struct_fields__
        columns = {name: array("q", rows) for name, rows in zip(names, self.rows, strict=True)}
        return Block(Columns(**columns), self.markets, self.facts)


def blocks_of(facts: Iterable[Event], markets: list[str], rows_min: int) -> Iterator[Block]:
    """Pack facts in order into blocks of at least so many rows; the last may be shorter."""
    packer = _Packer(markets)
    for fact in facts:
        packer.take(fact)
        if len(packer.rows[0]) >= rows_min:
            yield packer.block()
            packer.begin()
    if packer.rows[0]:
        yield packer.block()
