"""The grid over which a policy of approvals is proved: categories of actions, and cut sizes.

Axes of one category are four sizes: of the action and over the window, in tokens and in money. An
axis is cut where any row has a bound; behind the cuts lies one place that is larger than all of
them, and for money one more for "not known".
"""

from collections.abc import Iterator
from itertools import product

import msgspec
import numpy as np
import numpy.typing as npt

from engine.treasury.actions import FAMILY, Family, Kind
from engine.treasury.amounts import Asset
from engine.treasury.authority import Authority, Bounds, Rule
from engine.treasury.authority_rows import ORDINARY
from engine.values.action_words import Initiator
from engine.values.units import Atoms, decimal_text

HOLE, IMPOSSIBLE = -1, -2
APART = {Kind.EMERGENCY_SALE}
"""Sized kinds that the checker holds to a rule of their own: they are looked at alone."""
NO_ASSET = "nothing"
AXES = ("each, tokens", "window, tokens", "each, money", "window, money")
Grid = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Category = tuple[Initiator, Kind, str]


class Cuts(msgspec.Struct, frozen=True, kw_only=True):
    """One category of actions in one asset: its rows by number, and where its sizes are cut.

    An axis has a place for each cut (sizes up to it), one above all cuts, and for money one more
    for "not known".
    """

    where: str
    kind: Kind
    rows: tuple[int, ...]
    asset: str
    exponent: int
    money_exponent: int
    tokens: tuple[Atoms, ...]
    money: tuple[Atoms, ...]


def categories(authority: Authority) -> Iterator[Cuts]:
    """One for each different set of rows: categories that meet the same rows are the same case."""
    seen: set[tuple[tuple[int, ...], str, str]] = set()
    for initiator, kind, function in product(Initiator, ORDINARY, authority.functions):
        numbers = rows_for(authority, (initiator, kind, function))
        is_sized = FAMILY[kind] is not Family.RULE
        for asset in assets_of(authority, kind):
            key = (numbers, asset.name, kind.value if kind in APART or not is_sized else "")
            if key not in seen:
                seen.add(key)
                rules = [authority.rows[number] for number in numbers]
                yield cuts_of((initiator, kind, function), asset, (numbers, rules), authority.money)


def rows_for(authority: Authority, category: Category) -> tuple[int, ...]:
    """The numbers of the rows that are for this initiator, kind and function."""
    initiator, kind, function = category
    return tuple(
        number
        for number, row in enumerate(authority.rows)
        if initiator in row.initiators and kind in row.kinds and function in row.functions
    )


def assets_of(authority: Authority, kind: Kind) -> list[Asset]:
    """What actions of `kind` may move; one without a name for those that move nothing."""
    if FAMILY[kind] is Family.RULE:
        return [Asset(NO_ASSET, 0)]
    return [authority.money, *(Asset(rule.name, rule.exponent) for rule in authority.assets)]


def cuts_of(
    category: Category, asset: Asset, rows: tuple[tuple[int, ...], list[Rule]], money: Asset
) -> Cuts:
    """The axes that tell these rows apart for one asset."""
    initiator, kind, function = category
    is_sized = asset.name != NO_ASSET
    bounds = [bounds for rule in rows[1] if is_sized and (bounds := rule.bounds) is not None]
    return Cuts(
        where=f"initiator {initiator}, kind {kind}, function {function}",
        kind=kind,
        rows=rows[0],
        asset=asset.name if is_sized else "",
        exponent=asset.exponent,
        money_exponent=money.exponent,
        tokens=_token_cuts(bounds, asset.name),
        money=tuple(sorted({m for b in bounds for m in (b.each_money, b.window_money)})),
    )


def _token_cuts(bounds: list[Bounds], asset: str) -> tuple[Atoms, ...]:
    found = {table[asset] for b in bounds for table in (b.each_tokens, b.window_tokens)
             if asset in table}  # fmt: skip
    return tuple(sorted(found))


def taken_rows(authority: Authority, cuts: Cuts) -> tuple[Grid, dict[int, Mask]]:
    """The row of each cell, HOLE or IMPOSSIBLE; and for each row where it fits.

    A window includes the action, so it is never smaller. Neither axis is shorter than the other,
    which makes that a comparison of places.
    """
    tokens, money = len(cuts.tokens) + 1, len(cuts.money) + 2
    shape = (tokens, tokens, money, money)
    place = np.indices(shape, sparse=True)
    possible = (place[1] >= place[0]) & (place[3] >= place[2])
    taken: Grid = np.where(possible, HOLE, IMPOSSIBLE)
    matched: dict[int, Mask] = {}
    for number in cuts.rows:
        matched[number] = _matches(authority.rows[number], cuts, place) & possible
        taken[matched[number] & (taken == HOLE)] = number
    return taken, matched


def _matches(row: Rule, cuts: Cuts, place: tuple[Grid, ...]) -> Mask:
    if row.bounds is None or not cuts.asset:
        return np.ones(np.broadcast_shapes(*(axis.shape for axis in place)), dtype=np.bool_)
    bounds = row.bounds
    upto = (
        _place(cuts.tokens, bounds.each_tokens.get(cuts.asset)),
        _place(cuts.tokens, bounds.window_tokens.get(cuts.asset)),
        _place(cuts.money, bounds.each_money),
        _place(cuts.money, bounds.window_money),
    )
    inside = [axis <= last for axis, last in zip(place, upto, strict=True)]
    return inside[0] & inside[1] & inside[2] & inside[3]


def _place(axis: tuple[Atoms, ...], bound: Atoms | None) -> int:
    """The last place that a bound lets in; none where the row does not name the asset."""
    return -1 if bound is None else axis.index(bound)


def example(cuts: Cuts, cell: list[int]) -> str:
    """A cell in words: what it is, and up to which sizes."""
    if not cuts.asset:
        return cuts.where
    parts = []
    for name, place, axis in zip(
        AXES, cell, (cuts.tokens, cuts.tokens, cuts.money, cuts.money), strict=True
    ):
        unit = cuts.asset if "tokens" in name else "money"
        parts.append(f"{name.partition(',')[0]} {_size(axis, place, unit, cuts)}")
    return f"{cuts.where}, {', '.join(parts)}"


def _size(axis: tuple[Atoms, ...], place: int, unit: str, cuts: Cuts) -> str:
    exponent = cuts.money_exponent if unit == "money" else cuts.exponent
    if place < len(axis):
        return f"up to {decimal_text(axis[place], exponent)} {unit}"
    if place > len(axis):
        return f"of unknown {unit}"
    return f"over {decimal_text(axis[-1], exponent)} {unit}" if axis else f"any {unit}"
