"""A place that carries out actions on paper: one line a file, so that all can be tried and shown.

It stands for what a venue does and promises no less: what it took is on the disk before it
answers, and it can be asked by reference. It would do the same thing twice if told to twice; that
nobody tells it twice is for others to prove.
"""

import os
from pathlib import Path

import msgspec

from engine.runtime.action_driver import Outcome
from engine.runtime.private_files import PRIVATE_FILE
from engine.treasury.desk_step import Begin
from engine.values.action_records import Ending
from engine.values.errors import UserError


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, as it stands in the file."""

    reference: str
    name: str


class PaperPlace:
    """Fulfils `action_driver.Place` on one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"<paper {self.path}>"

    async def execute(self, begin: Begin) -> Outcome:
        line = msgspec.json.encode(Line(reference=begin.reference, name=begin.name)) + b"\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags, PRIVATE_FILE)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written: {error.strerror}") from error
        return DONE

    async def ask(self, reference: str) -> Outcome | None:
        return DONE if any(line.reference == reference for line in self.lines()) else None

    def lines(self) -> list[Line]:
        """Everything that was done here, oldest first. Raises UserError."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror}") from error
        try:
            return [msgspec.json.decode(line, type=Line) for line in content.splitlines()]
        except msgspec.DecodeError as error:
            raise UserError(f"{self.path}: not a paper file: {error}") from error


DONE = Outcome(ending=Ending.DONE, has_moved=True, why="on paper")
