"""What changes between two playbooks: the cells whose action differs, in a few readable groups."""

from collections.abc import Iterator

import msgspec
import numpy as np

from engine.trading.playbook import Playbook
from engine.trading.playbook_grid import NAMES, WHOLE, Mask, first_of, in_words, known_part
from engine.trading.posture import Posture


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The cells that took the row `was` and take the row `now`, where that does something else.

    `cells` counts the whole grid, `known` those without an unknown answer. `parts` are the numbers
    that differ, `where` the answers of these cells question by question (together they may span
    more cells than changed), `example` one cell in words. `is_bolder`: more exposed than it was in
    some part.
    """

    was: str
    now: str
    cells: int
    known: int
    parts: tuple[str, ...]
    where: str
    example: str
    is_bolder: bool


def changes(old: Playbook, new: Playbook) -> list[Change]:
    """Every group of cells whose action changes, the largest first. A new name is no change."""
    found = []
    codes = old.taken * len(new.postures) + new.taken
    for code in np.unique(codes).tolist():
        was, now = divmod(code, len(new.postures))
        one, two = old.postures[was], new.postures[now]
        if parts := tuple(_parts(_action(one), _action(two), "")):
            found.append(_change(one, two, codes == code, parts))
    return sorted(found, key=lambda change: (-change.known, -change.cells, change.was, change.now))


def numbers_changed(old: Playbook, new: Playbook) -> list[str]:
    """`hedge.child_value 6 -> 8` for each number beside the rows that differs."""
    one, two = msgspec.to_builtins(old.numbers), msgspec.to_builtins(new.numbers)
    return list(_parts(one, two, ""))


def spanned(mask: Mask) -> str:
    """The answers of a mask's cells, question by question; one that is not named has every one."""
    words = []
    for axis, name in enumerate(NAMES):
        others = tuple(other for other in range(len(NAMES)) if other != axis)
        there = np.atleast_1d(mask.any(axis=others))
        answers = [WHOLE[name][place] for place in np.flatnonzero(there).tolist()]
        if len(answers) < len(there):
            words.append(f"{name} {' or '.join(answers)}")
    return "; ".join(words) or "everywhere"


def _change(one: Posture, two: Posture, mask: Mask, parts: tuple[str, ...]) -> Change:
    known: Mask = known_part(mask).astype(np.bool_)
    told = known if known.any() else mask
    return Change(
        was=one.row,
        now=two.row,
        cells=int(mask.sum()),
        known=int(known.sum()),
        parts=parts,
        where=spanned(told),
        example=in_words(first_of(told)),
        is_bolder=any(b > a for a, b in zip(one.exposure, two.exposure, strict=True)),
    )


def _action(posture: Posture) -> dict[str, object]:
    return {
        "quotes": msgspec.to_builtins(posture.quotes),
        "hedge": str(posture.hedge),
        "limits": msgspec.to_builtins(posture.limits),
    }


def _parts(old: object, new: object, path: str) -> Iterator[str]:
    """Where two nested tables differ, by path. A list that grew or shrank differs as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            yield from _parts(old[key], new[key], f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, two) in enumerate(zip(old, new, strict=True)):
            yield from _parts(one, two, f"{path}[{index}]")
    elif old != new:
        yield f"{path} {old} -> {new}"
