"""What people and files said in a recorded session, told again to a back-test of it.

A rating is an input like the market, so it is told again. A playbook that was loaded in the middle
is loaded again where the back-test's market began with the same one: whoever tries another playbook
means it for the whole run. So with the treasury: what was said of it is told again to its own
files. Halts and the like were about the engine of then and are not repeated.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec

from engine.cli.rebuild import config_of
from engine.runtime.config import JOURNAL_NAME, Config
from engine.runtime.journal_reader import read
from engine.runtime.recording import DIRECTORY_NAME, Session
from engine.values.events import Event, PlaybookSet, RatingSet
from engine.values.treasury_words import TreasuryFact

OF_TREASURY = get_args(TreasuryFact)
CONFIG = "config"
"""The source of a rating, and the loader of a playbook, that came from the session's own config."""


class Words:
    """Of one session, for a back-test of `config`; nothing is told where `is_mute`."""

    def __init__(self, config: Config, session: Session, *, is_mute: bool) -> None:
        then = config_of(session.header)
        self.session = session
        self._is_mute = is_mute
        self._markets = {each.market for each in config.markets}
        self._as_then = {
            each.market
            for each in config.markets
            if each.playbook and _playbook(config, each.market) == _playbook(then, each.market)
        }
        has_treasury = config.treasury is not None and then.treasury is not None
        self._is_treasury_told = has_treasury and config.treasury_texts == then.treasury_texts
        self.notes = ["halts and resumes of then were not told again; ratings were"]
        if is_mute:
            self.notes = ["what people said then (ratings, halts) was not told again"]
        if not is_mute and (others := sorted(_with_playbook(config) - self._as_then)):
            told = "began with another playbook: none of those loaded then was loaded again"
            self.notes.append(f"{', '.join(others)} {told}")

    def is_told(self, fact: Event) -> bool:
        if self._is_mute:
            return False
        match fact:
            case RatingSet():
                return fact.source != CONFIG and fact.market in ("", *self._markets)
            case PlaybookSet():
                wanted = {fact.market} if fact.market else self._markets
                return fact.who != CONFIG and wanted <= self._as_then
            case _:
                return self._is_treasury_told and isinstance(fact, OF_TREASURY)

    def before(self) -> Iterator[RatingSet]:
        """The ratings from before the session that were still good when it began."""
        header, directory = self.session.header, self.session.files[0].parent
        home = directory.parent if directory.name == DIRECTORY_NAME else directory
        last: dict[str, RatingSet] = {}
        for word in _ratings(home / JOURNAL_NAME, header.past_seq):
            last[word.market] = word
        for word in last.values():
            if self.is_told(word) and word.expires_ns > header.at_ns:
                yield msgspec.structs.replace(word, at_ns=header.at_ns)


def _with_playbook(config: Config) -> set[str]:
    return {each.market for each in config.markets if each.playbook}


def _playbook(config: Config, market: str) -> str:
    """The text of a market's playbook, "" where it has none."""
    names = [each.playbook for each in config.markets if each.market == market and each.playbook]
    return config.playbooks.get(names[0], "") if names else ""


def _ratings(journal: Path, past_seq: int) -> Iterator[RatingSet]:
    if not past_seq or not journal.is_file():
        return
    for row in read(journal, kinds=["RatingSet"]):
        if row.seq > past_seq:
            return
        if isinstance(row.record, RatingSet):
            yield row.record
