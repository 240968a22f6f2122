"""Draws a sweep: the heat map as SVG, and one HTML page with it, the table and the verdict."""

import html
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from engine.cli.study_pictures import STYLE, svg_of
from engine.cli.sweep_board import Tallied, lines, titles
from engine.sim.backtest import NOT_MODELLED
from engine.sim.sweep import Heat
from engine.values.errors import UserError

MAP_NAME, PAGE_NAME = "heatmap.svg", "sweep.html"
CELLS_TOLD_MAX = 150
"""Numbers are written into a map of at most so many cells."""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1000px; color: #222 }}
table {{ border-collapse: collapse }} td, th {{ padding: .2em .8em; text-align: right }}
th {{ border-bottom: 1px solid #888 }} svg {{ max-width: 100%; height: auto }}
@media print {{ body {{ margin: 0 }} }}
</style></head><body><h1>{title}</h1>
{words}
{picture}
<h2>Every run, best first</h2>
<table><tr>{head}</tr>
{rows}
</table></body></html>
"""


def write_page(directory: Path, told: Tallied, words: list[str], found: Heat | None) -> list[Path]:
    """The files that were written. Raises UserError."""
    picture = drawn(found, str(told.measure)) if found else ""
    files = {MAP_NAME: picture} if picture else {}
    files[PAGE_NAME] = page(told, words, picture)
    try:
        for name, text in files.items():
            (directory / name).write_text(text)
    except OSError as error:
        raise UserError(f"--out {directory}: cannot be written: {error.strerror}") from error
    return [directory / name for name in files]


def page(told: Tallied, words: list[str], picture: str) -> str:
    def row(cells: list[str], tag: str) -> str:
        return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)

    rows = lines(told, len(told.rows))
    return PAGE.format(
        title=f"A sweep of {len(told.rows)} runs",
        words="".join(f"<p>{html.escape(word)}</p>" for word in (*words, NOT_MODELLED)),
        picture=picture,
        head=row(titles(told.keys), "th"),
        rows="\n".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows),
    )


def drawn(found: Heat, measure: str) -> str:
    """The map as one SVG element; one row of cells where there is one axis."""
    cells = np.array([[np.nan if v is None else v for v in row] for row in found.cells])
    across, down = cells.shape[1], cells.shape[0]
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        size = (min(14.0, 3.0 + 0.8 * across), min(12.0, 1.8 + 0.5 * down))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(np.ma.masked_invalid(cells), aspect="auto", cmap="viridis")
        axes.set_xticks(range(across), [str(value) for value in found.x.values])
        axes.set_xlabel(found.x.key)
        axes.set_yticks(range(down), [str(v) for v in found.y.values] if found.y else [""])
        axes.set_ylabel(found.y.key if found.y else "")
        axes.set_title(f"best {measure} for each pair" if found.y else f"best {measure}")
        figure.colorbar(image, ax=axes)
        if cells.size <= CELLS_TOLD_MAX:
            middle = (np.nanmin(cells) + np.nanmax(cells)) / 2 if np.isfinite(cells).any() else 0
            for (y, x), value in np.ndenumerate(cells):
                told = "" if np.isnan(value) else f"{value:.3g}"
                color = "black" if value > middle else "white"
                axes.text(x, y, told, ha="center", va="center", fontsize=7, color=color)
        return svg_of(figure)
