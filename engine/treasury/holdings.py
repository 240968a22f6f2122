"""The keeper of what is held, owed and locked: facts in, pictures of a moment out.

Buckets follow from the facts by the waterfall (`buckets`) and from one number that must be
remembered: what the market maker works with at each venue. Its fills move that number; deposits,
rewards and transfers do not, and neither does the waterfall, so that the float never refills itself
from what was not released. It opens at its target, or at what is there, and `FloatSet` moves it.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.buckets import Split, split
from engine.treasury.depth import DepthBook
from engine.treasury.facts import VOLUME_AGE_NS, Facts, Scheme, Spent, Volume
from engine.treasury.obligations import by_date
from engine.treasury.turnover import Turnover
from engine.values.treasury_words import (
    FloatSet,
    HoldingsSeen,
    Lock,
    LockSet,
    Obligation,
    ObligationPaid,
    ObligationSet,
)
from engine.values.units import Atoms, Ns, scaled

HoldingFact = HoldingsSeen | ObligationSet | ObligationPaid | LockSet | FloatSet


class Traded(msgspec.Struct, frozen=True, kw_only=True):
    """A fill of the market maker, told once: what it moved at the venue, fees included.

    flows: signed atoms by asset. asset, atoms, money_atoms: what it adds to the daily turnover.
    """

    at_ns: Ns
    venue: str
    flows: dict[str, Atoms]
    asset: str
    atoms: Atoms
    money_atoms: Atoms


class Holdings:
    """Told every fact once, in order. After each the buckets are made anew and checked."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self.at_ns: Ns = 0
        self._held: dict[tuple[str, str], Atoms] = {}
        self._working: dict[tuple[str, str], Atoms] = {}
        self._obligations: tuple[Obligation, ...] = ()
        self._paid: set[str] = set()
        self._locks: tuple[Lock, ...] = ()
        self._prices: dict[str, Price] = {}
        self._books: dict[tuple[str, str], DepthBook] = {}
        self._mids: dict[tuple[str, str], Price] = {}
        self._covered: dict[str, Atoms] = {}
        self._could_fill: dict[tuple[str, str], Atoms] = {}
        self._could_sell: dict[tuple[str, str], Atoms] = {}
        self._volumes: dict[tuple[str, str], Volume] = {}
        self._turnover = Turnover()
        self._picture: Facts | None = None
        self._unseen = {
            (part.venue, row.asset) for row in scheme.buckets.values() for part in row.float
        }

    # --- facts that move units

    def learn(self, fact: HoldingFact) -> list[FloatSet]:
        """Take a fact in. Records: the floats that it opened; they come back by `learn` too."""
        self._picture = None
        opened: list[FloatSet] = []
        match fact:
            case HoldingsSeen():
                opened = self._see(fact)
            case ObligationSet():
                rows = [row for row in fact.rows if row.name not in self._paid]
                self._obligations = tuple(by_date(rows))
            case ObligationPaid():
                self._paid.add(fact.name)
                self._obligations = tuple(r for r in self._obligations if r.name != fact.name)
            case LockSet():
                self._locks = tuple(fact.rows)
            case FloatSet():
                self._working[fact.venue, fact.asset] = fact.atoms
            case _:
                assert_never(fact)
        self.pass_time(fact.at_ns)
        self.check()
        return opened

    def trade(self, fill: Traded) -> None:
        """A fill moves what the venue holds and what the market maker works with alike."""
        self.remember(fill)
        self.check()

    def remember(self, fill: Traded) -> None:
        """A fill of an earlier session: the same, without the proof after each of many."""
        self._picture = None
        for asset, atoms in fill.flows.items():
            key = (fill.venue, asset)
            self._held[key] = self._held.get(key, 0) + atoms
            if key in self._working:
                self._working[key] += atoms
        self.turn(fill.asset, Spent(atoms=fill.atoms, money_atoms=fill.money_atoms), fill.at_ns)

    def turn(self, asset: str, spent: Spent, at_ns: Ns) -> None:
        """Count a trade of ours, the market maker's or a conversion, towards the daily turnover."""
        self._picture = None
        self.pass_time(at_ns)
        self._turnover.add(asset, spent, at_ns)

    def _see(self, fact: HoldingsSeen) -> list[FloatSet]:
        """Assets that the file does not name are left out: nothing is known of their units."""
        opened = []
        for one in fact.holdings:
            if one.asset not in self.scheme.names():
                continue
            key = (fact.place, one.asset)
            self._held[key] = one.atoms
            self._unseen.discard(key)
            target = self._target(*key)
            if key not in self._working and target is not None:
                atoms = min(target, one.atoms)
                self._working[key] = atoms
                opened.append(
                    FloatSet(
                        at_ns=fact.at_ns,
                        who=fact.who,
                        venue=fact.place,
                        asset=one.asset,
                        atoms=atoms,
                        reason="opening",
                    )
                )
        return opened

    def _target(self, venue: str, asset: str) -> Atoms | None:
        row = self.scheme.buckets.get(asset)
        parts = row.float if row is not None else []
        found = [part.target for part in parts if part.venue == venue]
        return scaled(found[0], self.scheme.asset(asset).exponent) if found else None

    # --- facts that value them

    def price(self, price: Price) -> None:
        self._picture = None
        self._prices[price.asset] = price
        self.pass_time(price.at_ns)

    def book(self, book: DepthBook) -> None:
        self._picture = None
        self._books[book.venue, book.asset] = book
        if book.is_sane():
            self._mids[book.venue, book.asset] = book.mid()
        self.pass_time(book.at_ns)

    def mid(self, venue: str, mid: Price) -> None:
        """What a book's last two sides were worth, told without the book."""
        self._picture = None
        self._mids[venue, mid.asset] = mid
        self.pass_time(mid.at_ns)

    def lose_side(self, venue: str, asset: str) -> None:
        """The book cannot be used as it is; its last mid ages from where it was."""
        self._picture = None
        self._books.pop((venue, asset), None)

    def lose_book(self, venue: str, asset: str) -> None:
        """From now on the book is not vouched for, nor anything that it said."""
        self.lose_side(venue, asset)
        self._mids.pop((venue, asset), None)

    def volume(self, venue: str, asset: str, volume: Volume) -> None:
        """Our own tally does not stand against the word of a venue that still gives it."""
        known = self._volumes.get((venue, asset))
        until_ns = 0 if known is None or known.is_tally else known.at_ns + VOLUME_AGE_NS
        if volume.is_tally and volume.at_ns <= until_ns:
            return
        self._picture = None
        self._volumes[venue, asset] = volume

    def cover(self, asset: str, atoms: Atoms) -> None:
        """What hedges stand against, by their own fills."""
        self._picture = None
        self._covered[asset] = atoms

    def may_fill(self, venue: str, asset: str, atoms: Atoms) -> None:
        """What every buy of ours that may be out there could still add (law 3)."""
        if self._could_fill.get((venue, asset)) != atoms:
            self._could_fill[venue, asset] = atoms
            self._picture = None

    def may_sell(self, venue: str, asset: str, atoms: Atoms) -> None:
        """What every sale of ours that may be out there could still take."""
        if self._could_sell.get((venue, asset)) != atoms:
            self._could_sell[venue, asset] = atoms
            self._picture = None

    def pass_time(self, at_ns: Ns) -> None:
        if at_ns > self.at_ns:
            self.at_ns = at_ns
            self._picture = None

    # --- what there is

    def facts(self) -> Facts:
        """The picture of this moment; it does not change when the next fact comes."""
        if self._picture is None:
            self._picture = self._drawn()
        return self._picture

    def _drawn(self) -> Facts:
        return Facts(
            at_ns=self.at_ns,
            scheme=self.scheme,
            held={key: max(0, atoms) for key, atoms in self._held.items()},
            working={key: max(0, atoms) for key, atoms in self._working.items()},
            obligations=self._obligations,
            locks=self._locks,
            prices=dict(self._prices),
            books=dict(self._books),
            mids=dict(self._mids),
            covered=dict(self._covered),
            could_fill=dict(self._could_fill),
            could_sell=dict(self._could_sell),
            spent=self._turnover.spent(self.at_ns),
            volumes=dict(self._volumes),
        )

    def held(self, place: str, asset: str) -> Atoms | None:
        """What a place was seen to hold, with the fills since; None where nothing was said."""
        return self._held.get((place, asset))

    @property
    def unseen(self) -> list[tuple[str, str]]:
        """(venue, asset) of each float whose balance has not been seen, sorted."""
        return sorted(self._unseen)

    @property
    def is_whole(self) -> bool:
        """Whether every balance that a float is part of has been seen."""
        return not self._unseen

    def splits(self) -> Sequence[Split]:
        """The buckets of every asset, in the order of the file."""
        facts = self.facts()
        return [split(facts, name) for name in self.scheme.names()]

    def check(self) -> None:
        """Assert that every unit of every asset is in exactly one bucket."""
        for found in self.splits():
            parts = [p for p in found.parts if not p.piece.is_beside]
            held = [atoms for (_, asset), atoms in self._held.items() if asset == found.asset]
            assert sum(p.atoms for p in parts) == sum(max(0, atoms) for atoms in held), found.asset
