"""Reads recorded wires: `<ns> <json>` lines, or JSONL rows of everything a client saw."""

import gzip
import io
import lzma
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

import msgspec
import zstandard

from engine.values.errors import UserError
from engine.values.units import Ns

LINE_BYTES_MAX = 32_000_000
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError)

Line: TypeAlias = tuple[int, Ns, bytes]
"""Line number over all files in order, from 1; local receive time; the frame as it came."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a venue capture: `t` is header, http, connect, send or recv.

    The header names its exchange; connect and send name the address.
    """

    t: str
    conn: str = ""
    ts: float = 0.0
    url: str = ""
    addr: str = ""
    exchange: str = ""
    data: str = ""


def read_lines(paths: Sequence[Path]) -> Iterator[Line]:
    """Every frame of the files in the order given.

    Raises UserError that names the file and the line where one is not `<ns> <json>`, is longer
    than the limit, or where the file is absent or damaged.
    """
    total = 0
    for path in paths:
        for number, line in numbered(path):
            total += 1
            stamp, space, frame = line.partition(b" ")
            if not space or not stamp.isdigit() or len(stamp) > 19:
                raise UserError(f"{path}:{number}: not a `<ns> <json>` line")
            yield total, int(stamp), frame


def read_rows(path: Path) -> Iterator[Row]:
    """Every row of a venue capture (`.jsonl`, packed or plain). Raises as read_lines does."""
    decoder = msgspec.json.Decoder(Row)
    for number, line in numbered(path):
        try:
            yield decoder.decode(line)
        except (msgspec.MsgspecError, ValueError) as error:
            raise UserError(f"{path}:{number}: {error}") from error


def numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines of a file, counted from 1 and without their ends. Raises as read_lines does."""
    with _opened(path) as stream:
        number = 0
        while line := stream.readline(LINE_BYTES_MAX + 1):
            number += 1
            if len(line) > LINE_BYTES_MAX:
                raise UserError(f"{path}:{number}: longer than {LINE_BYTES_MAX} bytes")
            yield number, line.rstrip(b"\r\n")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with _unpacked(path) as stream:
            yield stream
    except DAMAGE as error:
        raise UserError(f"{path}: {error}") from error


def _unpacked(path: Path) -> BinaryIO:
    match path.suffix:
        case ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        case ".xz":
            return cast(BinaryIO, lzma.open(path, "rb"))
        case ".zst":
            reader = zstandard.ZstdDecompressor().stream_reader(
                path.open("rb"), read_across_frames=True, closefd=True
            )
            return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, reader), 1 << 16))
        case _:
            return path.open("rb")
