"""The ground of a live quarter: people read the running engine and write its files and words.

Signed words go over the engine's control socket, or to the desk of transfers beside it; what is
owed, locked and held elsewhere goes into the files that the engine watches; what they move at a
venue happens at the venue, and is told to the engine's books.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never

import msgspec

from engine.cli.quarter_engine import QuarterEngine
from engine.cli.quarter_home import HELD, LOCKS, OWED
from engine.cli.treasury_quarter_files import (
    csv_text,
    lock_rows,
    owed_rows,
    statement_of,
    text_of,
)
from engine.runtime.action_driver import ActionDriver
from engine.runtime.control import call
from engine.runtime.treasury_rows import LOCK_COLUMNS, OBLIGATION_COLUMNS
from engine.sim.quarter_setup import (
    BEGIN_NS,
    CUSTODY,
    WALLET,
    QuarterSetup,
    obligations,
    start_balances,
)
from engine.treasury.action_bytes import decoded
from engine.treasury.dates import NS_PER_DAY
from engine.treasury.desk_step import SignedWord
from engine.treasury.proposals import Proposal
from engine.treasury.treasury import Treasury
from engine.values.action_records import Answered, Asked, EvidenceGiven
from engine.values.action_words import Request, Scope, Stake, Statement, Transfer
from engine.values.ledger_words import LedgerWord
from engine.values.records import Record
from engine.values.treasury_words import Lock, Obligation, ObligationPaid, TreasuryFact
from engine.values.units import Atoms, Ns

ELSEWHERE = (WALLET, CUSTODY)
ANSWER_S = 20.0
HAULED = (Transfer, Stake)
"""What the desk beside the engine carries out: money that moves between places of ours."""


class LiveGround:
    """Fulfils `quarter_ground.Ground`. Words wait in `words` until `said` has brought them."""

    def __init__(self, engine: QuarterEngine, home: Path, driver: ActionDriver) -> None:
        self.engine, self.driver = engine, driver
        self.locks: list[Lock] = []
        self.owed: Mapping[str, Obligation] = {
            row.name: row for row in obligations(engine.setup.days)
        }
        self.words: list[SignedWord] = []
        self.refused: list[str] = []
        self.released: list[str] = []
        self._home = home
        self._paid: set[str] = set()
        self._own = {key: atoms for key, atoms in start_balances().items() if key[0] in ELSEWHERE}

    # --- what is there --------------------------------------------------------------------------

    @property
    def setup(self) -> QuarterSetup:
        return self.engine.setup

    @property
    def now_ns(self) -> Ns:
        return self.engine.time.now_ns()

    @property
    def day(self) -> int:
        return (self.now_ns - BEGIN_NS) // NS_PER_DAY

    @property
    def treasury(self) -> Treasury:
        return self.engine.work.steward.treasury

    @property
    def held(self) -> dict[tuple[str, str], Atoms]:
        """At a venue what is free there: our own quotes lock the rest."""
        there = {
            (name, asset): venue.free(asset)
            for name, venue in self.engine.venues.items()
            for asset in venue.held()
        }
        return self._own | there

    @property
    def elsewhere(self) -> dict[tuple[str, str], Atoms]:
        """By (place, asset), where no venue of ours shows it."""
        return dict(self._own)

    @property
    def stopped(self) -> set[str]:
        switches = self.engine.conversions.desk.switches.on
        return {name for scope, name in switches if scope is Scope.VENUE}

    def proposals(self) -> list[Proposal]:
        desks = (self.engine.work.actions.desk, self.driver.desk)
        return [proposal for desk in desks for proposal in desk.proposals.all()]

    def proposal(self, name: str) -> Proposal:
        return next(one for one in self.proposals() if one.name == name)

    def is_down(self, place: str) -> bool:
        venue = self.engine.venues.get(place)
        return venue is not None and venue.is_down

    # --- what people do -------------------------------------------------------------------------

    def hear(self, word: SignedWord) -> Sequence[Record]:
        """It is brought later. Nobody signs while another's signature is on its way."""
        if isinstance(word, Answered):
            name = _statement(word).name
            if any(isinstance(w, Answered) and _statement(w).name == name for w in self.words):
                return ()
        self.words.append(word)
        return ()

    def move(self, place: str, asset: str, atoms: Atoms) -> None:
        if place in self.engine.venues:
            self.engine.venues[place].move(asset, atoms)
            return
        self._own[place, asset] = self._own.get((place, asset), 0) + atoms
        assert self._own[place, asset] >= 0, f"{place} has not so much {asset}"

    def keep(self, *words: LedgerWord) -> None:
        for word in words:
            self.engine.live.inbox.put(word)

    def tell(self, fact: TreasuryFact, name: str) -> None:
        """What was paid leaves the file of what is owed, too."""
        self.engine.live.inbox.put(fact)
        if isinstance(fact, ObligationPaid):
            self._paid.add(fact.name)
            self.write_owed()

    def write_owed(self) -> None:
        left = [row for name, row in self.owed.items() if name not in self._paid]
        text = csv_text(OBLIGATION_COLUMNS, owed_rows(self.setup.scheme, left))
        (self._home / OWED).write_text(text, encoding="utf-8")

    def tell_balances(self, place: str) -> None:
        """A statement of every place that no venue shows; the engine reads its file."""
        if place in ELSEWHERE:
            scheme = self.setup.scheme
            rows = [
                {"place": where, "asset": asset, "amount": text_of(scheme, asset, atoms)}
                for (where, asset), atoms in sorted(self._own.items())
            ]
            table = statement_of(self.now_ns, rows)
            (self._home / HELD).write_bytes(msgspec.json.format(msgspec.json.encode(table)))

    def lock(self, locks: Sequence[Lock]) -> None:
        self.locks = list(locks)
        text = csv_text(LOCK_COLUMNS, lock_rows(self.setup.scheme, self.locks))
        (self._home / LOCKS).write_text(text, encoding="utf-8")

    def release(self, venue: str) -> None:
        """Two people turn a switch off: the staff asks when it is next there."""
        self.released.append(venue)

    # --- words ----------------------------------------------------------------------------------

    async def said(self) -> bool:
        """Bring every word that waits to its desk; whether there was any."""
        words, self.words = self.words, []
        for word in words:
            if self._is_hauled(word):
                step = await self.driver.take(word)
                self._note([getattr(record, "why", "") for record in step.records[:1]])
            else:
                answer = await asyncio.to_thread(self._call, word)
                self._note([row["why"] for row in answer["answers"]])
        return bool(words)

    def _call(self, word: SignedWord) -> dict[str, list[dict[str, str]]]:
        text = msgspec.json.encode(word).decode()
        return call(self._home / "control.sock", "treasury", {"words": [text]}, ANSWER_S)

    def _note(self, whys: list[str]) -> None:
        self.refused += [why for why in whys if why]

    def _is_hauled(self, word: SignedWord) -> bool:
        match word:
            case Asked():
                return isinstance(decoded(word.body, Request).action, HAULED)
            case Answered():
                name = _statement(word).name
            case EvidenceGiven():
                name = word.name
            case _:
                assert_never(word)
        return self.driver.desk.proposals.get(name) is not None

    # --- agreement ------------------------------------------------------------------------------

    def is_told(self) -> bool:
        """Whether the engine has read what was written, and heard all that was said."""
        holdings = self.treasury.holdings
        facts = holdings.facts()
        return (
            not self.engine.live.inbox
            and all(facts.held.get(key, 0) == atoms for key, atoms in self._own.items())
            and {lock.name for lock in facts.locks} == {lock.name for lock in self.locks}
        )


def _statement(word: Answered) -> Statement:
    return decoded(word.body, Statement)
