"""The release rule: what the market maker may use, as bands in lots of one market.

Of the base asset at the venue it may sell what its operational float has above the lower band
(80 % of the target as shipped: under it selling stops). It may buy for its float of money there,
up to the cap of its float and as far as every limit leaves room; what its own open buys take of a
limit is its own, since the gate counts them against the cap. A float that lies in the reserve comes
back with the next payment, and buying leaves it that room. The turnover that is left is shared by
the sides of all markets with a float of the asset, for all of them may fill. All of it moves with
every fact. What a desk wishes narrows the bands further and never widens them.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.bands import Bands
from engine.treasury.buckets import Split, split
from engine.treasury.facts import Facts
from engine.treasury.limit_measures import Finding
from engine.treasury.params import FloatParams
from engine.values.treasury_words import Bucket, Measure
from engine.values.units import PPM, Atoms, Lot, scaled

SIDES = 2
NARROW = 50
"""A way of less than a fiftieth of the wished one is none."""


class Room(msgspec.Struct, frozen=True):
    """How much one rule lets through, in atoms of the base asset."""

    name: str
    atoms: Atoms


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What one market may use, in atoms of its base asset; `sell` and `buy` name what binds."""

    venue: str
    asset: str
    held_atoms: Atoms
    float_atoms: Atoms
    target_atoms: Atoms
    upper_atoms: Atoms
    sell: Room
    buy: Room

    def check(self) -> None:
        """Assert that nothing is released that is not the market maker's."""
        assert 0 <= self.sell.atoms <= self.float_atoms <= self.held_atoms, "more than is there"
        assert self.buy.atoms >= 0, "a room is never negative"


def release(facts: Facts, findings: Iterable[Finding], venue: str, asset: str) -> Release:
    """What the market of `asset` against money on `venue` may use; nothing where no row says so."""
    found = split(facts, asset)
    held, working = _free(found, venue), found.at(Bucket.FLOAT, venue)
    row = float_row(facts, venue, asset)
    if row is None:
        nothing = Room(f"no float of {asset} at {venue}", 0)
        return _release(facts, (venue, asset), (held, working), (nothing, nothing))
    target = scaled(row.target, facts.scheme.asset(asset).exponent)
    sells, buys = _limit_rooms(facts, list(findings), (venue, asset))
    lower = Room("lower band", max(0, working - -(-target * row.lower_ppm // PPM)))
    cap = Room("float cap", max(0, target * row.cap_ppm // PPM - working))
    money = split(facts, facts.scheme.money.name).at(Bucket.FLOAT, venue)
    spend = _money_room("released money", money, facts.price(asset))
    rooms = (_narrowest([lower, *sells]), _narrowest([cap, spend, *buys]))
    return _release(facts, (venue, asset), (held, working), rooms)


def bands_of_release(found: Release, lot_atoms: Atoms, wish: Bands | None) -> Bands | None:
    """Positions in lots for the quoting engine; None where it may neither buy nor sell.

    The position is all of the base asset at the venue, in whole lots (`Portfolio`). Floor and cap
    are rounded so that less is released. With a `wish` the bands between are the wish's, clamped;
    without one the target is the float's, and the lower band is the floor.
    """
    floor = found.held_atoms // lot_atoms - found.sell.atoms // lot_atoms
    cap = (found.held_atoms + found.buy.atoms) // lot_atoms
    kept = found.held_atoms - found.float_atoms
    inner = [
        floor,
        (kept + found.target_atoms) // lot_atoms,
        (kept + found.upper_atoms) // lot_atoms,
    ]
    if wish is not None:
        floor, cap = max(floor, wish.floor_lots), min(cap, wish.cap_lots)
        inner = [wish.lower_lots, wish.target_lots, wish.upper_lots]
    if floor >= cap:
        return None
    lower, target, upper = (min(cap, max(floor, lots)) for lots in inner)
    if wish is not None:
        target = _apart(target, (floor, cap), wish)
        lower, upper = min(lower, target), max(upper, target)
    return Bands(
        floor_lots=floor, lower_lots=lower, target_lots=target, upper_lots=upper, cap_lots=cap
    )


def _apart(target: Lot, ends: tuple[Lot, Lot], wish: Bands) -> Lot:
    """The target, or the end that the treasury moved so close to it that they are the same.

    How far a position is from its target is judged by the way to the end: one that lies a few lots
    from the target would make every position an extreme one, and take the other side away.
    """
    floor, cap = ends
    if (target - floor) * NARROW < wish.target_lots - wish.floor_lots:
        target = floor
    return cap if (cap - target) * NARROW < wish.cap_lots - wish.target_lots else target


def float_row(facts: Facts, venue: str, asset: str) -> FloatParams | None:
    row = facts.scheme.buckets.get(asset)
    return next((part for part in row.float if part.venue == venue), None) if row else None


def _release(
    facts: Facts, where: tuple[str, str], atoms: tuple[Atoms, Atoms], rooms: tuple[Room, Room]
) -> Release:
    (venue, asset), row = where, float_row(facts, *where)
    target = scaled(row.target, facts.scheme.asset(asset).exponent) if row is not None else 0
    found = Release(
        venue=venue,
        asset=asset,
        held_atoms=atoms[0],
        float_atoms=atoms[1],
        target_atoms=target,
        upper_atoms=target * row.upper_ppm // PPM if row is not None else 0,
        sell=rooms[0],
        buy=rooms[1],
    )
    found.check()
    return found


def _free(found: Split, venue: str) -> Atoms:
    return sum(p.atoms for p in found.parts if p.piece.place == venue and not p.piece.is_beside)


def _limit_rooms(
    facts: Facts, findings: list[Finding], where: tuple[str, str]
) -> tuple[list[Room], list[Room]]:
    """(for selling, for buying): what each limit of this asset or venue leaves."""
    venue, asset = where
    sells, buys = [], []
    row = facts.scheme.buckets.get(asset)
    shares = SIDES * max(1, len(row.float) if row else 0)
    for one in findings:
        atoms = one.room.atoms or 0
        match one.measure:
            case Measure.TURNOVER if one.asset == asset:
                # A share each; and never what orders that stand elsewhere could still turn over,
                # which may be more than theirs for as long as it takes to cancel them.
                spare = atoms - facts.out(asset)
                sell = min(atoms // shares, spare + facts.could_sell.get(where, 0))
                buy = min(atoms // shares, spare + facts.could_fill.get(where, 0))
                sells.append(Room(one.limit, max(0, sell)))
                buys.append(Room(one.limit, max(0, buy)))
            case Measure.UNHEDGED if one.asset == asset:
                buys.append(_exposure_room(facts, one, facts.could_fill.get(where, 0)))
            case Measure.VENUE_SHARE if (one.asset, one.subject) == (asset, venue):
                buys.append(Room(one.limit, atoms))
            case Measure.VENUE_LIST if one.is_breached and one.subject == venue:
                buys.append(Room(one.limit, 0))
            case (
                Measure.TURNOVER
                | Measure.UNHEDGED
                | Measure.VENUE_SHARE
                | Measure.VENUE_LIST
                | Measure.STAKED
                | Measure.STABLE_BUFFER
            ):
                pass
            case _:
                assert_never(one.measure)
    return sells, buys


def _exposure_room(facts: Facts, one: Finding, own_atoms: Atoms) -> Room:
    """The room of an exposure that counts our own open buys, as if these were not there, and that
    holds after the next payment too."""
    price = facts.price(one.asset)
    if price is None or one.ceiling.money is None or one.value.money is None:
        return Room(f"{one.limit}: no price", 0)
    assert one.ceiling.atoms is not None
    assert one.value.atoms is not None
    by_money = (one.ceiling.money - one.value.money) * price.base_atoms // price.money_atoms
    spare = min(one.ceiling.atoms - one.value.atoms, by_money) - one.ahead_atoms
    return Room(one.limit, max(0, spare + own_atoms))


def _money_room(name: str, money: Atoms, price: Price | None) -> Room:
    """What so much money buys; nothing where the price is not known."""
    if price is None:
        return Room("no price", 0)
    return Room(name, money * price.base_atoms // price.money_atoms)


def _narrowest(rooms: list[Room]) -> Room:
    return min(rooms, key=lambda room: room.atoms)
