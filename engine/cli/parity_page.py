"""A parity report as one page: the tables, and what was filled so far on each side."""

from itertools import accumulate
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.cli.parity_run import Sides
from engine.cli.study_pictures import STYLE, svg_of
from engine.cli.tearsheet_cells import Table, moment
from engine.cli.tearsheet_page import rendered
from engine.cli.tearsheet_pictures import BLUE, BROWN, DATES, INK, NUMBERED_ID
from engine.values.units import Lot, Ns


def page_of(sides: Sides, tables: list[Table]) -> str:
    """The same cells as in the files."""
    markets = [name for name in sides.instruments if any(r.key[0] == name for r in sides.rows)]
    drawn = [_element(sides, market) for market in markets]
    notes = [
        f"Session {sides.epoch}, from {moment(sides.free.result.began_ns)} to "
        f"{moment(sides.free.result.ended_ns)} UTC, queue model {sides.queue}",
        sides.free.result.not_modelled,
    ]
    title = f"Live and simulated: {', '.join(sides.instruments)}"
    return rendered(title, notes, [], (tables, {"totals": drawn}))


def _element(sides: Sides, market: str) -> str:
    with mpl.rc_context({**STYLE, **DATES, "svg.hashsalt": market}):
        return NUMBERED_ID.sub("", svg_of(_filled(sides, market)))


def _filled(sides: Sides, market: str) -> Figure:
    """Size filled so far, bought and sold alike."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots()
    item = sides.instruments[market]
    mine = [row for row in sides.rows if row.key[0] == market]
    tally = sides.free.result.markets.get(market)
    lines = (
        ("real", INK, [(row.venue_ns, row.real_lots) for row in mine]),
        ("same orders", BLUE, [(row.venue_ns, row.simulated_lots) for row in mine]),
        ("own back-test", BROWN, [(f.at_ns, f.lots) for f in tally.fills] if tally else []),
    )
    unit = item.lot_base_atoms / 10**item.base_exponent
    for name, color, points in lines:
        _line(axes, points, unit, label=name, color=color)
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.set_title(f"{market}: filled so far, {item.base}")
    axes.legend(loc="upper left", fontsize=8)
    return figure


def _line(axes: Axes, points: list[tuple[Ns, Lot]], unit: float, **kwargs: Any) -> None:
    at = np.asarray([at_ns for at_ns, _ in points], dtype="datetime64[ns]")
    sums = [lots * unit for lots in accumulate(lots for _, lots in points)]
    axes.step(at, sums, where="post", linewidth=1.2, **kwargs)
