"""`ballast sweep`: one back-test for every combination of some settings, on many processes."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.backtest_flags import SPAN, UNITS
from engine.cli.backtest_run import Wanted
from engine.cli.show import as_json, as_text
from engine.cli.sweep_board import (
    Board,
    Tallied,
    as_answer,
    board,
    counted,
    failures,
    judged,
    plain,
)
from engine.cli.sweep_file import Header, ResultsFile
from engine.cli.sweep_job import Job
from engine.cli.sweep_on import LOCAL, Executor, executor_of
from engine.cli.sweep_plan import Asked, Plan, plan_of
from engine.sim.backtest import NOT_MODELLED
from engine.sim.sweep import (
    Axis,
    Failed,
    Heat,
    Measure,
    Row,
    Verdict,
    heat,
    ranked,
    verdict,
    widest,
)
from engine.values.errors import UserError
from engine.values.units import Ns

RESULTS_NAME = "results.jsonl"
HOME = Path("var") / "sweeps"
FOUND_FAILURES, INTERRUPTED = 1, 130


def sweep(
    config: Annotated[Path, typer.Argument(help="A config file, as in configs/.")],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[MORE]", help="More of --data and --set.")
    ] = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="Data directories, recordings or wire captures.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=a,b,c: params.lots=1,2 or backtest.queue=log,power:1"),
    ] = None,
    on: Annotated[str, typer.Option(help="local, or tcp://HOST:PORT of a Dask scheduler.")] = LOCAL,
    workers: Annotated[int, typer.Option(min=0, help="Local processes; 0 for one a core.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Results go here; what is there is not run again.")
    ] = None,
    by: Annotated[Measure, typer.Option(help="What the best is the best in.")] = Measure.SHARPE,
    step: Annotated[str, typer.Option(help="Sharpe ratios are of steps so long.")] = "10s",
    axes: Annotated[
        str, typer.Option("--map", help="X[,Y] of the heat map; else the widest.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of all chance in each run.")] = 0,
    queue: Annotated[
        str, typer.Option(help="Queue model: power:N, log or risk-averse.")
    ] = "power:1",
    latency: Annotated[str, typer.Option(help="UP[,DOWN], as in backtest.")] = "5ms",
    feed: Annotated[str, typer.Option(help="Age of a public fact when it was recorded.")] = "5ms",
    fees: Annotated[str, typer.Option(help="MAKER,TAKER in ppm, instead of the venue's.")] = "",
    balance: Annotated[str, typer.Option(help="Opening money like BTC=1,USDT=500.")] = "",
    epoch: Annotated[int, typer.Option(help="Which session of a data directory.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Back-test CONFIG once for each combination of --set, and say what the best is worth.

    A sweep that was killed goes on where it was: run the same command again. Exit code 1 where some
    run failed.
    """
    extra = more or []
    asked = Asked(
        config=config,
        paths=[*(data or []), *(Path(each) for each in extra if not _is_set(each))],
        epoch=epoch,
        sets=[*(set_ or []), *(each for each in extra if _is_set(each))],
        wanted=Wanted(
            seed=seed, queue=queue, latency=latency, feed=feed, fees=fees, balance=balance
        ),
        step_ns=_step_ns(step),
    )
    if not asked.paths:
        raise UserError("--data: name what to run on")
    executor = executor_of(on, workers)
    plan = plan_of(asked)
    shown = _shown_axes(plan.axes, axes)
    directory = out or HOME / f"{plan.name}-{plan.data_hash[:8]}"
    told, found = _run(plan, executor, directory / RESULTS_NAME, by)
    files = [str(directory / RESULTS_NAME), *_pictures(directory, told, found, shown)]
    _tell(told, found, files, is_json=json)


def _tell(told: Tallied, found: Verdict | None, files: list[str], *, is_json: bool) -> None:
    if is_json:
        as_json(as_answer(told, found) | {"files": files})
    else:
        as_text(*_lines(told, found), NOT_MODELLED, *(f"written: {file}" for file in files))
    if told.failed or told.missing:
        raise typer.Exit(FOUND_FAILURES)


def _is_set(word: str) -> bool:
    return "=" in word and not Path(word).exists()


def _step_ns(text: str) -> Ns:
    found = SPAN.fullmatch(text)
    step_ns = round(float(found[1]) * UNITS[found[2]]) if found else 0
    if step_ns <= 0:
        raise UserError(f"--step {text!r}: a time like 10s or 500ms is wanted")
    return step_ns


def _run(
    plan: Plan, executor: Executor, path: Path, measure: Measure
) -> tuple[Tallied, Verdict | None]:
    """Run what is missing. Each row is on the disk before the next is looked at."""
    header = Header(data_hash=plan.data_hash, step_ns=plan.step_ns)
    with ResultsFile(path, header) as results:
        there = [_as_asked(results, job) for job in plan.jobs if job.run.job in results.rows]
        told = Tallied(
            wanted=len(plan.jobs),
            found=len(there),
            measure=measure,
            keys=[axis.key for axis in plan.axes],
            rows=there,
        )
        missing = [job for job in plan.jobs if job.run.job not in results.rows]
        try:
            with board(told) as watched:
                _take(executor, missing, results, watched)
        except KeyboardInterrupt:
            as_text(f"stopped with {counted(told)} in {path}; the same command goes on from there")
            raise typer.Exit(INTERRUPTED) from None
        best = ranked(told.rows, measure)[:1]
        return told, verdict(best[0], results.rows.values()) if best else None


def _as_asked(results: ResultsFile, job: Job) -> Row:
    """A row from before by the settings of this sweep: another one may have named others."""
    return msgspec.structs.replace(results.rows[job.run.job], settings=job.run.settings)


def _take(executor: Executor, jobs: Sequence[Job], results: ResultsFile, watched: Board) -> None:
    told = watched.told
    for answer in executor.answers(jobs) if jobs else ():
        if isinstance(answer, Failed):
            told.failed.append(answer)
        elif results.append(answer):
            told.rows.append(answer)
        watched.refresh()


def _shown_axes(axes: list[Axis], text: str) -> list[Axis]:
    """What the map shows: those named, or the two with the most values. Raises UserError."""
    by_key = {axis.key: axis for axis in axes}
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in by_key:
            raise UserError(f"--map {text}: {name!r} is no key of --set")
    if len(names) > 2:
        raise UserError(f"--map {text}: a map has two sides")
    return [by_key[name] for name in names] or widest(axes)


def _pictures(
    directory: Path, told: Tallied, found: Verdict | None, shown: list[Axis]
) -> list[str]:
    """The heat map and the page, where matplotlib is installed and there is something to draw."""
    if not told.rows:
        return []
    try:
        pages = import_module("engine.cli.sweep_page")
    except ImportError:
        as_text('no pictures: pip install "ballast[research]"')
        return []
    drawn: Heat | None = heat(told.rows, told.measure, *_sides(shown)) if shown else None
    best = ranked(told.rows, told.measure)[0]
    return [str(file) for file in pages.write_page(directory, told, judged(best, found), drawn)]


def _sides(shown: list[Axis]) -> tuple[Axis, Axis | None]:
    """The last named goes across, as in the grid; the other one down."""
    return (shown[-1], shown[0]) if len(shown) > 1 else (shown[0], None)


def _lines(told: Tallied, found: Verdict | None) -> list[str]:
    if not told.rows:
        return [counted(told), *failures(told)]
    best = ranked(told.rows, told.measure)[0]
    return [counted(told), *plain(told), "", *judged(best, found), *failures(told)]
