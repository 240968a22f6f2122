"""The headline: liquid value available today, after all locks and obligations.

Everything that is owed, of any date, is paid first (`coverage`). What is left and cash within
`within_h` hours is sold into the books as they stand, less fee and haircut. What has no price is
worth nothing. Where an obligation is not covered nothing is left: the headline is 0, and says what
is missing. So not knowing a price can only make the figure smaller.
"""

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.coverage import Point, Short, curve, first_uncovered, settle, sold
from engine.treasury.dates import NS_PER_H
from engine.treasury.facts import Facts
from engine.treasury.locks import pieces_of
from engine.treasury.obligations import owed_atoms
from engine.treasury.params import HOURS_MAX
from engine.treasury.purse import Purse
from engine.values.treasury_words import Day
from engine.values.units import Atoms, Ns


class LiquidParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[liquid]`: `token` is the asset in which the headline is also given; today is `within_h`."""

    token: str
    within_h: int

    def __post_init__(self) -> None:
        if not 0 <= self.within_h <= HOURS_MAX:
            raise ValueError(f"within_h must be 0 to {HOURS_MAX}")


class AssetLine(msgspec.Struct, frozen=True, kw_only=True):
    """One asset on the way from what is held to what is liquid.

    later_atoms are held and not cash today. liquid_atoms are what is left of today's after every
    obligation, worth_atoms what a sale of them brings, as far as the books reach.
    """

    asset: str
    held_atoms: Atoms
    later_atoms: Atoms
    owed_atoms: Atoms
    liquid_atoms: Atoms
    worth_atoms: Atoms
    is_priced: bool


class Liquid(msgspec.Struct, frozen=True, kw_only=True):
    """`money_atoms` is the figure. `token_atoms` is the same figure in tokens at the last price.

    It is None where that price is not known. `shorts` is what all that is owed lacks.
    """

    at_ns: Ns
    money_atoms: Atoms
    token_atoms: Atoms | None
    lines: tuple[AssetLine, ...]
    shorts: tuple[Short, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The headline, the curve by due date, and the first date that is not covered."""

    liquid: Liquid
    points: tuple[Point, ...]
    uncovered: Day | None


def liquid(facts: Facts, params: LiquidParams) -> Liquid:
    """How much is liquid today? Walks every book once."""
    purse, shorts = settle(facts, facts.obligations)
    today_ns = facts.at_ns + params.within_h * NS_PER_H
    lines = tuple(
        _line(facts, purse, name, today_ns, is_short=bool(shorts)) for name in facts.scheme.names()
    )
    money = sum(line.worth_atoms for line in lines)
    return Liquid(
        at_ns=facts.at_ns,
        money_atoms=money,
        token_atoms=_tokens(facts.price(params.token), money),
        lines=lines,
        shorts=tuple(shorts),
    )


def report(facts: Facts, params: LiquidParams) -> Report:
    points = curve(facts)
    return Report(
        liquid=liquid(facts, params), points=tuple(points), uncovered=first_uncovered(points)
    )


def sale_value(facts: Facts) -> Atoms:
    """What everything that is free now would bring at once, before any obligation."""
    return sold(facts, Purse(facts), facts.at_ns)


def _line(facts: Facts, purse: Purse, name: str, today_ns: Ns, *, is_short: bool) -> AssetLine:
    pieces = pieces_of(facts, name)
    liquid_atoms = 0 if is_short else purse.ready(name, today_ns)
    return AssetLine(
        asset=name,
        held_atoms=sum(piece.atoms for piece in pieces),
        later_atoms=sum(piece.atoms for piece in pieces if piece.ready_ns > today_ns),
        owed_atoms=owed_atoms(facts.obligations, name),
        liquid_atoms=liquid_atoms,
        worth_atoms=0 if is_short else purse.sell_all(name, today_ns),
        is_priced=facts.price(name) is not None,
    )


def _tokens(price: Price | None, money: Atoms) -> Atoms | None:
    """At a price: `money` over the price, rounded down."""
    return None if price is None else money * price.base_atoms // price.money_atoms
