"""Looks at the treasury's files again and again: what changed and makes sense becomes a fact.

A file with a mistake is told in one line for each mistake, once for as long as it stands, and
changes nothing: what was read before stays in force, and so it does when a file vanishes.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from engine.runtime.person_file import read_text
from engine.runtime.treasury_file import (
    TreasuryFile,
    limit_problems,
    load_treasury,
    treasury_digest,
)
from engine.runtime.treasury_rows import locks_of, obligations_of
from engine.runtime.treasury_statements import balances_in
from engine.values.errors import UserError
from engine.values.ports import Clock, Inbox
from engine.values.treasury_words import (
    HoldingsSeen,
    LimitsSet,
    LockSet,
    ObligationSet,
    TreasuryFact,
)
from engine.values.units import Ns

WHO = "file"
AT_START = ("money", "assets", "places", "buckets", "functions", "files", "chain")
"""Sections that are read at the start alone; only the limits move while the engine runs."""

FileFact: TypeAlias = LimitsSet | ObligationSet | LockSet | HoldingsSeen
Stamp: TypeAlias = tuple[int, int, int] | None


class TreasuryWatch:
    """`tell` hears one line for each mistake. `read` is for who has a timer of their own.

    `statements` are files of balances (`engine.runtime.treasury_statements`).
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        tell: Callable[[str], None],
        statements: Sequence[Path] = (),
    ) -> None:
        """Raises UserError where the treasury file makes no sense at the start."""
        self._path = path
        self._clock = clock
        self._tell = tell
        self.file = load_treasury(path)
        self._statements = tuple(statements)
        self._digests: dict[str, object] = {}
        self._stamps: tuple[Stamp, ...] = ()
        self._mistakes: frozenset[str] = frozenset()

    def know(self, facts: Iterable[TreasuryFact]) -> None:
        """These were told already."""
        for fact in facts:
            if isinstance(fact, FileFact):
                self._is_new(fact)

    async def watch(self, inbox: Inbox, every_s: float) -> None:
        """Put what is new into `inbox`, for good. Files that nobody touched are not read again."""
        while True:
            stamps = tuple(stamp(path) for path in self._paths())
            if stamps != self._stamps:
                self._stamps = stamps
                facts, mistakes = await asyncio.to_thread(self._looked)
                self._report(mistakes)
                for fact in facts:
                    inbox.put(fact)
            await asyncio.sleep(every_s)

    def _paths(self) -> Iterator[Path]:
        yield self._path
        for name in ("obligations", "locks"):
            if path := _named(self.file, name):
                yield path
        yield from self._statements

    def read(self) -> list[FileFact]:
        """What is new since the last look, the limits first."""
        found, mistakes = self._looked()
        self._report(mistakes)
        return found

    def _looked(self) -> tuple[list[FileFact], list[str]]:
        now_ns = self._clock.now_ns()
        found: list[FileFact] = []
        mistakes: list[str] = []
        looks = (self._limits, self._unmoved, self._obligations, self._locks, self._balances)
        for look in looks:
            try:
                found += [fact for fact in look(now_ns) if self._is_new(fact)]
            except UserError as error:
                mistakes += str(error).splitlines()
        return found, mistakes

    def _report(self, mistakes: list[str]) -> None:
        for text in dict.fromkeys(mistakes):
            if text not in self._mistakes:
                self._tell(text)
        self._mistakes = frozenset(mistakes)

    def _is_new(self, fact: FileFact) -> bool:
        key, digest = _mark(fact)
        if key in self._digests and self._digests[key] == digest:
            return False
        self._digests[key] = digest
        return True

    def _limits(self, now_ns: Ns) -> Iterator[FileFact]:
        """What stands beside them in the file must not keep a tighter limit from holding at once:
        they are judged by the sections that are in force."""
        wanted = load_treasury(self._path)
        in_force = msgspec.structs.replace(self.file, limits=wanted.limits)
        if found := list(limit_problems(in_force)):
            raise UserError("\n".join(f"{self._path}: {problem}" for problem in found))
        yield LimitsSet(
            at_ns=now_ns,
            who=WHO,
            name=str(self._path),
            digest=treasury_digest(in_force),
            rows=wanted.limits,
        )

    def _unmoved(self, now_ns: Ns) -> Iterator[FileFact]:
        """No fact ever: a section that is read at the start alone was changed."""
        del now_ns
        wanted = load_treasury(self._path)
        moved = [name for name in AT_START if getattr(wanted, name) != getattr(self.file, name)]
        if moved:
            raise UserError(f"{self._path}: {', '.join(moved)}: changed; read at the next start")
        yield from ()

    def _obligations(self, now_ns: Ns) -> Iterator[FileFact]:
        if path := _named(self.file, "obligations"):
            yield obligations_of(path, self.file, now_ns, WHO)

    def _locks(self, now_ns: Ns) -> Iterator[FileFact]:
        if path := _named(self.file, "locks"):
            yield locks_of(path, self.file, now_ns, WHO)

    def _balances(self, now_ns: Ns) -> Iterator[FileFact]:
        """Each statement whole or not at all; a mistake in one keeps those behind it waiting."""
        for path in self._statements:
            yield from balances_in(read_text(path), str(path), self.file, now_ns, WHO)


def _mark(fact: FileFact) -> tuple[str, object]:
    """Under which name a fact is known, and what of it says that it is another one."""
    if isinstance(fact, HoldingsSeen):
        return f"balances of {fact.place}", fact.holdings
    return type(fact).__name__, fact.digest


def stamp(path: Path) -> Stamp:
    """What shows that a file was touched; None for one that is not there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _named(file: TreasuryFile, which: str) -> Path | None:
    text = getattr(file.files, which) if file.files is not None else ""
    return Path(text) if text else None
