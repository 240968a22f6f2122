"""The treasury as the engine meets it: facts in, records out, and what a market may use.

It is told each fact once and answers at once. What it answers with is to be journaled; the same
records, given to `remember` in their order after a restart, rebuild the same state, together with
the first balances and prices that are seen again.
"""

from collections.abc import Iterable
from typing import TypeAlias, assert_never

from engine.treasury.amounts import Price
from engine.treasury.bands import Bands
from engine.treasury.buckets import Split
from engine.treasury.depth import DepthBook
from engine.treasury.facts import Scheme, Volume
from engine.treasury.holdings import Holdings, Traded
from engine.treasury.limit_rows import Widening
from engine.treasury.limits import Limits
from engine.treasury.liquid import LiquidParams, Report, report
from engine.treasury.release import Release, bands_of_release, release
from engine.treasury.score import Score, ScoreParams, score
from engine.values.treasury_words import (
    FloatSet,
    HoldingsSeen,
    LimitMoved,
    LimitsSet,
    LimitWidened,
    LockSet,
    ObligationPaid,
    ObligationSet,
    PriceReviewed,
    TreasuryFact,
    VolumeSeen,
)
from engine.values.units import NS_PER_S, PPM, Atoms, Ns, Ppm

TreasuryRecord: TypeAlias = TreasuryFact | LimitMoved
MOVE_PPM: Ppm = 10_000
"""A price that moved by so much is looked at at once, a lesser move within a second."""


class Treasury:
    """Holdings and limits of one treasury file, joined. Nothing here reads a rating."""

    def __init__(
        self, scheme: Scheme, liquid_params: LiquidParams, scores: list[ScoreParams]
    ) -> None:
        self.holdings = Holdings(scheme)
        self.limits = Limits()
        self._liquid_params = liquid_params
        self._scores = {params.asset: params for params in scores}
        self._looked: dict[tuple[str, str], Price] = {}
        self._looked_ns: Ns = 0

    # --- facts ----------------------------------------------------------------------------------

    def learn(self, fact: TreasuryFact, name: str) -> list[TreasuryRecord]:
        """Take in the word of a person, a file or a venue. `name` says in the limits what it was.

        Records: the fact itself, but for balances and volumes, which are seen again; what followed.
        Raises KeyError, and changes nothing, for a widening that does not wait.
        """
        return self.learn_all([fact], name)

    def learn_all(self, facts: Iterable[TreasuryFact], name: str) -> list[TreasuryRecord]:
        """Facts of one moment: the limits are looked at when all of them are taken in."""
        records: list[TreasuryRecord] = []
        for fact in facts:
            if not isinstance(fact, HoldingsSeen | VolumeSeen):
                records.append(fact)
            records += self._take(fact)
            self.holdings.pass_time(fact.at_ns)
        return records + self._look(name)

    def _take(self, fact: TreasuryFact) -> list[FloatSet]:
        match fact:
            case HoldingsSeen() | ObligationSet() | ObligationPaid() | LockSet() | FloatSet():
                return self.holdings.learn(fact)
            case VolumeSeen():
                told = Volume(atoms=fact.atoms, at_ns=fact.at_ns)
                self.holdings.volume(fact.venue, fact.asset, told)
            case LimitsSet() | LimitWidened() | PriceReviewed():
                self.limits.remember(fact)
            case _:
                assert_never(fact)
        return []

    def trade(self, fill: Traded, name: str) -> list[TreasuryRecord]:
        """A fill of the market maker, told once; its own record is the fill's."""
        self.holdings.trade(fill)
        return self._look(name)

    def see(self, book: DepthBook) -> list[TreasuryRecord]:
        """A book, as often as it changes: the limits look after a move, and once a second."""
        self.holdings.book(book)
        if not book.is_sane():
            return self._look(f"book of {book.asset} on {book.venue}")
        key, mid = (book.venue, book.asset), book.mid()
        before = self._looked.get(key)
        if before is not None and not self._is_due(before, mid):
            return []
        self._looked[key] = mid
        return self._look(f"book of {book.asset} on {book.venue}")

    def _is_due(self, before: Price, now: Price) -> bool:
        was, is_now = before.money_atoms * now.base_atoms, now.money_atoms * before.base_atoms
        is_moved = abs(is_now - was) * PPM >= MOVE_PPM * was
        return is_moved or now.at_ns - before.at_ns >= NS_PER_S

    def pass_time(self, at_ns: Ns) -> list[TreasuryRecord]:
        """Prices grow old, days begin, turnover is forgotten: looked at once a second at most."""
        self.holdings.pass_time(at_ns)
        return self._look("time") if at_ns - self._looked_ns >= NS_PER_S else []

    def remember(self, record: TreasuryRecord) -> None:
        """Take a record of an earlier session in. Fills are told to `holdings.trade` again."""
        if isinstance(record, LimitMoved):
            self.limits.remember(record)
        else:
            self._take(record)

    def _look(self, name: str) -> list[TreasuryRecord]:
        """Not before every float has been seen: what is not known yet is no breach that ended."""
        if not self.holdings.is_whole:
            return []
        self._looked_ns = self.holdings.at_ns
        return [*self.limits.look(self.holdings.facts(), name)]

    # --- questions ------------------------------------------------------------------------------

    @property
    def waiting(self) -> list[Widening]:
        """What people want wider and nobody has agreed to yet."""
        return self.limits.waiting

    def release(self, venue: str, asset: str) -> Release | None:
        """What the market of an asset against money on a venue may use, as of the last look.

        None until every balance that a float is part of has been seen.
        """
        if not self.holdings.is_whole:
            return None
        return release(self.holdings.facts(), self.limits.findings, venue, asset)

    def bands(self, venue: str, asset: str, lot_atoms: Atoms, wish: Bands | None) -> Bands | None:
        """The same as bands in lots for the gate; None where neither side may trade."""
        found = self.release(venue, asset)
        return None if found is None else bands_of_release(found, lot_atoms, wish)

    def buckets(self) -> list[Split]:
        return list(self.holdings.splits())

    def report(self) -> Report:
        """The headline, the coverage curve, and the first date that is not covered."""
        return report(self.holdings.facts(), self._liquid_params)

    def score(self, asset: str) -> Score | None:
        """None where no venue is usable, or the file says nothing of this asset's score."""
        params = self._scores.get(asset)
        return None if params is None else score(self.holdings.facts(), params)
