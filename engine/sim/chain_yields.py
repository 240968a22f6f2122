"""What platforms and pools of the simulated chain pay for what is in them."""

from collections.abc import Iterator, Mapping

from engine.values.action_words import Coins
from engine.values.chain_words import ChainReward, PositionKind
from engine.values.units import PPM, Atoms, Ns, Ppm

Locked = Mapping[tuple[PositionKind, str, str], Atoms]
"""By kind, platform or pool, and asset."""


def paid(
    locked: Locked, yields: Mapping[str, Ppm], exponents: Mapping[str, int], at_ns: Ns
) -> Iterator[ChainReward]:
    """One payment to the free holdings for each position that yields a whole atom at least."""
    for (kind, name, asset), held in sorted(locked.items()):
        atoms = held * yields.get(name, 0) // PPM
        if atoms:
            yield ChainReward(
                reference=f"{name} {asset} {at_ns}",
                platform=name,
                kind=kind,
                coins=Coins(asset=asset, atoms=atoms, exponent=exponents[asset]),
                at_ns=at_ns,
                is_locked=False,
            )
