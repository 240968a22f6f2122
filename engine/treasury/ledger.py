"""The double-entry ledger: every entry balances, is booked once, and is chained to the journal."""

import hashlib

import msgspec

from engine.treasury.chart import (
    OWN,
    Account,
    AccountKind,
    Draft,
    Entry,
    Source,
    unbalanced,
)
from engine.values.units import Atoms, Ns

FIRST_HASH = "0" * 64


class Conflict(Exception):
    """The same fact was told twice with different numbers; the first telling stands."""


class Ledger:
    """Balances by account and asset. What it remembers of each entry is what tells it again.

    An entry's hash is SHA-256 over the hash of the entry before and its own canonical JSON, the
    number and the hash of the journal's row among it: two readers of one journal get one hash.
    """

    def __init__(self) -> None:
        self.count = 0
        self.hash = FIRST_HASH
        self._balances: dict[tuple[Account, str], Atoms] = {}
        self._drafts: dict[str, Draft] = {}
        self._touched_ns: dict[tuple[str, str], Ns] = {}

    def book(self, draft: Draft, source: Source) -> Entry | None:
        """Post it; None where it is booked already. Raises Conflict, and then nothing changed."""
        known = self._drafts.get(draft.key)
        if known is not None:
            if known.postings != draft.postings:
                raise Conflict(f"{draft.key} was told twice with different amounts")
            return None
        self._drafts[draft.key] = draft
        for posting in draft.postings:
            place = (posting.account, posting.asset)
            self._balances[place] = self._balances.get(place, 0) + posting.atoms
            if posting.account.kind is AccountKind.HOLDINGS:
                held = (posting.account.place, posting.asset)
                self._touched_ns[held] = max(self._touched_ns.get(held, 0), draft.at_ns)
        return self._chained(draft, source)

    def _chained(self, draft: Draft, source: Source) -> Entry:
        self.count += 1
        entry = Entry(
            number=self.count,
            key=draft.key,
            at_ns=draft.at_ns,
            when_ns=draft.when_ns,
            reason=draft.reason,
            tag=draft.tag,
            counterparty=draft.counterparty,
            people=draft.people,
            text=draft.text,
            postings=draft.postings,
            notes=draft.notes,
            source=source,
        )
        self.hash = entry_hash(self.hash, entry)
        return msgspec.structs.replace(entry, hash=self.hash)

    # --- what there is --------------------------------------------------------------------------

    def draft(self, key: str) -> Draft | None:
        return self._drafts.get(key)

    def drafts(self) -> list[Draft]:
        return list(self._drafts.values())

    def balance(self, account: Account, asset: str) -> Atoms:
        return self._balances.get((account, asset), 0)

    def holdings(self, venue: str, asset: str) -> Atoms:
        return self.balance(Account(AccountKind.HOLDINGS, venue), asset)

    def suspended(self, venue: str, asset: str) -> Atoms:
        """What the venue's readings showed beyond what the books can explain; below 0, short."""
        return -self.balance(Account(AccountKind.SUSPENSE, venue), asset)

    def touched_ns(self, venue: str, asset: str) -> Ns:
        """When we learned of the last entry there: a reading asked for before may lack it."""
        return self._touched_ns.get((venue, asset), 0)

    def balances(self) -> dict[tuple[Account, str], Atoms]:
        """Every account that is not at zero, in order."""
        rows = [(place, atoms) for place, atoms in self._balances.items() if atoms]
        return dict(sorted(rows, key=lambda row: (row[0][1], row[0][0])))

    def explained(self, asset: str) -> Atoms:
        """All of ours, wherever it is, of which the books say where it came from."""
        kinds = OWN | {AccountKind.SUSPENSE}
        return sum(
            atoms
            for (account, held), atoms in self._balances.items()
            if held == asset and account.kind in kinds
        )

    def assets(self) -> list[str]:
        return sorted({asset for _, asset in self._balances})

    def check(self) -> None:
        """Assert that the accounts of every asset come to zero, and that entries add up to them."""
        sums: dict[str, Atoms] = {}
        for (_, asset), atoms in self._balances.items():
            sums[asset] = sums.get(asset, 0) + atoms
        assert not any(sums.values()), f"the ledger does not balance: {sums}"
        again: dict[tuple[Account, str], Atoms] = {}
        for draft in self._drafts.values():
            assert not unbalanced(draft.postings), draft.key
            for posting in draft.postings:
                place = (posting.account, posting.asset)
                again[place] = again.get(place, 0) + posting.atoms
        assert again == self._balances, "balances are not the sum of their entries"


def entry_hash(previous: str, entry: Entry) -> str:
    """Of an entry that follows `previous`; the entry's own `hash` is not part of it."""
    bare = msgspec.json.encode(msgspec.structs.replace(entry, hash=""), order="sorted")
    return hashlib.sha256(previous.encode() + bare).hexdigest()


def follows(entries: list[Entry]) -> int:
    """The number of the first entry whose hash does not follow from those before; 0 for none."""
    previous = FIRST_HASH
    for entry in entries:
        if entry_hash(previous, entry) != entry.hash:
            return entry.number
        previous = entry.hash
    return 0
