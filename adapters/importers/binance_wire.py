"""Captures of Binance's streams, `<ns> <json>` a line: spot or futures, through the real codec.

Tick and lot are as fine as the finest text of the whole capture. Several files are one recording.
A frame that the codec cannot read is a bad row, and costs the book that it may have been about.
"""

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from adapters.codec.binance import BinanceCodec
from adapters.codec.binance_survey import survey
from adapters.codec.continuity import Dialect
from adapters.importers.faults import Faults
from adapters.importers.grid import Decimals, instrument_of
from adapters.importers.imported import MOMENT_NS_MAX, Imported, Targets
from adapters.transport.capture import numbered
from engine.values.errors import UserError
from engine.values.events import Event, Quarantined
from engine.values.instrument import Instrument
from engine.values.units import Ns

VENUE = "binance"
SURVEY_FRAMES = 5_000
STAMP_DIGITS_MAX = 19
NOTES = ["the venue's own rule proves the book: what is before its snapshot is held back"]


class _Data(msgspec.Struct, frozen=True):
    symbol: str = msgspec.field(name="s", default="")
    bids: list[tuple[str, str]] | str | int = msgspec.field(name="b", default=0)
    asks: list[tuple[str, str]] | str | int = msgspec.field(name="a", default=0)
    price: str = msgspec.field(name="p", default="")
    size: str = msgspec.field(name="q", default="")


class _Row(msgspec.Struct, frozen=True, gc=False):
    path: Path
    line: int
    at_ns: Ns
    frame: bytes


class _Frame(msgspec.Struct, frozen=True):
    """`bids` and `asks` are those of a REST snapshot, which may name no symbol."""

    data: _Data | None = None
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


def open_wire(paths: list[Path]) -> Imported:
    """Files of one recording, in order. They are read twice. Raises UserError."""
    frames = (row.frame for row in islice(_rows(paths, Faults()), SURVEY_FRAMES))
    seen = survey(frames, VENUE)
    if not seen.instruments:
        raise UserError(f"{paths[0]}: no Binance market message in {SURVEY_FRAMES} lines")
    symbols = [each.venue_symbol for each in seen.instruments]
    found = surveyed((row.frame for row in _rows(paths, Faults())), symbols)
    instruments = [instrument_of(symbol, VENUE, found[symbol]) for symbol in symbols]
    kind = "spot" if seen.dialect is Dialect.SPOT else "futures"
    return Imported(
        kind=f"binance {kind} wire",
        files=paths,
        instruments=instruments,
        facts=partial(_facts, paths, instruments, seen.dialect),
        notes=NOTES,
    )


def surveyed(frames: Iterator[bytes], symbols: list[str]) -> dict[str, tuple[int, int]]:
    """Decimals of prices and sizes by symbol; a frame that cannot be read says nothing."""
    decoder = msgspec.json.Decoder(_Frame)
    found = {symbol: Decimals() for symbol in symbols}
    whole = Decimals()
    for frame in frames:
        try:
            told = decoder.decode(frame)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        _see_all(whole, (*told.bids, *told.asks))
        if told.data is not None and told.data.symbol in found:
            _see_data(found[told.data.symbol], told.data)
    if len(symbols) == 1:
        found[symbols[0]].see_all(whole)
    return {symbol: (each.price, each.size) for symbol, each in found.items()}


def _see_data(found: Decimals, data: _Data) -> None:
    for side in (data.bids, data.asks):
        if isinstance(side, list):
            _see_all(found, side)
        elif isinstance(side, str):
            found.see(side, "0")
    found.see(data.price or "0", data.size or "0")


def _see_all(found: Decimals, levels: list[tuple[str, str]] | tuple[tuple[str, str], ...]) -> None:
    for price, size in levels:
        found.see(price, size)


def _facts(
    paths: list[Path],
    instruments: list[Instrument],
    dialect: Dialect,
    faults: Faults,
    targets: Targets,
) -> Iterator[Event]:
    told = [
        msgspec.structs.replace(targets[each.market], venue_symbol=each.venue_symbol)
        for each in instruments
        if each.market in targets
    ]
    if not told:
        return
    codec = BinanceCodec(told, dialect)
    for row in _rows(paths, faults):
        yield from noted(codec.decode(row.frame, row.at_ns), faults, (row.path, row.line))


def noted(facts: list[Event], faults: Faults, where: tuple[Path, int]) -> list[Event]:
    """The facts of one frame, which are among the faults where the codec could not read it."""
    for fact in facts:
        if isinstance(fact, Quarantined):
            faults.note(*where, fact.reason)
    return facts


def _rows(paths: list[Path], faults: Faults) -> Iterator[_Row]:
    for path in paths:
        for number, line in numbered(path):
            faults.rows += 1
            stamp, space, frame = line.partition(b" ")
            is_stamp = stamp.isdigit() and len(stamp) <= STAMP_DIGITS_MAX
            if space and is_stamp and 0 < int(stamp) <= MOMENT_NS_MAX:
                yield _Row(path, number, int(stamp), frame)
            else:
                faults.note(path, number, "not a `<ns> <json>` line")
