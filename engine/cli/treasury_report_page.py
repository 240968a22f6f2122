"""A report as one HTML page that prints: tables, and pictures drawn from the same tables."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from engine.cli.study_pictures import STYLE, svg_of
from engine.cli.tearsheet_page import Heads, rendered
from engine.cli.tearsheet_pictures import NUMBERED_ID
from engine.cli.treasury_report_files import cells_of
from engine.treasury.report import TreasuryReport
from engine.treasury.report_tables import Cell, ReportTable

INK, BLUE, RED, GREEN, BROWN, GREY = (
    "#222222", "#1f5fa8", "#c02020", "#2e7d32", "#8a6d00", "#c9d1d8",
)  # fmt: skip
BUCKET_COLORS = (GREEN, BLUE, BROWN, GREY)
WIDTH_IN, ROW_IN, HEAD_IN, HEIGHT_MAX_IN = 10.0, 0.32, 1.1, 9.0
Row = Mapping[str, Cell]


def page_of(report: TreasuryReport) -> str:
    """The page. Charts stand above the tables that they are drawn from."""
    pictures = {
        table.name: [drawn]
        for table in report.tables
        if (draw := DRAWINGS.get(table.name)) and (drawn := _element(table, draw))
    }
    tables = [cells_of(table) for table in report.tables]
    return rendered(report.title, list(report.notes), _heads(report), (tables, pictures))


def _heads(report: TreasuryReport) -> Heads:
    figures = report.table("figures")
    tiles = [(str(row[0]), "unknown" if row[1] is None else f"{row[1]} {row[2]}")
             for row in figures.rows]  # fmt: skip
    liquid = report.table("headline").rows[0]
    failing = f"{report.failing}" if report.failing else "none"
    return [("In short", [("failing items", failing),
                          (str(liquid[0]), f"{liquid[1]} {liquid[2]}"), *tiles])]  # fmt: skip


def _element(table: ReportTable, draw: Callable[[list[Row]], Figure | None]) -> str:
    """ "" where there is nothing to draw. Names within a picture are salted with its table's."""
    rows: list[Row] = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    salted: dict[Any, Any] = {"svg.hashsalt": table.name}
    with mpl.rc_context({**STYLE, **salted}):
        figure = draw(rows) if rows else None
        return "" if figure is None else NUMBERED_ID.sub("", svg_of(figure))


def _figure(rows: int) -> tuple[Figure, Any]:
    height = min(HEIGHT_MAX_IN, HEAD_IN + ROW_IN * rows)
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    return figure, figure.subplots()


def _number(cell: Cell) -> float:
    """What is not known is drawn as nothing."""
    return float(cell) if cell not in (None, "") else 0.0


# --- pictures -----------------------------------------------------------------------------------


def _coverage(rows: list[Row]) -> Figure:
    """What is left in money once all that is due until then is paid."""
    figure = Figure(figsize=(WIDTH_IN, 3.0), layout="constrained")
    axes = figure.subplots()
    due = [str(row["due"]) for row in rows]
    left = [_number(row["liquid then, in money"]) for row in rows]
    axes.step(due, left, where="mid", color=BLUE, linewidth=1.4)
    axes.scatter(due, left, s=14, color=BLUE, label="covered", zorder=3)
    short = [row for row in rows if row["covered"] == "no"]
    axes.scatter([str(row["due"]) for row in short], [0.0 for _ in short], s=46, marker="x",
                 color=RED, label="NOT covered", zorder=4)  # fmt: skip
    axes.set_ylim(bottom=0)
    step = max(1, len(due) // 12)
    axes.set_xticks(range(0, len(due), step), due[::step], rotation=30, ha="right", fontsize=7)
    axes.set_title("Coverage: liquid value after all that is due until then, in money")
    if short:
        axes.legend(loc="best", fontsize=8)
    return figure


def _buckets(rows: list[Row]) -> Figure:
    """The four buckets of each asset, as shares of all of it."""
    figure, axes = _figure(len(rows) + 1)
    names = [str(row["asset"]) for row in rows]
    buckets = list(rows[0])[1:5]
    wholes = [sum(_number(row[bucket]) for bucket in buckets) or 1.0 for row in rows]
    start = [0.0] * len(rows)
    for bucket, color in zip(buckets, BUCKET_COLORS, strict=True):
        parts = [100 * _number(row[bucket]) / all_ for row, all_ in zip(rows, wholes, strict=True)]
        axes.barh(names, parts, left=start, color=color, height=0.6, label=bucket)
        start = [one + part for one, part in zip(start, parts, strict=True)]
    axes.set_title("Buckets, % of each asset")
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=4, fontsize=7)
    return figure


def _bands(rows: list[Row]) -> Figure:
    """Each float as a share of its target, on the tint of its bands."""
    figure, axes = _figure(len(rows))
    for place, row in enumerate(rows):
        target = _number(row["target"]) or 1.0
        held, low, high = (100 * _number(row[n]) / target for n in ("held", "lower", "upper"))
        axes.barh(place, high - low, left=low, color="#e3f1e3", height=0.7)
        axes.vlines([low, high], place - 0.35, place + 0.35, color=BROWN, linewidth=1.0)
        color = INK if low <= held <= high else RED
        axes.barh(place, held, color=color, height=0.22)
    axes.axvline(100, color=BROWN, linewidth=0.7, linestyle=":")
    axes.set_yticks(range(len(rows)), [str(row["float"]) for row in rows])
    axes.invert_yaxis()
    axes.set_title("Floats against their bands, % of the target")
    return figure


def _exposure(rows: list[Row]) -> Figure | None:
    """How much of each limit is used, in the unit that binds."""
    known = [row for row in rows if row["used %"] is not None]
    if not known:
        return None
    figure, axes = _figure(len(known))
    names = [f"{r['limit']} [{r['subject']}]" if r["subject"] else str(r["limit"]) for r in known]
    used = [_number(row["used %"]) for row in known]
    colors = [RED if row["state"] == "PASSED" else BLUE for row in known]
    bars = axes.barh(range(len(known)), [min(one, 150.0) for one in used], color=colors, height=0.6)
    axes.bar_label(bars, [f"{one:.4g} %" for one in used], padding=3, fontsize=8)
    axes.axvline(100, color=RED, linewidth=0.9)
    axes.set_yticks(range(len(known)), names, fontsize=8)
    axes.set_xlim(0, 165)
    axes.invert_yaxis()
    axes.set_title("Exposure: how much of each limit is used, % (of a floor: how much is needed)")
    return figure


def _orders(rows: list[Row]) -> Figure:
    """Estimate beside outcome, and the ceiling that no child passes."""
    figure = Figure(figsize=(WIDTH_IN, 3.0), layout="constrained")
    axes = figure.subplots()
    done = [row for row in rows if row["realised %"] is not None]
    places = list(range(len(done)))
    for name, color, shift in (("expected %", GREY, -0.2), ("realised %", BLUE, 0.2)):
        values = [_number(row[name]) for row in done]
        axes.bar([place + shift for place in places], values, width=0.4, color=color, label=name)
    axes.scatter(places, [_number(row["ceiling %"]) for row in done], marker="_", s=120, color=RED,
                 label="ceiling %")  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.5)
    step = max(1, len(done) // 12)
    axes.set_xticks(places[::step], [str(row["order"]) for row in done][::step], rotation=30,
                    ha="right", fontsize=7)  # fmt: skip
    axes.set_title("Slippage of staged orders against mid, %")
    axes.legend(loc="best", fontsize=8)
    return figure


def _history(rows: list[Row]) -> Figure:
    """What was ours by the ledger, each asset as a share of its highest."""
    figure = Figure(figsize=(WIDTH_IN, 2.6), layout="constrained")
    axes = figure.subplots()
    days = [str(row["day"]) for row in rows]
    for name in list(rows[0])[1:]:
        held = [_number(row[name]) for row in rows]
        highest = max(held) or 1.0
        axes.step(days, [100 * one / highest for one in held], where="post", label=name)
    step = max(1, len(days) // 12)
    axes.set_xticks(range(0, len(days), step), days[::step], rotation=30, ha="right", fontsize=7)
    axes.set_title("What was ours at the end of each day, % of its highest in the period")
    axes.legend(loc="best", fontsize=8)
    return figure


DRAWINGS: dict[str, Callable[[list[Row]], Figure | None]] = {
    "coverage": _coverage,
    "buckets": _buckets,
    "bands": _bands,
    "limits": _exposure,
    "orders": _orders,
    "history": _history,
}
"""By the table that each of them is drawn from."""
