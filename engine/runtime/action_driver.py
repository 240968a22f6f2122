"""Runs a desk of actions on a journal of its own: words in, records kept, allowed actions done.

Order is everything. A record is in the journal before anybody hears of it, and that an action
begins is there before its first byte leaves. So after `kill -9` at any step a restart knows what
may be out, asks the place where it was to happen, and begins nothing twice.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, cast, get_args

import msgspec

from engine.runtime.journal import JournalParams, SqliteJournal, open_journal
from engine.runtime.journal_reader import read
from engine.runtime.signing import verify
from engine.treasury.action_desk import ActionDesk
from engine.treasury.authority import Authority
from engine.treasury.desk_step import Begin, DeskStep, SignedWord
from engine.values.action_records import ActionRecord, AuthoritySet, Ending, RosterSet, WordRefused
from engine.values.errors import Failure, UserError, VenueError
from engine.values.ports import Journal
from engine.values.records import Alert
from engine.values.units import Ns

JOURNAL_NAME = "treasury.db"
KINDS = tuple(kind.__name__ for kind in get_args(ActionRecord))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a place says of an action. `has_moved`: at least a part of it happened."""

    ending: Ending
    has_moved: bool
    why: str


class Place(Protocol):
    """Where actions are carried out: a venue, a chain, or paper."""

    async def execute(self, begin: Begin) -> Outcome:
        """Do it under `begin.reference`. Raises VenueError; Unknown where it may have happened."""
        ...

    async def ask(self, reference: str) -> Outcome | None:
        """What became of it; None where the place knows nothing of it. Raises VenueError."""
        ...


class ActionDriver:
    """One desk, its journal and the place where its actions happen. Make it with `open_driver`."""

    def __init__(
        self, desk: ActionDesk, journal: Journal, place: Place | None, now_ns: Callable[[], Ns]
    ) -> None:
        self.desk = desk
        self.alerts: list[Alert] = []
        self._journal = journal
        self._place = place
        self.now_ns = now_ns

    def __repr__(self) -> str:
        return f"<driver of {self.desk}>"

    async def take(self, word: SignedWord) -> DeskStep:
        """One word, dated now. Its records are kept when this returns."""
        dated = msgspec.structs.replace(word, at_ns=self.now_ns())
        return await self._kept(self.desk.take(dated))

    async def load(self, words: Iterable[RosterSet | AuthoritySet]) -> None:
        """Bring loaded files into force. Raises UserError where one is wider than agreed."""
        for word in words:
            step = await self._kept(self.desk.load(word))
            if step.records and isinstance(step.records[0], WordRefused):
                raise UserError(f"{word.name}: {step.records[0].why}")

    async def tick(self) -> DeskStep:
        return await self._kept(self.desk.tick(self.now_ns()))

    async def settle(self) -> None:
        """Ask the place for everything that may be out. It is asked, and never done again."""
        for proposal in self.desk.unresolved():
            asked_ns = self.now_ns()
            try:
                found = await self._needed().ask(proposal.reference)
            except VenueError as error:
                found = Outcome(ending=Ending.UNKNOWN, has_moved=False, why=error.text)
            if found is None:
                step = self.desk.absent(proposal.name, asked_ns=asked_ns, at_ns=self.now_ns())
                await self._kept(step)
            else:
                await self._tell(proposal.name, found)

    async def carry_out(self) -> list[Begin]:
        """Settle what is out, then begin all that is allowed, one after the other."""
        await self.settle()
        step = await self._kept(self.desk.begin(self.now_ns()))
        for begin in step.begins:
            await self._tell(begin.name, await self._done(begin))
        return step.begins

    async def _done(self, begin: Begin) -> Outcome:
        try:
            return await self._needed().execute(begin)
        except VenueError as error:
            is_doubt = error.failure is Failure.UNKNOWN
            ending = Ending.UNKNOWN if is_doubt else Ending.FAILED
            return Outcome(ending=ending, has_moved=False, why=error.text)

    async def _tell(self, name: str, found: Outcome) -> None:
        step = self.desk.tell(
            name, found.ending, found.why, at_ns=self.now_ns(), has_moved=found.has_moved
        )
        await self._kept(step)

    async def _kept(self, step: DeskStep) -> DeskStep:
        """A journal that fails here ends the process: what the desk holds is then not to be had."""
        self._journal.append(step.records)
        await self._journal.commit()
        self.alerts += step.alerts
        return step

    def _needed(self) -> Place:
        if self._place is None:
            raise UserError("no place to carry out actions is connected")
        return self._place


@asynccontextmanager
async def open_driver(
    directory: Path,
    authority: Authority | None,
    place: Place | None,
    now_ns: Callable[[], Ns],
) -> AsyncIterator[ActionDriver]:
    """The desk of `directory`, rebuilt from its journal. Raises UserError.

    `authority` is the policy for a desk that has none yet; later the journal's own is in force
    until another is loaded.
    """
    path = directory / JOURNAL_NAME
    params = JournalParams()
    journal: SqliteJournal
    async with await open_journal(path, params, now_ns) as journal:
        yield ActionDriver(desk_of(path, authority), journal, place, now_ns)
    if journal.failed:
        raise UserError(f"{path}: {journal.failed}")


def desk_of(path: Path, authority: Authority | None) -> ActionDesk:
    """The desk that the journal at `path` tells of; nothing is written. Raises UserError."""
    past = [cast(ActionRecord, row.record) for row in read(path, KINDS)]
    told = [record for record in past if isinstance(record, AuthoritySet)]
    if told:
        authority = msgspec.json.decode(told[-1].text, type=Authority)
    if authority is None:
        raise UserError(f"{path}: no policy yet; name a treasury file with --file")
    return ActionDesk(authority, verify, past)
