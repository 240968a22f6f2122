"""A playbook for people: each row with what it takes, and signal against BTC, the rest folded."""

from collections.abc import Iterator
from string import ascii_uppercase
from typing import Any

import msgspec
import numpy as np

from engine.trading.playbook import Playbook
from engine.trading.playbook_grid import (
    WHOLE,
    Grid,
    by_care,
    is_conflict,
    known_part,
    listed,
)
from engine.trading.posture import Posture


class RowView(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it is shown. `letter` stands for it in tables; `place` is 0 for least exposed.

    `known` and `cells` are the cells that it takes, without and with those of unknown answers.
    """

    letter: str
    place: int
    name: str
    rank: int | None
    when: str
    quotes: str
    hedge: str
    limits: str
    reason: str
    known: int
    cells: int


def row_views(playbook: Playbook) -> list[RowView]:
    """All rows and the default, in the order of `playbook.postures`."""
    order = by_care(playbook.postures)
    known = np.bincount(known_part(playbook.taken).ravel(), minlength=len(order))
    cells = np.bincount(playbook.taken.ravel(), minlength=len(order))
    views = []
    for number, posture in enumerate(playbook.postures):
        row = playbook.rows[number] if number < len(playbook.rows) else None
        views.append(
            RowView(
                letter=letter_of(number),
                place=order.index(number),
                name=posture.row,
                rank=row.rank if row else None,
                when=("; ".join(listed(row)) or "always") if row else "where no row matches",
                quotes=quotes_in_words(posture),
                hedge=str(posture.hedge),
                limits=limits_in_words(posture),
                reason=posture.reason,
                known=int(known[number]),
                cells=int(cells[number]),
            )
        )
    return views


def letter_of(number: int) -> str:
    """A, B, ... Z, A1, B1, ..."""
    turn, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(turn) if turn else "")


def quotes_in_words(posture: Posture) -> str:
    quotes = posture.quotes
    closer = f", {quotes.bid_closer:.0%} closer together" if quotes.bid_closer else ""
    upper = (
        f", each further ask {quotes.upper_ask_out_ticks:g} more"
        if quotes.upper_ask_out_ticks
        else ""
    )
    return (
        f"bids {quotes.bid_size:.0%}{_out(quotes.bid_out_ticks)}{closer}; "
        f"asks {quotes.ask_size:.0%}{_out(quotes.ask_out_ticks)}{upper}"
    )


def _out(ticks: float) -> str:
    return f", {ticks:g} tick{'' if ticks == 1 else 's'} out" if ticks else ""


def limits_in_words(posture: Posture) -> str:
    limits = posture.limits
    adds = f"up to {limits.cap_share:.0%} of the way to the cap"
    return f"{adds if limits.may_add else 'add nothing'}; stops at {limits.stops_share:.0%}"


def shares(playbook: Playbook) -> dict[str, dict[str, dict[str, float]]]:
    """signal -> btc -> row's letter -> share of the cells, all other answers known and folded."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for s, signal in enumerate(WHOLE["signal"]):
        table[signal] = {}
        for b, btc in enumerate(WHOLE["btc"]):
            cells = playbook.taken[s, :-1, b, :-1, :-1, :-1, :-1, :-1]
            table[signal][btc] = _shares_of(cells)
    return table


def _shares_of(cells: Grid) -> dict[str, float]:
    numbers, counts = np.unique(cells, return_counts=True)
    pairs = sorted(zip(counts.tolist(), numbers.tolist(), strict=True), key=lambda p: (-p[0], p[1]))
    return {letter_of(number): count / cells.size for count, number in pairs}


def shares_in_words(found: dict[str, float]) -> str:
    """`F 88 %, D 12 %`, or the letter alone."""
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{letter} {max(1, round(100 * share))} %" for letter, share in found.items())


def as_answer(playbook: Playbook) -> dict[str, Any]:
    """What `--json` says of a playbook."""
    return {
        "name": playbook.name,
        "digest": playbook.digest,
        "rows": [msgspec.structs.asdict(view) for view in row_views(playbook)],
        "shares": shares(playbook),
    }


def text_lines(playbook: Playbook) -> Iterator[str]:
    views = row_views(playbook)
    yield f"{playbook.name}  ({playbook.digest[:12]})"
    for view in sorted(views, key=lambda v: -(v.rank if v.rank is not None else -np.inf)):
        yield from _row_lines(view)
    yield ""
    yield "least exposed first: " + " < ".join(
        view.letter for view in sorted(views, key=lambda v: v.place)
    )
    yield ""
    yield from _table_lines(playbook)
    yield "! signal and market disagree: the less exposed of the row there and at neutral."
    yield "Shares are of all known answers to the other questions."


def _row_lines(view: RowView) -> Iterator[str]:
    rank = f"rank {view.rank}" if view.rank is not None else "default"
    yield ""
    yield f"{view.letter}  {view.name}  ({rank}; {view.known} known cells, {view.cells} in all)"
    yield f"     when    {view.when}"
    yield f"     quotes  {view.quotes}"
    yield f"     hedge   {view.hedge}"
    yield f"     limits  {view.limits}"
    yield f"     {view.reason}"


def _table_lines(playbook: Playbook) -> Iterator[str]:
    table = shares(playbook)
    cells = {
        signal: [
            shares_in_words(table[signal][btc]) + (" !" if is_conflict(signal, btc) else "")
            for btc in WHOLE["btc"]
        ]
        for signal in WHOLE["signal"]
    }
    head = [f"btc {btc}" for btc in WHOLE["btc"]]
    widths = [
        max(len(text) for text in column) for column in zip(head, *cells.values(), strict=True)
    ]
    for name, line in (("signal", head), *cells.items()):
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        yield f"{name:<12} {'  '.join(padded)}".rstrip()
