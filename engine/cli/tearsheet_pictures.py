"""Draws a tear sheet as SVG: where the profit came from, inventory, quotes, markouts, uptime.

Long series are drawn at `POINTS_MAX` moments, with what held then; the files have every change.
"""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.cli.study_pictures import STYLE, svg_of
from engine.sim.execution import AtHorizon
from engine.sim.profit_parts import PARTS
from engine.sim.quoting import BPS
from engine.sim.tearsheet import Sheet
from engine.treasury.bands import Bands
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Atoms, Levels, Ns, Side

Row: TypeAlias = np.ndarray[Any, Any]
POINTS_MAX = 1_500
ERRORS = 2
INK, BLUE, RED, GREEN, BROWN = "#222222", "#1f5fa8", "#c02020", "#2e7d32", "#8a6d00"
COLORS = (GREEN, RED, BLUE, BROWN, "#6a3d9a", "#7f7f7f")
DATES: dict[Any, Any] = {"date.converter": "concise", "timezone": "UTC"}
NUMBERED_ID = re.compile(r' id="[A-Za-z0-9_.]+_\d+"')
"""matplotlib counts its parts from 1 in every picture; one page may hold an id only once."""


def pictures_of(sheet: Sheet) -> dict[str, str]:
    """SVG elements by the name of the table that each of them draws."""
    pictures = {
        "profit": _profit,
        "markouts": _markouts,
        "bands": _inventory,
        "quotes": _quotes,
        "summary": _uptime,
    }
    drawn = {name: _element(sheet, name, draw) for name, draw in pictures.items()}
    return {name: element for name, element in drawn.items() if element}


def _element(sheet: Sheet, name: str, draw: Callable[[Sheet], Figure | None]) -> str:
    """Names within a picture are hashes; those of another picture must be others."""
    salted: dict[Any, Any] = {"svg.hashsalt": f"{sheet.item.market} {name}"}
    with mpl.rc_context({**STYLE, **DATES, **salted}):
        figure = draw(sheet)
        return "" if figure is None else NUMBERED_ID.sub("", svg_of(figure))


# --- profit -------------------------------------------------------------------------------------


def _profit(sheet: Sheet) -> Figure:
    """The sampled profit, its parts by bucket, and how far below its high it stood."""
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    whole, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    curve = sheet.curve[:: max(1, len(sheet.curve) // POINTS_MAX)]
    profits = _money(sheet.item, [point.profit_atoms for point in curve])
    at = _times([point.at_ns for point in curve])
    ends = _times([min((b.number + 1) * sheet.step_ns, sheet.span.ended_ns) for b in sheet.buckets])
    for name, color in zip(PARTS, COLORS, strict=True):
        sums = np.cumsum(_money(sheet.item, [getattr(b.parts, name) for b in sheet.buckets]))
        if np.any(sums):
            label = name.replace("_", " ")
            whole.plot(ends, sums, color=color, linewidth=0.9, label=label)
    whole.plot(at, profits, color=INK, linewidth=1.5, label="total")
    whole.axhline(0, color=INK, linewidth=0.5)
    whole.set_title(f"{sheet.item.market}: profit so far and its parts, {sheet.item.quote}")
    whole.legend(loc="best", fontsize=8)
    highs = np.maximum(np.maximum.accumulate(profits), 0) if len(profits) else profits
    below.fill_between(at, profits - highs, 0, color=RED, alpha=0.35, linewidth=0)
    below.set_title(f"below its high so far, {sheet.item.quote}")
    _whole_span(below, sheet)
    return figure


# --- what came after the fills --------------------------------------------------------------------


def _markouts(sheet: Sheet) -> Figure | None:
    """Realised spread and markout in bp of the money traded, with errors of the mean."""
    rows = [row for row in sheet.horizons if row.fills]
    if not rows:
        return None
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    axes = figure.subplots()
    after = [row.horizon_ns / NS_PER_S for row in rows]
    marks = [_bps(row, row.markout_atoms) for row in rows]
    errors = [ERRORS * _error_bps(sheet, row) for row in rows]
    axes.errorbar(after, marks, yerr=errors, color=BLUE, marker="o", markersize=4, capsize=3,
                  linewidth=1.2, label=f"markout, with {ERRORS} standard errors")  # fmt: skip
    for name, color in (("effective", GREEN), ("realised", BROWN)):
        values = [_bps(row, getattr(row, f"{name}_atoms")) for row in rows]
        axes.plot(after, values, color=color, linewidth=0.9, linestyle="--", label=name)
    axes.axhline(0, color=INK, linewidth=0.5)
    axes.set_xscale("log")
    axes.set_xticks(after, [f"{each:g}" for each in after])
    axes.minorticks_off()
    axes.set_xlabel("seconds after the fill")
    axes.set_title(f"{sheet.item.market}: maker fills, bp of the money traded")
    axes.legend(loc="best", fontsize=8)
    return figure


def _bps(row: AtHorizon, atoms: Atoms) -> float:
    return BPS * atoms / row.traded_atoms


def _error_bps(sheet: Sheet, row: AtHorizon) -> float:
    """Of a ratio of two sums over fills, as if fills did not depend on each other."""
    place = sheet.horizons.index(row)
    makers = [each for each in sheet.judged if each.fill.is_maker]
    mean, squares = row.markout_atoms / row.traded_atoms, 0.0
    for each in makers:
        atoms = each.markout_atoms[place]
        if atoms is not None:
            traded = sheet.item.quote_atoms(each.fill.tick, each.fill.lots)
            squares += (atoms - mean * traded) ** 2
    return float(BPS * squares**0.5 / row.traded_atoms)


# --- inventory and quotes -------------------------------------------------------------------------


def _inventory(sheet: Sheet) -> Figure:
    """The whole inventory in units of the base asset, on the tints of its bands and by itself."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    banded, alone = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 2]})
    unit = sheet.item.lot_base_atoms / 10**sheet.item.base_exponent
    at = _times([each.at_ns for each in sheet.held] + [sheet.span.ended_ns])
    held = [each.position_lots * unit for each in [*sheet.held, sheet.held[-1]]]
    for axes in (banded, alone):
        axes.step(at, held, where="post", color=INK, linewidth=1.1)
    if sheet.bands is not None:
        _tint(banded, sheet.bands, unit)
    banded.set_title(f"{sheet.item.market}: inventory against its bands, {sheet.item.base}")
    alone.set_title("the same from its lowest to its highest")
    alone.ticklabel_format(axis="y", useOffset=False, style="plain")
    _whole_span(alone, sheet)
    return figure


def _tint(axes: Axes, bands: Bands, unit: float) -> None:
    rows = ("floor", "lower", "target", "upper", "cap")
    edges = [getattr(bands, f"{name}_lots") * unit for name in rows]
    for (low, high), color in zip(
        ((edges[0], edges[1]), (edges[1], edges[3]), (edges[3], edges[4])),
        ("#fbecc4", "#e3f1e3", "#fbecc4"),
        strict=True,
    ):
        axes.axhspan(low, high, color=color, linewidth=0)
    for name, edge in zip(rows, edges, strict=True):
        axes.axhline(edge, color=BROWN, linewidth=0.6, linestyle=":")
        axes.annotate(name, (1.0, edge), xycoords=("axes fraction", "data"), fontsize=7,
                      xytext=(3, 0), textcoords="offset points", va="center")  # fmt: skip


def _quotes(sheet: Sheet) -> Figure | None:
    """Our best quotes and fills on the market's best prices."""
    trail, item = sheet.trail, sheet.item
    if not len(trail.at_ns):
        return None
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    axes = figure.subplots()
    unit = item.tick / 10**item.price_exponent
    moments = _moments(sheet.span.began_ns, sheet.span.ended_ns)
    at = moments.astype("datetime64[ns]")
    bid, ask = (_held(trail.at_ns, side, moments) * unit for side in (trail.bids, trail.asks))
    axes.fill_between(at, bid, ask, step="post", facecolor="#c9d1d8", linewidth=0.6,
                      edgecolor="#9aa5ae", label="the market's best prices")  # fmt: skip
    since = [each.at_ns for each in trail.quoted]
    for name, color in (("bids", GREEN), ("asks", RED)):
        best = [_best(getattr(each, name)) for each in trail.quoted]
        axes.step(at, _held(since, best, moments) * unit, where="post", color=color,
                  linewidth=0.9, label=f"our best {name[:-1]}")  # fmt: skip
    _fills(axes, sheet, unit)
    axes.set_title(f"{item.market}: our quotes and fills against the market, {item.quote}")
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.legend(loc="best", fontsize=8, ncols=5)
    _whole_span(axes, sheet)
    return figure


def _fills(axes: Axes, sheet: Sheet, unit: float) -> None:
    for side, marker, color in ((Side.BUY, "^", GREEN), (Side.SELL, "v", RED)):
        mine = [each.fill for each in sheet.judged if each.fill.side is side]
        mine = mine[:: max(1, len(mine) // POINTS_MAX)]
        faces = [color if fill.is_maker else "white" for fill in mine]
        axes.scatter(_times([fill.at_ns for fill in mine]), [fill.tick * unit for fill in mine],
                     marker=marker, s=14, c=faces, edgecolors=color, linewidths=0.6, zorder=3,
                     label="we bought" if side is Side.BUY else "we sold")  # fmt: skip


def _best(levels: Levels) -> float:
    return levels[0][0] if levels else np.nan


def _held(since: Any, values: Any, moments: Row) -> Row:
    """The last value known at each moment; not a number before the first."""
    if not len(since):
        return np.full(len(moments), np.nan)
    places = np.searchsorted(np.asarray(since, dtype=np.int64), moments, side="right") - 1
    found = np.asarray(values, dtype=float)[np.maximum(places, 0)]
    return np.where(places >= 0, found, np.nan)


# --- uptime -------------------------------------------------------------------------------------


def _uptime(sheet: Sheet) -> Figure:
    """Shares of the time in which the market's best prices were known."""
    told = sheet.quoting
    shares = {
        "obligation met": told.obliged_ns,
        "both at the touch": told.both_touch_ns,
        "ask at the touch": told.ask_touch_ns,
        "bid at the touch": told.bid_touch_ns,
        "both stood": told.both_ns,
        "ask stood": told.ask_ns,
        "bid stood": told.bid_ns,
    }
    rows = {name: told.share(ns) or 0.0 for name, ns in shares.items() if ns is not None}
    figure = Figure(figsize=(11, 0.9 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(rows), [100 * share for share in rows.values()], color=BLUE, height=0.6)
    axes.bar_label(bars, [f"{share:.1%}" for share in rows.values()], padding=3, fontsize=8)
    axes.set_xlim(0, 110)
    known = f"{told.known_ns / NS_PER_S:,.0f} s in which its best prices were known"
    axes.set_title(f"{sheet.item.market}: % of the {known}")
    return figure


# --- scales -------------------------------------------------------------------------------------


def _moments(began_ns: Ns, ended_ns: Ns) -> Row:
    return np.linspace(began_ns, ended_ns, POINTS_MAX).astype(np.int64)


def _times(moments: list[Ns]) -> Row:
    return np.asarray(moments, dtype="datetime64[ns]")


def _money(item: Instrument, atoms: list[Atoms]) -> Row:
    return np.asarray(atoms, dtype=float) / float(10**item.quote_exponent)


def _whole_span(axes: Axes, sheet: Sheet) -> None:
    axes.set_xlim(*_times([sheet.span.began_ns, max(sheet.span.ended_ns, sheet.span.began_ns + 1)]))
