"""Draws a review as SVG: mid and fills with the rows behind them, and profit beside what-if."""

from bisect import bisect_right
from itertools import groupby
from typing import Any

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.cli.review_answer import NO_TICKS, Scope
from engine.cli.review_lines import NO_RULING, WAY_WORDS, moment
from engine.cli.review_runs import Replayed
from engine.cli.study_pictures import STYLE, svg_of
from engine.sim.counterfactual import Way
from engine.sim.epochs import Epoch, Marks
from engine.values.units import NS_PER_S, Ns

TINTS = ("#e3f1e3", "#fbecc4", "#dfe7f3", "#efe3f1", "#f9dfd3", "#d9f0ef", "#f3e6d0", "#e9e9c8")
NO_ROW_TINT = "#e4e4e4"
LINES = {
    Way.AS_IT_WAS: "#222222",
    Way.NO_SIGNAL: "#1f5fa8",
    Way.NEUTRAL: "#8a6d00",
    Way.FULL_HEDGE: "#c02020",
}
POINTS_MAX = 2_000
SPANS = ((6 * 3_600, 3_600, "hours"), (600, 60, "minutes"))
"""From so many seconds on a picture counts in so many, by this name."""


class Axis(msgspec.Struct, frozen=True):
    """Where a picture's time begins, and what it counts in."""

    start_ns: Ns
    unit_s: int
    name: str

    def places(self, moments: list[Ns]) -> list[float]:
        return [(at_ns - self.start_ns) / (NS_PER_S * self.unit_s) for at_ns in moments]

    def __str__(self) -> str:
        return f"{self.name} from {moment(self.start_ns)} UTC"


def drawn(scope: Scope) -> str:
    """All pictures, as elements of a page."""
    parts = []
    with mpl.rc_context(STYLE):
        for market, marks in scope.reviewed.marks.items():
            epochs = scope.epochs(market)
            if epochs and len(marks.mids) > 1:
                parts.append(svg_of(_over_time(scope, market, epochs)))
        for replay in scope.replays:
            parts += [svg_of(_profits(scope, replay, market)) for market in replay.runs]
    return "\n".join(parts)


def _over_time(scope: Scope, market: str, epochs: list[Epoch]) -> Figure:
    """The mid that decisions looked at, on the tint of each row; below it the profit so far."""
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    price, profit = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [2, 1]})
    axis = _axis(epochs[0].began_ns, epochs[-1].ended_ns)
    _tint(price, epochs, axis)
    at, mids = _within(scope.reviewed.marks[market], epochs)
    price.plot(axis.places(at), [mid / 2 for mid in mids], color="#222222", linewidth=0.8,
               drawstyle="steps-post")  # fmt: skip
    price.set_xlim(0, max(1e-3, axis.places([epochs[-1].ended_ns])[0]))
    price.set_title(f"{market}: mid in ticks, and the row in force")
    price.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7, frameon=False)
    sums = np.cumsum([float(epoch.outcome.profit_atoms) for epoch in epochs])
    unit, name = _unit(scope, market)
    profit.plot(axis.places([epoch.ended_ns for epoch in epochs]), sums / unit, color="#1f5fa8",
                linewidth=1.0)  # fmt: skip
    profit.set_title(f"what happened: profit so far in {name}, before fees")
    profit.set_xlabel(str(axis))
    return figure


def _axis(start_ns: Ns, end_ns: Ns) -> Axis:
    for from_s, unit_s, name in SPANS:
        if end_ns - start_ns >= from_s * NS_PER_S:
            return Axis(start_ns, unit_s, name)
    return Axis(start_ns, 1, "seconds")


def _unit(scope: Scope, market: str) -> tuple[float, str]:
    """What a picture counts money in, and its name."""
    item = scope.known.get(market)
    return (1.0, NO_TICKS) if item is None else (10.0**item.quote_exponent, item.quote)


def _tint(axes: Axes, epochs: list[Epoch], axis: Axis) -> None:
    rows = list(dict.fromkeys(epoch.row for epoch in epochs if epoch.row))
    named: set[str] = set()
    for row, group in groupby(epochs, key=lambda epoch: epoch.row):
        mine = list(group)
        left, right = axis.places([mine[0].began_ns, mine[-1].ended_ns])
        told: dict[str, Any] = {} if row in named else {"label": row or NO_RULING}
        named.add(row)
        tint = TINTS[rows.index(row) % len(TINTS)] if row else NO_ROW_TINT
        axes.axvspan(left, right, color=tint, linewidth=0, **told)


def _profits(scope: Scope, replay: Replayed, market: str) -> Figure:
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots()
    runs = replay.runs[market]
    unit, name = _unit(scope, market)
    moments = [run.curve[end].at_ns for run in runs.values() if run.curve for end in (0, -1)]
    axis = _axis(min(moments, default=0), max(moments, default=0))
    real = [e for e in scope.epochs(market) if e.session == replay.epoch]
    sums = np.cumsum([e.outcome.profit_atoms - (e.outcome.fees_atoms or 0) for e in real])
    axes.plot(axis.places([e.ended_ns for e in real]), sums / unit, color=LINES[Way.AS_IT_WAS],
              label=WAY_WORDS["real"] + " (its own market alone)", linewidth=0.9,
              linestyle="dotted")  # fmt: skip
    for way, run in runs.items():
        points = run.curve[:: max(1, len(run.curve) // POINTS_MAX)]
        at = axis.places([point.at_ns for point in points])
        axes.plot(at, [p.profit_atoms / unit for p in points], color=LINES[way],
                  label=WAY_WORDS[way], linewidth=0.9)  # fmt: skip
    axes.set_title(f"{market}, replays of session {replay.epoch}: profit in {name}, after fees")
    axes.set_xlabel(str(axis))
    axes.legend(loc="upper left", fontsize=8)
    return figure


def _within(marks: Marks, epochs: list[Epoch]) -> tuple[list[Ns], list[int]]:
    """The mids from the first epoch on, no more than a picture can show."""
    first = max(0, bisect_right(marks.moments_ns, epochs[0].began_ns) - 1)
    moments, mids = marks.moments_ns[first:], marks.mids[first:]
    step = max(1, len(moments) // POINTS_MAX)
    return moments[::step], mids[::step]
