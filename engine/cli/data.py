"""`ballast data`: what is in market data of any known form, and from one form to another."""

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from adapters.importers.facts_file import SUFFIXES, write_facts
from adapters.importers.imported import Imported
from adapters.importers.opening import parquet
from adapters.importers.order import watched
from engine.cli.data_info import Look, MarketInfo, SourceInfo
from engine.cli.data_sources import (
    Order,
    instruments_of,
    notes_of,
    on_one_clock,
    open_sources,
    prepare,
    wished,
)
from engine.cli.progress import shown
from engine.cli.show import as_json, as_text
from engine.values.errors import UserError
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

FOUND = 1
app = typer.Typer(help="Look into market data, and turn it into other forms.", no_args_is_help=True)

Paths = Annotated[
    list[Path], typer.Argument(help="Recorded frames, Parquet, captures, CSV, npz: see docs/data.")
]
Out = Annotated[
    Path, typer.Option("--out", help="A new directory (Parquet), or a new .jsonl or .jsonl.zst.")
]
Times = Annotated[
    Order, typer.Option("--order", help="Where times contradict each other, as docs/data says.")
]
Names = Annotated[
    list[str] | None, typer.Option("--as", help="OLD=NEW: call market OLD by another SYMBOL@VENUE.")
]
Only = Annotated[list[str] | None, typer.Option("--only", help="Take these markets alone.")]


class Form(StrEnum):
    PARQUET = "parquet"
    FACTS = "facts"


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What `convert` and `merge` answer."""

    out: str
    form: Form
    facts: int
    bytes: int
    seconds: float
    markets: list[MarketInfo]
    sources: list[SourceInfo]
    notes: list[str]


@app.callback()
def data() -> None:
    """Look into market data, and turn it into other forms."""


@app.command("info")
def info(
    paths: Paths,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Say what is in PATHS. Exits 1 where rows are bad, times contradict or books are crossed."""
    found = []
    for source in wished(open_sources(paths), {}, set()):
        look = Look(source.targets.values())
        facts = source.imported.facts(source.faults, source.targets)
        for _ in shown(look.watch(watched(facts, source.clock))):
            pass
        found.append(look.told(source))
    if json:
        as_json({"sources": found})
    else:
        as_text(*(line for each in found for line in _source_lines(each)))
    crossed = any(market.crossed for each in found for market in each.markets)
    if crossed or any(each.bad or each.clock.has_violations for each in found):
        raise typer.Exit(FOUND)


@app.command("convert")
def convert(
    paths: Paths,
    out: Out,
    order: Times = Order.CORRECT,
    names: Names = None,
    only: Only = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Turn PATHS into Parquet or plain facts; several are put on one clock.

    Exits 1 where rows were bad: the rest is written.
    """
    _answer(_write(open_sources(paths), out, order, (names or [], only or [])), json)


@app.command("merge")
def merge(
    paths: Paths,
    out: Out,
    order: Times = Order.CORRECT,
    names: Names = None,
    only: Only = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Put at least two recordings on one clock, that of local times, and write them as one.

    Exits 1 where rows were bad: the rest is written.
    """
    found = open_sources(paths)
    if len(found) < 2:
        raise UserError("merge: name at least two recordings; one alone is for `data convert`")
    _answer(_write(found, out, order, (names or [], only or [])), json)


def _write(
    found: list[Imported], out: Path, order: Order, wishes: tuple[list[str], list[str]]
) -> Written:
    began_s = time.monotonic()
    form = Form.FACTS if out.name.endswith(SUFFIXES) else Form.PARQUET
    if out.exists():
        raise UserError(f"--out {out}: is there already; nothing is written over")
    sources = wished(found, _names(wishes[0]), set(wishes[1]))
    prepare(sources, order)
    instruments, notes = instruments_of(sources), notes_of(sources)
    writer = write_facts if form is Form.FACTS else parquet().write_parquet
    whole = Look(instruments)
    with _in_one_piece(out) as part:
        facts = shown(whole.watch(on_one_clock(sources, order)), "facts written")
        count = writer(part, instruments, notes, facts)
    return Written(
        out=str(out),
        form=form,
        facts=count,
        bytes=_size(out),
        seconds=round(time.monotonic() - began_s, 3),
        markets=whole.told(sources[0]).markets,
        sources=[Look([]).told(each) for each in sources],
        notes=notes,
    )


def _names(pairs: Iterable[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        old, is_pair, new = pair.partition("=")
        if not (old and is_pair and new):
            raise UserError(f"--as {pair!r} is not OLD=NEW")
        found[old] = new
    return found


@contextmanager
def _in_one_piece(out: Path) -> Iterator[Path]:
    """A name to write to, which becomes `out` when all is written, and is taken away otherwise."""
    part = out.with_name(f".part-{out.name}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.rename(out)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}") from error
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        elif part.exists():
            part.unlink()


def _size(out: Path) -> int:
    files = out.rglob("*") if out.is_dir() else [out]
    return sum(file.stat().st_size for file in files if file.is_file())


# --- answers ------------------------------------------------------------------------------------


def _answer(written: Written, is_json: bool) -> None:
    if is_json:
        as_json(written)
    else:
        as_text(*_written_lines(written))
    if any(source.bad for source in written.sources):
        raise typer.Exit(FOUND)


def _written_lines(written: Written) -> list[str]:
    lines = [
        f"{written.facts:,} facts, {written.bytes:,} bytes of {written.form} in {written.out}",
        *(line for market in written.markets for line in _market_lines(market)),
    ]
    for source in written.sources:
        lines += [f"from {source.kind}: {source.files[0]}", *_fault_lines(source)]
    return [*lines, *(f"note: {note}" for note in written.notes)]


def _source_lines(source: SourceInfo) -> list[str]:
    lines = [f"{source.kind}: {', '.join(source.files)}"]
    lines.append(f"  {source.facts:,} facts of {source.rows:,} rows, {source.holes} holes")
    for market in source.markets:
        lines += _market_lines(market)
    return [*lines, *_fault_lines(source), *(f"  note: {note}" for note in source.notes)]


def _market_lines(market: MarketInfo) -> list[str]:
    counts = ", ".join(f"{count:,} {name}" for name, count in market.facts.items()) or "nothing"
    span_s = (market.last_ns - market.first_ns) / NS_PER_S
    return [
        f"  {market.market}: tick {market.tick}, lot {market.lot}, "
        f"at the end {market.best or 'no whole book'}",
        f"    {_moment(market.first_ns)} and {span_s:,.1f} s: {counts}",
        f"    crossed {market.crossed}, lost {market.lost}",
    ]


def _fault_lines(source: SourceInfo) -> list[str]:
    clock = source.clock
    lines = [f"  passed over: {count:,} {why}" for why, count in source.passed_over.items()]
    if clock.stamped:
        span = f"{clock.latency_ns_min / NS_PER_MS:,.3f} to {clock.latency_ns_max / NS_PER_MS:,.3f}"
        lines.append(f"  known {span} ms after the venue's time")
    if clock.has_violations:
        lines.append(f"  times: {clock.words()}")
    if clock.shift_ns:
        lines.append(f"  local clock put forward by {clock.shift_ns / NS_PER_MS:,.6f} ms")
    if clock.venue_back:
        lines.append(f"  the venue's time steps back {clock.venue_back} times, which stays")
    lines += [f"  bad row {each.file}:{each.line}: {each.reason}" for each in source.first_bad]
    if source.bad:
        lines.append(f"  bad rows: {source.bad}, all left out")
    return lines


def _moment(at_ns: Ns) -> str:
    return f"{datetime.fromtimestamp(at_ns // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S} UTC"
