"""The leader board of a sweep: live for people who watch, plain at the end, and its words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.cli.sweep_plan import short_names, shown
from engine.sim.sweep import STEPS_MIN, Failed, Measure, Row, Verdict, ranked
from engine.values.units import NS_PER_S

SHOWN_MAX = 10
PER_SECOND = 4


class Tallied(msgspec.Struct, kw_only=True):
    """How far a sweep is. `rows` are those of its own grid, `found` of them from earlier."""

    wanted: int
    found: int
    measure: Measure
    keys: list[str]
    rows: list[Row] = []
    failed: list[Failed] = []

    @property
    def missing(self) -> int:
        return self.wanted - len(self.rows)


class Board:
    """Told of each answer; draws itself where there is somebody to look."""

    def __init__(self, told: Tallied, live: Live | None) -> None:
        self.told = told
        self._live = live

    def refresh(self) -> None:
        if self._live is not None:
            self._live.update(drawn(self.told))


@contextmanager
def board(told: Tallied) -> Iterator[Board]:
    """A live table on standard error if that is a terminal, else nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Board(told, None)
        return
    with Live(console=console, refresh_per_second=PER_SECOND, transient=True) as live:
        watched = Board(told, live)
        watched.refresh()
        yield watched


def drawn(told: Tallied) -> Group:
    """How far it is, and the best so far."""
    table = Table(box=None, pad_edge=False)
    for title in titles(told.keys):
        table.add_column(title, justify="right")
    for cells in lines(told):
        table.add_row(*cells)
    bar = ProgressBar(total=told.wanted, completed=len(told.rows), width=40)
    return Group(Text(counted(told)), bar, table)


def counted(told: Tallied) -> str:
    text = f"{len(told.rows)} of {told.wanted} runs"
    if told.found:
        text += f", {told.found} of them from before"
    if told.failed:
        text += f", {len(told.failed)} failed"
    return text


def titles(keys: Sequence[str]) -> list[str]:
    names = short_names(keys)
    return ["", *(names[key] for key in keys), "profit", "sharpe", "drawdown", "fills", "turnover"]


def lines(told: Tallied, count: int = SHOWN_MAX) -> list[list[str]]:
    """The best `count` as cells."""
    return [
        [
            str(place),
            *(str(row.settings.get(key, "")) for key in told.keys),
            f"{float(row.profit):+,.6g} {row.quote}",
            "-" if row.sharpe is None else f"{row.sharpe:+.4f}",
            f"{float(row.drawdown):,.6g}",
            f"{row.fills:,}",
            f"{float(row.turnover):,.6g}",
        ]
        for place, row in enumerate(ranked(told.rows, told.measure)[:count], 1)
    ]


def plain(told: Tallied) -> list[str]:
    """The same table in columns of plain text."""
    table = [titles(told.keys), *lines(told)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def judged(best: Row, found: Verdict | None) -> list[str]:
    """What the best is worth, in sentences."""
    first = f"best: {shown(best.settings)}"
    if found is None:
        return [first, "It has no Sharpe ratio: too few steps, or every step earned the same."]
    verdict = "That is not enough to tell skill from luck: do not trade on it."
    if found.is_skill:
        verdict = "On these data that is more than luck explains."
    elif found.steps < STEPS_MIN:
        verdict = f"But {found.steps} steps are too few to tell: take more data, or shorter steps."
    ratio = f"Its Sharpe ratio is {found.sharpe:+.4f} a step of {best.step_ns / NS_PER_S:g} s"
    ratio += f", over {found.steps} steps."
    if found.trials == 1:
        return [first, ratio, f"Chance of skill: {found.single:.1%}. {verdict}"]
    return [
        first,
        f"{ratio} The best of {found.trials} runs without any skill would show "
        f"{found.luck_sharpe:+.4f}.",
        f"Chance of skill: {found.single:.1%} had it been the only run, {found.deflated:.1%} with "
        f"all {found.trials} runs counted (deflated Sharpe ratio). {verdict}",
    ]


def failures(told: Tallied) -> list[str]:
    """Each reason once, with the first run that met it; and how many runs never sent an order."""
    reasons: dict[str, Failed] = {}
    for each in told.failed:
        reasons.setdefault(each.reason, each)
    found = [
        f"failed: {shown(each.settings)}: {' '.join(reason.split())}"
        for reason, each in reasons.items()
    ]
    idle = [row for row in told.rows if row.idle]
    if idle:
        first = idle[0]
        found.append(f"{len(idle)} never sent an order, as {shown(first.settings)}: {first.idle}")
    return found


def as_answer(told: Tallied, found: Verdict | None) -> dict[str, Any]:
    """For a script: every row, best first."""
    rows = ranked(told.rows, told.measure)
    return {
        "runs": told.wanted,
        "from_before": told.found,
        "ran": len(told.rows) - told.found,
        "missing": told.missing,
        "by": told.measure,
        "rows": [{**msgspec.structs.asdict(row), "sharpe": row.sharpe} for row in rows],
        "failed": told.failed,
        "verdict": found and {**msgspec.structs.asdict(found), "is_skill": found.is_skill},
    }
