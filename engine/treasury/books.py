"""The books: facts of the journal in, entries out; held against every reading of every venue.

What does not depend on the order of facts: balances, entries, lots and gains. What does: an entry's
number and hash, and for how long a difference stood in suspense before what explains it was told.
"""

from collections.abc import Mapping
from typing import assert_never, get_args

import msgspec

from engine.treasury.adjusting import (
    OpeningLot,
    corrected,
    draft_correction,
    draft_opening,
    draft_reversal,
    draft_suspense,
)
from engine.treasury.chart import Draft, Entry, Income, Source
from engine.treasury.ledger import Conflict, Ledger
from engine.treasury.lot_book import LotBook, Restated
from engine.treasury.lots import LotMethod
from engine.treasury.measures import Measures
from engine.treasury.postings import draft
from engine.treasury.pricing import PriceHistory
from engine.treasury.purposes import Purposeful, Purposes
from engine.treasury.trade_postings import draft_trade, fill_key, of_fill
from engine.values.action_records import Endorsed, Proposed
from engine.values.events import Fill, VenueState
from engine.values.execution_records import ChildSent, ParentStarted
from engine.values.instrument import Instrument
from engine.values.ledger_words import Corrected, Held, HoldingsRead, LedgerWord, LotsChosen
from engine.values.records import Adjusted, Listed, Opening
from engine.values.units import Atoms, Ns

Fact = Listed | Opening | Adjusted | Fill | VenueState | LedgerWord | Purposeful
KINDS = tuple(kind.__name__ for kind in get_args(Fact))
"""Kinds of journal rows that the books are made of."""
WAITING_MAX = 10_000


class BooksSetup(msgspec.Struct, frozen=True, kw_only=True):
    """How to keep them. `lots` are what a person knows of openings, by (venue, asset)."""

    measures: Measures
    prices: PriceHistory
    method: LotMethod
    lots: Mapping[tuple[str, str], tuple[OpeningLot, ...]]


class Told(msgspec.Struct):
    """What one fact led to: entries to keep, alerts to show, gains that it changed."""

    entries: list[Entry] = []
    alerts: list[str] = []
    restated: list[Restated] = []


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The newest reading of one asset at one venue, beside what the books had then.

    `difference_atoms` is the venue's minus ours, before it was set aside in suspense.
    """

    asked_ns: Ns
    theirs_atoms: Atoms
    difference_atoms: Atoms


class Books:
    """The ledger, its lots and its readings. Only facts change it; the same facts rebuild it."""

    def __init__(self, setup: BooksSetup) -> None:
        self.ledger = Ledger()
        self.lots = LotBook(setup.method)
        self.incomes: dict[str, tuple[Income, ...]] = {}
        self.compared: dict[tuple[str, str], Compared] = {}
        self.readings = self.differences = self.repeated = 0
        self._setup = setup
        self._instruments: dict[str, Instrument] = {}
        self._settled: dict[str, int] = {}
        self._waiting: dict[str, list[tuple[Fill | VenueState | Opening, Source]]] = {}
        self._suspensions = 0
        self._purposes = Purposes()

    def remember(self, fact: Fact, source: Source) -> Told:
        """Take in one fact; one that was told before changes nothing."""
        told = Told()
        match fact:
            case Listed():
                self._list(fact, told)
            case Opening() | Fill() | VenueState():
                self._on_market(fact, source, told)
            case Adjusted():
                self._correct(corrected(fact), source, told)
            case Corrected():
                self._correct(fact, source, told)
            case Held():
                self._open(fact, source, told)
            case HoldingsRead():
                for asset, atoms in sorted(fact.atoms.items()):
                    self._compare(fact.venue, asset, (fact.asked_ns, atoms), source, told)
                self.readings += 1
            case ParentStarted() | ChildSent() | Proposed() | Endorsed():
                self._purposes.remember(fact)
            case LotsChosen():
                told.restated += self.lots.choose(fact.key, fact.asset, fact.lots)
            case _:
                self._book(draft(fact, self._setup.prices), source, told)
        return told

    # --- what a market tells --------------------------------------------------------------------

    def _list(self, listed: Listed, told: Told) -> None:
        if not self._setup.measures.fits(listed.instrument):
            told.alerts.append(f"{listed.market}: the books count one of its assets too coarsely")
            return
        self._instruments[listed.market] = listed.instrument
        for fact, source in self._waiting.pop(listed.market, []):
            self._on_market(fact, source, told)

    def _on_market(self, fact: Opening | Fill | VenueState, source: Source, told: Told) -> None:
        """Nobody can read a market's numbers before its instrument is known: they wait for it."""
        instrument = self._instruments.get(fact.market)
        if instrument is None:
            rows = self._waiting.setdefault(fact.market, [])
            rows.append((fact, source))
            if len(rows) == WAITING_MAX:
                told.alerts.append(f"{fact.market}: {WAITING_MAX} facts of an unknown market")
            return
        match fact:
            case Opening():
                self._open_market(fact, instrument, source, told)
            case Fill():
                self._fill(fact, instrument, source, told)
            case VenueState():
                self._read(fact, instrument, source, told)
            case _:
                assert_never(fact)

    def _open_market(
        self, fact: Opening, instrument: Instrument, source: Source, told: Told
    ) -> None:
        """Trades up to the opening's are in its balances: one that was booked is taken back."""
        for balance in fact.balances:
            atoms = balance.free_atoms + balance.locked_atoms
            held = Held(
                venue=fact.venue, at_ns=fact.at_ns, asset=balance.asset, who="",
                atoms=self._setup.measures.atoms(instrument, balance.asset, atoms),
            )  # fmt: skip
            self._open(held, source, told)
        mark = self._settled.get(fact.market)
        if mark is not None and fact.trade_id <= mark:
            return
        self._settled[fact.market] = fact.trade_id
        for trade_id in self._fills_upto(fact.market, fact.trade_id):
            self._reverse(fill_key(instrument, trade_id), source, told)

    def _fills_upto(self, market: str, trade_id: int) -> list[int]:
        start = f"fill {market} "
        ids = [
            int(draft.key.removeprefix(start))
            for draft in self.ledger.drafts()
            if draft.key.startswith(start)
        ]
        return sorted(known for known in ids if known <= trade_id)

    def _reverse(self, key: str, source: Source, told: Told) -> None:
        wrong = self.ledger.draft(key)
        if wrong is None or self.ledger.draft(f"reversal of {key}") is not None:
            return
        told.restated += self.lots.drop(wrong.moves)
        self.incomes.pop(key, None)
        self._book(draft_reversal(wrong, "the opening balance holds it already"), source, told)

    def _fill(self, fill: Fill, instrument: Instrument, source: Source, told: Told) -> None:
        if fill.trade_id <= self._settled.get(fill.market, -1):
            return
        trade = of_fill(instrument, fill, self._setup.measures)
        trade = self._purposes.staged(trade, fill.client_id)
        self._book(draft_trade(trade, self._setup.prices), source, told)

    def _read(self, state: VenueState, instrument: Instrument, source: Source, told: Told) -> None:
        """The venue's own list of fills first: what it holds is after them."""
        for fill in state.fills:
            self._fill(fill, instrument, source, told)
        for balance in state.balances:
            atoms = balance.free_atoms + balance.locked_atoms
            theirs = self._setup.measures.atoms(instrument, balance.asset, atoms)
            reading = (state.asked_ns, theirs)
            self._compare(instrument.venue, balance.asset, reading, source, told)
        self.readings += 1

    # --- entries --------------------------------------------------------------------------------

    def _open(self, word: Held, source: Source, told: Told) -> None:
        """An asset opens once at a venue: the first telling stands, as in the engine."""
        known = self.ledger.draft(f"opening {word.venue} {word.asset}")
        if known is not None:
            self.repeated += 1
            if word.who and sum(max(0, each.atoms) for each in known.postings) != word.atoms:
                told.alerts.append(f"{known.key} was told twice; the first stands")
            return
        lots, left = [], max(0, word.atoms)
        for lot in self._setup.lots.get((word.venue, word.asset), ()):
            if lot.atoms > left:
                told.alerts.append(
                    f"opening {word.venue} {word.asset}: its lots are more than was held; "
                    "the one that does not fit is left out and its cost is not known"
                )
                break
            lots.append(lot)
            left -= lot.atoms
        money = self._setup.measures.money
        self._book(draft_opening(word, tuple(lots), money), source, told)

    def _correct(self, word: Corrected, source: Source, told: Told) -> None:
        suspended = self.ledger.suspended(word.venue, word.asset)
        if self.ledger.draft(f"correction {word.venue} {word.asset} {word.ref}") is None:
            self._book(draft_correction(word, suspended, self._setup.prices), source, told)
        else:
            self.repeated += 1

    def _book(self, made: Draft, source: Source, told: Told) -> None:
        try:
            entry = self.ledger.book(made, source)
        except Conflict as error:
            told.alerts.append(f"{error}; the first stands")
            return
        if entry is None:
            self.repeated += 1
            return
        told.entries.append(entry)
        told.restated += self.lots.take(made.moves)
        if made.incomes:
            self.incomes[made.key] = made.incomes
        self._look_again(made, source, told)

    # --- against the venue ----------------------------------------------------------------------

    def _look_again(self, made: Draft, source: Source, told: Told) -> None:
        """A fact from before the newest reading came late: it may be what that one lacked, or it
        shows that books and reading were the same by chance."""
        for posting in made.postings:
            place = (posting.account.place, posting.asset)
            known = self.compared.get(place)
            if known is not None and made.at_ns <= known.asked_ns:
                reading = (known.asked_ns, known.theirs_atoms)
                self._compare(*place, reading, source, told)

    def _compare(
        self, venue: str, asset: str, reading: tuple[Ns, Atoms], source: Source, told: Told
    ) -> None:
        """Hold the books against what the venue says; set aside what they cannot explain.

        A reading that was asked for before the newest entry may lack it: it proves no difference.
        """
        asked_ns, theirs = reading
        known = self.compared.get((venue, asset))
        gap = theirs - self.ledger.holdings(venue, asset)
        is_racing = gap and self.ledger.touched_ns(venue, asset) > asked_ns
        if is_racing or (known is not None and asked_ns < known.asked_ns):
            return
        self.compared[venue, asset] = Compared(
            asked_ns=asked_ns, theirs_atoms=theirs, difference_atoms=gap
        )
        if not gap:
            return
        self._suspensions += 1
        key = f"suspense {venue} {asset} {self._suspensions}"
        entry = self.ledger.book(draft_suspense(venue, asset, gap, asked_ns, key), source)
        assert entry is not None
        told.entries.append(entry)
        if self.ledger.suspended(venue, asset):
            self.differences += 1
            text = self._setup.measures.text(asset, self.ledger.suspended(venue, asset))
            told.alerts.append(f"{venue}: {text} {asset} that the books cannot explain")

    # --- what there is --------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Facts of markets whose instrument was never told: not in the books."""
        return sum(len(rows) for rows in self._waiting.values())

    def check(self) -> None:
        """Assert that accounts come to zero and that lots are all that the books can explain."""
        self.ledger.check()
        self.lots.check()
        for asset in self.ledger.assets():
            if asset != self._setup.measures.money:
                ours, in_lots = self.ledger.explained(asset), self.lots.atoms(asset)
                assert ours == in_lots, f"{asset}: {ours} in the books, {in_lots} in lots"
        for (venue, asset), known in self.compared.items():
            if self.ledger.touched_ns(venue, asset) <= known.asked_ns:
                assert self.ledger.holdings(venue, asset) == known.theirs_atoms
