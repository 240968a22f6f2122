"""Limits as rows: what each measure needs, and what of a change holds at once.

Tightening acts at once and field by field; what is wider waits for a second person. So the rows in
force are never wider than those before, whatever is wanted.
"""

from collections.abc import Sequence

import msgspec

from engine.values.treasury_words import LimitRow, Measure
from engine.values.units import DECIMALS_MAX, PPM, scaled

DAYS_MAX = 3_660


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What a row of this measure must and may say. `longer_is_wider` is about `days`."""

    must: frozenset[str]
    may: frozenset[str]
    longer_is_wider: bool = False


KINDS = {
    Measure.UNHEDGED: Kind(
        must=frozenset({"asset", "share_ppm", "days", "buckets"}),
        may=frozenset({"function", "tokens", "money"}),
        longer_is_wider=True,
    ),
    Measure.STAKED: Kind(
        must=frozenset({"asset", "days"}), may=frozenset({"function", "tokens", "money"})
    ),
    Measure.VENUE_SHARE: Kind(
        must=frozenset({"share_ppm"}), may=frozenset({"asset", "tokens", "money"})
    ),
    Measure.STABLE_BUFFER: Kind(must=frozenset({"days"}), may=frozenset({"function"})),
    Measure.TURNOVER: Kind(must=frozenset({"asset", "tokens", "money"}), may=frozenset()),
    Measure.VENUE_LIST: Kind(must=frozenset({"venues"}), may=frozenset()),
}
"""Of the obligations of `days`: UNHEDGED takes a share, STAKED and STABLE_BUFFER keep all."""
OPTIONAL = ("asset", "function", "share_ppm", "days", "tokens", "money", "buckets", "venues")


class Widening(msgspec.Struct, frozen=True, kw_only=True):
    """A row that people want and that waits: `was` is in force, `wanted` None where it goes."""

    name: str
    was: LimitRow
    wanted: LimitRow | None


def row_problem(row: LimitRow) -> str:
    """What is wrong with a row, as `key: fault`, or ""."""
    kind = KINDS[row.measure]
    for key in OPTIONAL:
        is_there = getattr(row, key) not in (None, "", [])
        if key in kind.must and not is_there:
            return f'{key}: missing; "{row.measure}" needs it'
        if is_there and key not in kind.must | kind.may:
            return f'{key}: "{row.measure}" has none'
    return _number_problem(row)


def _number_problem(row: LimitRow) -> str:
    if not row.name.strip():
        return "name: must not be empty"
    if row.share_ppm is not None and not 0 <= row.share_ppm <= PPM:
        return f"share_ppm: must be 0 to {PPM}"
    if row.days is not None and not 0 <= row.days <= DAYS_MAX:
        return f"days: must be 0 to {DAYS_MAX}"
    if row.tokens is not None and not row.asset:
        return "tokens: needs an asset"
    for key in ("tokens", "money"):
        text = getattr(row, key)
        try:
            if text is not None and scaled(text, DECIMALS_MAX) < 0:
                return f"{key}: must not be negative"
        except ValueError as error:
            return f"{key}: {error}"
    return ""


def is_same_rule(one: LimitRow, other: LimitRow) -> bool:
    """Whether two rows look at the same thing, so that their numbers can be compared."""
    return (one.measure, one.asset, one.function) == (other.measure, other.asset, other.function)


def tightest(now: LimitRow, wanted: LimitRow) -> LimitRow:
    """The tighter of each number. Both look at the same thing."""
    assert is_same_rule(now, wanted), "rows that cannot be compared"
    days = (now.days, wanted.days)
    known = [count for count in days if count is not None]
    shorter = KINDS[now.measure].longer_is_wider
    return msgspec.structs.replace(
        now,
        name=wanted.name,
        share_ppm=_least([now.share_ppm, wanted.share_ppm]),
        days=(min(known) if shorter else max(known)) if known else None,
        tokens=_least_text(now.tokens, wanted.tokens),
        money=_least_text(now.money, wanted.money),
        buckets=sorted({*now.buckets, *wanted.buckets}),
        venues=sorted({*now.venues} & {*wanted.venues}),
    )


def changed(
    now: Sequence[LimitRow], wanted: Sequence[LimitRow]
) -> tuple[list[LimitRow], list[Widening]]:
    """(the rows in force from now on, what waits). Without rows before, all that is wanted holds.

    A row that looks at something else under an old name is a new row, and the old one stays until
    its going is approved: it keeps its name with " (before)" behind it.
    """
    if not now:
        return list(wanted), []
    wishes = {row.name: row for row in wanted}
    rows: list[LimitRow] = []
    waiting: list[Widening] = []
    for row in now:
        wish = wishes.pop(row.name, None)
        if wish is None:
            rows.append(row)
            waiting.append(Widening(name=row.name, was=row, wanted=None))
        elif not is_same_rule(row, wish):
            old = msgspec.structs.replace(row, name=f"{row.name} (before)")
            rows += [old, wish]
            waiting.append(Widening(name=old.name, was=old, wanted=None))
        else:
            kept = tightest(row, wish)
            rows.append(kept)
            if not same_numbers(kept, wish):
                waiting.append(Widening(name=row.name, was=kept, wanted=wish))
    return rows + list(wishes.values()), waiting


def same_numbers(one: LimitRow, other: LimitRow) -> bool:
    """The order in which buckets and venues are named, and zeros after the point, say nothing."""
    return _canonical(one) == _canonical(other)


def is_wider(wanted: LimitRow, now: LimitRow) -> bool:
    """Whether anything that `wanted` says is wider than `now`."""
    return not is_same_rule(wanted, now) or not same_numbers(tightest(now, wanted), wanted)


def _canonical(row: LimitRow) -> tuple[object, ...]:
    amounts = [
        None if text is None else scaled(text, DECIMALS_MAX) for text in (row.tokens, row.money)
    ]
    return (row.share_ppm, row.days, *amounts, sorted(row.buckets), sorted(row.venues))


def _least(values: list[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)


def _least_text(one: str | None, other: str | None) -> str | None:
    known = [text for text in (one, other) if text is not None]
    return min(known, key=lambda text: scaled(text, DECIMALS_MAX), default=None)
