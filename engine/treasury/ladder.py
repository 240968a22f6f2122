"""The liquidity ladder: so much money is missing by a deadline; which rungs, how much of each.

The rungs are climbed in the order that people agreed on beforehand. A rung is used wholly before
the next is touched, and of the last one no more than is needed: the fewest units that cover what
is still missing, and of several ways to do that the one that brings most. Sources of one rung may
be all or nothing (a stake), have a smallest block (a desk that buys over the counter), or share
units and books with each other and with earlier rungs. The answer is exact: a test compares it with
every possible plan of a thousand small ladders.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, combinations

import msgspec

from engine.values.units import Atoms, Ns

BLOCKS_MAX = 10
"""Sources of one rung that are not divisible at will: every set of them is tried."""


class Bid(msgspec.Struct, frozen=True, kw_only=True):
    """One level of a book. `net` is the money that an atom brings, `gross` before fee and haircut.

    Levels come in order, the dearest first.
    """

    atoms: Atoms
    net: Fraction
    gross: Fraction


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one asset that one rung may give up: `row` of the file, `of` which place or lock.

    least: 0 where any part will do, else the smallest part, or all of them.
    stock: the heap that they come from, which other sources may draw on too.
    market: the book that they are sold into, no deeper than a gross price of `worst`; "" where
    each brings `fixed`.
    beside: money that comes with each atom, sold or not: the other side of a pool.
    mid: what an atom is worth before anything is done, for the slippage.
    """

    name: str
    row: str
    of: str
    rung: int
    asset: str
    atoms: Atoms
    least: Atoms
    stock: str
    ready_ns: Ns
    market: str
    worst: Fraction
    fixed: Fraction
    beside: Fraction
    mid: Fraction


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to climb: sources, the books by market, and the heaps by name."""

    sources: tuple[Source, ...]
    books: Mapping[str, Sequence[Bid]]
    stocks: Mapping[str, Atoms]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What one source gives up. `money` is after fees and haircut, `gross` before them.

    `sold` may be less than `atoms`: what an all-or-nothing source gives back beyond what the book
    takes stays ours.
    """

    source: Source
    atoms: Atoms
    sold: Atoms
    money: Fraction
    gross: Fraction


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The plan, in order. `gap` is what is still missing: more than 0 says that it cannot be done.

    `late` are sources that are not cash by the deadline. `possible_ns` is the first moment at which
    the same ladder would cover it all, None where it never does.
    """

    shortfall: Atoms
    deadline_ns: Ns
    taken: tuple[Taken, ...]
    raised: Atoms
    gap: Atoms
    late: tuple[Source, ...]
    possible_ns: Ns | None


def solve(ladder: Ladder, shortfall: Atoms, deadline_ns: Ns) -> Plan:
    """The plan for a shortfall in atoms of money. Raises ValueError for a rung of too many blocks.

    Cost: the subsets of a rung's blocks times the levels that are walked.
    """
    taken, raised = _climb(ladder, shortfall, deadline_ns)
    late = tuple(source for source in ladder.sources if source.ready_ns > deadline_ns)
    gap = max(0, shortfall - raised)
    return Plan(
        shortfall=shortfall,
        deadline_ns=deadline_ns,
        taken=tuple(taken),
        raised=raised,
        gap=gap,
        late=late,
        possible_ns=_possible(ladder, shortfall, late) if gap else deadline_ns,
    )


def _possible(ladder: Ladder, shortfall: Atoms, late: Iterable[Source]) -> Ns | None:
    for moment_ns in sorted({source.ready_ns for source in late}):
        if _climb(ladder, shortfall, moment_ns)[1] >= shortfall:
            return moment_ns
    return None


def _climb(ladder: Ladder, shortfall: Atoms, deadline_ns: Ns) -> tuple[list[Taken], Atoms]:
    rungs: dict[int, list[Source]] = {}
    for source in ladder.sources:
        if source.ready_ns <= deadline_ns:
            rungs.setdefault(source.rung, []).append(source)
    trial, taken, raised = Trial(ladder), list[Taken](), 0
    for rung in sorted(rungs):
        if raised >= shortfall:
            break
        enough = cheapest(rungs[rung], trial, shortfall - raised)
        trial = enough or fullest(rungs[rung], trial)
        taken += trial.takings()
        raised += int(trial.money)
    return taken, raised


# --- one rung -----------------------------------------------------------------------------------


class Trial:
    """What one way to use a rung leaves of the books and heaps, and what it brings."""

    def __init__(self, ladder: Ladder, before: "Trial | None" = None) -> None:
        self.ladder = ladder
        self.money = Fraction(0)
        self.given: dict[str, Atoms] = {}
        self._moneys: dict[str, list[Fraction]] = {}
        self._sold: dict[str, Atoms] = {}
        self._sources: dict[str, Source] = {}
        if before is None:
            self._walked = dict.fromkeys(ladder.books, 0)
            self._stocks = dict(ladder.stocks)
            self._depths = {
                market: list(accumulate(bid.atoms for bid in bids))
                for market, bids in ladder.books.items()
            }
        else:
            self._walked, self._stocks = dict(before._walked), dict(before._stocks)
            self._depths = before._depths

    @property
    def atoms(self) -> Atoms:
        return sum(self.given.values())

    def takings(self) -> list[Taken]:
        return [
            Taken(
                source=self._sources[name],
                atoms=atoms,
                sold=self._sold[name],
                money=self._moneys[name][0],
                gross=self._moneys[name][1],
            )
            for name, atoms in self.given.items()
            if atoms
        ]

    def room(self, source: Source) -> Atoms:
        """How much more a source may give: its own, and what its heap still has."""
        own = source.atoms - self.given.get(source.name, 0)
        return min(own, self._stocks[source.stock])

    def block(self, source: Source) -> bool:
        """Take the least of an indivisible source, sold as far as its book goes."""
        if self.room(source) < source.least:
            return False
        left = source.least
        while left and (offer := self.offer(source)) is not None:
            part = min(left, offer[0])
            self._take(source, part, offer)
            left -= part
        if left:
            self._give(source, left)
        return True

    def extend(self, sources: Sequence[Source], need: Atoms | None) -> None:
        """Take from whichever brings most for its next unit, until it is enough, or all is used."""
        while need is None or self.money < need:
            offers = [(source, self.offer(source)) for source in sources if self.room(source)]
            known = [(source, offer) for source, offer in offers if offer is not None]
            if not known:
                return
            source, offer = max(known, key=lambda one: one[1][1])
            part = min(self.room(source), offer[0])
            if need is not None:
                part = min(part, -int((self.money - need) // offer[1]))
            self._take(source, part, offer)

    def offer(self, source: Source) -> tuple[Atoms, Fraction, Fraction] | None:
        """(up to so many atoms, net, gross) of a source's next unit; None where it brings none."""
        found = self._level(source) if source.market else (source.atoms, source.fixed, source.fixed)
        if found is None:
            found = (source.atoms, Fraction(0), Fraction(0))
        atoms, net, gross = found
        net, gross = net + source.beside, gross + source.beside
        return (atoms, net, gross) if net > 0 else None

    def _level(self, source: Source) -> tuple[Atoms, Fraction, Fraction] | None:
        depths, walked = self._depths[source.market], self._walked[source.market]
        index = bisect_right(depths, walked)
        if index == len(depths):
            return None
        bid = self.ladder.books[source.market][index]
        return (depths[index] - walked, bid.net, bid.gross) if bid.gross >= source.worst else None

    def _take(self, source: Source, atoms: Atoms, offer: tuple[Atoms, Fraction, Fraction]) -> None:
        if source.market and self._level(source) is not None:
            self._walked[source.market] += atoms
            self._sold[source.name] = self._sold.get(source.name, 0) + atoms
        elif not source.market:
            self._sold[source.name] = self._sold.get(source.name, 0) + atoms
        self.money += offer[1] * atoms
        self._give(source, atoms)
        moneys = self._moneys[source.name]
        moneys[0] += offer[1] * atoms
        moneys[1] += offer[2] * atoms

    def _give(self, source: Source, atoms: Atoms) -> None:
        self._sources[source.name] = source
        self._moneys.setdefault(source.name, [Fraction(0), Fraction(0)])
        self._sold.setdefault(source.name, 0)
        self.given[source.name] = self.given.get(source.name, 0) + atoms
        self._stocks[source.stock] -= atoms


def cheapest(sources: Sequence[Source], before: Trial, need: Atoms) -> Trial | None:
    """The fewest units of this rung that bring what is needed; None where all do not."""
    trials = [one for one in _trials(sources, before, need) if one.money >= need]
    return min(trials, key=lambda one: (one.atoms, -one.money), default=None)


def fullest(sources: Sequence[Source], before: Trial) -> Trial:
    """The most money that this rung brings, with the fewest units that do."""
    return min(_trials(sources, before, None), key=lambda one: (-one.money, one.atoms))


def _trials(sources: Sequence[Source], before: Trial, need: Atoms | None) -> Iterator[Trial]:
    blocks = [source for source in sources if source.least]
    loose = [source for source in sources if not source.least]
    if len(blocks) > BLOCKS_MAX:
        raise ValueError(f"a rung has {len(blocks)} indivisible sources; at most {BLOCKS_MAX}")
    for count in range(len(blocks) + 1):
        for chosen in combinations(blocks, count):
            trial = Trial(before.ladder, before)
            if all(trial.block(source) for source in chosen):
                trial.extend([*loose, *chosen], need)
                yield trial
