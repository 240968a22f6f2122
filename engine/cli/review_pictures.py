"""Draws a review as SVG: mid and fills with the rows behind them, and profit beside what-if."""

from itertools import groupby
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.cli.review_answer import Scope
from engine.cli.review_runs import Replayed
from engine.cli.study_pictures import STYLE, _svg
from engine.sim.counterfactual import Way
from engine.sim.epochs import Epoch, Marks
from engine.values.units import NS_PER_S, Ns

TINTS = ("#e3f1e3", "#fbecc4", "#f4b9b3", "#dfe7f3", "#efe3f1", "#e4e4e4")
LINES = {
    Way.AS_IT_WAS: "#222222",
    Way.NO_SIGNAL: "#1f5fa8",
    Way.NEUTRAL: "#8a6d00",
    Way.FULL_HEDGE: "#c02020",
}
POINTS_MAX = 2_000


def drawn(scope: Scope) -> str:
    """All pictures, as elements of a page."""
    parts = []
    with mpl.rc_context(STYLE):
        for market, marks in scope.reviewed.marks.items():
            epochs = scope.epochs(market)
            if epochs and marks.mids:
                parts.append(_svg(_over_time(market, epochs, marks)))
        for replay in scope.replays:
            parts += [_svg(_profits(replay, market)) for market in replay.runs]
    return "\n".join(parts)


def _over_time(market: str, epochs: list[Epoch], marks: Marks) -> Figure:
    """The mid that decisions looked at, on the tint of each row; below it the profit so far."""
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    price, profit = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2, 1]})
    start_ns = epochs[0].began_ns
    _tint(price, epochs, start_ns)
    at, mids = _thinned(marks.moments_ns, marks.mids)
    price.plot(_seconds(at, start_ns), [mid / 2 for mid in mids], color="#222222", linewidth=0.8,
               drawstyle="steps-post")  # fmt: skip
    price.set_xlim(0, max(1.0, (epochs[-1].ended_ns - start_ns) / NS_PER_S))
    price.set_title(f"{market}: mid in ticks, and the row in force")
    price.legend(loc="upper left", fontsize=7)
    ends = [epoch.ended_ns for epoch in epochs]
    sums = np.cumsum([float(epoch.outcome.profit_atoms) for epoch in epochs])
    profit.plot(_seconds(ends, start_ns), sums, color="#1f5fa8", linewidth=1.0)
    profit.set_title("profit so far, in atoms, before fees")
    profit.set_xlabel("seconds")
    return figure


def _tint(axes: Axes, epochs: list[Epoch], start_ns: Ns) -> None:
    rows = list(dict.fromkeys(epoch.row for epoch in epochs))
    named: set[str] = set()
    for row, group in groupby(epochs, key=lambda epoch: epoch.row):
        mine = list(group)
        left, right = _seconds([mine[0].began_ns, mine[-1].ended_ns], start_ns)
        told: dict[str, Any] = {} if row in named else {"label": row or "before the first ruling"}
        named.add(row)
        axes.axvspan(left, right, color=TINTS[rows.index(row) % len(TINTS)], linewidth=0, **told)


def _profits(replay: Replayed, market: str) -> Figure:
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots()
    for way, run in replay.runs[market].items():
        points = run.curve[:: max(1, len(run.curve) // POINTS_MAX)]
        at = _seconds([point.at_ns for point in points], points[0].at_ns if points else 0)
        axes.plot(at, [float(p.profit_atoms) for p in points], color=LINES[way], label=str(way),
                  linewidth=0.9)  # fmt: skip
    axes.set_title(f"{market}, session {replay.epoch} lived again: profit in atoms, after fees")
    axes.set_xlabel("seconds")
    axes.legend(loc="upper left", fontsize=8)
    return figure


def _thinned(moments: list[Ns], mids: list[int]) -> tuple[list[Ns], list[int]]:
    step = max(1, len(moments) // POINTS_MAX)
    return moments[::step], mids[::step]


def _seconds(moments: list[Ns], start_ns: Ns) -> list[float]:
    return [(at_ns - start_ns) / NS_PER_S for at_ns in moments]
