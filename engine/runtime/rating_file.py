"""Ratings of somebody else's, from a file that is watched: a desk's own model, a data vendor's.

Rows are JSON (a list of objects) or TOML (`[[ratings]]`): market, label, at, expires, source and
perhaps score. A row that makes no sense is told in one line and changes nothing, whatever the rest
of the file says; one that came too late is told all the same and is stale by its own word.
"""

import asyncio
import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.values.errors import UserError
from engine.values.ports import Clock, Inbox
from engine.values.units import NS_PER_S, Ns
from engine.values.words import RatingLabel, RatingSet

FILE_BYTES_MAX = 1_000_000
ROWS_MAX = 1_000
AHEAD_NS_MAX = 60 * NS_PER_S
"""A rating may be so far in our future: clocks differ, but not by more."""
TTL_NS_MAX = 30 * 86_400 * NS_PER_S
TEXT_MAX = 80
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class RatingRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row. Times are ISO 8601 with an offset, or TOML's own; a score is in -1 to 1."""

    market: str
    label: RatingLabel
    at: datetime
    expires: datetime
    source: str
    score: float | None = None


class RatingFile:
    """`tell` hears one line for each mistake. `read` is for who has a timer of his own."""

    def __init__(
        self, path: Path, markets: frozenset[str], clock: Clock, tell: Callable[[str], None]
    ) -> None:
        self._path = path
        self._markets = markets
        self._clock = clock
        self._tell = tell
        self._seen: tuple[int, int, int] | None = None
        self._told: dict[tuple[str, str], RatingRow] = {}
        self._mistakes: frozenset[str] = frozenset()

    async def watch(self, inbox: Inbox, every_s: float) -> None:
        """Look again and again until cancelled; the file may appear, change and vanish."""
        while True:
            for fact in self.read():
                inbox.put(fact)
            await asyncio.sleep(every_s)

    def read(self) -> list[RatingSet]:
        """What the file says that it did not say before, oldest first; raises nothing of its own.

        A file that has not changed since costs one look at its date.
        """
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen == self._seen:
                return []
            rows = rows_of(self._path)
        except OSError as error:
            self._report([f"{self._path}: cannot be read: {error.strerror}"])
            self._seen = None
            return []
        except UserError as error:
            self._report([str(error)])
            self._seen = seen
            return []
        self._seen = seen
        return self._news(rows)

    def _news(self, rows: list[Any]) -> list[RatingSet]:
        now_ns, mistakes = self._clock.now_ns(), []
        fresh: list[RatingRow] = []
        for index, table in enumerate(rows):
            row, problem = self._row(table, now_ns)
            if problem:
                mistakes.append(f"{self._path}: ratings[{index}]{problem}")
            elif row is not None and row != self._told.get((row.market, row.source)):
                fresh.append(row)
        told = []
        for row in sorted(fresh, key=lambda row: row.at):
            key = (row.market, row.source)
            if key in self._told and row.at < self._told[key].at:
                mistakes.append(f"{self._path}: {row.market} at {row.at}: older than the one told")
                continue
            self._told[key] = row
            told.append(_fact(row, now_ns))
        self._report(mistakes)
        return told

    def _row(self, table: Any, now_ns: Ns) -> tuple[RatingRow | None, str]:
        """The row, or what is wrong with it, after its path."""
        try:
            row = msgspec.convert(table, RatingRow)
        except msgspec.ValidationError as error:
            return None, f": {error}"
        return row, self._problem(row, now_ns)

    def _problem(self, row: RatingRow, now_ns: Ns) -> str:
        if row.market not in self._markets:
            return f".market: this engine has no {row.market[:40]!r}"
        if not 1 <= len(row.source) <= TEXT_MAX or not row.source.isprintable():
            return f".source: 1 to {TEXT_MAX} printable characters"
        if row.score is not None and not -1.0 <= row.score <= 1.0:
            return ".score: must be in -1..1"
        for name, moment in (("at", row.at), ("expires", row.expires)):
            if moment.tzinfo is None:
                return f".{name}: a time needs its offset, like 2025-01-31T12:00:00Z"
        at_ns, expires_ns = ns_of(row.at), ns_of(row.expires)
        if at_ns > now_ns + AHEAD_NS_MAX:
            return ".at: lies in the future"
        if not 0 < expires_ns - at_ns <= TTL_NS_MAX:
            return ".expires: must be after `at` and within 30 days of it"
        return ""

    def _report(self, mistakes: list[str]) -> None:
        """Each mistake once for as long as it stands, not at every look."""
        for text in mistakes:
            if text not in self._mistakes:
                self._tell(text)
        self._mistakes = frozenset(mistakes)


def rows_of(path: Path) -> list[Any]:
    """The rows of a file, each still to be checked. Raises UserError, and OSError unread."""
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise UserError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    try:
        rows = _toml(content) if path.suffix == ".toml" else msgspec.json.decode(content)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be understood: {error}") from error
    except RecursionError as error:
        raise UserError(f"{path}: nested too deeply") from error
    if not isinstance(rows, list) or len(rows) > ROWS_MAX:
        raise UserError(f"{path}: expected a list of at most {ROWS_MAX} ratings")
    return rows


def ns_of(moment: datetime) -> Ns:
    """Nanoseconds since 1970, exactly."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * 1_000


def _toml(content: bytes) -> Any:
    return tomllib.loads(content.decode()).get("ratings")


def _fact(row: RatingRow, now_ns: Ns) -> RatingSet:
    """Said now, whatever its own time: facts come in the order in which we heard them."""
    return RatingSet(
        market=row.market,
        at_ns=now_ns,
        label=row.label,
        expires_ns=ns_of(row.expires),
        source=row.source,
        score=row.score,
    )
