"""What the people of a quarter stand on: the pure world, or a running engine and its venues."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from engine.sim.quarter_setup import QuarterSetup
from engine.treasury.desk_step import SignedWord
from engine.treasury.proposals import Proposal
from engine.treasury.treasury import Treasury
from engine.values.ledger_words import LedgerWord
from engine.values.records import Record
from engine.values.treasury_words import Lock, Obligation, TreasuryFact
from engine.values.units import Atoms, Ns


class Ground(Protocol):
    """Shows what is there, and does what people may do by themselves."""

    @property
    def setup(self) -> QuarterSetup: ...

    @property
    def now_ns(self) -> Ns: ...

    @property
    def day(self) -> int:
        """Of the quarter, from 0 on."""
        ...

    @property
    def treasury(self) -> Treasury: ...

    @property
    def held(self) -> Mapping[tuple[str, str], Atoms]:
        """By (place, asset), what could be spent there now."""
        ...

    @property
    def owed(self) -> Mapping[str, Obligation]:
        """All that falls due, paid or not, by its name."""
        ...

    @property
    def locks(self) -> Sequence[Lock]: ...

    @property
    def stopped(self) -> Collection[str]:
        """Venues with a kill switch on."""
        ...

    def proposals(self) -> Sequence[Proposal]: ...

    def proposal(self, name: str) -> Proposal: ...

    def hear(self, word: SignedWord) -> Sequence[Record]:
        """A signed word for the desk; what it answered, if it answers at once."""
        ...

    def is_down(self, place: str) -> bool:
        """Whether nobody answers there."""
        ...

    def move(self, place: str, asset: str, atoms: Atoms) -> None:
        """Money comes to a place from elsewhere, or leaves it where it is below 0."""
        ...

    def keep(self, *words: LedgerWord) -> None:
        """For the books, and so for the journal."""
        ...

    def tell(self, fact: TreasuryFact, name: str) -> None: ...

    def tell_balances(self, place: str) -> None:
        """What a place holds is written down anew."""
        ...

    def lock(self, locks: Sequence[Lock]) -> None:
        """These are all locks from now on."""
        ...

    def release(self, venue: str) -> None:
        """A venue that was stopped may trade again, as far as people are asked."""
        ...
