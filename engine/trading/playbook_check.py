"""Proves a playbook over its whole grid, before an engine may run it.

That every cell takes exactly one row needs no proof of its own: there is a default, and two rows of
one rank never match one cell. What else must hold: each row is reached, all rows form one order of
exposure, so that "the less exposed" has one meaning, each row shows both sides, and no unknown
answer leads to more exposure than any known one in its place.
"""

from collections.abc import Iterator
from enum import StrEnum
from itertools import combinations

import numpy as np

from engine.trading.playbook import Playbook
from engine.trading.playbook_grid import (
    KNOWN,
    NAMES,
    SHAPE,
    Mask,
    Row,
    first_of,
    in_words,
    known_part,
    match_mask,
)
from engine.trading.posture import Posture
from engine.values.row_check import Problem

PARTS = (
    "limits.cap_share (0 unless limits.may_add)",
    "quotes.bid_size",
    "quotes.bid_closer",
    "quotes.bid_out_ticks (less is more exposed)",
    "hedge (less cover is more exposed)",
    "limits.stops_share",
)
"""The parts of `Posture.exposure`, in its order, as they are written in the file."""


class Fault(StrEnum):
    AMBIGUOUS = "ambiguous"
    NEVER_REACHED = "never reached"
    NO_ORDER = "no order of exposure"
    ONE_SIDED = "one-sided"
    UNKNOWN_IS_BOLD = "unknown is bold"


def check(playbook: Playbook) -> list[Problem]:
    """Every reason why `playbook` may not run; none for one that is whole."""
    return [
        *_overlaps(playbook),
        *_never_reached(playbook),
        *_disorders(playbook.postures),
        *_one_sided(playbook.postures),
        *_bold(playbook),
    ]


def _overlaps(playbook: Playbook) -> Iterator[Problem]:
    for one, two in combinations(playbook.rows, 2):
        if one.rank != two.rank or not _meet(one, two):
            continue
        example = in_words(first_of(match_mask(one) & match_mask(two)))
        yield Problem(
            fault=Fault.AMBIGUOUS,
            rows=(one.name, two.name),
            text=f'rows "{one.name}" and "{two.name}" have rank {one.rank} and both match: '
            f"{example}",
        )


def _meet(one: Row, two: Row) -> bool:
    return all(set(one.takes(name)) & set(two.takes(name)) for name in NAMES)


def _never_reached(playbook: Playbook) -> Iterator[Problem]:
    """Rows that no cell of known answers takes: people would read them and be wrong."""
    taken = set(np.unique(known_part(playbook.taken)).tolist())
    for number, row in enumerate(playbook.rows):
        if number in taken:
            continue
        where = match_mask(row)
        if (playbook.matched[where] == number).any():
            why = "the conflict rule always takes the less exposed row at neutral instead"
        else:
            above = np.unique(playbook.matched[where]).tolist()
            why = "wherever it matches, so do " + ", ".join(
                f'"{playbook.postures[n].row}" (rank {playbook.rows[n].rank})' for n in above
            )
        yield Problem(
            fault=Fault.NEVER_REACHED,
            rows=(row.name,),
            text=f'row "{row.name}" (rank {row.rank}) is never reached: {why}',
        )


def _disorders(postures: tuple[Posture, ...]) -> Iterator[Problem]:
    for one, two in combinations(postures, 2):
        more: list[str] = []
        less: list[str] = []
        for part, a, b in zip(PARTS, one.exposure, two.exposure, strict=True):
            if a != b:
                (more if a > b else less).append(part)
        if more and less:
            yield Problem(
                fault=Fault.NO_ORDER,
                rows=(one.row, two.row),
                text=f'rows "{one.row}" and "{two.row}" are in no order of exposure: '
                f"the first is more exposed in {', '.join(more)}, "
                f"the second in {', '.join(less)}",
            )


def _one_sided(postures: tuple[Posture, ...]) -> Iterator[Problem]:
    for posture in postures:
        for side, size in (("bids", posture.quotes.bid_size), ("asks", posture.quotes.ask_size)):
            if not size > 0:
                yield Problem(
                    fault=Fault.ONE_SIDED,
                    rows=(posture.row,),
                    text=f'row "{posture.row}" shows no {side}; every row keeps both sides',
                )


def _bold(playbook: Playbook) -> Iterator[Problem]:
    """Holds by construction; looked at again, since money hangs on it."""
    exposures = sorted(posture.exposure for posture in playbook.postures)
    place = np.array([exposures.index(posture.exposure) for posture in playbook.postures])
    places = place[playbook.taken]
    for axis, name in enumerate(NAMES):
        unknown = places.take([SHAPE[axis] - 1], axis=axis)
        known = places.take(range(len(KNOWN[name])), axis=axis)
        bold: Mask = unknown > known
        if bold.any():
            yield Problem(
                fault=Fault.UNKNOWN_IS_BOLD,
                rows=(),
                text=f"not to know {name} is bolder than to know it: {in_words(first_of(bold))}",
            )
