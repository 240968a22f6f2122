"""Draws a study as one HTML page without outer parts: pictures are SVG, text stays text."""

import html
import io
from datetime import UTC
from itertools import groupby
from typing import Any

import matplotlib as mpl
import msgspec
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from engine.cli.study_beta import BetaBar, BetaStudy, RegimeBar
from engine.signals.candles import Column
from engine.signals.outlook import Regime
from engine.values.units import NS_PER_S, Ns

INK, TOKEN, SUPPORT, AVERAGE, FIT = "#222222", "#1f5fa8", "#c02020", "#8a6d00", "#1f5fa8"
FIT_RGB = (0.12, 0.37, 0.66)
BANDS = {
    Regime.STABLE: "#e3f1e3",
    Regime.WEAK: "#fbecc4",
    Regime.BREAKING_SUPPORT: "#f4b9b3",
    Regime.UNKNOWN: "#e4e4e4",
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ballast",
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.grid": True,
    "grid.alpha": 0.25,
}
ERRORS = 2
"""Width of the error bands, in standard errors."""
FEW_TIMES = 4
"""Over less than this an axis names each step of a decade."""
SHOWN_SHARE = 0.995
"""The scatter shows so much of the returns on either axis; the rest would squeeze it flat."""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1080px; margin: 2em auto;
padding: 0 1em; }} svg {{ width: 100%; height: auto; }} td {{ padding: 0 1.2em 0 0; }}
h1 {{ font-size: 1.4em; }} h2 {{ font-size: 1.1em; }}
</style></head><body><h1>{title}</h1>{lines}{pictures}
<h2>Rules</h2><table>{rules}</table></body></html>
"""


def beta_page(study: BetaStudy, titles: tuple[str, str], lines: list[str]) -> str:
    """The whole page. `titles` are the token's name and BTC's."""
    rules = {**_fields(study.rules.regime), **_fields(study.rules.beta)}
    with mpl.rc_context(STYLE):
        pictures = svg_of(over_time(study, titles)) + svg_of(scatter(study, titles))
    return PAGE.format(
        title=html.escape(f"{titles[0]} against {titles[1]}, bars of {study.span}"),
        lines="".join(f"<p>{html.escape(line)}</p>" for line in lines),
        pictures=pictures,
        rules="".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in rules.items()),
    )


def over_time(study: BetaStudy, titles: tuple[str, str]) -> Figure:
    """Price with regimes, the token, beta and correlation, one above the other."""
    figure = Figure(figsize=(11, 11.5), layout="constrained")
    price, token, beta, correlation = figure.subplots(
        4, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1.6, 1.8, 1.8]}
    )
    _draw_regimes(price, study.regimes, titles[1])
    shared = study.betas
    at = _times([bar.at_ns for bar in shared])
    token.plot(at, [bar.token for bar in shared], color=TOKEN, linewidth=0.9)
    _scale(token, "{x:g}")
    token.set_title(f"{titles[0]}, close (log scale)")
    half_life = f"half-life {study.rules.beta.half_life_bars:g} bars"
    _draw_fit(beta, shared, ("beta", "beta_error"))
    beta.axhline(1.0, color=INK, linewidth=0.6, linestyle=":")
    beta.set_title(f"beta, {half_life}; band: {ERRORS} standard errors either way")
    _draw_fit(correlation, shared, ("correlation", "correlation_error"))
    wanted = study.rules.correlation
    for level in (wanted.high_at, wanted.low_below):
        correlation.axhline(level, color=INK, linewidth=0.6, linestyle=":")
    dotted = f"dotted: high from {wanted.high_at:g}, low below {wanted.low_below:g}"
    correlation.set_title(f"correlation, {half_life}; {dotted}")
    correlation.xaxis_date(tz=UTC)
    correlation.set_xlim(at[0], at[-1])
    return figure


def scatter(study: BetaStudy, titles: tuple[str, str]) -> Figure:
    """Returns against returns and the line whose slope is beta at the end."""
    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.subplots()
    x, y = (100 * part for part in _returns(study))
    weights = 0.5 ** (np.arange(len(x))[::-1] / study.rules.beta.half_life_bars)
    axes.scatter(x, y, s=5, c=[(*FIT_RGB, 0.08 + 0.72 * weight) for weight in weights])
    wide, high = (float(np.quantile(np.abs(part), SHOWN_SHARE)) for part in (x, y))
    if study.last is not None:
        beta = study.last.beta
        axes.plot([-wide, wide], [-wide * beta, wide * beta], color=SUPPORT, linewidth=1.2)
        axes.set_title(f"returns of one bar; slope {beta:.2f}; the fainter, the older")
    axes.set_xlim(-wide or -1.0, wide or 1.0)
    axes.set_ylim(-high or -1.0, high or 1.0)
    axes.set_xlabel(f"{titles[1]}, %")
    axes.set_ylabel(f"{titles[0]}, %")
    return figure


def _draw_regimes(axes: Axes, bars: list[RegimeBar], title: str) -> None:
    at = _times([bar.at_ns for bar in bars])
    for regime, start, end in _stretches(bars):
        axes.axvspan(at[start], at[end], color=BANDS[regime], linewidth=0)
    axes.plot(at, [bar.close for bar in bars], color=INK, linewidth=0.8)
    axes.plot(at, [bar.average for bar in bars], color=AVERAGE, linewidth=0.7, linestyle="--")
    support = [np.nan if bar.support is None else bar.support for bar in bars]
    axes.plot(at, support, color=SUPPORT, linewidth=1.0, drawstyle="steps-post")
    _scale(axes, "{x:,g}")
    axes.set_title(f"{title}, close (log scale); support in red, average dashed")
    patches = [Patch(color=color, label=str(regime)) for regime, color in BANDS.items()]
    axes.legend(handles=patches, loc="lower right", ncols=len(patches), fontsize=8)


def _scale(axes: Axes, form: str) -> None:
    """Prices as a logarithm, where equal moves look equal, with plain numbers beside it."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    has_few_decades = high / low < FEW_TIMES
    subs = range(1, 10) if has_few_decades else (1, 2, 3, 5)
    axes.yaxis.set_major_locator(LogLocator(subs=list(subs), numticks=12))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(form)


def _stretches(bars: list[RegimeBar]) -> list[tuple[Regime, int, int]]:
    """Bars in a row of one regime: (regime, first index, index of the next stretch's first)."""
    found, start = [], 0
    for regime, group in groupby(bars, key=lambda bar: bar.regime):
        count = len(list(group))
        found.append((regime, start, min(start + count, len(bars) - 1)))
        start += count
    return found


def _draw_fit(axes: Axes, bars: list[BetaBar], names: tuple[str, str]) -> None:
    known = [bar for bar in bars if bar.fit is not None]
    at = _times([bar.at_ns for bar in known])
    value, error = (np.array([getattr(bar.fit, name) for bar in known]) for name in names)
    axes.fill_between(
        at, value - ERRORS * error, value + ERRORS * error, color=FIT, alpha=0.2, lw=0
    )
    axes.plot(at, value, color=FIT, linewidth=0.9)


def _returns(study: BetaStudy) -> tuple[Column, Column]:
    at = np.array([bar.at_ns for bar in study.betas])
    is_next = np.diff(at) == study.rules.beta.span_ns
    btc, token = (
        np.diff(np.log([getattr(bar, name) for bar in study.betas]))[is_next]
        for name in ("btc", "token")
    )
    return btc, token


def _times(at_ns: list[Ns]) -> Column:
    """Days since 1970, which is how the axis counts."""
    return np.array(at_ns, dtype=float) / (NS_PER_S * 86_400)


def svg_of(figure: Figure) -> str:
    """The picture as an element, without a date, so that one study gives one page."""
    stream = io.StringIO()
    FigureCanvasSVG(figure)
    figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _fields(struct: msgspec.Struct) -> dict[str, object]:
    return msgspec.structs.asdict(struct)
