"""One asset gained or lost by a place of ours: its accounts, its lots and what it was worth."""

import msgspec

from engine.treasury.chart import Account, AccountKind, Income, Move, TaxTag
from engine.treasury.pricing import PriceHistory
from engine.values.units import Atoms, Ns


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One asset gained (or lost, below 0) by the holdings or a lock, and what it was worth."""

    key: str
    at_ns: Ns
    asset: str
    atoms: Atoms
    worth_atoms: Atoms | None
    tag: TaxTag


def holdings_of(venue: str) -> Account:
    return Account(AccountKind.HOLDINGS, venue)


def locked_in(venue: str, place: str) -> Account:
    return Account(AccountKind.LOCKED, f"{venue} {place}")


def worth_of(prices: PriceHistory, asset: str, atoms: Atoms, at_ns: Ns) -> Atoms | None:
    """Signed as the amount is."""
    worth = prices.worth(asset, abs(atoms), at_ns)
    return worth if worth is None or atoms > 0 else -worth


def spent(key: str, at_ns: Ns, fee: tuple[str, Atoms], prices: PriceHistory) -> Made:
    asset, atoms = fee
    worth = worth_of(prices, asset, -atoms, at_ns)
    return Made(key=key, at_ns=at_ns, asset=asset, atoms=-atoms, worth_atoms=worth, tag=TaxTag.FEE)


def moves_of(made: Made, prices: PriceHistory, part: int = 0) -> tuple[Move, ...]:
    """What it does to the lots. Money has none."""
    if made.asset == prices.money or not made.atoms:
        return ()
    worth = made.worth_atoms if made.worth_atoms is None else abs(made.worth_atoms)
    return (
        Move(
            key=made.key,
            part=part,
            when_ns=made.at_ns,
            rank=0,
            asset=made.asset,
            atoms=made.atoms,
            worth_atoms=worth,
            tag=made.tag,
        ),
    )


def income_of(made: Made) -> Income:
    return Income(
        key=made.key,
        when_ns=made.at_ns,
        tag=made.tag,
        asset=made.asset,
        atoms=made.atoms,
        worth_atoms=made.worth_atoms,
    )


def unpriced(made: Made, prices: PriceHistory) -> tuple[str, ...]:
    if made.worth_atoms is not None or not made.atoms:
        return ()
    return (f"no price in {prices.money} for {made.asset}",)
