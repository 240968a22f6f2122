"""Which importer a path is for: by its name where that tells, by its first line otherwise."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from adapters.importers.binance_wire import open_wire
from adapters.importers.bitstamp import is_bitstamp, open_bitstamp
from adapters.importers.captures import is_capture, open_capture
from adapters.importers.coinbase import LEVELS, UPDATES, is_coinbase, open_coinbase
from adapters.importers.facts_file import is_facts, open_facts
from adapters.importers.imported import Imported, text_lines
from adapters.importers.npz import open_npz, symbol_of
from adapters.importers.tardis import is_tardis, open_tardis
from engine.values.errors import UserError

WIRE, NPZ = "wire", "npz"
KNOWN = (
    "recorded frames, Parquet of `ballast data`, facts (.jsonl), Tardis CSV, hftbacktest .npz, "
    "Binance captures, JSONL captures, a Bitstamp log, a folder of Coinbase CSV"
)
ONE_FILE: tuple[tuple[Callable[[str], bool], Callable[[Path], Imported]], ...] = (
    (is_tardis, open_tardis),
    (is_capture, open_capture),
    (is_facts, open_facts),
    (is_bitstamp, open_bitstamp),
)


def open_all(paths: list[Path]) -> list[Imported]:
    """A source for each path; captures of Binance, and npz of one name, are one recording.

    Raises UserError for what no importer reads.
    """
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(_group(path), []).append(path)
    return [_open(group, paths) for group, paths in groups.items()]


def is_wire(path: Path) -> bool:
    """A capture of Binance's streams. Raises UserError where the file cannot be read."""
    if not path.is_file() or path.suffix in (".npz", ".parquet"):
        return False
    stamp, _, rest = _first_line(path).partition(" ")
    return stamp.isdigit() and 16 <= len(stamp) <= 19 and rest.startswith("{")


def is_folder(path: Path) -> bool:
    """A directory that is one source."""
    return (path / "ballast.json").is_file() or is_coinbase(path)


def _group(path: Path) -> str:
    if path.suffix == ".npz":
        return f"{NPZ} {symbol_of(path)}"
    return f"{WIRE} {_stem(path)}" if is_wire(path) else str(path)


def _stem(path: Path) -> str:
    """What the files of one recording share: `btcusdt` of `btcusdt_20240808.gz`."""
    return path.name.partition(".")[0].rstrip("0123456789-_")


def _open(group: str, paths: list[Path]) -> Imported:
    kind, path = group.partition(" ")[0], paths[0]
    if kind == NPZ:
        return open_npz(paths)
    if kind == WIRE:
        return open_wire(paths)
    if path.is_dir():
        return _folder(path)
    if path.suffix == ".parquet":
        raise UserError(f"{path}: name the whole directory, whose ballast.json tells the units")
    line = _first_line(path)
    for is_mine, opened in ONE_FILE:
        if is_mine(line):
            return opened(path)
    if line in (LEVELS, UPDATES):
        raise UserError(f"{path}: name the folder that holds the snapshot and its updates")
    raise UserError(f"{path}:1: no importer reads this; there are: {KNOWN}")


def _folder(path: Path) -> Imported:
    if (path / "ballast.json").is_file():
        found: Imported = parquet().open_parquet(path)
        return found
    if is_coinbase(path):
        return open_coinbase(path)
    raise UserError(f"{path}: no importer reads this folder; there are: {KNOWN}")


def parquet() -> Any:
    """The module that reads and writes Parquet, or a word on what it needs."""
    try:
        return import_module("adapters.importers.parquet")
    except ImportError as error:
        raise UserError("Parquet needs polars: pip install 'ballast[research]'") from error


def _first_line(path: Path) -> str:
    return next(text_lines(path), (0, ""))[1]
