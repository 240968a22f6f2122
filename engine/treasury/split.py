"""One child over several venues: each level goes to the venue where it is cheapest to take.

Cost is the walked price with the venue's fee and what reviews taught of it, so a venue that was
consistently poor gets less until it is better. No part is below what its venue takes.
"""

from collections.abc import Sequence

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.depth import Level
from engine.treasury.estimate import is_within
from engine.values.units import PPM, SELL, Atoms, Ppm, Side


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A venue that may be used now: whole lots of `lot_atoms`, at least `least_atoms`, at most so
    much. `levels` are best first, without our own orders and without what stands behind one.
    `extra_ppm` is the fee, and what reviews taught."""

    market: str
    levels: tuple[Level, ...]
    extra_ppm: Ppm
    lot_atoms: Atoms
    least_atoms: Atoms
    most_atoms: Atoms


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """So much at one venue. `limit` is the worst level that it should need."""

    market: str
    atoms: Atoms
    money_atoms: Atoms
    limit: Level


def split(side: Side, atoms: Atoms, offers: Sequence[Offer], worst: Price) -> list[Part]:
    """Parts that come to at most `atoms`, in the order of the offers; none where nothing fits.

    What is too small for its venue goes to the others: venues are left out one by one.
    """
    usable = list(offers)
    while usable:
        parts = _greedy(side, atoms, usable, worst)
        small = [offer for offer in usable if _is_small(offer, parts.get(offer.market))]
        if not small:
            return [parts[offer.market] for offer in usable]
        least = min(small, key=lambda offer: _atoms(parts.get(offer.market)))
        usable.remove(least)
    return []


def _greedy(side: Side, atoms: Atoms, offers: Sequence[Offer], worst: Price) -> dict[str, Part]:
    """Cheapest level first, until the size or the levels within `worst` end."""
    room = {offer.market: offer.most_atoms for offer in offers}
    taken: dict[str, list[Level]] = {}
    for offer, level in _levels(side, offers, worst):
        part = min(atoms, level.atoms, room[offer.market])
        if part <= 0:
            continue
        product = level.money_atoms * part
        money = product // level.atoms if side is SELL else -(-product // level.atoms)
        taken.setdefault(offer.market, []).append(Level(part, money))
        room[offer.market] -= part
        atoms -= part
    by_market = {offer.market: offer for offer in offers}
    return {market: _part(by_market[market], rows) for market, rows in taken.items()}


def _levels(side: Side, offers: Sequence[Offer], worst: Price) -> list[tuple[Offer, Level]]:
    rows = [
        (offer, level)
        for offer in offers
        for level in offer.levels
        if level.atoms > 0 and is_within(level, worst, side)
    ]
    return sorted(rows, key=lambda row: _cost(side, *row))


def _cost(side: Side, offer: Offer, level: Level) -> int:
    """Lower is better: what an atom costs after fee and lesson, or minus what it brings."""
    unit = level.money_atoms * 10**24 // level.atoms
    if side is SELL:
        return -unit * (PPM - offer.extra_ppm)
    return unit * (PPM + offer.extra_ppm)


def _part(offer: Offer, rows: list[Level]) -> Part:
    """In whole lots; the worst level gives the limit."""
    whole = sum(row.atoms for row in rows) // offer.lot_atoms * offer.lot_atoms
    left, money = whole, 0
    for row in rows:
        part = min(left, row.atoms)
        money += row.money_atoms * part // row.atoms
        left -= part
    return Part(market=offer.market, atoms=whole, money_atoms=money, limit=rows[-1])


def _is_small(offer: Offer, part: Part | None) -> bool:
    return part is None or part.atoms < max(offer.least_atoms, offer.lot_atoms)


def _atoms(part: Part | None) -> Atoms:
    return 0 if part is None else part.atoms
