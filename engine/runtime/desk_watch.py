"""Looks at the policy and the roster again and again: what changed becomes a word for the desk.

A file with a mistake is told, a line for each, once for as long as it stands, and changes nothing.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from engine.runtime.config_tables import TreasuryConfig
from engine.runtime.person_file import read_text
from engine.runtime.treasury_start import desk_words
from engine.runtime.treasury_watch import Stamp, stamp
from engine.values.action_records import AuthoritySet, RosterSet
from engine.values.errors import UserError
from engine.values.ports import Clock, Inbox


class DeskWatch:
    """`texts` are the files as the config was read with them."""

    def __init__(
        self,
        wanted: TreasuryConfig,
        texts: dict[str, str],
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._wanted = wanted
        self._clock = clock
        self._tell = tell
        self._told = {word.name: word.digest for word in desk_words(wanted, texts, 0)}
        self._mistakes: frozenset[str] = frozenset()
        self._names = (wanted.file, wanted.roster)
        self._stamps: list[Stamp] = []

    async def watch(self, inbox: Inbox, every_s: float) -> None:
        """Put what is new into `inbox`, for good. Files that nobody touched are not read again: to
        prove a policy takes long."""
        while True:
            await asyncio.sleep(every_s)
            stamps = [stamp(Path(name)) for name in self._names]
            if stamps != self._stamps:
                self._stamps = stamps
                for word in await asyncio.to_thread(self.read):
                    inbox.put(word)

    def read(self) -> list[AuthoritySet | RosterSet]:
        """What is new since the last look."""
        mistakes: list[str] = []
        new: list[AuthoritySet | RosterSet] = []
        try:
            texts = {name: read_text(Path(name)) for name in self._names}
            words = desk_words(self._wanted, texts, self._clock.now_ns())
            new = [word for word in words if self._told[word.name] != word.digest]
        except UserError as error:
            mistakes = str(error).splitlines()
        for text in mistakes:
            if text not in self._mistakes:
                self._tell(text)
        self._mistakes = frozenset(mistakes)
        self._told |= {word.name: word.digest for word in new}
        return new
