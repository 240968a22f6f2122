"""Proves a policy of approvals over its whole grid, before a desk may run it.

What must hold: every cell has a row, every row is reached, a larger or unknown size never meets an
easier tier, no two rows of different tiers need the order of the file to tell them apart, and some
kinds never come too easily. Each fault names the rows, and an example.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import numpy as np

from engine.treasury.actions import Kind
from engine.treasury.amounts import Asset
from engine.treasury.authority import STRICTNESS, AssetRule, Authority, Rule
from engine.treasury.authority_grid import (
    AXES,
    HOLE,
    IMPOSSIBLE,
    Cuts,
    Grid,
    Mask,
    categories,
    example,
    taken_rows,
)
from engine.treasury.authority_params import AuthorityParams
from engine.treasury.authority_rows import authority_of
from engine.values.action_records import Tier
from engine.values.action_words import Trigger
from engine.values.row_check import Problem
from engine.values.units import Atoms

EASIEST = {Kind.WIDEN_LIMIT: Tier.TWO_PEOPLE, Kind.EMERGENCY_SALE: Tier.EXECUTIVE}
"""A limit's widening needs a second person, an emergency an executive."""


class Fault(StrEnum):
    HOLE = "no row"
    NEVER_REACHED = "never reached"
    EASIER_WHEN_LARGER = "easier when larger"
    AMBIGUOUS = "ambiguous"
    TOO_EASY = "too easy"


def check(authority: Authority) -> list[Problem]:
    """Every reason why `authority` may not run; none for one that is whole. The same text once."""
    found: dict[str, Problem] = {}
    reached: set[int] = set()
    for cuts in categories(authority):
        taken, matched = taken_rows(authority, cuts)
        reached |= set(np.unique(taken).tolist()) - {HOLE, IMPOSSIBLE}
        for problem in _cell_problems(authority, cuts, (taken, matched)):
            key = f"{problem.fault} {problem.rows}"
            found.setdefault(key, problem)
    return [*found.values(), *_never_reached(authority, reached), *_override_problems(authority)]


def params_problems(
    params: AuthorityParams, money: Asset, assets: Sequence[AssetRule], functions: Sequence[str]
) -> Iterator[str]:
    """What keeps the `[authority]` of a file from running, each with its key path."""
    try:
        authority = authority_of(params, money, assets, functions)
    except ValueError as error:
        yield f"authority.{error}"
        return
    yield from (f"authority: {problem.text}" for problem in check(authority))


def cells(authority: Authority) -> int:
    """How many cells the proof looks at, for people."""
    sizes = [(len(c.tokens) + 1) ** 2 * (len(c.money) + 2) ** 2 for c in categories(authority)]
    return sum(sizes)


def _cell_problems(
    authority: Authority, cuts: Cuts, grids: tuple[Grid, dict[int, Mask]]
) -> Iterator[Problem]:
    taken, matched = grids
    if (taken == HOLE).any():
        where = example(cuts, np.argwhere(taken == HOLE)[0].tolist())
        yield Problem(fault=Fault.HOLE, rows=(), text=f"no row is for: {where}")
    yield from _easier(authority, cuts, taken)
    yield from _ambiguous(authority, cuts, (taken, matched))
    yield from _too_easy(authority, cuts, taken)


def _easier(authority: Authority, cuts: Cuts, taken: Grid) -> Iterator[Problem]:
    """A step up along any axis must not lead to an easier tier. Holes are told of already."""
    tiers = np.array([STRICTNESS[row.tier] for row in authority.rows])
    for axis, name in enumerate(AXES):
        low = taken.take(range(taken.shape[axis] - 1), axis=axis)
        high = taken.take(range(1, taken.shape[axis]), axis=axis)
        bad = (low >= 0) & (high >= 0) & (tiers[np.maximum(high, 0)] < tiers[np.maximum(low, 0)])
        for cell in np.argwhere(bad)[:1].tolist():
            one, two = (authority.rows[grid[tuple(cell)]] for grid in (low, high))
            cell[axis] += 1
            yield Problem(
                fault=Fault.EASIER_WHEN_LARGER,
                rows=(one.name, two.name),
                text=f'row "{two.name}" ({two.tier}) is easier than "{one.name}" ({one.tier}), '
                f"and takes what is larger ({name}): {example(cuts, cell)}",
            )


def _ambiguous(
    authority: Authority, cuts: Cuts, grids: tuple[Grid, dict[int, Mask]]
) -> Iterator[Problem]:
    """Two rows of different tiers share a cell, and neither is a special case of the other."""
    taken, matched = grids
    for place, first in enumerate(cuts.rows):
        for second in cuts.rows[place + 1 :]:
            one, two = authority.rows[first], authority.rows[second]
            if one.tier is two.tier or is_within(one, two) or is_within(two, one):
                continue
            shared = np.argwhere((taken == first) & matched[second])
            if len(shared):
                yield Problem(
                    fault=Fault.AMBIGUOUS,
                    rows=(one.name, two.name),
                    text=f'rows "{one.name}" ({one.tier}) and "{two.name}" ({two.tier}) are both '
                    f"for: {example(cuts, shared[0].tolist())}; only their order tells, and "
                    "neither is a special case of the other",
                )


def _too_easy(authority: Authority, cuts: Cuts, taken: Grid) -> Iterator[Problem]:
    floor = EASIEST.get(cuts.kind, Tier.AUTOMATIC)
    for number in set(np.unique(taken).tolist()) - {HOLE, IMPOSSIBLE}:
        row = authority.rows[number]
        where = example(cuts, np.argwhere(taken == number)[-1].tolist())
        if STRICTNESS[row.tier] < STRICTNESS[floor]:
            why = f"{cuts.kind} is {floor} at least"
        elif row.tier is Tier.AUTOMATIC and row.bounds is None and cuts.asset:
            why = "automatic has no bound"
        else:
            continue
        text = f'row "{row.name}" is too easy, {why}: {where}'
        yield Problem(fault=Fault.TOO_EASY, rows=(row.name,), text=text)


def is_within(one: Rule, two: Rule) -> bool:
    """Whether `one` is a special case of `two`: whatever fits it would fit `two`."""
    if not (
        one.initiators <= two.initiators
        and one.kinds <= two.kinds
        and one.functions <= two.functions
    ):
        return False
    if two.bounds is None or one.bounds is None:
        return two.bounds is None
    return (
        one.bounds.each_money <= two.bounds.each_money
        and one.bounds.window_money <= two.bounds.window_money
        and _are_under(one.bounds.each_tokens, two.bounds.each_tokens)
        and _are_under(one.bounds.window_tokens, two.bounds.window_tokens)
    )


def _are_under(one: dict[str, Atoms], two: dict[str, Atoms]) -> bool:
    return all(asset in two and atoms <= two[asset] for asset, atoms in one.items())


def _never_reached(authority: Authority, reached: set[int]) -> Iterator[Problem]:
    for number, row in enumerate(authority.rows):
        if number in reached:
            continue
        above = [
            other.name
            for other in authority.rows[:number]
            if other.initiators & row.initiators
            and other.kinds & row.kinds
            and other.functions & row.functions
        ]
        why = "rows above take all that it is for: " + ", ".join(f'"{name}"' for name in above)
        yield Problem(
            fault=Fault.NEVER_REACHED,
            rows=(row.name,),
            text=f'row "{row.name}" is never reached; {why if above else "nothing fits it"}',
        )


def _override_problems(authority: Authority) -> Iterator[Problem]:
    told = [row.trigger for row in authority.overrides]
    for trigger in Trigger:
        if told.count(trigger) != 1:
            fault = Fault.HOLE if trigger not in told else Fault.AMBIGUOUS
            text = f'overrides: "{trigger}" has {told.count(trigger)} rows, it needs one'
            yield Problem(fault=fault, rows=(), text=text)
