"""A sweep: every combination of some settings, what each run earned, and what the best is worth."""

import itertools
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias, assert_never

import msgspec
import numpy as np

from engine.sim.backtest import Result
from engine.sim.deflated import (
    Moments,
    deflated_sharpe,
    expected_max_sharpe,
    moments_of,
    probabilistic_sharpe,
)
from engine.sim.tally import MarketTally
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.units import Ns

Value: TypeAlias = bool | int | float | str
Settings: TypeAlias = dict[str, Value]

RUNS_MAX = 10_000
SKILL_MIN = 0.95
"""A deflated Sharpe ratio below this is told as luck: the usual 5 % test, one-sided."""
STEPS_MIN = 30
"""Of fewer steps nothing is told: the ratio's own error is not known well enough."""


class Measure(StrEnum):
    """What the best is the best in."""

    SHARPE = "sharpe"
    PROFIT = "profit"


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """One key and the values that it takes, in the order in which they were named."""

    key: str
    values: tuple[Value, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one run came to. Money as decimal text in `quote`; `job` names the run for ever.

    `moments` are of the profits of steps of `step_ns`; None where the run has no Sharpe ratio.
    `idle` says of a run that never sent an order why it last had none.
    """

    job: str
    settings: Settings
    quote: str
    profit: str
    drawdown: str
    turnover: str
    fills: int
    decided: int
    step_ns: Ns
    moments: Moments | None
    digest: str
    seconds: float
    idle: str = ""

    @property
    def sharpe(self) -> float | None:
        """Of one step, never annual."""
        return self.moments.sharpe if self.moments else None


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A run that came to nothing, and why. It is not a result: the next sweep tries it again."""

    job: str
    settings: Settings
    reason: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of the best run's Sharpe ratio once the runs are counted.

    `luck_sharpe` is what the best of `trials` runs without skill would show; `single` is the chance
    of skill if this had been the only run, `deflated` the chance with all of them counted.
    """

    trials: int
    steps: int
    sharpe: float
    luck_sharpe: float
    single: float
    deflated: float

    @property
    def is_skill(self) -> bool:
        return self.steps >= STEPS_MIN and self.deflated >= SKILL_MIN


class Heat(msgspec.Struct, frozen=True, kw_only=True):
    """The best of the measure for each pair of values: `cells[row of y][column of x]`."""

    x: Axis
    y: Axis | None
    cells: list[list[float | None]]


def grid(axes: Sequence[Axis]) -> list[Settings]:
    """Every combination, the last axis fastest. Raises UserError for more than RUNS_MAX."""
    count = int(np.prod([len(axis.values) for axis in axes], dtype=object)) if axes else 1
    if count > RUNS_MAX:
        raise UserError(f"--set: {count:,} combinations, and {RUNS_MAX:,} are the most")
    keys = [axis.key for axis in axes]
    return [
        dict(zip(keys, values, strict=True))
        for values in itertools.product(*(axis.values for axis in axes))
    ]


# --- one run ------------------------------------------------------------------------------------


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run before anything is known of it."""

    job: str
    settings: Settings
    step_ns: Ns


def row_of(run: Run, result: Result, instruments: dict[str, Instrument], seconds: float) -> Row:
    """Markets add up. Raises UserError where they are not quoted in one asset."""
    both = [(tally, instruments[market]) for market, tally in result.markets.items()]
    quotes = sorted({item.quote for _, item in both})
    if len(quotes) != 1:
        raise UserError(f"profits in {' and '.join(quotes)} cannot be added: sweep them apart")
    exponent = max(item.quote_exponent for _, item in both)
    scales = [10 ** (exponent - item.quote_exponent) for _, item in both]
    tallies = [tally for tally, _ in both]
    steps_ns = range(result.began_ns, result.ended_ns + 1, run.step_ns)
    profits = np.diff(_curve(tallies, scales, steps_ns)) / 10**exponent

    def money(atoms: int) -> str:
        return f"{Decimal(atoms).scaleb(-exponent):f}"

    return Row(
        job=run.job,
        settings=run.settings,
        quote=quotes[0],
        profit=money(_added([t.profit_atoms for t in tallies], scales)),
        drawdown=money(_deepest_fall(tallies, scales)),
        turnover=money(_added([t.turnover_atoms for t in tallies], scales)),
        fills=sum(len(tally.fills) for tally in tallies),
        decided=result.decided,
        step_ns=run.step_ns,
        moments=moments_of([float(each) for each in profits]),
        digest=result.digest,
        seconds=seconds,
        idle="" if any(tally.placed for tally in tallies) else _why_idle(tallies),
    )


def _why_idle(tallies: list[MarketTally]) -> str:
    for tally in tallies:
        if tally.decisions:
            ladder = tally.decisions[-1].ladder
            return ladder.bids_absent or ladder.asks_absent or "its wishes were never sent"
    return "it was never asked for a quote"


def _added(atoms: Sequence[int], scales: Sequence[int]) -> int:
    return sum(each * scale for each, scale in zip(atoms, scales, strict=True))


def _deepest_fall(tallies: list[MarketTally], scales: list[int]) -> int:
    """From the highest profit so far, over every moment that any market was looked at."""
    seen_ns = sorted({point.at_ns for tally in tallies for point in tally.curve})
    if not seen_ns:
        return 0
    curve = np.append(np.zeros(1, dtype=object), _curve(tallies, scales, seen_ns))
    return int((np.maximum.accumulate(curve) - curve).max())


def _curve(tallies: list[MarketTally], scales: list[int], at_ns: Sequence[Ns]) -> Any:
    """Profit of all markets at each of these moments, in atoms: the last one known by then.

    Counted in Python's integers, which no sum of money overflows.
    """
    whole = np.zeros(len(at_ns), dtype=object)
    for tally, scale in zip(tallies, scales, strict=True):
        moments = [point.at_ns for point in tally.curve]
        profits = np.array(
            [0, *(point.profit_atoms * scale for point in tally.curve)], dtype=object
        )
        whole += profits[np.searchsorted(moments, at_ns, side="right")]
    return whole


# --- all of them --------------------------------------------------------------------------------


def score(row: Row, measure: Measure) -> float:
    """Higher is better; minus infinity where a run has none."""
    match measure:
        case Measure.SHARPE:
            return float("-inf") if row.sharpe is None else row.sharpe
        case Measure.PROFIT:
            return float(row.profit)
        case _:
            assert_never(measure)


def ranked(rows: Iterable[Row], measure: Measure) -> list[Row]:
    """Best first; equals in the order of their ids, so that a table never depends on timing."""
    return sorted(rows, key=lambda row: (-score(row, measure), row.job))


def verdict(best: Row, rows: Iterable[Row]) -> Verdict | None:
    """What `best` of all these runs is worth; None where it has no Sharpe ratio.

    Every run that was looked at counts as a trial, which is the cautious side: runs that resemble
    each other are fewer (Bailey and Lopez de Prado 2014).
    """
    sharpes = [row.sharpe for row in rows if row.sharpe is not None]
    if best.moments is None or not sharpes:
        return None
    trials = len(sharpes)
    variance = float(np.var(sharpes, ddof=1)) if trials > 1 else 0.0
    return Verdict(
        trials=trials,
        steps=best.moments.steps,
        sharpe=best.moments.sharpe,
        luck_sharpe=expected_max_sharpe(trials, variance),
        single=probabilistic_sharpe(best.moments, 0.0),
        deflated=deflated_sharpe(best.moments, trials, variance),
    )


def heat(rows: Iterable[Row], measure: Measure, x: Axis, y: Axis | None) -> Heat:
    """The best over all that the map does not show; None where nothing has run yet."""
    found: dict[tuple[Value | None, Value], float] = {}
    for row in rows:
        place = (row.settings[y.key] if y else None, row.settings[x.key])
        found[place] = max(found.get(place, float("-inf")), score(row, measure))
    downs: tuple[Value | None, ...] = y.values if y else (None,)
    cells = [[_finite(found.get((down, across))) for across in x.values] for down in downs]
    return Heat(x=x, y=y, cells=cells)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else value


def widest(axes: Sequence[Axis]) -> list[Axis]:
    """The two axes with the most values, in their own order: what a map shows unless told."""
    best = sorted(axes, key=lambda axis: -len(axis.values))[:2]
    return [axis for axis in axes if axis in best]
