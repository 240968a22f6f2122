"""Records on their way to the journal: those that bytes wait for at once, all others once a turn.

A write lets other threads run, and costs more than what it writes: what one turn of the loop brings
(the answers to one decision, say) is one write at the turn's end. The order of records stays.
"""

import asyncio
from collections.abc import Iterable

from engine.runtime.journal import JournalFailed, JournalFull, SqliteJournal
from engine.values.records import Record


class Keeping:
    """`keep` for records that nobody waits for, `keep_now` for those that must be there first."""

    def __init__(self, journal: SqliteJournal) -> None:
        self._journal = journal
        self._waiting: list[Record] = []
        self._fault: JournalFull | JournalFailed | None = None

    def keep(self, records: Iterable[Record]) -> None:
        """They are in the journal when this turn of the loop ends. Raises as `check`."""
        self.check()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._waiting += records

    def keep_now(self, records: Iterable[Record]) -> None:
        """They and all that came before them are in the journal when this returns.

        Raises JournalFull or JournalFailed.
        """
        self.check()
        waiting, self._waiting = self._waiting, []
        waiting += records
        if waiting:
            self._journal.append(waiting)

    async def commit(self) -> None:
        """Return when all that was given would survive `kill -9`. Raises as `keep_now`."""
        self.keep_now(())
        await self._journal.commit()

    def check(self) -> None:
        """Raises what a write at the end of a turn has met: nothing more is taken after it."""
        if self._fault is not None:
            raise self._fault

    def _end_turn(self) -> None:
        try:
            self.keep_now(())
        except (JournalFull, JournalFailed) as fault:
            self._fault = fault
