"""A recorded session on the disk: its header, its blocks, and how they are read again.

A file is a magic line, a block with the header, blocks of entries and, where it was closed in
order, an end. Each block says how long it is and carries a hash, so that a reader knows the last
one that is whole. A session is a file an hour, all of one epoch.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from engine.core import EngineParams
from engine.runtime.config import Config, config_hash
from engine.runtime.plugins import LoadedStrategy
from engine.sim.replay import Entry, Made
from engine.values.errors import UserError
from engine.values.events import Event
from engine.values.instrument import Instrument
from engine.values.units import Ns

DIRECTORY_NAME = "sessions"
SUFFIX = ".rec"
MAGIC = b"ballast recording 1\n"
HEADER, ENTRIES, END = 1, 2, 3
BLOCK_HEAD = struct.Struct(">BII8s")
"""Kind, entries, packed bytes, hash of those three and of the packed bytes."""
PART_HEAD = struct.Struct(">BI")
AS_MSGPACK, AS_JSON = 0, 1
"""JSON holds whole numbers beyond 64 bits, which money of a fine market may be."""
PACKED_BYTES_MAX = 64_000_000
RAW_BYTES_MAX = 512_000_000


class StrategyMark(msgspec.Struct, frozen=True, kw_only=True):
    """What code a market was quoted by: SHA-256 of the strategy's file."""

    spec: str
    name: str
    file_hash: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """All that a replay needs beside the entries, but for the past, which the journal holds.

    `config` is the canonical JSON of the whole config as it was run. `past_seq` is the last row of
    the journal that the engine remembered when it was built; `part` counts the hours from 0.
    """

    epoch: int
    part: int
    at_ns: Ns
    code_version: str
    config: str
    config_hash: str
    params: EngineParams
    instruments: list[Instrument]
    strategies: list[StrategyMark]
    past_seq: int


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The last block of a file that was closed in order. `goes_on` is true between two hours."""

    goes_on: bool
    reason: str = ""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an engine: its header and its files, hour by hour."""

    header: Header
    files: list[Path]
    size_bytes: int

    def __repr__(self) -> str:
        return f"<session {self.header.epoch} {len(self.files)} files {self.size_bytes} bytes>"


class Block(msgspec.Struct, frozen=True):
    """One whole block as it was read."""

    kind: int
    count: int
    packed: bytes
    end: int


def header_of(
    config: Config,
    params: EngineParams,
    instruments: list[Instrument],
    loaded: list[LoadedStrategy],
    past: tuple[int, Ns, str],
) -> Header:
    """What `running` knows when it has built its engine.

    `past` is the journal's last remembered row, the present moment and the code's version.
    """
    marks = [
        StrategyMark(spec=each.spec, name=each.name, file_hash=each.file_hash) for each in loaded
    ]
    past_seq, at_ns, version = past
    return Header(
        epoch=params.epoch,
        part=0,
        at_ns=at_ns,
        code_version=version,
        config=msgspec.json.encode(config, order="sorted").decode(),
        config_hash=config_hash(config),
        params=params,
        instruments=instruments,
        strategies=marks,
        past_seq=past_seq,
    )


def framed(kind: int, count: int, packed: bytes) -> bytes:
    """A block as it stands in a file."""
    digest = _digest(kind, count, packed)
    return BLOCK_HEAD.pack(kind, count, len(packed), digest) + packed


def file_name(epoch: int, part: int) -> str:
    return f"{epoch:06d}-{part:04d}{SUFFIX}"


# --- reading ------------------------------------------------------------------------------------


def sessions(path: Path) -> list[Session]:
    """The sessions of a data directory, oldest first, or the one that a file belongs to.

    Raises UserError where there is none, or a header cannot be read.
    """
    if path.is_file():
        epoch = read_header(path).epoch
        return [each for each in _found(path.parent) if each.header.epoch == epoch]
    inner = path / DIRECTORY_NAME
    found = _found(inner if inner.is_dir() else path)
    if not found:
        raise UserError(f"{path}: no recorded session is here")
    return found


def events(path: Path) -> Iterator[Event]:
    """The facts of the newest session at `path`, in order. Raises UserError."""
    for entry in entries(sessions(path)[-1]):
        if not isinstance(entry, Made):
            yield entry


def entries(session: Session) -> Iterator[Entry]:
    """Everything of a session up to the last whole block. Raises UserError on damage before it."""
    for number, file in enumerate(session.files):
        is_last = number == len(session.files) - 1
        for block in _blocks(file, is_last=is_last):
            if block.kind == ENTRIES:
                yield from _entries_of(file, block)


def ending(session: Session) -> Ended | None:
    """How the session's last file was closed; None where its process died or goes on."""
    last = None
    for block in _blocks(session.files[-1], is_last=True):
        last = block
    if last is None or last.kind != END:
        return None
    return msgspec.json.decode(last.packed, type=Ended)


def read_header(path: Path) -> Header:
    """Raises UserError for what is no recording of this version."""
    first = next(_blocks(path, is_last=True), None)
    if first is None or first.kind != HEADER:
        raise UserError(f"{path}: the header of the recording is missing")
    try:
        return msgspec.json.decode(_unpacked(path, first), type=Header)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"{path}: the header cannot be read: {error}") from error


def _found(directory: Path) -> list[Session]:
    by_epoch: dict[str, list[Path]] = {}
    for file in sorted(directory.glob(f"*{SUFFIX}")):
        by_epoch.setdefault(file.name.partition("-")[0], []).append(file)
    return [_session(files) for files in by_epoch.values()]


def _session(files: list[Path]) -> Session:
    """A process that died while it began an hour left a file without a header."""
    if len(files) > 1 and next(_blocks(files[-1], is_last=True), None) is None:
        files = files[:-1]
    header = read_header(files[0])
    if header.part or len(files) != 1 + read_header(files[-1]).part:
        raise UserError(f"{files[0].parent}: an hour of session {header.epoch} is missing")
    return Session(
        header=header, files=files, size_bytes=sum(file.stat().st_size for file in files)
    )


def _blocks(path: Path, *, is_last: bool) -> Iterator[Block]:
    """Whole blocks in order. Only the end of the last file may be torn."""
    try:
        with path.open("rb") as file:
            yield from _blocks_in(file, path, is_last=is_last)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _blocks_in(file: BinaryIO, path: Path, *, is_last: bool) -> Iterator[Block]:
    size = os.fstat(file.fileno()).st_size
    magic = file.read(len(MAGIC))
    if is_last and len(magic) < len(MAGIC) and MAGIC.startswith(magic):
        return
    if magic != MAGIC:
        raise UserError(f"{path}: this is not a recording of version 1")
    while (at := file.tell()) < size:
        block = _block(file)
        is_tail = block is None or block.end >= size
        if block is not None and block.kind in (HEADER, ENTRIES, END):
            yield block
            continue
        if is_tail and is_last:
            return
        raise UserError(f"{path}: damaged at byte {at}")


def _block(file: BinaryIO) -> Block | None:
    """The next block, of kind 0 where its hash is wrong; None where the file ends inside it."""
    head = file.read(BLOCK_HEAD.size)
    if len(head) < BLOCK_HEAD.size:
        return None
    kind, count, length, digest = BLOCK_HEAD.unpack(head)
    packed = file.read(min(length, PACKED_BYTES_MAX))
    if len(packed) < length:
        return None
    is_true = _digest(kind, count, packed) == digest
    return Block(kind if is_true else 0, count, packed, file.tell())


def _digest(kind: int, count: int, packed: bytes) -> bytes:
    mark = b"%d %d %d " % (kind, count, len(packed))
    return hashlib.blake2b(mark + packed, digest_size=8).digest()


def _unpacked(path: Path, block: Block) -> bytes:
    try:
        if zstandard.frame_content_size(block.packed) > RAW_BYTES_MAX:
            raise UserError(f"{path}: a block is larger than {RAW_BYTES_MAX} bytes")
        return zstandard.ZstdDecompressor().decompress(block.packed)
    except zstandard.ZstdError as error:
        raise UserError(f"{path}: a block cannot be unpacked: {error}") from error


def _entries_of(path: Path, block: Block) -> Iterator[Entry]:
    raw, at = _unpacked(path, block), 0
    packed = msgspec.msgpack.Decoder(list[Entry])
    plain = msgspec.json.Decoder(list[Entry])
    while at < len(raw):
        form, length = PART_HEAD.unpack_from(raw, at)
        at += PART_HEAD.size
        try:
            yield from (packed if form == AS_MSGPACK else plain).decode(raw[at : at + length])
        except (msgspec.MsgspecError, ValueError) as error:
            why = f"an entry cannot be read by this version: {error}"
            raise UserError(f"{path}: {why}") from error
        at += length
