"""All that the treasury knows at one moment: what every function of this room is asked about."""

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

import msgspec

from engine.treasury.amounts import Asset, Price
from engine.treasury.dates import NS_PER_DAY, NS_PER_H
from engine.treasury.depth import DepthBook
from engine.treasury.params import AssetParams, BucketParams, PlaceParams
from engine.values.treasury_words import Lock, LockKind, Obligation
from engine.values.units import NS_PER_S, Atoms, Ns


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What was bought and sold within the last 24 hours, in the asset and in money."""

    atoms: Atoms
    money_atoms: Atoms


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """What anybody traded of an asset on a venue within 24 hours, as told at `at_ns`.

    heard_ns: for how much of the 24 hours that is known; a venue's word is for all of them.
    is_tally: counted by ourselves from public trades.
    """

    atoms: Atoms
    at_ns: Ns
    heard_ns: Ns = NS_PER_DAY
    is_tally: bool = False


VOLUME_AGE_NS: Ns = 900 * NS_PER_S
"""A day's volume that was told longer ago is unknown."""
HEARD_NS_MIN: Ns = 6 * NS_PER_H
"""What was heard for less of the day is no day's volume. What was heard for longer counts as it is,
as if nothing had been traded in the hours that nobody heard: never more than there was."""
NOTHING_SPENT = Spent(atoms=0, money_atoms=0)


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """What does not move by itself: the assets, the places and the buckets of a treasury."""

    money: Asset
    assets: Mapping[str, AssetParams]
    places: Mapping[str, PlaceParams]
    buckets: Mapping[str, BucketParams]

    def asset(self, name: str) -> Asset:
        """Raises KeyError for an asset that is not in the file."""
        return self.money if name == self.money.name else self.assets[name].asset

    def names(self) -> list[str]:
        """Every asset: those of the file in its order, and money last."""
        return [*self.assets, self.money.name]


class Facts(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A picture that never changes. Amounts are whole atoms and never negative.

    What follows from it is worked out once and kept beside the fields (`memo`), never encoded.

    obligations: in order of date (`by_date`). held: by (place, asset), all of it.
    working: by (venue, asset), what the market maker has.
    covered: by asset, what hedges stand against.
    could_fill, could_sell: by (venue, asset), what open buys there could still add, sales take.
    prices, books and volumes may be missing or too old: then they are unknown.
    mids: by (venue, asset), the last of a book with two sides, with its own age. A thin book that
    has lost a side for a moment cannot be sold into, and its price is still known.
    """

    at_ns: Ns
    scheme: Scheme
    held: Mapping[tuple[str, str], Atoms]
    working: Mapping[tuple[str, str], Atoms]
    obligations: tuple[Obligation, ...]
    locks: tuple[Lock, ...]
    prices: Mapping[str, Price]
    books: Mapping[tuple[str, str], DepthBook]
    mids: Mapping[tuple[str, str], Price]
    covered: Mapping[str, Atoms]
    could_fill: Mapping[tuple[str, str], Atoms]
    could_sell: Mapping[tuple[str, str], Atoms]
    spent: Mapping[str, Spent]
    volumes: Mapping[tuple[str, str], Volume]

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """What was worked out of this picture, by (function, asset)."""
        return {}

    def price(self, asset: str) -> Price | None:
        """What an asset is worth now, None where that is not known. Money is worth itself.

        A price that was told stands alone; without one it is the lowest mid of the venues' books,
        each of them the last one while a side is missing.
        """
        return self._ends(asset)[0]

    def book(self, venue: str, asset: str) -> DepthBook | None:
        """The book in which an asset can be traded for money on a venue now, None for none."""
        book = self.books.get((venue, asset))
        if book is None or not self._is_current(asset, book.at_ns) or self.is_halted(venue):
            return None
        return book if book.is_sane() else None

    def volume(self, venue: str, asset: str) -> Atoms | None:
        """What anybody traded there in 24 hours, or less; None where that is not known."""
        told = self.volumes.get((venue, asset))
        if told is None or told.heard_ns < HEARD_NS_MIN:
            return None
        return told.atoms if 0 <= self.at_ns - told.at_ns <= VOLUME_AGE_NS else None

    def open_buys(self, asset: str) -> Atoms:
        """What every open buy of ours could still add, at all venues together."""
        return sum(atoms for (_, name), atoms in self.could_fill.items() if name == asset)

    def out(self, asset: str) -> Atoms:
        """What every order of ours that may be out there could still turn over."""
        sells = sum(atoms for (_, name), atoms in self.could_sell.items() if name == asset)
        return self.open_buys(asset) + sells

    def is_halted(self, place: str) -> bool:
        return any(row.kind is LockKind.HALTED and row.place == place for row in self.locks)

    def worth(self, asset: str, atoms: Atoms) -> Atoms:
        """In money at the price, without a sale: 0 where there is no price."""
        price = self.price(asset)
        return 0 if price is None else price.worth_atoms(atoms)

    def cost(self, asset: str, atoms: Atoms) -> Atoms | None:
        """What is owed, in money at the highest of the mids; None where there is no price."""
        price = self._ends(asset)[1]
        return None if price is None else price.cost_atoms(atoms)

    def _ends(self, asset: str) -> tuple[Price | None, Price | None]:
        """The lowest and the highest price."""
        key = "price", asset
        if key not in self.memo:
            prices = self._prices(asset)
            lowest = min(prices, key=_unit, default=None)
            self.memo[key] = lowest, max(prices, key=_unit, default=None)
        ends: tuple[Price | None, Price | None] = self.memo[key]
        return ends

    def _prices(self, asset: str) -> list[Price]:
        if asset == self.scheme.money.name:
            return [Price(asset=asset, money_atoms=1, base_atoms=1, at_ns=self.at_ns)]
        told = self.prices.get(asset)
        if told is not None and self._is_current(asset, told.at_ns):
            return [told]
        mids = [self.mid(venue, base) for venue, base in self.mids if base == asset]
        return [mid for mid in mids if mid is not None]

    def mid(self, venue: str, asset: str) -> Price | None:
        """Of the book as it is, or the last that it had two sides for, until that is too old."""
        book = self.book(venue, asset)
        if book is not None:
            return book.mid()
        last = self.mids.get((venue, asset))
        is_known = last is not None and self._is_current(asset, last.at_ns)
        return last if is_known and not self.is_halted(venue) else None

    def _is_current(self, asset: str, seen_ns: Ns) -> bool:
        age_ns = self.at_ns - seen_ns
        return 0 <= age_ns <= self.scheme.assets[asset].price_age_max_s * NS_PER_S


def _unit(price: Price) -> Fraction:
    return Fraction(price.money_atoms, price.base_atoms)
