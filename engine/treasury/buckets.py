"""The four buckets of an asset: every unit of it is in exactly one of them.

The waterfall. First come **reserved liabilities**: obligations due within `reserve_days`, in order
of date, each taken from units that are cash by its day. Of those the latest come first (they are of
least use to anyone else), and what the market maker works with comes last of all. Then the
**operational float**: at each venue what the market maker has there, as far as it is free and cash
within `float_days`. Then **discretionary inventory**, up to its amount, from what is cash within
`discretionary_days`, soonest first. All else is **speculative surplus**.

An asset without a `[[buckets]]` row is surplus but for what is owed of it, and releases nothing.
"""

from collections.abc import Iterable

import msgspec

from engine.treasury.dates import NS_PER_DAY, begin_ns
from engine.treasury.facts import Facts
from engine.treasury.locks import Piece, pieces_of
from engine.treasury.obligations import by_day, due_within
from engine.treasury.params import BucketParams
from engine.values.treasury_words import Bucket
from engine.values.units import Atoms, Ns, scaled


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one piece in one bucket."""

    bucket: Bucket
    piece: Piece
    atoms: Atoms


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """All of one asset in its buckets. `short_atoms` are reserved and not there in time."""

    asset: str
    parts: tuple[Part, ...]
    short_atoms: Atoms

    def atoms(self, bucket: Bucket) -> Atoms:
        return sum(part.atoms for part in self.parts if part.bucket is bucket)

    def at(self, bucket: Bucket, place: str) -> Atoms:
        return sum(
            part.atoms for part in self.parts if part.bucket is bucket and part.piece.place == place
        )


class _Share:
    """What is left of a piece while it is given away. `is_working` units are the market maker's."""

    def __init__(self, piece: Piece, atoms: Atoms, *, is_working: bool) -> None:
        self.piece = piece
        self.left = atoms
        self.is_working = is_working


class _Pour:
    def __init__(self, shares: list[_Share]) -> None:
        self._shares = shares
        self.parts: list[Part] = []

    def fill(self, bucket: Bucket, wanted: Atoms, shares: Iterable[_Share]) -> Atoms:
        """Give up to `wanted` to a bucket, in the order of the shares; what is still wanted."""
        for share in shares:
            atoms = min(wanted, share.left)
            if atoms > 0:
                share.left -= atoms
                wanted -= atoms
                self.parts.append(Part(bucket=bucket, piece=share.piece, atoms=atoms))
        return wanted

    def by(self, ready_ns: Ns, *, is_working: bool | None = None) -> list[_Share]:
        """Shares that are cash by then, soonest first."""
        found = [
            share
            for share in self._shares
            if share.piece.ready_ns <= ready_ns and is_working in (None, share.is_working)
        ]
        return sorted(found, key=lambda share: share.piece.ready_ns)


def split(facts: Facts, asset: str) -> Split:
    """The buckets of an asset, by the waterfall above."""
    key = "split", asset
    if key not in facts.memo:
        facts.memo[key] = _split(facts, asset)
    found: Split = facts.memo[key]
    return found


def working_atoms(facts: Facts, asset: str) -> Atoms:
    """What the market maker has of it, wherever that is and whatever bucket it lies in."""
    shares = (share for piece in pieces_of(facts, asset) for share in _shares(facts, piece))
    return sum(share.left for share in shares if share.is_working)


def _split(facts: Facts, asset: str) -> Split:
    row = facts.scheme.buckets.get(asset)
    pieces = pieces_of(facts, asset)
    pour = _Pour([share for piece in pieces for share in _shares(facts, piece)])
    short = _reserve(pour, facts, asset, row)
    ever_ns = max((piece.ready_ns for piece in pieces), default=0)
    if row is not None:
        pour.fill(
            Bucket.FLOAT,
            sum(piece.atoms for piece in pieces),
            pour.by(facts.at_ns + row.float_days * NS_PER_DAY, is_working=True),
        )
        wanted = scaled(row.discretionary, facts.scheme.asset(asset).exponent)
        horizon_ns = facts.at_ns + row.discretionary_days * NS_PER_DAY
        pour.fill(Bucket.DISCRETIONARY, wanted, pour.by(horizon_ns))
    pour.fill(Bucket.SURPLUS, sum(piece.atoms for piece in pieces), pour.by(ever_ns))
    found = Split(asset=asset, parts=tuple(pour.parts), short_atoms=short)
    check(found, pieces)
    return found


def check(found: Split, pieces: list[Piece]) -> None:
    """Assert that every unit of every piece is in exactly one bucket."""
    given: dict[Piece, Atoms] = {}
    for part in found.parts:
        assert part.atoms > 0, "a part of nothing"
        given[part.piece] = given.get(part.piece, 0) + part.atoms
    wanted: dict[Piece, Atoms] = {}
    for piece in pieces:
        wanted[piece] = wanted.get(piece, 0) + piece.atoms
    assert given == {piece: atoms for piece, atoms in wanted.items() if atoms}, "units are lost"


def _reserve(pour: _Pour, facts: Facts, asset: str, row: BucketParams | None) -> Atoms:
    """Fill the reserve in order of date; what is short altogether."""
    short = 0
    days = row.reserve_days if row is not None else 0
    for day, atoms in by_day(due_within(facts, days), asset).items():
        due_ns = max(facts.at_ns, begin_ns(day))
        idle = pour.by(due_ns, is_working=False)[::-1]
        working = pour.by(due_ns, is_working=True)
        short += pour.fill(Bucket.RESERVED, atoms, [*idle, *working])
    return short


def _shares(facts: Facts, piece: Piece) -> list[_Share]:
    """A piece at a venue is what the market maker has there, and the rest."""
    working = 0
    if piece.is_free and piece.asset in facts.scheme.buckets:
        working = min(piece.atoms, facts.working.get((piece.place, piece.asset), 0))
    return [
        _Share(piece, piece.atoms - working, is_working=False),
        _Share(piece, working, is_working=True),
    ]
