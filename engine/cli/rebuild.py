"""An engine as it was at the start of a recorded session: from its header and its journal."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec

from engine.cli.building import REMEMBERED, Parts, build_engine
from engine.cli.loading import load_all
from engine.core import Engine
from engine.runtime.config import JOURNAL_NAME, Config
from engine.runtime.journal_reader import read
from engine.runtime.plugins import LoadedStrategy
from engine.runtime.recording import DIRECTORY_NAME, Header, Session
from engine.values.errors import UserError
from engine.values.records import Record


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """`notes` say what is not as it was: the strategy's code or our own."""

    engine: Engine
    notes: list[str]


def rebuilt(session: Session) -> Rebuilt:
    """Raises UserError where the journal of the session, a strategy or its config is missing."""
    header = session.header
    name = f"the recorded config of session {header.epoch}"
    config = config_of(header)
    loaded = load_all(config, name)
    instruments = {each.market: each for each in header.instruments}
    if missing := [each.market for each in config.markets if each.market not in instruments]:
        raise UserError(f"{session.files[0]}: no instrument of {', '.join(missing)} was recorded")
    named = list(_named_as_then(header, loaded))
    parts = Parts(config=config, loaded=named, instruments=instruments, params=header.params)
    engine = build_engine(parts, _past(session))
    return Rebuilt(engine=engine, notes=list(_changes(header, loaded)))


def config_of(header: Header) -> Config:
    """The config of a recorded session. Raises UserError where this version cannot read it."""
    try:
        return msgspec.json.decode(header.config, type=Config)
    except (msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"the config of session {header.epoch} cannot be read: {error}") from error


def _past(session: Session) -> Iterator[Record]:
    """What the journal held when the session began. Raises UserError where it is not there."""
    header, directory = session.header, session.files[0].parent
    if not header.past_seq:
        return
    home = directory.parent if directory.name == DIRECTORY_NAME else directory
    journal = home / JOURNAL_NAME
    if not journal.is_file():
        why = f"session {header.epoch} began with {header.past_seq} records of a journal"
        raise UserError(f"{journal}: missing; {why}")
    yield from _rows(journal, header.past_seq)


def _rows(journal: Path, last_seq: int) -> Iterator[Record]:
    for row in read(journal, kinds=REMEMBERED):
        if row.seq > last_seq:
            return
        yield row.record


def _named_as_then(header: Header, loaded: list[LoadedStrategy]) -> Iterator[LoadedStrategy]:
    """Decisions carry the hash of the strategy's file: what counts is whether they are others.

    A file that changed is a note; else its very first decision would differ by its name alone.
    """
    hashes = [mark.file_hash for mark in header.strategies]
    for number, found in enumerate(loaded):
        then = hashes[number] if number < len(hashes) else found.file_hash
        yield msgspec.structs.replace(found, file_hash=then)


def _changes(header: Header, loaded: list[LoadedStrategy]) -> Iterator[str]:
    if header.code_version != version("ballast"):
        yield f"recorded by version {header.code_version}, replayed by {version('ballast')}"
    for mark, found in zip(header.strategies, loaded, strict=False):
        if mark.file_hash != found.file_hash:
            then, now = mark.file_hash[:12], found.file_hash[:12]
            yield f"strategy {mark.spec} is not the code it was: {then} then, {now} now"
