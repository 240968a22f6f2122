"""Facts as JSON, one a line, behind a line with the markets: `.jsonl` or `.jsonl.zst`.

The plainest form that loses nothing, for other programs and for looking into.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, cast

import msgspec
import zstandard

from adapters.importers.faults import Faults
from adapters.importers.imported import Imported, Targets, text_lines
from adapters.importers.regrid import Regrid
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.instrument import Instrument

MARK = '{"ballast":"facts 1",'
SUFFIXES = (".jsonl", ".jsonl.zst")


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line. `ballast` is the form and its version."""

    ballast: str = "facts 1"
    instruments: list[Instrument]
    notes: list[str] = []


def is_facts(line: str) -> bool:
    return line.startswith(MARK)


def open_facts(path: Path) -> Imported:
    """Raises UserError for another form or version."""
    first = next(text_lines(path), (0, ""))[1]
    try:
        head = msgspec.json.decode(first, type=Head)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"{path}:1: no head of a facts file: {error}") from error
    return Imported(
        kind="facts",
        files=[path],
        instruments=head.instruments,
        facts=partial(_facts, path, head),
        notes=head.notes,
    )


def _facts(path: Path, head: Head, faults: Faults, targets: Targets) -> Iterator[Event]:
    grids = {
        each.market: Regrid(each, targets[each.market])
        for each in head.instruments
        if each.market in targets
    }
    left_out = {each.market for each in head.instruments} - grids.keys()
    decoder = msgspec.json.Decoder(Event)
    lines = text_lines(path)
    next(lines, None)
    for number, line in lines:
        faults.rows += 1
        try:
            fact = decoder.decode(line)
        except (msgspec.MsgspecError, ValueError) as error:
            faults.note(path, number, error)
            continue
        market = getattr(fact, "market", "")
        if market in grids:
            yield grids[market].told(fact)
        elif market not in left_out:
            yield fact


def write_facts(
    path: Path, instruments: list[Instrument], notes: list[str], facts: Iterable[Event]
) -> int:
    """Write a new file and return the count of facts. Raises UserError."""
    encoder, count = msgspec.json.Encoder(), 0
    try:
        with closing(_created(path)) as file:
            file.write(encoder.encode(Head(instruments=instruments, notes=notes)) + b"\n")
            for fact in facts:
                file.write(encoder.encode(fact) + b"\n")
                count += 1
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    return count


def _created(path: Path) -> IO[bytes]:
    file = path.open("xb")
    if path.name.endswith(".zst"):
        packer = zstandard.ZstdCompressor(level=6)
        return cast(IO[bytes], packer.stream_writer(file, closefd=True))
    return file
