"""How much stable value is missing, now or on a known day soon, even if a venue goes away.

It looks ahead at what is owed and when, which is known, and never at a price to come.
"""

from collections.abc import Iterable

from engine.treasury.dates import day_of
from engine.treasury.facts import Facts
from engine.treasury.locks import pieces_of
from engine.treasury.obligations import owed_atoms, owed_money
from engine.treasury.params import PlaceKind
from engine.values.treasury_words import LimitRow, Measure, Obligation
from engine.values.units import PPM, Atoms

MARGIN_PPM = 1_200_000
"""The buffer is kept at so much of what it must be: the price moves between two looks."""
AHEAD_DAYS = 10


def missing_buffer(facts: Facts, rows: Iterable[LimitRow]) -> Atoms:
    """In money; 0 or less where nothing is missing, or where a price is not known."""
    buffers = [row.days or 0 for row in rows if row.measure is Measure.STABLE_BUFFER]
    value = _reachable(facts)
    today = day_of(facts.at_ns)
    found = []
    for days in buffers:
        for ahead in range(AHEAD_DAYS + 1):
            paid = _between(facts, today, today + ahead - 1)
            owed = owed_money(facts, _between(facts, today + ahead, today + ahead + days))
            left = value - owed_atoms(paid, facts.scheme.money.name)
            if owed is not None:
                found.append(owed * MARGIN_PPM // PPM - left)
    return max(found, default=0)


def _between(facts: Facts, first: int, last: int) -> list[Obligation]:
    return [row for row in facts.obligations if first <= row.due <= last]


def _reachable(facts: Facts) -> Atoms:
    """Free stable value, without that of the venue that holds most of it."""
    scheme = facts.scheme
    names = [name for name, asset in scheme.assets.items() if asset.is_stable]
    there: dict[str, Atoms] = {}
    for name in [*names, scheme.money.name]:
        for piece in pieces_of(facts, name):
            if piece.is_free:
                worth = facts.worth(name, piece.atoms)
                there[piece.place] = there.get(piece.place, 0) + worth
    venues = [
        worth for place, worth in there.items() if scheme.places[place].kind is PlaceKind.VENUE
    ]
    return sum(there.values()) - max(venues, default=0)
