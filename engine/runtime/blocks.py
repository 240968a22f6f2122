"""Files of packed blocks: each says how long it is and carries a hash, so a torn end is known.

A file is a magic line, a block with the header, blocks of entries and, where it was closed in
order, an end. A reader takes all up to the last block that is whole.
"""

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import zstandard

from engine.values.errors import UserError

HEADER, ENTRIES, END = 1, 2, 3
BLOCK_HEAD = struct.Struct(">BII8s")
"""Kind, entries, packed bytes, hash of those three and of the packed bytes."""
PART_HEAD = struct.Struct(">BI")
AS_MSGPACK, AS_JSON = 0, 1
"""JSON holds whole numbers beyond 64 bits, which money of a fine market may be."""
PACKED_BYTES_MAX = 64_000_000
RAW_BYTES_MAX = 512_000_000


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The last block of a file that was closed in order. `goes_on` is true between two hours."""

    goes_on: bool
    reason: str = ""


class Block(msgspec.Struct, frozen=True):
    """One whole block as it was read."""

    kind: int
    count: int
    packed: bytes
    end: int


def framed(kind: int, count: int, packed: bytes) -> bytes:
    """A block as it stands in a file."""
    digest = _digest(kind, count, packed)
    return BLOCK_HEAD.pack(kind, count, len(packed), digest) + packed


def blocks(path: Path, magic: bytes, *, is_last: bool) -> Iterator[Block]:
    """Whole blocks in order. Only the end of the last file may be torn. Raises UserError."""
    try:
        with path.open("rb") as file:
            yield from _blocks_in(file, path, magic, is_last=is_last)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def unpacked(path: Path, block: Block) -> bytes:
    """What a block holds. Raises UserError."""
    try:
        if zstandard.frame_content_size(block.packed) > RAW_BYTES_MAX:
            raise UserError(f"{path}: a block is larger than {RAW_BYTES_MAX} bytes")
        return zstandard.ZstdDecompressor().decompress(block.packed)
    except zstandard.ZstdError as error:
        raise UserError(f"{path}: a block cannot be unpacked: {error}") from error


def header_in(path: Path, magic: bytes, type: Any) -> Any:
    """The header of a file, of the wanted type. Raises UserError for another magic or version."""
    first = next(blocks(path, magic, is_last=True), None)
    if first is None or first.kind != HEADER:
        raise UserError(f"{path}: the header of the recording is missing")
    try:
        return msgspec.json.decode(unpacked(path, first), type=type)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"{path}: the header cannot be read: {error}") from error


def parts_of(path: Path, block: Block, type: Any) -> Iterator[Any]:
    """The entries of a block, each of the wanted type. Raises UserError."""
    raw, at = unpacked(path, block), 0
    packed = msgspec.msgpack.Decoder(list[type])
    plain = msgspec.json.Decoder(list[type])
    while at < len(raw):
        form, length = PART_HEAD.unpack_from(raw, at)
        at += PART_HEAD.size
        try:
            yield from (packed if form == AS_MSGPACK else plain).decode(raw[at : at + length])
        except (msgspec.MsgspecError, ValueError) as error:
            why = f"an entry cannot be read by this version: {error}"
            raise UserError(f"{path}: {why}") from error
        at += length


def _blocks_in(file: BinaryIO, path: Path, magic: bytes, *, is_last: bool) -> Iterator[Block]:
    size = os.fstat(file.fileno()).st_size
    first = file.read(len(magic))
    if is_last and len(first) < len(magic) and magic.startswith(first):
        return
    if first != magic:
        mark = magic.decode().strip()
        raise UserError(f"{path}: this is not a recording that begins with `{mark}`")
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
