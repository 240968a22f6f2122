"""Looks at the treasury's files again and again: what changed and makes sense becomes a fact.

A file with a mistake is told in one line for each mistake, once for as long as it stands, and
changes nothing: what was read before stays in force, and so it does when a file vanishes.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from engine.runtime.treasury_file import TreasuryFile, load_treasury, treasury_digest
from engine.runtime.treasury_rows import locks_of, obligations_of
from engine.values.errors import UserError
from engine.values.ports import Clock
from engine.values.treasury_words import LimitsSet, LockSet, ObligationSet
from engine.values.units import Ns

WHO = "file"
AT_START = ("money", "assets", "places", "buckets", "functions", "files")
"""Sections that are read at the start alone; only the limits move while the engine runs."""

FileFact: TypeAlias = LimitsSet | ObligationSet | LockSet


class TreasuryWatch:
    """`tell` hears one line for each mistake. `read` is for who has a timer of their own."""

    def __init__(self, path: Path, clock: Clock, tell: Callable[[str], None]) -> None:
        """Raises UserError where the treasury file makes no sense at the start."""
        self._path = path
        self._clock = clock
        self._tell = tell
        self.file = load_treasury(path)
        self._digests: dict[str, str] = {}
        self._mistakes: frozenset[str] = frozenset()

    def read(self) -> list[FileFact]:
        """What is new since the last look, the limits first."""
        now_ns, mistakes = self._clock.now_ns(), []
        found = []
        for look in (self._limits, self._obligations, self._locks):
            try:
                found += [fact for fact in look(now_ns) if self._is_new(fact)]
            except UserError as error:
                mistakes += str(error).splitlines()
        for text in mistakes:
            if text not in self._mistakes:
                self._tell(text)
        self._mistakes = frozenset(mistakes)
        return found

    def _is_new(self, fact: FileFact) -> bool:
        key = type(fact).__name__
        if self._digests.get(key) == fact.digest:
            return False
        self._digests[key] = fact.digest
        return True

    def _limits(self, now_ns: Ns) -> Iterator[FileFact]:
        wanted = load_treasury(self._path)
        moved = [name for name in AT_START if getattr(wanted, name) != getattr(self.file, name)]
        if moved:
            raise UserError(f"{self._path}: {', '.join(moved)}: changed; read at the next start")
        yield LimitsSet(
            at_ns=now_ns,
            who=WHO,
            name=str(self._path),
            digest=treasury_digest(wanted),
            rows=wanted.limits,
        )

    def _obligations(self, now_ns: Ns) -> Iterator[FileFact]:
        if path := _named(self.file, "obligations"):
            yield obligations_of(path, self.file, now_ns, WHO)

    def _locks(self, now_ns: Ns) -> Iterator[FileFact]:
        if path := _named(self.file, "locks"):
            yield locks_of(path, self.file, now_ns, WHO)


def _named(file: TreasuryFile, which: str) -> Path | None:
    text = getattr(file.files, which) if file.files is not None else ""
    return Path(text) if text else None
