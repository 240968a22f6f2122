"""`ballast capture`: verbs about recorded wires."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.cli.capture_check import CaptureReport, check_capture

app = typer.Typer(help="Look into recorded wires.", no_args_is_help=True)


@app.callback()
def capture() -> None:
    """Look into recorded wires."""


@app.command("check")
def check(
    files: Annotated[
        list[Path],
        typer.Argument(help="Captures in order: `<ns> <json>` lines, .gz, .zst or plain."),
    ],
    json: Annotated[bool, typer.Option("--json", help="One JSON object on the last line.")] = False,
    drop: Annotated[
        int, typer.Option("--drop", min=0, help="Leave out this line (from 1, over all files).")
    ] = 0,
) -> None:
    """Rebuild the books of a wire capture and hold them against the venue's own words.

    Exits 0 where nothing is wrong, 1 with findings, 2 where a file cannot be read.
    """
    report = check_capture(files, drop, _show_progress if sys.stderr.isatty() else _stay_silent)
    if json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        typer.echo("\n".join(_lines(report)))
    if not report.is_clean:
        raise typer.Exit(1)


def _lines(report: CaptureReport) -> list[str]:
    types = ", ".join(f"{name} {count:,}" for name, count in sorted(report.frames_by_type.items()))
    lines = [
        f"frames          {report.frames:,} in {report.seconds:,.0f} s ({types})",
        f"level changes   {report.level_changes:,}",
        f"sequence gaps   {report.gaps}",
        f"trade-id gaps   {report.trade_gaps}",
        f"crossed         {report.crossed}",
        f"bookTicker      {report.matched:,} of {report.compared:,} equal at equal update id",
        f"quarantined     {report.quarantined}",
        *_latency_lines(report),
    ]
    lines += [
        "final top       {}: {bid_size} @ {bid} | {ask_size} @ {ask}".format(symbol, **top)
        for symbol, top in report.tops.items()
    ]
    if report.dropped:
        lines.append(
            f"dropped line    {report.dropped}; recoveries {report.recoveries}; {report.note}"
        )
    if not report.recovered:
        lines.append("book            not valid at the end: no snapshot in the capture fits")
    lines += [f"finding         {text}" for text in report.findings]
    lines.append("clean" if report.is_clean else "findings above")
    return lines


def _latency_lines(report: CaptureReport) -> list[str]:
    latency = report.latency_ms
    if latency is None:
        return ["latency         no message carries the venue's time"]
    spread = f"p50 {latency.p50:g} p90 {latency.p90:g} p99 {latency.p99:g} max {latency.max:g} ms"
    return [
        f"latency         {spread}",
        *([f"                {latency.note}"] if latency.note else []),
    ]


def _show_progress(frames: int) -> None:
    sys.stderr.write(f"\r{frames:,} frames")
    sys.stderr.flush()


def _stay_silent(frames: int) -> None:
    """Progress is for people who watch."""
