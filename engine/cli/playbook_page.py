"""A playbook as one page: its rows, signal against BTC, and under each of those the whole grid.

Nothing is fetched and nothing runs; cells that do not differ are folded into one, so that the page
is exact and short.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import product

import numpy as np

from engine.cli.playbook_view import (
    RowView,
    letter_of,
    row_views,
    shares,
    shares_in_words,
)
from engine.trading.playbook import Playbook
from engine.trading.playbook_grid import WHOLE, Grid, is_conflict

COLOURS = ("#e8998d", "#efb694", "#f6d79e", "#e5e3a8", "#c8dfab", "#a9d6ab")
"""From least exposed to most: red defends, green accumulates. Letters say the same in print."""
STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em;
  color: #1d2327; background: #fff }
h1 { margin-bottom: 0 } h2 { margin-top: 2em } .note { color: #5a6670 }
table { border-collapse: collapse; margin: .6em 0; break-inside: avoid }
th, td { border: 1px solid #c9d1d8; padding: .25em .5em; text-align: left; vertical-align: top }
th { background: #f2f5f7; font-weight: 600 } td.cell { text-align: center; white-space: nowrap }
.small th, .small td { font-size: 11px; padding: .1em .35em }
.letter { font-weight: 700; text-align: center } .number { text-align: right }
details { margin: .4em 0; border: 1px solid #dde3e8; padding: .3em .7em }
summary { cursor: pointer } summary b { display: inline-block; min-width: 24em }
@media print { body { font-size: 10px; margin: 0; max-width: none }
  details:not([open]) { display: none } td, th { print-color-adjust: exact }
  .small th, .small td { font-size: 7px; padding: .1em .2em } }
"""


def page_of(playbook: Playbook) -> str:
    views = row_views(playbook)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(playbook.name)}: playbook</title><style>{STYLE}{_colours(views)}</style>",
        f"</head><body><h1>{escape(playbook.name)}</h1>",
        f'<p class="note">{len(playbook.rows)} rows and a default over {playbook.taken.size:,} '
        f"combinations of answers. Digest {playbook.digest[:16]}.</p>",
        *_rows_table(views),
        *_signal_table(playbook),
        *_whole_grid(playbook),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _colours(views: list[RowView]) -> str:
    steps = max(1, len(views) - 1)
    last = len(COLOURS) - 1
    return "".join(
        f".r{view.letter} {{ background: {COLOURS[round(view.place * last / steps)]} }}\n"
        for view in views
    )


def _rows_table(views: list[RowView]) -> Iterator[str]:
    yield "<h2>The rows, most exposed first</h2>"
    yield '<p class="note">Where several match, the highest rank wins. '
    yield "Quotes are shares of what the strategy would show by itself.</p>"
    yield "<table><tr><th></th><th>row</th><th>rank</th><th>when</th><th>quotes</th><th>hedge</th>"
    yield "<th>limits</th><th>known cells</th><th>all cells</th></tr>"
    for view in sorted(views, key=lambda v: -v.place):
        rank = "default" if view.rank is None else view.rank
        yield f'<tr><td class="letter r{view.letter}">{view.letter}</td>'
        yield f"<td><b>{escape(view.name)}</b><br>{escape(view.reason)}</td>"
        yield f'<td class="number">{rank}</td><td>{_lines(view.when)}</td>'
        yield f"<td>{_lines(view.quotes)}</td><td>{view.hedge}</td><td>{_lines(view.limits)}</td>"
        yield f'<td class="number">{view.known:,}</td><td class="number">{view.cells:,}</td></tr>'
    yield "</table>"


def _lines(text: str) -> str:
    return "<br>".join(escape(part) for part in text.split("; "))


def _signal_table(playbook: Playbook) -> Iterator[str]:
    yield "<h2>Signal against BTC</h2>"
    yield '<p class="note">Everything else folded: shares of all known answers to the other '
    yield "questions. ! marks a conflict of signal and market: the less exposed wins of the row "
    yield "there and the row at neutral.</p>"
    heads = "".join(f"<th>btc {btc}</th>" for btc in WHOLE["btc"])
    yield f"<table><tr><th>signal</th>{heads}</tr>"
    for (signal, line), answer in zip(shares(playbook).items(), WHOLE["signal"], strict=True):
        yield f"<tr><th>{signal}</th>"
        for found, btc in zip(line.values(), WHOLE["btc"], strict=True):
            mark = " !" if is_conflict(answer, btc) else ""
            kind = next(iter(found))
            yield f'<td class="cell r{kind}">{shares_in_words(found)}{mark}</td>'
        yield "</tr>"
    yield "</table>"


def _whole_grid(playbook: Playbook) -> Iterator[str]:
    yield "<h2>The whole grid</h2>"
    yield '<p class="note">One part for each signal and state of BTC; what does not differ is one '
    yield "line. Parts that are open are printed.</p>"
    for (s, signal), (b, btc) in product(enumerate(WHOLE["signal"]), enumerate(WHOLE["btc"])):
        cells = playbook.taken[s, :, b]
        letters = ", ".join(letter_of(n) for n in np.unique(cells).tolist())
        mark = " ! conflict" if is_conflict(signal, btc) else ""
        yield f"<details><summary><b>signal {signal}, btc {btc}</b> {letters}{mark}</summary>"
        yield from _part(cells)
        yield "</details>"


def _part(cells: Grid) -> Iterator[str]:
    """`cells`: inventory, correlation, depth, volatility, book, turnover."""
    if (cells == cells.flat[0]).all():
        letter = letter_of(int(cells.flat[0]))
        yield f'<p>Always <span class="letter r{letter}">&nbsp;{letter}&nbsp;</span>.</p>'
        return
    for label, index in _folded(cells, ("inventory", "correlation")):
        yield f"<p>{label}</p>"
        yield from _block(cells[index])


def _block(cells: Grid) -> Iterator[str]:
    """`cells`: depth, volatility, book, turnover. Book and turnover go down the side."""
    lines = np.moveaxis(cells, (2, 3), (0, 1))
    depths = "".join(
        f'<th colspan="{len(WHOLE["volatility"])}">depth {d}</th>' for d in WHOLE["depth"]
    )
    heads = "".join(f"<th>{v}</th>" for v in WHOLE["volatility"]) * len(WHOLE["depth"])
    yield f'<table class="small"><tr><th></th>{depths}</tr><tr><th>volatility</th>{heads}</tr>'
    for label, index in _folded(lines, ("book", "turnover")):
        letters = [letter_of(n) for n in lines[index].ravel().tolist()]
        row = "".join(f'<td class="cell r{letter}">{letter}</td>' for letter in letters)
        yield f"<tr><th>{label}</th>{row}</tr>"
    yield "</table>"


def _folded(cells: Grid, names: tuple[str, str]) -> Iterator[tuple[str, tuple[int, int]]]:
    """The first two axes in groups that do not differ: a label, and where one of them stands."""
    groups: dict[bytes, list[tuple[int, int]]] = {}
    for index in np.ndindex(*cells.shape[:2]):
        groups.setdefault(cells[index].tobytes(), []).append((index[0], index[1]))
    for indices in groups.values():
        yield _label(indices, names), indices[0]


def _label(indices: Sequence[tuple[int, int]], names: tuple[str, str]) -> str:
    """Pairs of answers in few words: those of one first answer together, then alike seconds."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for first in sorted({one for one, _ in indices}):
        seconds = tuple(two for one, two in indices if one == first)
        alike.setdefault(seconds, []).append(first)
    return " / ".join(
        f"{_answers(names[0], firsts)}, {_answers(names[1], seconds)}"
        for seconds, firsts in alike.items()
    )


def _answers(name: str, places: Sequence[int]) -> str:
    if len(places) == len(WHOLE[name]):
        return f"any {name}"
    return f"{name} {' or '.join(WHOLE[name][place] for place in places)}"
