"""Raw public frames on the disk, as they came: `[receive ns, stream, bytes]`, a file an hour.

The files are those of `blocks`: readable up to the last whole block, whatever ended the process.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.runtime.block_file import BlockFile, Place, RecorderParams
from engine.runtime.blocks import AS_MSGPACK, END, ENTRIES, PART_HEAD, Ended, blocks, header_in
from engine.runtime.blocks import parts_of as entries_of
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, Ns

DIRECTORY_NAME = "frames"
SUFFIX = ".frames"
MAGIC = b"ballast frames 1\n"


class Frame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One frame; `stream` is named as in `adapters.common.wire`."""

    at_ns: Ns
    stream: str
    data: bytes


class FramesHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader needs beside the frames. `part` counts the hours of one recording from 0.

    `exchanges` tells by whose rules a venue of the config speaks: {"mine": "binance"}.
    """

    at_ns: Ns
    part: int
    code_version: str
    exchanges: dict[str, str]
    instruments: list[Instrument]


class FrameRecorder:
    """One recording in `directory`/frames. `start` once, `close` at the end.

    `take` is a `Wire`: give it to `feed.wire`. `taken` counts frames handed over, `taken_bytes`
    what they weigh, `written` frames in whole blocks.
    """

    def __init__(
        self,
        directory: Path,
        header: FramesHeader,
        params: RecorderParams = RecorderParams(),  # noqa: B008 (a frozen value)
    ) -> None:
        self.directory = directory / DIRECTORY_NAME
        self.taken = self.taken_bytes = 0
        self._at_ns = header.at_ns
        self._packed = msgspec.msgpack.Encoder()
        place = Place(
            directory=self.directory,
            magic=MAGIC,
            at_ns=header.at_ns,
            name=lambda part: file_name(header.at_ns, part),
            header=lambda part: msgspec.json.encode(msgspec.structs.replace(header, part=part)),
        )
        self._file: BlockFile[Frame] = BlockFile(place, self._bite, _moment_ns, params)

    def __repr__(self) -> str:
        state = "on" if self._file.is_on else self._file.failure or "off"
        return f"<frame recorder {self.written} of {self.taken} frames, {state}>"

    @property
    def written(self) -> int:
        return self._file.written

    @property
    def is_on(self) -> bool:
        return self._file.is_on

    def files(self) -> list[Path]:
        """What it has written so far, hour by hour."""
        first = file_name(self._at_ns, 0).rpartition("-")[0]
        return sorted(self.directory.glob(f"{first}-*{SUFFIX}"))

    def start(self) -> None:
        """Raises UserError where the directory cannot be made; a full disk is a complaint."""
        self._file.start()

    def take(self, at_ns: Ns, stream: str, data: bytes) -> None:
        """Never blocks and never fails."""
        if self._file.is_on:
            self.taken += 1
            self.taken_bytes += len(data)
            self._file.take(Frame(at_ns, stream, data))

    def complaint(self) -> str:
        """Why the recording ended before its time, once; "" otherwise."""
        told = self._file.complaint()
        return f"the recording of frames ended: {told}" if told else ""

    def close(self) -> None:
        """Write what is there and end the file. A disk that hangs is not waited for long."""
        self._file.close()

    def _bite(self, bite: list[Frame]) -> bytes:
        body = self._packed.encode(bite)
        return PART_HEAD.pack(AS_MSGPACK, len(body)) + body


def file_name(at_ns: Ns, part: int) -> str:
    """Named by the moment at which the recording began, in UTC and to the millisecond."""
    began = datetime.fromtimestamp(at_ns // NS_PER_MS / 1000, UTC)
    millis = at_ns // NS_PER_MS % 1000
    return f"{began:%Y%m%dT%H%M%S}{millis:03d}Z-{part:04d}{SUFFIX}"


def files_of(path: Path) -> list[Path]:
    """The files of a directory in order, or the file itself. Raises UserError where none is."""
    if path.is_file():
        return [path]
    inner = path / DIRECTORY_NAME
    found = sorted((inner if inner.is_dir() else path).glob(f"*{SUFFIX}"))
    if not found:
        raise UserError(f"{path}: no recorded frames are here")
    return found


def read_header(path: Path) -> FramesHeader:
    """Raises UserError for what is no recording of frames of this version."""
    found: FramesHeader = header_in(path, MAGIC, FramesHeader)
    return found


def frames(path: Path) -> Iterator[Frame]:
    """All frames of one file, up to its last whole block. Raises UserError on damage before it."""
    for block in blocks(path, MAGIC, is_last=_is_last(path)):
        if block.kind == ENTRIES:
            yield from entries_of(path, block, Frame)


def ending(path: Path) -> Ended | None:
    """How a file was closed; None where its process died or goes on."""
    last = None
    for block in blocks(path, MAGIC, is_last=_is_last(path)):
        last = block
    if last is None or last.kind != END:
        return None
    return msgspec.json.decode(last.packed, type=Ended)


def _is_last(path: Path) -> bool:
    """Only the last hour of a recording may end in the middle of a block."""
    began, _, part = path.stem.rpartition("-")
    if not part.isdigit():
        return True
    return not path.with_name(f"{began}-{int(part) + 1:04d}{SUFFIX}").exists()


def _moment_ns(frame: Frame) -> Ns:
    return frame.at_ns
