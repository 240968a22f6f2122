"""Positions on a chain as locks: what is staked, pooled or on its way back is not cash."""

import hashlib
from collections.abc import Sequence

import msgspec

from engine.values.chain_words import Position, PositionKind
from engine.values.treasury_words import Lock, LockKind, LockSet
from engine.values.units import Ns

KINDS = {
    PositionKind.STAKED: LockKind.STAKED,
    PositionKind.POOL: LockKind.POOL,
    PositionKind.UNWINDING: LockKind.WITHDRAWAL,
}


def locks_of(positions: Sequence[Position], place: str) -> list[Lock]:
    """One lock for each coin of each position; a pool's are named "pool/ASSET"."""
    return [
        Lock(
            name=position.name if len(position.coins) == 1 else f"{position.name}/{coins.asset}",
            kind=KINDS[position.kind],
            place=place,
            asset=coins.asset,
            atoms=coins.atoms,
            unwind_ns=position.notice_ns,
            until_ns=position.back_ns,
        )
        for position in positions
        for coins in position.coins
    ]


def lock_set(
    positions: Sequence[Position], place: str, by_hand: Sequence[Lock], at_ns: Ns
) -> LockSet:
    """What the chain told together with what people wrote. A row of both is the chain's."""
    told = locks_of(positions, place)
    names = {lock.name for lock in told}
    rows = [*(lock for lock in by_hand if lock.name not in names), *told]
    digest = hashlib.sha256(msgspec.json.encode(rows)).hexdigest()
    return LockSet(at_ns=at_ns, who="chain", name=f"positions of {place}", digest=digest, rows=rows)
