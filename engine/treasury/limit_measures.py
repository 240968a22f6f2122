"""What each limit measures: a row and the facts to values, ceilings and rooms in both units.

Values are taken at their worst (rounded up, at the highest price), ceilings at their least. Money
ceilings that follow from tokens use the price of the last review, not the last price: so a price
that doubles leaves less room, and one that halves gives none back. Without a price there is no
room, whatever the tokens say.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.buckets import split, working_atoms
from engine.treasury.facts import NOTHING_SPENT, Facts
from engine.treasury.locks import locked_atoms, pieces_of, total_atoms
from engine.treasury.obligations import due_within, owed_atoms, owed_money
from engine.treasury.params import PlaceKind
from engine.values.treasury_words import Bucket, LimitRow, LockKind, Measure, Obligation
from engine.values.units import PPM, Atoms, scaled

PAID_DAYS = 1
"""What falls due by tomorrow is about to be paid."""


class Both(msgspec.Struct, frozen=True):
    """An amount in atoms of the asset and in money; None where it has none, or none is known."""

    atoms: Atoms | None
    money: Atoms | None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One row as it stands. `subject` is the venue, or the business function, "" for all.

    For a floor `ceiling` is what there must be at least, and `room` what may still go. `why` says
    what is not known, or which unit binds. Of what is not known there is no room, and it is neither
    passed nor holding: `is_breached` only where what is known proves it, or it was so before.
    """

    limit: str
    measure: Measure
    asset: str
    subject: str
    is_floor: bool
    value: Both
    ceiling: Both
    room: Both
    is_breached: bool
    why: str
    is_unknown: bool = False
    ahead_atoms: Atoms = 0
    """How much nearer a payment that is near will bring the value to its ceiling."""

    @property
    def state(self) -> str:
        """`PASSED`, `unknown` or `holds`, as people read it."""
        if self.is_breached:
            return PASSED
        return UNKNOWN if self.is_unknown else HOLDS


PASSED, UNKNOWN, HOLDS = "PASSED", "unknown", "holds"
References = Mapping[str, Price]
"""The price of each asset at its last review."""


def findings_of(row: LimitRow, facts: Facts, references: References) -> list[Finding]:
    """How a row stands: one finding, or one for each venue."""
    return MEASURES[row.measure](row, facts, references)


def _unhedged(row: LimitRow, facts: Facts, references: References) -> list[Finding]:
    """What the named buckets hold, less what hedges cover; the worse of open buys filled or not.

    More cover than holdings is exposure the other way, and counts as much.
    """
    held = split(facts, row.asset)
    net = sum(held.atoms(bucket) for bucket in row.buckets) - facts.covered.get(row.asset, 0)
    atoms = max(abs(net), abs(net + facts.open_buys(row.asset)))
    assert row.share_ppm is not None
    assert row.days is not None
    owed = owed_atoms(due_within(facts, row.days, row.function), row.asset)
    share = owed * row.share_ppm // PPM
    ceiling = Both(share, _at_review(row.asset, share, facts, references))
    one = _found(row, facts, row.function, _valued(facts, row.asset, atoms), ceiling)
    return [msgspec.structs.replace(one, ahead_atoms=_ahead(row, facts))]


def _ahead(row: LimitRow, facts: Facts) -> Atoms:
    """What of the floats lies in the reserve while nothing else is cash in time comes back once it
    was paid by others, and what was paid bears no share of the ceiling any more."""
    if Bucket.FLOAT not in row.buckets:
        return 0
    lent = working_atoms(facts, row.asset) - split(facts, row.asset).atoms(Bucket.FLOAT)
    if lent <= 0:
        return 0
    assert row.share_ppm is not None
    near = owed_atoms(due_within(facts, PAID_DAYS, row.function), row.asset)
    return lent + near * row.share_ppm // PPM


def _staked(row: LimitRow, facts: Facts, _: References) -> list[Finding]:
    """Only what exceeds the needs of so many days: of the asset itself, and of everything."""
    assert row.days is not None
    value = _valued(facts, row.asset, locked_atoms(facts, row.asset, (LockKind.STAKED,)))
    due = due_within(facts, row.days, row.function)
    spare = total_atoms(facts, row.asset) - owed_atoms(due, row.asset)
    needs = owed_money(facts, due)
    worth = sum(facts.worth(name, total_atoms(facts, name)) for name in facts.scheme.names())
    spare_money = None if needs is None else max(0, worth - needs)
    one = _found(row, facts, row.function, value, Both(max(0, spare), spare_money))
    # What has no price counts as nothing: a ceiling in money that is too low proves no breach.
    is_proved = _found(row, facts, row.function, value, Both(max(0, spare), None)).is_breached
    why = _unpriced(facts, due)
    if is_proved or not why or (needs is not None and not one.is_breached):
        return [one]
    return [_doubtful(one, why, Both(0, 0))]


def _venue_share(row: LimitRow, facts: Facts, _: References) -> list[Finding]:
    """Free units at a venue, against a share of all that are free anywhere."""
    assert row.share_ppm is not None
    assets = [row.asset] if row.asset else facts.scheme.names()
    free = [piece for name in assets for piece in pieces_of(facts, name) if piece.is_free]
    worth = {piece: facts.worth(piece.asset, piece.atoms) for piece in free}
    unpriced = {piece.asset for piece in free if facts.price(piece.asset) is None}
    money = sum(worth.values()) * row.share_ppm // PPM
    atoms = sum(piece.atoms for piece in free) * row.share_ppm // PPM
    found = []
    for place in facts.scheme.places.values():
        if place.kind is not PlaceKind.VENUE:
            continue
        here = [piece for piece in free if piece.place == place.name]
        value = Both(sum(p.atoms for p in here), sum(worth[p] for p in here))
        ceiling = Both(atoms, money)
        if not row.asset:
            value, ceiling = Both(None, value.money), Both(None, ceiling.money)
        elif facts.price(row.asset) is None:
            value, ceiling = Both(value.atoms, None), Both(atoms, None)
        one = _found(row, facts, place.name, value, ceiling)
        if not row.asset and unpriced:
            why = f"no price of {', '.join(sorted(unpriced))}"
            one = _doubtful(one, why, Both(None, 0))
        found.append(one)
    return found


def _stable_buffer(row: LimitRow, facts: Facts, _: References) -> list[Finding]:
    """Free stable value at its market price, against all that falls due, whatever it is owed in."""
    assert row.days is not None
    scheme = facts.scheme
    stables = [name for name, asset in scheme.assets.items() if asset.is_stable]
    value = sum(
        facts.worth(name, piece.atoms)
        for name in [*stables, scheme.money.name]
        for piece in pieces_of(facts, name)
        if piece.is_free
    )
    held = [n for n in stables if facts.price(n) is None and total_atoms(facts, n)]
    needs = owed_money(facts, due_within(facts, row.days, row.function))
    is_met = needs is not None and value >= needs
    is_unknown = needs is None or (not is_met and bool(held))
    why = "what is owed has no price" if needs is None else f"no price of {', '.join(held)}"
    return [
        Finding(
            limit=row.name,
            measure=row.measure,
            asset="",
            subject=row.function,
            is_floor=True,
            value=Both(None, value),
            ceiling=Both(None, needs),
            room=Both(None, max(0, value - (needs or 0)) if is_met else 0),
            is_breached=not is_met and not is_unknown,
            why=why if is_unknown else "",
            is_unknown=is_unknown,
        )
    ]


def _turnover(row: LimitRow, facts: Facts, _: References) -> list[Finding]:
    spent = facts.spent.get(row.asset, NOTHING_SPENT)
    return [_found(row, facts, "", Both(spent.atoms, spent.money_atoms), Both(None, None))]


def _venue_list(row: LimitRow, facts: Facts, _: References) -> list[Finding]:
    """Anything at all on a venue that is not on the list."""
    found = []
    for place in facts.scheme.places.values():
        if place.kind is not PlaceKind.VENUE or place.name in row.venues:
            continue
        here = {name: facts.held.get((place.name, name), 0) for name in facts.scheme.names()}
        value = Both(None, sum(facts.worth(name, atoms) for name, atoms in here.items()))
        one = _found(row, facts, place.name, value, Both(None, 0))
        found.append(msgspec.structs.replace(one, is_breached=any(here.values())))
    return found or [_found(row, facts, "", Both(None, 0), Both(None, 0))]


MEASURES: dict[Measure, Callable[[LimitRow, Facts, References], list[Finding]]] = {
    Measure.UNHEDGED: _unhedged,
    Measure.STAKED: _staked,
    Measure.VENUE_SHARE: _venue_share,
    Measure.STABLE_BUFFER: _stable_buffer,
    Measure.TURNOVER: _turnover,
    Measure.VENUE_LIST: _venue_list,
}


def _found(row: LimitRow, facts: Facts, subject: str, value: Both, ceiling: Both) -> Finding:
    """A ceiling with what the row itself says in tokens and in money, and the room under it."""
    ceiling = Both(
        _least(ceiling.atoms, _own(row.tokens, facts, row.asset)),
        _least(ceiling.money, _own(row.money, facts, facts.scheme.money.name)),
    )
    spare_atoms, spare_money = (
        _spare(value.atoms, ceiling.atoms),
        _spare(value.money, ceiling.money),
    )
    room, why = _room(row, facts, spare_atoms, spare_money)
    return Finding(
        limit=row.name,
        measure=row.measure,
        asset=row.asset,
        subject=subject,
        is_floor=False,
        value=value,
        ceiling=ceiling,
        room=room,
        is_breached=any(spare is not None and spare < 0 for spare in (spare_atoms, spare_money)),
        why=why,
        is_unknown=bool(row.asset) and facts.price(row.asset) is None and spare_money is None,
    )


def _doubtful(one: Finding, why: str, room: Both) -> Finding:
    """Neither passed nor holding."""
    return msgspec.structs.replace(one, is_breached=False, is_unknown=True, room=room, why=why)


def _unpriced(facts: Facts, due: Sequence[Obligation]) -> str:
    """What is held or owed and has no price, "" for nothing: sums of it all are not known."""
    owed = {row.asset for row in due}
    names = [
        name
        for name in facts.scheme.names()
        if facts.price(name) is None and (name in owed or total_atoms(facts, name))
    ]
    return f"no price of {', '.join(names)}" if names else ""


def _room(
    row: LimitRow, facts: Facts, atoms: Atoms | None, money: Atoms | None
) -> tuple[Both, str]:
    """The narrower of the two units, said in both."""
    if not row.asset:
        return Both(None, max(0, money or 0)), ""
    price = facts.price(row.asset)
    if price is None or money is None:
        return Both(0, 0), f"no price of {row.asset}"
    as_atoms = max(0, money) * price.base_atoms // price.money_atoms
    if atoms is not None and atoms <= as_atoms:
        return Both(max(0, atoms), price.worth_atoms(max(0, atoms))), "bound by its tokens"
    return Both(as_atoms, max(0, money)), "bound by its money"


def _valued(facts: Facts, asset: str, atoms: Atoms) -> Both:
    return Both(atoms, facts.cost(asset, atoms))


def _at_review(asset: str, atoms: Atoms, facts: Facts, references: References) -> Atoms | None:
    price = references.get(asset) or facts.price(asset)
    return None if price is None else price.worth_atoms(atoms)


def _own(text: str | None, facts: Facts, asset: str) -> Atoms | None:
    return None if text is None else scaled(text, facts.scheme.asset(asset).exponent)


def _least(one: Atoms | None, other: Atoms | None) -> Atoms | None:
    return min((atoms for atoms in (one, other) if atoms is not None), default=None)


def _spare(value: Atoms | None, ceiling: Atoms | None) -> Atoms | None:
    return None if value is None or ceiling is None else ceiling - value
