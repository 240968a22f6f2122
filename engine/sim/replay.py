"""A recorded session fed to an engine again, held against what it decided then, fact by fact."""

import hashlib
from typing import Any, TypeAlias

import msgspec

from engine.core import Engine
from engine.values.commands import Command
from engine.values.events import Event
from engine.values.records import Record
from engine.values.step import Step
from engine.values.units import Ns

DIGEST_BYTES = 8


class Made(msgspec.Struct, frozen=True, tag=True):
    """What the fact before it led to: JSON of [records, commands]. No entry means nothing."""

    outcome: bytes


Entry: TypeAlias = Event | Made
"""What a recording consists of, in order: each fact, and behind it what it led to."""


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """The decoded form of `Made.outcome`."""

    records: list[Record] = []
    commands: list[Command] = []


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first fact at which a replay went another way. `number` counts facts from 1.

    `what` names the first field that differs, `recorded` and `replayed` are both sides whole.
    """

    number: int
    at_ns: Ns
    event: Event
    what: str
    recorded: Outcome
    replayed: Outcome


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Outcome)


def outcome_of(step: Step) -> bytes:
    """What a step decided, as bytes that are equal where the decisions are; b"" for nothing."""
    if not (step.records or step.commands):
        return b""
    return _encoder.encode((step.records, step.commands))


class Replay:
    """Feeds entries to `engine`, which must have been built as it was at the recording's start."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.facts = 0
        self.outcomes = 0
        self._event: Event | None = None
        self._mine = b""
        self._digest = hashlib.blake2b(digest_size=DIGEST_BYTES)

    def __repr__(self) -> str:
        return f"<replay of {self.facts} facts, digest {self.digest}>"

    @property
    def digest(self) -> str:
        """Hex of a running hash over all that was decided: equal for equal replays."""
        return self._digest.hexdigest()

    def feed(self, entry: Entry) -> Difference | None:
        """Take the next entry; returns how the fact before it went another way, if it did.

        The last outcome of a torn recording may be missing and is not compared.
        """
        if isinstance(entry, Made):
            return self._compare(entry.outcome)
        found = self._compare(b"")
        self._event = entry
        self._mine = outcome_of(self.engine.process(entry))
        self.facts += 1
        if self._mine:
            self.outcomes += 1
            self._digest.update(self._mine)
        return found

    def finish(self) -> Difference | None:
        """At the end of a whole recording: the last fact led to nothing, as far as it says."""
        return self._compare(b"")

    def _compare(self, recorded: bytes) -> Difference | None:
        replayed, self._mine = self._mine, b""
        if recorded == replayed or self._event is None:
            return None
        theirs, mine = _outcome(recorded), _outcome(replayed)
        return Difference(
            number=self.facts,
            at_ns=self._event.at_ns,
            event=self._event,
            what=_first_difference(msgspec.to_builtins(theirs), msgspec.to_builtins(mine), ""),
            recorded=theirs,
            replayed=mine,
        )


def _outcome(body: bytes) -> Outcome:
    return _decoder.decode(body) if body else Outcome()


def _first_difference(recorded: Any, replayed: Any, path: str) -> str:
    """`records[1].inputs.microprice: recorded 62.4, replayed 62.5`."""
    if isinstance(recorded, dict) and isinstance(replayed, dict):
        names = [*recorded, *(name for name in replayed if name not in recorded)]
        pairs = [(f".{name}", recorded.get(name), replayed.get(name)) for name in names]
    elif _is_row(recorded) and _is_row(replayed):
        longest = range(max(len(recorded), len(replayed)))
        pairs = [(_place(path, n), _at(recorded, n), _at(replayed, n)) for n in longest]
    else:
        where = path.removeprefix(".")
        return f"{where}: recorded {_short(recorded)}, replayed {_short(replayed)}"
    for name, before, now in pairs:
        if before != now:
            return _first_difference(before, now, path + name)
    return f"{path}: the same values in another order"


def _is_row(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _place(path: str, number: int) -> str:
    if not path:
        return ("records", "commands")[number]
    return f"[{number}]"


def _at(row: Any, number: int) -> Any:
    return row[number] if number < len(row) else None


def _short(value: Any) -> str:
    """Nothing, a plain value, or the kind of a whole record."""
    if value is None:
        return "nothing"
    return str(value.get("type", value)) if isinstance(value, dict) else repr(value)
