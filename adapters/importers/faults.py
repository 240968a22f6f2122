"""What was wrong with the rows of a foreign file, by file and line; and a limit on how much."""

from collections import Counter
from pathlib import Path

import msgspec

from engine.values.errors import UserError

SHOWN_MAX = 20
BAD_MAX = 1_000


class BadRow(msgspec.Struct, frozen=True):
    """A row that was left out. `line` counts from 1; in a file without lines it is the row."""

    file: str
    line: int
    reason: str


class Faults:
    """Counts rows that could not be read and rows that were passed over, and keeps the first few.

    More than `bad_max` unreadable rows raise UserError: then the file is of another kind.
    """

    def __init__(self, bad_max: int = BAD_MAX) -> None:
        self.rows = 0
        """Rows read, good ones and bad ones."""
        self.bad = 0
        self.first: list[BadRow] = []
        self.passed_over: Counter[str] = Counter()
        """Good rows that make no fact, by why."""
        self._bad_max = bad_max

    def __repr__(self) -> str:
        return f"<faults {self.bad} of {self.rows} rows>"

    def note(self, path: Path, line: int, reason: object) -> None:
        """This row is left out."""
        self.bad += 1
        text = str(reason)[:200]
        if len(self.first) < SHOWN_MAX:
            self.first.append(BadRow(str(path), line, text))
        if self.bad > self._bad_max:
            raise UserError(f"{path}:{line}: more than {self._bad_max} bad rows; the last: {text}")
