"""`ballast journal`: prove the chain, look at its records, hand them on."""

import datetime
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer

from engine.cli.show import as_json
from engine.runtime.config import JOURNAL_NAME, load_config
from engine.runtime.journal_reader import Row, export_line, read, read_last
from engine.runtime.journal_reader import verify as verified
from engine.values.errors import UserError
from engine.values.records import Record

SHOW_LAST = 20
WIDTH = 160
KINDS = sorted(kind.__name__ for kind in get_args(Record))

Place = Annotated[Path, typer.Argument(help="A journal, its directory, or a config (.toml).")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only this kind; repeatable.")]
Market = Annotated[str, typer.Option(help="Only this market, as BTT/USDT@binance.")]
Last = Annotated[int, typer.Option(min=0, help="Only the last N; 0 is all.")]
Json = Annotated[bool, typer.Option("--json", help="Objects instead of text.")]

app = typer.Typer(name="journal", help="Prove, show and export the journal.", no_args_is_help=True)


@app.command()
def verify(place: Place, json: Json = False) -> None:
    """Walk the whole chain. Exit code 1 where it is broken."""
    found = verified(journal_path(place))
    if json:
        as_json({"ok": not found.problem, **msgspec.structs.asdict(found)})
    elif found.problem:
        typer.echo(f"{found.path}: BROKEN: {found.problem}")
    else:
        ahead = f" ({found.ahead} of them in the ahead log)" if found.ahead else ""
        typer.echo(
            f"{found.path}: whole; {found.records} records{ahead} in {found.epochs} sessions, "
            f"ends in {found.head[:16]}"
        )
    if found.problem:
        raise typer.Exit(1)


@app.command()
def show(
    place: Place,
    kind: Kinds = None,
    market: Market = "",
    last: Last = SHOW_LAST,
    json: Json = False,
) -> None:
    """Print records, one a line, oldest first."""
    for row in _chosen(journal_path(place), kind or [], market, last):
        typer.echo(export_line(row) if json else _text(row))


@app.command()
def export(
    place: Place,
    kind: Kinds = None,
    market: Market = "",
    last: Last = 0,
    json: Json = True,
) -> None:
    """Write records as JSON lines (always, so `--json` changes nothing)."""
    del json
    for row in _chosen(journal_path(place), kind or [], market, last):
        sys.stdout.buffer.write(export_line(row) + b"\n")


def journal_path(place: Path) -> Path:
    """The journal that a person meant by a file, a data directory or a config."""
    if place.suffix == ".toml":
        return load_config(place).journal_path
    return place / JOURNAL_NAME if place.is_dir() else place


def _chosen(path: Path, kinds: list[str], market: str, last: int) -> Iterable[Row]:
    """Rows that were asked for. A misspelt filter is refused: finding nothing would mislead."""
    for kind in kinds:
        if kind not in KINDS:
            raise UserError(f"--kind {kind!r}: there is none; there are: {', '.join(KINDS)}")
    if market and "@" not in market:
        raise UserError(f"--market {market!r}: name the venue too, as BTT/USDT@binance")
    return read_last(path, last, kinds, market) if last else read(path, kinds, market)


def _text(row: Row) -> str:
    seconds, rest_ns = divmod(row.at_ns, 1_000_000_000)
    try:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        at = f"{moment:%Y-%m-%d %H:%M:%S}.{rest_ns // 1_000_000:03d}"
    except (ValueError, OverflowError, OSError):
        at = str(row.at_ns)
    fields = msgspec.structs.asdict(row.record)
    body = " ".join(
        f"{name}={value}" for name, value in fields.items() if name not in ("market", "at_ns")
    )
    return f"{row.seq} {at} {row.kind} {row.market} {body}"[:WIDTH]
