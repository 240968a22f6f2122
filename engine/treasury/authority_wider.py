"""Whether a new policy or roster allows anything that the one in force does not.

What is tighter holds at once. What is wider is an action that needs a second person: a `widen
limit` of "authority" or "roster" that names both by their digests.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import msgspec
import numpy as np

from engine.treasury.authority import STRICTNESS, Authority, OverrideRule
from engine.treasury.authority_grid import (
    HOLE,
    Cuts,
    Grid,
    assets_of,
    cuts_of,
    example,
    rows_for,
    taken_rows,
)
from engine.treasury.authority_rows import ORDINARY
from engine.values.action_records import AuthoritySet, Person, RosterSet, Tier
from engine.values.action_words import Initiator, WidenLimit

SHORTER = ("window_ns", "settle_ns")
LONGER = ("request_ns_max", "approval_ns_max", "review_ns")
"""What widens a policy when it gets shorter, and when it gets longer."""


def widening(word: RosterSet | AuthoritySet, people: Sequence[Person], authority: Authority) -> str:
    """What `word` would allow that these people and this policy do not, or ""."""
    if isinstance(word, RosterSet):
        return wider_roster(people, word.people)
    return wider(authority, msgspec.json.decode(word.text, type=Authority))


def widen_limit(was: str, word: RosterSet | AuthoritySet) -> WidenLimit:
    """The action by which people agree to `word` where the digest `was` is in force."""
    limit = "roster" if isinstance(word, RosterSet) else "authority"
    return WidenLimit(limit=limit, was=was, becomes=word.digest)


def wider(was: Authority, now: Authority) -> str:
    """The first thing that `now` makes easier than `was`, or ""."""
    return next(_wider(was, now), "")


def wider_roster(was: Sequence[Person], now: Sequence[Person]) -> str:
    """Who could sign under `now` what they could not under `was`, or ""."""
    known = {person.name: person for person in was}
    for person in now:
        before = known.get(person.name)
        if before is None:
            return f"{person.name} is new"
        if before.key != person.key:
            return f"{person.name} has another key"
        if before.role is not person.role:
            return f"{person.name} is {person.role} instead of {before.role}"
    return ""


def _wider(was: Authority, now: Authority) -> Iterator[str]:
    if (was.desk, was.money) != (now.desk, now.money):
        yield "it is for another desk, or counts in other money"
        return
    for name in SHORTER + LONGER:
        before, after = getattr(was, name), getattr(now, name)
        if before != after and (after < before) == (name in SHORTER):
            yield f"{name} goes from {before} to {after}"
    yield from _assets(was, now)
    for function in now.functions:
        if function not in was.functions:
            yield f"the function {function} is new"
    for target in now.addresses:
        if target not in was.addresses:
            yield f"the address {target.address} of {target.place} is new"
    before_by = {row.trigger: row for row in was.overrides}
    for row in now.overrides:
        if _is_wider(before_by.get(row.trigger), row):
            yield f"the override for {row.trigger} allows more"
    yield from _cells(was, now)


def _assets(was: Authority, now: Authority) -> Iterator[str]:
    known = {rule.name: rule for rule in was.assets}
    for rule in now.assets:
        before = known.get(rule.name)
        if before is None or before.exponent != rule.exponent:
            yield f"the asset {rule.name} is new"
        elif rule.price_ns_max > before.price_ns_max:
            yield f"an older price of {rule.name} counts as known"


def _is_wider(was: OverrideRule | None, now: OverrideRule) -> bool:
    """Anything but fewer roles and kinds, less time and money, more evidence and sooner."""
    return was is None or not (
        now.roles <= was.roles
        and now.alone <= was.alone
        and now.does <= was.does
        and now.act_within_ns <= was.act_within_ns
        and now.money_max <= was.money_max
        and set(now.evidence) >= set(was.evidence)
        and now.evidence_ns <= was.evidence_ns
    )


def _cells(was: Authority, now: Authority) -> Iterator[str]:
    """Every cell of both grids, cut wherever either has a bound."""
    functions = [function for function in now.functions if function in was.functions]
    seen: set[tuple[tuple[int, ...], tuple[int, ...], str]] = set()
    for category in product(Initiator, ORDINARY, functions):
        before, after = rows_for(was, category), rows_for(now, category)
        rules = [was.rows[number] for number in before] + [now.rows[number] for number in after]
        for asset in assets_of(now, category[1]):
            key = (before, after, asset.name)
            if key in seen:
                continue
            seen.add(key)
            cuts = cuts_of(category, asset, (before, rules), now.money)
            other = msgspec.structs.replace(cuts, rows=after)
            easier = np.argwhere(_tiers(now, other) < _tiers(was, cuts))
            if len(easier):
                yield f"easier than before: {example(cuts, easier[0].tolist())}"


def _tiers(authority: Authority, cuts: Cuts) -> Grid:
    """How strict each cell is; one without a row is refused, an impossible one is nothing."""
    tiers = [STRICTNESS[row.tier] for row in authority.rows]
    strict = np.array([*tiers, -1, STRICTNESS[Tier.REFUSED]])
    taken, _ = taken_rows(authority, cuts)
    assert HOLE == -1
    found: Grid = strict[taken]
    return found
