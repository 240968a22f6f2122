"""All lots of all assets: the same in whatever order facts arrive, worked out again for a late one.

What lots are depends on the order of moves, so they have one of their own: the moment at which each
took effect at the venue, then its trade id, then its key. A move that arrives late is put where it
belongs and everything after it is worked out again; what that changed is told as a `Restated`.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable

import msgspec

from engine.treasury.chart import Move
from engine.treasury.lots import Choices, Disposal, Lot, LotMethod, Shelf
from engine.values.units import Atoms, Ns

MARK_EVERY = 256
"""So many moves stand between two states that are kept: a late fill costs no more than it must."""


class Restated(msgspec.Struct, frozen=True, kw_only=True):
    """A late fact changed what an earlier disposal realised (None: not known)."""

    key: str
    asset: str
    before_atoms: Atoms | None
    after_atoms: Atoms | None


class LotBook:
    """Moves in their order, the lots that are left, and what each disposal realised.

    Memory grows with the moves; `close` folds all of a finished year into its lots.
    """

    def __init__(self, method: LotMethod) -> None:
        self.method = method
        self.closed_ns: Ns = 0
        self._assets: dict[str, _Asset] = {}
        self._choices: dict[tuple[str, str], tuple[tuple[str, Atoms], ...]] = {}

    # --- facts ----------------------------------------------------------------------------------

    def take(self, moves: Iterable[Move]) -> list[Restated]:
        """Moves of one entry. Those from before a closed year count as of its end."""
        found: list[Restated] = []
        for move in moves:
            if move.when_ns < self.closed_ns and move.is_dated:
                move = msgspec.structs.replace(move, when_ns=self.closed_ns)
            found += self._asset(move.asset).add(move, self._choices)
        return found

    def drop(self, moves: Iterable[Move]) -> list[Restated]:
        """Moves of an entry that was reversed."""
        found: list[Restated] = []
        for move in moves:
            found += self._asset(move.asset).drop(move, self._choices)
        return found

    def choose(self, key: str, asset: str, lots: tuple[tuple[str, Atoms], ...]) -> list[Restated]:
        """A person names the lots of a disposal, before or after it is told."""
        self._choices[key, asset] = lots
        return self._asset(asset).again(key, self._choices)

    def close(self, before_ns: Ns) -> list[Disposal]:
        """End a period: returns its disposals, final from now on, and forgets its moves."""
        done: list[Disposal] = []
        for asset in self._assets.values():
            done += asset.close(before_ns, self._choices)
        self.closed_ns = max(self.closed_ns, before_ns)
        return done

    def _asset(self, asset: str) -> "_Asset":
        if asset not in self._assets:
            self._assets[asset] = _Asset(Shelf(self.method, [], []))
        return self._assets[asset]

    # --- what there is --------------------------------------------------------------------------

    def lots(self, asset: str) -> list[Lot]:
        """In the order in which they will go."""
        return list(self._assets[asset].shelf.lots) if asset in self._assets else []

    def atoms(self, asset: str) -> Atoms:
        return self._assets[asset].shelf.atoms if asset in self._assets else 0

    @property
    def assets(self) -> list[str]:
        return sorted(self._assets)

    def disposals(self) -> list[Disposal]:
        """Of all assets in the order of their moments; what is not covered stands last."""
        assets = [self._assets[name] for name in self.assets]
        rows = [row for asset in assets for row in asset.disposals]
        rows.sort(key=lambda row: (row.when_ns, row.key))
        return rows + [row for asset in assets for row in asset.shelf.uncovered()]

    def check(self) -> None:
        for asset in self._assets.values():
            asset.check()


class _Asset:
    """One asset: its moves in order, and where the lots stood at every `MARK_EVERY`th of them."""

    def __init__(self, start: Shelf) -> None:
        self.shelf = start.copy()
        self.disposals: list[Disposal] = []
        self._moves: list[Move] = []
        self._marks: list[tuple[int, int, Shelf]] = [(0, 0, start)]

    def add(self, move: Move, choices: Choices) -> list[Restated]:
        if not self._moves or move.order > self._moves[-1].order:
            self._moves.append(move)
            self._apply(move, choices)
            return []
        insort(self._moves, move, key=_order)
        return self._from(bisect_left(self._moves, move.order, key=_order), choices)

    def drop(self, move: Move, choices: Choices) -> list[Restated]:
        index = bisect_left(self._moves, move.order, key=_order)
        assert self._moves[index].order == move.order, f"{move.key} was never booked"
        del self._moves[index]
        return self._from(index, choices)

    def again(self, key: str, choices: Choices) -> list[Restated]:
        index = next((i for i, move in enumerate(self._moves) if move.key == key), -1)
        return [] if index < 0 else self._from(index, choices)

    def close(self, before_ns: Ns, choices: Choices) -> list[Disposal]:
        count = bisect_left(self._moves, (before_ns, -1, "", 0), key=_order)
        shelf, done = self._marks[0][2].copy(), []
        for move in self._moves[:count]:
            done += shelf.apply(move, choices)
        later, self._moves = self._moves[count:], []
        self.shelf, self.disposals, self._marks = shelf.copy(), [], [(0, 0, shelf)]
        for move in later:
            self._moves.append(move)
            self._apply(move, choices)
        return done

    def _apply(self, move: Move, choices: Choices) -> None:
        self.disposals += self.shelf.apply(move, choices)
        if len(self._moves) - self._marks[-1][0] >= MARK_EVERY:
            self._marks.append((len(self._moves), len(self.disposals), self.shelf.copy()))

    def _from(self, index: int, choices: Choices) -> list[Restated]:
        """Work out again everything from the move at `index` on."""
        while self._marks[-1][0] > index:
            self._marks.pop()
        start, known, shelf = self._marks[-1]
        before = self.disposals[known:]
        later, self._moves = self._moves[start:], self._moves[:start]
        self.disposals, self.shelf = self.disposals[:known], shelf.copy()
        for move in later:
            self._moves.append(move)
            self._apply(move, choices)
        return _restated(before, self.disposals[known:])

    def check(self) -> None:
        orders = [move.order for move in self._moves]
        assert orders == sorted(set(orders)), "moves are out of order, or one stands twice"
        self.shelf.check()
        start = self._marks[0][2].atoms
        assert self.shelf.atoms == start + sum(move.atoms for move in self._moves)


def _restated(before: list[Disposal], after: list[Disposal]) -> list[Restated]:
    was, now = _gains(before), _gains(after)
    return [
        Restated(key=key, asset=asset, before_atoms=was[key, asset], after_atoms=now[key, asset])
        for key, asset in sorted(was.keys() & now.keys())
        if was[key, asset] != now[key, asset]
    ]


def _gains(rows: list[Disposal]) -> dict[tuple[str, str], Atoms | None]:
    sums: dict[tuple[str, str], Atoms | None] = {}
    for row in rows:
        known, gain = sums.get((row.key, row.asset), 0), row.gain_atoms
        sums[row.key, row.asset] = None if known is None or gain is None else known + gain
    return sums


def _order(move: Move) -> tuple[Ns, int, str, int]:
    return move.order
