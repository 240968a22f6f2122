"""What a chain's wallets hold by the ledger's words, and the words for what they show next.

A small ledger of the places on chains: what is free, what is locked and where, what is on its way.
It is made of words alone, so the journal rebuilds it; each word is made once. What a reading shows
is explained in this order: orders that moved something, rewards that the chain names, transfers
that arrived, units that left a position and are free again, and a pool's own change. What is left
is nobody's: the books set it aside (`HoldingsRead`) until a person says what it was.
"""

from collections.abc import Iterable
from typing import assert_never

import msgspec

from engine.trading import chain_entries as entries
from engine.trading.chain_entries import KINDS, Moved, Told
from engine.treasury.depth import rescaled
from engine.treasury.facts import Scheme
from engine.values.action_words import (
    AddToPool,
    Coins,
    Stake,
    TakeFromPool,
    Transfer,
    Unstake,
)
from engine.values.chain_words import ChainSeen, PositionKind
from engine.values.ledger_words import (
    NOBODY,
    Held,
    HoldingsRead,
    LedgerWord,
    LockMoved,
    People,
    Rewarded,
    TransferArrived,
    TransferSent,
)
from engine.values.units import Atoms, Ns

WHO = "chain"


class ChainBooks:
    """By (place, asset) what is free, by (place, platform, asset) what is locked."""

    def __init__(self, scheme: Scheme, places: Iterable[str]) -> None:
        self.free: dict[tuple[str, str], Atoms] = {}
        self.locked: dict[tuple[str, str, str], Atoms] = {}
        self.flights: dict[str, TransferSent] = {}
        self._scheme = scheme
        self._places = frozenset(places)
        self._told: set[str] = set()
        self._orders: set[str] = set()
        self._kinds: dict[tuple[str, str], PositionKind] = {}
        self._asked: dict[tuple[str, str], People] = {}
        self._read: dict[str, dict[str, Atoms]] = {}

    # --- words, now or of the journal -----------------------------------------------------------

    def remember(self, word: object) -> None:
        """Join a word of the ledger; those about other places, and other records, pass by."""
        match word:
            case Held() if word.venue in self._places:
                self._add(word.venue, word.asset, word.atoms)
            case LockMoved() if word.venue in self._places:
                self._orders.add(word.ref.partition("/")[0])
                self._add(word.venue, word.asset, -word.atoms)
                self._lock((word.venue, word.place, word.asset), word.atoms)
            case Rewarded() if word.venue in self._places:
                self._told.add(word.ref)
                if word.place:
                    self._lock((word.venue, word.place, word.asset), word.atoms)
                else:
                    self._add(word.venue, word.asset, word.atoms)
            case TransferSent() if word.venue in self._places or word.to_venue in self._places:
                self._orders.add(word.ref)
                self.flights[word.ref] = word
                self._add(word.venue, word.asset, -word.atoms - word.fee_atoms)
            case TransferArrived():
                if self.flights.pop(word.ref, None) is not None:
                    self._add(word.venue, word.asset, word.atoms)
            case HoldingsRead() if word.venue in self._places:
                self._read[word.venue] = dict(word.atoms)
                self.free |= {(word.venue, asset): atoms for asset, atoms in word.atoms.items()}
            case _:
                pass

    def is_told(self, reference: str) -> bool:
        """Whether an order's movement stands in the ledger."""
        return reference in self._orders

    def _add(self, place: str, asset: str, atoms: Atoms) -> None:
        if place in self._places:
            self.free[place, asset] = self.free.get((place, asset), 0) + atoms

    def _lock(self, key: tuple[str, str, str], atoms: Atoms) -> None:
        self.locked[key] = self.locked.get(key, 0) + atoms

    # --- what a wallet shows --------------------------------------------------------------------

    def explained(self, seen: ChainSeen, moved: Iterable[Moved]) -> list[LedgerWord]:
        """The words for what `seen` shows beyond what is known; they are joined already."""
        words: list[LedgerWord] = []
        free, locked = self._shown(seen)
        for asset in sorted({key[1] for key in locked} | set(free)):
            if (seen.place, asset) not in self.free:
                held = sum(atoms for key, atoms in locked.items() if key[1] == asset)
                self._open(seen, asset, free.get(asset, 0) + held, words)
        for one in moved:
            if not self.is_told(one.reference):
                self._move(seen, one, words)
        for reward in seen.rewards:
            self._reward(seen, reward.reference, words)
        for asset in sorted(free):
            self._arrive(seen, asset, free[asset], words)
        for key in sorted({*locked, *self._known(seen.place)}):
            self._settle(seen, key, (locked.get(key, 0), free.get(key[1], 0)), words)
        if free != self._read.get(seen.place):
            read = HoldingsRead(
                venue=seen.place, asked_ns=seen.asked_ns, at_ns=seen.at_ns, atoms=free, who=WHO
            )
            self._keep(read, words)
        return words

    def of_venue(self, seen: ChainSeen, moved: Iterable[Moved]) -> list[LedgerWord]:
        """The same for a venue whose account has a ledger of its own, which says what is free
        there: what an order moved, and what a position gained or lost came from that account."""
        words: list[LedgerWord] = []
        _, locked = self._shown(seen)
        for one in moved:
            if not self.is_told(one.reference):
                self._move(seen, one, words)
        for key in sorted({*locked, *self._known(seen.place)}):
            more = locked.get(key, 0) - self.locked.get((seen.place, *key), 0)
            if more:
                self._shift(seen, key, more, words)
        return words

    def _keep(self, word: LedgerWord, words: list[LedgerWord]) -> None:
        self.remember(word)
        words.append(word)

    def _shown(self, seen: ChainSeen) -> tuple[dict[str, Atoms], dict[tuple[str, str], Atoms]]:
        """What is free by asset, and locked by (platform, asset), of the assets of the file."""
        free = {asset: 0 for place, asset in self.free if place == seen.place}
        free |= {coins.asset: self.atoms(coins) for coins in seen.balances if self._knows(coins)}
        locked: dict[tuple[str, str], Atoms] = {}
        for position in seen.positions:
            if position.kind in KINDS:
                self._kinds[seen.place, position.platform] = position.kind
            for coins in filter(self._knows, position.coins):
                key = position.platform, coins.asset
                locked[key] = locked.get(key, 0) + self.atoms(coins)
        return free, locked

    def _known(self, place: str) -> list[tuple[str, str]]:
        return [key[1:] for key, atoms in self.locked.items() if key[0] == place and atoms]

    def _knows(self, coins: Coins) -> bool:
        return coins.asset in self._scheme.names()

    def atoms(self, coins: Coins) -> Atoms:
        return rescaled(coins.atoms, coins.exponent, self._scheme.asset(coins.asset).exponent)

    # --- one each -------------------------------------------------------------------------------

    def _open(self, seen: ChainSeen, asset: str, atoms: Atoms, words: list[LedgerWord]) -> None:
        """What a place has when it is first seen; what is locked there moves in afterwards."""
        held = Held(venue=seen.place, at_ns=seen.asked_ns, asset=asset, atoms=atoms, who=WHO)
        self._keep(held, words)

    def _move(self, seen: ChainSeen, one: Moved, words: list[LedgerWord]) -> None:
        """What goes into a position or away. What comes back does so when it is there."""
        match one.action:
            case Stake():
                self._lock_word(seen, one, (one.action.platform, one.action.coins), words)
            case AddToPool():
                for coins in one.action.coins:
                    self._lock_word(seen, one, (one.action.pool, coins), words)
            case Transfer():
                self._keep(self.sent(one, seen.asked_ns), words)
            case Unstake():
                self._asked[seen.place, one.action.platform] = one.people
            case TakeFromPool():
                self._asked[seen.place, one.action.pool] = one.people
            case _:
                assert_never(one.action)

    def _lock_word(
        self, seen: ChainSeen, one: Moved, what: tuple[str, Coins], words: list[LedgerWord]
    ) -> None:
        platform, coins = what
        if self._knows(coins):
            told = Told(ref=f"{one.reference}/{coins.asset}", people=one.people)
            key = platform, coins.asset
            self._keep(entries.locked(seen, key, self.atoms(coins), told), words)

    def sent(self, one: Moved, at_ns: Ns) -> TransferSent:
        """The word for a transfer that left."""
        assert isinstance(one.action, Transfer)
        return TransferSent(
            venue=one.action.from_place,
            to_venue=one.action.to_place,
            at_ns=at_ns,
            ref=one.reference,
            asset=one.action.coins.asset,
            atoms=self.atoms(one.action.coins),
            fee_atoms=self.atoms(msgspec.structs.replace(one.action.coins, atoms=one.fee_atoms)),
            people=one.people,
        )

    def _reward(self, seen: ChainSeen, reference: str, words: list[LedgerWord]) -> None:
        ref = f"{seen.place}: {reference}"
        reward = next(row for row in seen.rewards if row.reference == reference)
        if ref in self._told or not self._knows(reward.coins) or reward.kind not in KINDS:
            return
        self._keep(
            Rewarded(
                venue=seen.place,
                place=reward.platform if reward.is_locked else "",
                at_ns=reward.at_ns,
                ref=ref,
                kind=KINDS[reward.kind],
                asset=reward.coins.asset,
                atoms=self.atoms(reward.coins),
                counterparty=reward.platform,
            ),
            words,
        )

    def _arrive(self, seen: ChainSeen, asset: str, free: Atoms, words: list[LedgerWord]) -> None:
        """A transfer to this wallet, where exactly so much more is free."""
        for flight in list(self.flights.values()):
            more = free - self.free.get((seen.place, asset), 0)
            is_here = flight.to_venue == seen.place and flight.asset == asset
            if is_here and more == flight.atoms:
                self._keep(entries.arrival(flight, seen.place, seen.asked_ns), words)

    def _settle(
        self,
        seen: ChainSeen,
        key: tuple[str, str],
        shown: tuple[Atoms, Atoms],
        words: list[LedgerWord],
    ) -> None:
        """What left a position for the free holdings, or the reverse, and what it became there."""
        platform, asset = key
        more = shown[0] - self.locked.get((seen.place, *key), 0)
        less_free = self.free.get((seen.place, asset), 0) - shown[1]
        both = 0 if more * less_free <= 0 else min(abs(more), abs(less_free))
        both = both if more > 0 else -both
        if both:
            self._shift(seen, key, both, words)
        if rest := more - both:
            kind = self._kinds.get((seen.place, platform), PositionKind.POOL)
            self._keep(entries.changed(seen, key, rest, kind), words)

    def _shift(
        self, seen: ChainSeen, key: tuple[str, str], atoms: Atoms, words: list[LedgerWord]
    ) -> None:
        """Between a position and what is free. Who asked for it last is named for what is back."""
        people = self._asked.get((seen.place, key[0]), NOBODY) if atoms < 0 else NOBODY
        told = Told(ref=entries.seen_ref(seen, key), people=people)
        self._keep(entries.locked(seen, key, atoms, told), words)
