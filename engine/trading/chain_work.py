"""Stakes, pools and transfers in the running engine: who can carry them out, and what they became.

The engine decides and journals that an action begins; whoever drives it hands the order to a chain
(`engine.runtime.chain_watch`) and tells what it says (`ChainTold`, `ChainSeen`). From that come the
end of the action, the words of the ledger, and the locks and balances that the treasury counts.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from engine.trading.action_result import Result, done, failed
from engine.trading.chain_books import WHO, ChainBooks
from engine.trading.chain_entries import Moved, arrival
from engine.treasury.actions import coins_of, kind_of
from engine.treasury.chain_locks import lock_set
from engine.treasury.chain_params import ChainSection
from engine.treasury.facts import Scheme
from engine.treasury.holdings import Holdings
from engine.treasury.proposals import Proposal
from engine.values.action_records import Ending
from engine.values.action_words import (
    Action,
    AddToPool,
    Coins,
    HedgeAction,
    Override,
    Stake,
    TakeFromPool,
    Transfer,
    Unstake,
)
from engine.values.chain_words import (
    ChainAction,
    ChainReceipt,
    ChainSeen,
    ChainStatus,
    ChainTold,
    Position,
)
from engine.values.ledger_words import LedgerWord, People, TransferArrived, TransferSent
from engine.values.treasury_words import Holding, HoldingsSeen, Lock, LockKind, LockSet
from engine.values.units import NS_PER_S, Atoms, Ns

ON_CHAIN = (Stake, Unstake, AddToPool, TakeFromPool, Transfer)
IN_A_BLOCK = (ChainStatus.INCLUDED, ChainStatus.CONFIRMED)
NEVER = (ChainStatus.REVERTED, ChainStatus.DROPPED)
FLIGHT = "transfer "
"""How the lock of a transfer under way is called, before its reference."""
WalletFact = HoldingsSeen | LockSet


class ChainTask(msgspec.Struct, frozen=True, kw_only=True):
    """One order that is out. `is_fresh`: it began in this process, so nobody can have handed it
    over before; any other is only asked for."""

    reference: str
    name: str
    place: str
    action: ChainAction
    is_fresh: bool


def on_chain(action: Action) -> ChainAction | None:
    """What a chain would do of it, None for what is done elsewhere."""
    inner = action.does if isinstance(action, Override) else action
    return inner if isinstance(inner, ON_CHAIN) else None


def unable(action: Action, chain: "ChainWork | None") -> str:
    """Why no place can carry it out, as one line; "" where one can."""
    inner = action.does if isinstance(action, Override) else action
    if isinstance(inner, HedgeAction):
        return "no place can carry it out: a hedge by hand has none in the engine"
    if not isinstance(inner, ON_CHAIN):
        return ""
    if chain is None:
        return f"no place can carry it out: {kind_of(inner)} needs [chain] in the treasury file"
    return chain.problem(inner)


class ChainWork:
    """The chain's part of one treasury. Its memory is the journal's words."""

    def __init__(self, section: ChainSection, scheme: Scheme) -> None:
        self.section = section
        self.books = ChainBooks(scheme, section.places)
        self._scheme = scheme
        self._venues: frozenset[str] = frozenset()
        self._fresh: set[str] = set()
        self._by_hand: Sequence[Lock] = ()
        self._earlier: Sequence[Lock] = ()
        self._in_force: Sequence[Lock] = []
        self._positions: dict[str, Sequence[Position]] = {}

    def __repr__(self) -> str:
        return f"<chain work of {', '.join(self.section.places)}>"

    def open(self, venues: Iterable[str]) -> None:
        """These places are venues of the engine: what they hold is what their ledgers say."""
        self._venues = frozenset(venues)

    @property
    def wallets(self) -> set[str]:
        """The places of which the chain says what they hold."""
        return set(self.section.places) - self._venues

    # --- orders ---------------------------------------------------------------------------------

    def problem(self, action: ChainAction) -> str:
        """Why it can be carried out nowhere; "" where it can."""
        if strange := [c.asset for c in coins_of(action) if c.asset not in self._scheme.names()]:
            return f"no place can carry it out: {strange[0]} is no asset of the treasury file"
        if not isinstance(action, Transfer):
            return ""
        if action.from_place not in self.section.places:
            known = ", ".join(self.section.places)
            return f"no place can carry it out: [chain] sends from {known} only"
        if action.to_place not in self._scheme.places:
            return f'no place can carry it out: "{action.to_place}" is none of [[places]]'
        return ""

    def place_of(self, action: ChainAction) -> str:
        """Whose units it moves: a transfer says so; a stake on a venue of ours is that venue's."""
        if isinstance(action, Transfer):
            return action.from_place
        name = action.pool if isinstance(action, AddToPool | TakeFromPool) else action.platform
        return name if name in self.section.places else self.section.places[0]

    def begin(self, proposal: Proposal) -> None:
        self._fresh.add(proposal.reference)

    def tasks(self, unresolved: Iterable[Proposal]) -> Iterator[ChainTask]:
        """All that is out, for whoever hands it over and asks for it."""
        for proposal in unresolved:
            action = on_chain(proposal.request.action)
            if action is not None:
                yield ChainTask(
                    reference=proposal.reference,
                    name=proposal.name,
                    place=self.place_of(action),
                    action=action,
                    is_fresh=proposal.reference in self._fresh,
                )

    # --- what the chain says --------------------------------------------------------------------

    def told(self, word: ChainTold, step_words: list[LedgerWord]) -> Result | None:
        """What one answer makes of an order, None where that is no news. An absence is the desk's.

        What a chain takes back out of a block comes back to where it was sent from.
        """
        if word.is_doubtful:
            return Result(ending=Ending.UNKNOWN, has_moved=False, why=word.why)
        if word.status not in NEVER:
            return None
        flight = self.books.flights.get(word.reference)
        if flight is not None:
            self._keep(arrival(flight, flight.venue, word.asked_ns), step_words)
        return failed(f"{word.status}: {word.why}")

    def seen(
        self, word: ChainSeen, unresolved: Sequence[Proposal]
    ) -> tuple[list[LedgerWord], dict[str, Result]]:
        """The ledger's words for what a wallet shows, and what became of which order, by name."""
        by_reference = {one.reference: one for one in unresolved}
        moved = [
            Moved(
                reference=one.reference,
                action=action,
                people=people_of(proposal),
                fee_atoms=one.fee_atoms,
            )
            for one in word.receipts
            if one.status in IN_A_BLOCK
            and (proposal := by_reference.get(one.reference)) is not None
            and (action := on_chain(proposal.request.action)) is not None
        ]
        is_venue = word.place in self._venues
        words = (self.books.of_venue if is_venue else self.books.explained)(word, moved)
        self._positions[word.place] = word.positions
        ends = {}
        for one in word.receipts:
            proposal = by_reference.get(one.reference)
            result = None if proposal is None else self._end(one, word, words)
            if proposal is not None and result is not None:
                ends[proposal.name] = result
        return words, ends

    def _end(
        self, receipt: ChainReceipt, word: ChainSeen, words: list[LedgerWord]
    ) -> Result | None:
        told = ChainTold(
            at_ns=word.at_ns,
            asked_ns=word.asked_ns,
            reference=receipt.reference,
            status=receipt.status,
            why=receipt.why,
            is_doubtful=False,
        )
        if receipt.status is not ChainStatus.CONFIRMED:
            return self.told(told, words)
        flight = self.books.flights.get(receipt.reference)
        if flight is not None and flight.to_venue not in self.wallets:
            self._keep(arrival(flight, flight.to_venue, word.asked_ns), words)
        return done("confirmed")

    def _keep(self, word: LedgerWord, words: list[LedgerWord]) -> None:
        self.books.remember(word)
        words.append(word)

    # --- what the treasury counts ---------------------------------------------------------------

    def remember(self, record: object) -> None:
        """A record of an earlier session."""
        self.books.remember(record)
        if isinstance(record, LockSet):
            self._earlier, self._in_force = record.rows, record.rows

    def joined(self, fact: LockSet) -> LockSet:
        """A file's locks with the chain's own beside them."""
        self._by_hand = fact.rows
        self._in_force = self._rows(fact.at_ns)
        return msgspec.structs.replace(fact, rows=self._in_force)

    def facts(self, words: Sequence[LedgerWord], at_ns: Ns, holdings: Holdings) -> list[WalletFact]:
        """All that is other than the treasury knows, after these words of the ledger."""
        found: list[WalletFact] = []
        rows = self._rows(at_ns)
        if rows != self._in_force:
            self._in_force = rows
            found.append(lock_set([], "the chain", rows, at_ns))
        for place in sorted(self.wallets):
            free = {name: atoms for (at, name), atoms in self.books.free.items() if at == place}
            if any(holdings.held(place, name) != atoms for name, atoms in free.items()):
                found.append(_balances(place, free, at_ns))
        others = self.wallets | self._venues
        for word in words:
            if isinstance(word, TransferArrived) and word.venue not in others:
                atoms = (holdings.held(word.venue, word.asset) or 0) + word.atoms
                found.append(_balances(word.venue, {word.asset: atoms}, at_ns))
        return found

    def _rows(self, at_ns: Ns) -> list[Lock]:
        """Every lock: by hand, on the chain, on its way. A row of two is the chain's.

        Until a wallet has been seen again, what an earlier session saw in it is still there.
        """
        names = {lock.name for lock in self._by_hand}
        rows = [*self._by_hand]
        for lock in self._earlier:
            is_unseen = lock.place in self.section.places and lock.place not in self._positions
            if is_unseen and lock.name not in names and not lock.name.startswith(FLIGHT):
                rows.append(lock)
        for place, positions in sorted(self._positions.items()):
            rows = lock_set([self._ours(one) for one in positions], place, rows, at_ns).rows
        return rows + [self._flight_lock(flight) for flight in self.books.flights.values()]

    def _ours(self, position: Position) -> Position:
        """In the treasury's atoms, without assets of which it knows nothing."""
        coins = [
            Coins(
                asset=c.asset,
                atoms=self.books.atoms(c),
                exponent=self._scheme.asset(c.asset).exponent,
            )
            for c in position.coins
            if c.asset in self._scheme.names()
        ]
        return msgspec.structs.replace(position, coins=coins)

    def _flight_lock(self, flight: TransferSent) -> Lock:
        return Lock(
            name=FLIGHT + flight.ref,
            kind=LockKind.WITHDRAWAL,
            place=flight.to_venue,
            asset=flight.asset,
            atoms=flight.atoms,
            unwind_ns=0,
            until_ns=flight.at_ns + self.section.transfer_s * NS_PER_S,
        )


def people_of(proposal: Proposal) -> People:
    return People(
        requester=proposal.request.who,
        approvers=tuple(given.who for given in proposal.signatures),
        proposal=proposal.digest,
    )


def _balances(place: str, free: dict[str, Atoms], at_ns: Ns) -> HoldingsSeen:
    rows = [Holding(asset=asset, atoms=max(0, atoms)) for asset, atoms in sorted(free.items())]
    return HoldingsSeen(at_ns=at_ns, who=WHO, place=place, holdings=rows)
