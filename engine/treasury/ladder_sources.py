"""From the facts to the ladder: what each rung may give up, when it is cash, where it is sold.

Everything is taken at its worst: bids after the fee and the haircut, only current books, no price
where none is known. What is reserved for obligations is on no rung.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import assert_never

from engine.treasury.buckets import Part, split
from engine.treasury.dates import NS_PER_H
from engine.treasury.facts import Facts
from engine.treasury.ladder import Bid, Ladder, Source
from engine.treasury.ladder_params import EmergencyParams, How, RungParams
from engine.treasury.locks import Piece, cash_ns, pieces_of
from engine.values.treasury_words import Bucket, Lock, LockKind
from engine.values.units import PPM, Atoms, Ns, Ppm, scaled

NONE = Fraction(0)
SIDE = "/"
"""A pool has a lock for each side, named "pool/ASSET"."""


def ladder_of(facts: Facts, params: EmergencyParams) -> Ladder:
    """Every source of every rung, in the order of the file."""
    sources = tuple(source for row in params.rungs for source in _sources(facts, row))
    stocks = {source.stock: source.atoms for source in sources}
    for asset in {row.asset for row in params.rungs if row.buckets}:
        buckets = {bucket for row in params.rungs if row.asset == asset for bucket in row.buckets}
        free = [part for part in split(facts, asset).parts if part.piece.is_free]
        stocks[_heap(asset)] = sum(part.atoms for part in free if part.bucket in buckets)
    return Ladder(sources=sources, books=_books(facts), stocks=stocks)


def pool_of(lock: Lock) -> str:
    return lock.name.rpartition(SIDE)[0] or lock.name


def _sources(facts: Facts, row: RungParams) -> Iterator[Source]:
    match row.how:
        case How.SPEND | How.SELL:
            yield from _from_places(facts, row)
        case How.OTC:
            yield from _from_desk(facts, row)
        case How.UNSTAKE:
            for lock, spare in spare_locks(facts, row.asset, LockKind.STAKED):
                yield _locked(facts, row, lock, spare, least=spare)
        case How.POOL:
            for lock, spare in spare_locks(facts, row.asset, LockKind.POOL):
                part = min(spare, lock.atoms * row.share_ppm // PPM)
                yield _locked(facts, row, lock, part, least=0)
        case _:
            assert_never(row.how)


# --- free units ---------------------------------------------------------------------------------


def _parts(facts: Facts, row: RungParams) -> list[Part]:
    parts = split(facts, row.asset).parts
    return [part for part in parts if part.bucket in row.buckets and part.piece.is_free]


def _from_places(facts: Facts, row: RungParams) -> Iterator[Source]:
    found: dict[Piece, Atoms] = {}
    for part in _parts(facts, row):
        found[part.piece] = found.get(part.piece, 0) + part.atoms
    is_money = row.asset == facts.scheme.money.name
    for piece, atoms in found.items():
        market = "" if is_money else _market(piece.sells_at, piece.asset)
        more = {
            "ready_ns": piece.ready_ns,
            "market": market,
            "fixed": Fraction(int(is_money)),
            "stock": _heap(row.asset),
        }
        part_atoms = atoms * row.share_ppm // PPM
        yield _source(facts, row, piece.place, part_atoms, more)


def _from_desk(facts: Facts, row: RungParams) -> Iterator[Source]:
    """One block at an agreed discount to the price, of whatever is free by then."""
    price, parts = facts.price(row.asset), _parts(facts, row)
    exponent = facts.scheme.asset(row.asset).exponent
    least, most = scaled(row.least or "0", exponent), scaled(row.most or "0", exponent)
    free = sum(part.atoms for part in parts)
    atoms = min(most, free * row.share_ppm // PPM)
    if price is None or not parts or atoms < max(1, least):
        return
    ready_ns = max(part.piece.ready_ns for part in parts) + (row.cash_h or 0) * NS_PER_H
    unit = Fraction(price.money_atoms * (PPM - (row.discount_ppm or 0)), price.base_atoms * PPM)
    more = {"ready_ns": ready_ns, "fixed": unit, "least": least, "stock": _heap(row.asset)}
    yield _source(facts, row, "", atoms, more)


# --- locks --------------------------------------------------------------------------------------


def spare_locks(facts: Facts, asset: str, kind: LockKind) -> Iterator[tuple[Lock, Atoms]]:
    """Locks of one kind with the units of each that no obligation waits for."""
    spare: dict[Piece, Atoms] = {}
    for part in split(facts, asset).parts:
        if part.bucket is not Bucket.RESERVED:
            spare[part.piece] = spare.get(part.piece, 0) + part.atoms
    for lock, piece in lock_pieces(facts, asset):
        atoms = min(lock.atoms, spare.get(piece, 0))
        if atoms:
            spare[piece] -= atoms
            if lock.kind is kind:
                yield lock, atoms


def money_sides(facts: Facts, lock: Lock) -> list[tuple[Lock, Atoms]]:
    """The other side of a pool, where it is money, with what of it no obligation waits for."""
    money = facts.scheme.money.name
    if lock.kind is not LockKind.POOL or lock.asset == money:
        return []
    sides = spare_locks(facts, money, LockKind.POOL)
    return [(other, spare) for other, spare in sides if pool_of(other) == pool_of(lock)]


def lock_pieces(facts: Facts, asset: str) -> list[tuple[Lock, Piece]]:
    """Each lock of an asset with its piece: `pieces_of` keeps their order."""
    rows = [
        lock for lock in facts.locks if lock.asset == asset and lock.kind is not LockKind.HALTED
    ]
    beside = [piece for piece in pieces_of(facts, asset) if piece.is_beside]
    return list(zip(rows, beside, strict=True))


def _locked(facts: Facts, row: RungParams, lock: Lock, atoms: Atoms, *, least: Atoms) -> Source:
    is_money = row.asset == facts.scheme.money.name
    venue = facts.scheme.places[lock.place].sells_at
    beside = sum(spare for _, spare in money_sides(facts, lock))
    more = {
        "ready_ns": _back_ns(facts, lock),
        "market": "" if is_money else _market(venue, lock.asset),
        "fixed": Fraction(int(is_money)),
        "least": least,
        "beside": Fraction(beside, lock.atoms),
        "stock": f"lock {lock.name}",
    }
    return _source(facts, row, lock.name, atoms, more)


def _back_ns(facts: Facts, lock: Lock) -> Ns:
    """When it is back and may be sold: a halted place gives nothing before its own lock says so."""
    halts = [
        cash_ns(other, facts.at_ns)
        for other in facts.locks
        if other.kind is LockKind.HALTED and other.place == lock.place
    ]
    return max([cash_ns(lock, facts.at_ns), *halts])


# --- books --------------------------------------------------------------------------------------


def _market(venue: str, asset: str) -> str:
    return f"{asset}@{venue}"


def _books(facts: Facts) -> dict[str, list[Bid]]:
    found = {
        _market(venue, asset): list[Bid]()
        for venue in facts.scheme.places
        for asset in facts.scheme.assets
    }
    for venue, asset in sorted(facts.books):
        book = facts.book(venue, asset)
        if book is not None:
            haircut: Ppm = facts.scheme.assets[asset].haircut_ppm
            found[_market(venue, asset)] = [
                Bid(
                    atoms=bid.atoms,
                    net=Fraction(net.money_atoms, net.atoms),
                    gross=Fraction(bid.money_atoms, bid.atoms),
                )
                for bid, net in zip(book.bids, book.net_bids(haircut), strict=True)
            ]
    return found


def _heap(asset: str) -> str:
    return f"free {asset}"


def _source(
    facts: Facts, row: RungParams, of: str, atoms: Atoms, more: Mapping[str, object]
) -> Source:
    """The slippage limit counts from the price of the moment."""
    price = facts.price(row.asset)
    mid = NONE if price is None else Fraction(price.money_atoms, price.base_atoms)
    known: dict[str, object] = {"least": 0, "market": "", "fixed": NONE, "beside": NONE}
    return Source(
        name=f"{row.name}: {of}" if of else row.name,
        row=row.name,
        of=of,
        rung=row.step,
        asset=row.asset,
        atoms=atoms,
        worst=mid * (PPM - row.slippage_ppm_max) / PPM,
        mid=mid,
        **{**known, **more},  # type: ignore[arg-type]
    )
