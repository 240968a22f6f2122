"""Keeps everything that the engine is fed, and what it made of it, off the path that trades.

`take` and `made` only hang an object onto the queue of a thread that writes (`block_file`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec

from engine.runtime.block_file import BlockFile, Place, RecorderParams
from engine.runtime.blocks import AS_JSON, AS_MSGPACK, PART_HEAD
from engine.runtime.recording import DIRECTORY_NAME, MAGIC, Header, file_name
from engine.sim.replay import Entry, Made, outcome_of
from engine.values.events import (
    BookLost,
    CancelFailed,
    Disconnected,
    Event,
    JournalLag,
    OrderFailed,
    OrderReport,
    Quarantined,
    QueryFailed,
)
from engine.values.step import Step
from engine.values.units import Ns

__all__ = ["Recorder", "RecorderParams", "Redact"]

WITH_TEXT = (
    BookLost, CancelFailed, Disconnected, JournalLag, OrderFailed, OrderReport, Quarantined,
    QueryFailed,
)  # fmt: skip
"""Facts that carry a stranger's words, from which a secret must be taken out."""

Redact: TypeAlias = Callable[[str], str]


class Recorder:
    """One session's recording in `directory`/sessions. `start` once, `close` at the end.

    `taken` counts facts handed over, `written` entries in whole blocks of the file.
    """

    def __init__(
        self,
        directory: Path,
        header: Header,
        params: RecorderParams = RecorderParams(),  # noqa: B008 (a frozen value)
        redact: Redact | None = None,
    ) -> None:
        self.directory = directory / DIRECTORY_NAME
        self.taken = 0
        place = Place(
            directory=self.directory,
            magic=MAGIC,
            at_ns=header.at_ns,
            name=lambda part: file_name(header.epoch, part),
            header=lambda part: msgspec.json.encode(msgspec.structs.replace(header, part=part)),
        )
        encoding = _Encoding(redact)
        self._file: BlockFile[Event | Step] = BlockFile(place, encoding.bite, _moment_ns, params)

    def __repr__(self) -> str:
        state = "on" if self._file.is_on else self._file.failure or "off"
        return f"<recorder {self.written} of {self.taken} facts and outcomes, {state}>"

    @property
    def written(self) -> int:
        return self._file.written

    def start(self) -> None:
        """Raises UserError where the directory cannot be made; a full disk is a complaint."""
        self._file.start()

    def take(self, event: Event) -> None:
        """The engine is about to process `event`. Never blocks and never fails."""
        if self._file.is_on:
            self.taken += 1
            self._file.take(event)

    def made(self, step: Step) -> None:
        """What the fact just taken led to. Call it where there are records or commands."""
        if self._file.is_on:
            self._file.take(step)

    def complaint(self) -> str:
        """Why the recording ended before its time, once; "" otherwise."""
        told = self._file.complaint()
        return f"the recording of this session ended: {told}" if told else ""

    def close(self) -> None:
        """Write what is there and end the file. A disk that hangs is not waited for long."""
        self._file.close()


class _Encoding:
    """Entries to bytes, with no secret in them."""

    def __init__(self, redact: Redact | None) -> None:
        self._redact = redact
        self._packed = msgspec.msgpack.Encoder()
        self._plain = msgspec.json.Encoder()
        self._events = msgspec.json.Decoder(Event)

    def bite(self, bite: list[Event | Step]) -> bytes:
        entries = [self._entry(each) for each in bite]
        try:
            form, body = AS_MSGPACK, self._packed.encode(entries)
        except OverflowError:
            form, body = AS_JSON, self._plain.encode(entries)
        return PART_HEAD.pack(form, len(body)) + body

    def _entry(self, each: Event | Step) -> Entry:
        if isinstance(each, Step):
            return Made(self._clean(outcome_of(each)))
        if self._redact is None or not isinstance(each, WITH_TEXT):
            return each
        body = self._plain.encode(each)
        clean = self._clean(body)
        if clean == body:
            return each
        told: Event = self._events.decode(clean)
        return told

    def _clean(self, body: bytes) -> bytes:
        if self._redact is None:
            return body
        text = body.decode()
        clean = self._redact(text)
        return body if clean is text else clean.encode()


def _moment_ns(each: Event | Step) -> Ns:
    return 0 if isinstance(each, Step) else each.at_ns
