"""What a market would pay and ask, level by level, in the treasury's own atoms."""

from collections.abc import Iterable

import msgspec

from engine.market.book import Book, BookView
from engine.treasury.amounts import Asset, Price
from engine.values.instrument import Instrument
from engine.values.units import PPM, Atoms, Levels, Ns, Ppm, Side

LEVELS_MAX = 1_000
"""Levels that a walk looks at on one side; what lies beyond counts for nothing."""


class Level(msgspec.Struct, frozen=True):
    """So many atoms of the asset, for so much money altogether."""

    atoms: Atoms
    money_atoms: Atoms


class DepthBook(msgspec.Struct, frozen=True, kw_only=True):
    """One asset on one venue, both sides best first, without our own orders."""

    venue: str
    asset: str
    at_ns: Ns
    taker_fee_ppm: Ppm
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    def is_sane(self) -> bool:
        """Both sides are there, and the best bid is below the best ask."""
        if not (self.bids and self.asks):
            return False
        bid, ask = self.bids[0], self.asks[0]
        return bid.money_atoms * ask.atoms < ask.money_atoms * bid.atoms

    def mid(self) -> Price:
        """Half way between the best two. Only where the book is sane."""
        bid, ask = self.bids[0], self.asks[0]
        return Price(
            asset=self.asset,
            money_atoms=bid.money_atoms * ask.atoms + ask.money_atoms * bid.atoms,
            base_atoms=2 * bid.atoms * ask.atoms,
            at_ns=self.at_ns,
        )

    def net_bids(self, haircut_ppm: Ppm) -> list[Level]:
        """What each level brings after the fee and the haircut, rounded down."""
        keep_ppm = (PPM - self.taker_fee_ppm) * (PPM - haircut_ppm)
        return [Level(b.atoms, b.money_atoms * keep_ppm // PPM**2) for b in self.bids]

    def gross_asks(self, haircut_ppm: Ppm) -> list[Level]:
        """What each level costs with the fee and the haircut, rounded up."""
        pay_ppm = (PPM + self.taker_fee_ppm) * (PPM + haircut_ppm)
        return [Level(a.atoms, -(-a.money_atoms * pay_ppm // PPM**2)) for a in self.asks]


def depth_of(
    book: Book | BookView, instrument: Instrument, base: Asset, money: Asset, at_ns: Ns
) -> DepthBook:
    """An engine's book in the treasury's atoms. The instrument is quoted in money itself.

    Sizes are rounded down, bids are worth less and asks cost more by less than one atom.
    """
    assert (instrument.base, instrument.quote) == (base.name, money.name)
    return DepthBook(
        venue=instrument.venue,
        asset=base.name,
        at_ns=at_ns,
        taker_fee_ppm=instrument.taker_fee_ppm,
        bids=_levels(book.levels(Side.BUY, LEVELS_MAX), instrument, base, money),
        asks=_levels(book.levels(Side.SELL, LEVELS_MAX), instrument, base, money, is_up=True),
    )


def merged(sides: Iterable[Iterable[Level]], *, is_dear_first: bool) -> list[Level]:
    """Levels of several venues as of one: for bids the dearest come first, for asks the last."""
    levels = [level for side in sides for level in side if level.atoms > 0]
    sign = -1 if is_dear_first else 1
    return sorted(levels, key=lambda level: _unit(level) * sign)


def walked(levels: Iterable[Level], atoms: Atoms, *, is_up: bool) -> tuple[Atoms, Atoms]:
    """(atoms, money) of taking so many from the levels; fewer where they do not reach."""
    left, money = atoms, 0
    for level in levels:
        if left <= 0:
            break
        part = min(left, level.atoms)
        product = level.money_atoms * part
        money += -(-product // level.atoms) if is_up else product // level.atoms
        left -= part
    return atoms - left, money


def _unit(level: Level) -> int:
    """Money for 10**30 atoms: enough digits to tell any two prices apart, and exact to compare."""
    return level.money_atoms * 10**30 // level.atoms


def _levels(
    levels: Levels, instrument: Instrument, base: Asset, money: Asset, *, is_up: bool = False
) -> tuple[Level, ...]:
    found = []
    for tick, lots in levels:
        atoms = rescaled(instrument.base_atoms(lots), instrument.base_exponent, base.exponent)
        cost = instrument.quote_atoms(tick, lots)
        found.append(
            Level(atoms, rescaled(cost, instrument.quote_exponent, money.exponent, is_up=is_up))
        )
    return tuple(level for level in found if level.atoms > 0)


def rescaled(atoms: Atoms, was: int, now: int, *, is_up: bool = False) -> Atoms:
    """Atoms of one exponent in another: rounded down, or up."""
    if now >= was:
        return atoms * int(10 ** (now - was))
    unit = int(10 ** (was - now))
    return -(-atoms // unit) if is_up else atoms // unit
