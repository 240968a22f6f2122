"""A recorded session on the disk: its header, its blocks, and how they are read again.

A file is a magic line, a block with the header, blocks of entries and, where it was closed in
order, an end. Each block says how long it is and carries a hash, so that a reader knows the last
one that is whole. A session is a file an hour, all of one epoch.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.core import EngineParams
from engine.runtime.blocks import END, ENTRIES, Ended, blocks, header_in, parts_of
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


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an engine: its header and its files, hour by hour."""

    header: Header
    files: list[Path]
    size_bytes: int

    def __repr__(self) -> str:
        return f"<session {self.header.epoch} {len(self.files)} files {self.size_bytes} bytes>"


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
        for block in blocks(file, MAGIC, is_last=is_last):
            if block.kind == ENTRIES:
                yield from parts_of(file, block, Entry)


def ending(session: Session) -> Ended | None:
    """How the session's last file was closed; None where its process died or goes on."""
    last = None
    for block in blocks(session.files[-1], MAGIC, is_last=True):
        last = block
    if last is None or last.kind != END:
        return None
    return msgspec.json.decode(last.packed, type=Ended)


def read_header(path: Path) -> Header:
    """Raises UserError for what is no recording of this version."""
    found: Header = header_in(path, MAGIC, Header)
    return found


def _found(directory: Path) -> list[Session]:
    by_epoch: dict[str, list[Path]] = {}
    for file in sorted(directory.glob(f"*{SUFFIX}")):
        by_epoch.setdefault(file.name.partition("-")[0], []).append(file)
    return [_session(files) for files in by_epoch.values() if _is_begun(files[0])]


def _is_begun(file: Path) -> bool:
    """Whether its first block is whole; a process may be killed before it is."""
    return next(blocks(file, MAGIC, is_last=True), None) is not None


def _session(files: list[Path]) -> Session:
    """A process that died while it began an hour left a file without a header."""
    if len(files) > 1 and next(blocks(files[-1], MAGIC, is_last=True), None) is None:
        files = files[:-1]
    header = read_header(files[0])
    if header.part or len(files) != 1 + read_header(files[-1]).part:
        raise UserError(f"{files[0].parent}: an hour of session {header.epoch} is missing")
    return Session(
        header=header, files=files, size_bytes=sum(file.stat().st_size for file in files)
    )
