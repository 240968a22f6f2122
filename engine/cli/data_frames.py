"""Recorded frames as facts: each venue's codec reads them again, as the feed did."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from adapters.codec.binance import BinanceCodec
from adapters.codec.continuity import Dialect
from adapters.common.wire import DEPTH, LOST, PUBLIC, stream
from adapters.importers.binance_wire import noted
from adapters.importers.faults import Faults
from adapters.importers.imported import Imported, Targets
from engine.runtime.blocks import blocks
from engine.runtime.frames import MAGIC, FramesHeader, ending, files_of, frames, read_header
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.units import Ns

CODECS = ("binance",)
NOTES = ["books begin with the snapshot that the recording holds; bars are not read from frames"]
UNCLOSED = "the recording was not closed: its process died or goes on; read to the last whole block"


def open_frames(path: Path) -> Imported:
    """All recordings of a directory in order of time, or one file. Raises UserError."""
    files = [file for file in files_of(path) if not is_begun_only(file)]
    if not files:
        raise UserError(f"{path}: the recording ends before its first whole block")
    instruments: dict[str, Instrument] = {}
    for file in files:
        header = read_header(file)
        _check_codecs(file, header)
        instruments |= {each.market: each for each in header.instruments}
    return Imported(
        kind="recorded frames",
        files=files,
        instruments=list(instruments.values()),
        facts=lambda faults, targets: _facts(files, faults, targets),
        notes=[*NOTES, *([UNCLOSED] if ending(files[-1]) is None else [])],
    )


def is_begun_only(file: Path) -> bool:
    """A process that died while it began an hour left a file without a whole header."""
    return next(blocks(file, MAGIC, is_last=True), None) is None


def _check_codecs(file: Path, header: FramesHeader) -> None:
    for venue in {each.venue for each in header.instruments}:
        exchange = header.exchanges.get(venue, "")
        if exchange not in CODECS:
            raise UserError(f"{file}: no codec reads the frames of {exchange or venue!r}")


def _facts(files: list[Path], faults: Faults, targets: Targets) -> Iterator[Event]:
    """A recording that ends, or an hour that is missing, takes the books with it."""
    reader, before = None, None
    for file in files:
        header = read_header(file)
        follows = before is not None and header.at_ns == before.at_ns
        if reader is None or before is None or not follows:
            yield from reader.lost() if reader else ()
            reader = _Reader(header, targets)
        elif header.part != before.part + 1:
            yield from reader.lost()
        before = header
        for number, frame in enumerate(frames(file), 1):
            faults.rows += 1
            facts = reader.facts(frame.at_ns, frame.stream, frame.data)
            yield from noted(facts, faults, (file, number))


class _Reader:
    """The codecs of one recording, by the streams that they hear."""

    def __init__(self, header: FramesHeader, targets: Targets) -> None:
        self._now_ns: Ns = header.at_ns
        self._by_public: dict[str, BinanceCodec] = {}
        self._by_lost: dict[str, BinanceCodec] = {}
        self._by_depth: dict[str, tuple[BinanceCodec, str]] = {}
        for venue in dict.fromkeys(each.venue for each in header.instruments):
            mine = [each for each in header.instruments if each.venue == venue]
            mine = [each for each in mine if each.market in targets]
            if mine:
                self._add(venue, mine, targets)

    def _add(self, venue: str, mine: list[Instrument], targets: Targets) -> None:
        told = [_as_told(each, targets[each.market]) for each in mine]
        codec = BinanceCodec(told, Dialect.SPOT)
        self._by_public[stream(PUBLIC, venue)] = codec
        self._by_lost[stream(LOST, venue)] = codec
        for each in mine:
            self._by_depth[stream(DEPTH, each.market)] = codec, targets[each.market].market

    def facts(self, at_ns: Ns, name: str, data: bytes) -> list[Event]:
        self._now_ns = at_ns
        if (codec := self._by_public.get(name)) is not None:
            return codec.decode(data, at_ns)
        if name in self._by_depth:
            codec, market = self._by_depth[name]
            return codec.snapshot(market, data, at_ns)
        if name in self._by_lost:
            return self._by_lost[name].disconnected(at_ns)
        return []

    def lost(self) -> Iterator[Event]:
        for codec in self._by_lost.values():
            yield from codec.disconnected(self._now_ns)


def _as_told(source: Instrument, target: Instrument) -> Instrument:
    """The target's market and grid, under the name by which the frames call it."""
    return msgspec.structs.replace(target, venue_symbol=source.venue_symbol)
