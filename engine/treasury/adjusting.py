"""Entries that no movement of money made: the beginning, differences, corrections and reversals."""

import msgspec

from engine.treasury.chart import Account, AccountKind, Draft, Move, Posting, Reason, TaxTag, moved
from engine.treasury.made import Made, holdings_of, moves_of, unpriced
from engine.treasury.pricing import PriceHistory
from engine.values.ledger_words import Corrected, Held, People
from engine.values.records import Adjusted
from engine.values.units import Atoms, Ns


class OpeningLot(msgspec.Struct, frozen=True, kw_only=True):
    """What a person knows of a holding from before the books; None is not known, and is said."""

    atoms: Atoms
    cost_atoms: Atoms | None
    acquired_ns: Ns | None


def draft_opening(word: Held, lots: tuple[OpeningLot, ...], money: str) -> Draft:
    """What a venue held when the books began. `lots` come to at most so much; the rest is unknown.

    Undated lots are older than everything else.
    """
    told = sum(lot.atoms for lot in lots)
    assert told <= max(0, word.atoms), "the lots of an opening are more than there was"
    if rest := word.atoms - told:
        lots += (OpeningLot(atoms=rest, cost_atoms=None, acquired_ns=None),)
    key = f"opening {word.venue} {word.asset}"
    moves = tuple(_opening_move(key, part, lot, word.asset) for part, lot in enumerate(lots))
    is_known = all(lot.cost_atoms is not None for lot in lots)
    return Draft(
        key=key,
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=Reason.OPENING,
        tag=TaxTag.NONE,
        counterparty=word.venue,
        people=People(requester=word.who),
        postings=moved(
            holdings_of(word.venue),
            Account(AccountKind.OPENING, word.venue),
            word.asset,
            word.atoms,
        ),
        moves=() if word.asset == money else moves,
        notes=() if is_known or word.asset == money else (f"cost of {word.asset} is not known",),
    )


def _opening_move(key: str, part: int, lot: OpeningLot, asset: str) -> Move:
    is_dated = lot.acquired_ns is not None
    return Move(
        key=key,
        part=part,
        when_ns=lot.acquired_ns or 0,
        rank=0,
        asset=asset,
        atoms=lot.atoms,
        worth_atoms=lot.cost_atoms,
        tag=TaxTag.CORRECTION if lot.atoms < 0 else TaxTag.NONE,
        is_dated=is_dated,
    )


def corrected(word: Adjusted) -> Corrected:
    """What a person took into the engine's own ledger, as a correction of the books."""
    return Corrected(
        venue=word.venue,
        at_ns=word.at_ns,
        ref=f"{word.at_ns} {word.atoms}",
        asset=word.asset,
        atoms=word.atoms,
        who=word.who,
        reason=word.reason,
    )


def draft_correction(word: Corrected, suspended_atoms: Atoms, prices: PriceHistory) -> Draft:
    """A person explains a difference: so much of it as was set aside leaves suspense.

    `suspended_atoms` is what readings of the venue showed beyond the books (negative: short of).
    """
    is_same = (suspended_atoms > 0) == (word.atoms > 0)
    released = min(abs(suspended_atoms), abs(word.atoms)) if is_same else 0
    released = released if word.atoms > 0 else -released
    key = f"correction {word.venue} {word.asset} {word.ref}"
    made = Made(
        key=key, at_ns=word.at_ns, asset=word.asset, atoms=word.atoms, worth_atoms=None,
        tag=TaxTag.CORRECTION,
    )  # fmt: skip
    cause = Account(AccountKind.CORRECTIONS, word.venue)
    suspense = Account(AccountKind.SUSPENSE, word.venue)
    return Draft(
        key=key,
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=Reason.CORRECTION,
        tag=TaxTag.CORRECTION,
        counterparty=word.venue,
        people=People(requester=word.who),
        text=word.reason,
        postings=moved(holdings_of(word.venue), cause, word.asset, word.atoms - released)
        + moved(suspense, cause, word.asset, released),
        moves=moves_of(made, prices),
        notes=unpriced(made, prices),
    )


def draft_suspense(venue: str, asset: str, atoms: Atoms, at_ns: Ns, key: str) -> Draft:
    """The venue has so much more (or less) than the books can say why. No lot moves."""
    return Draft(
        key=key,
        at_ns=at_ns,
        when_ns=at_ns,
        reason=Reason.SUSPENSE,
        tag=TaxTag.NONE,
        counterparty=venue,
        text="the venue's reading and the books differ",
        postings=moved(
            holdings_of(venue), Account(AccountKind.SUSPENSE, venue), asset, atoms
        ),
    )  # fmt: skip


def draft_reversal(wrong: Draft, why: str) -> Draft:
    """The same with every sign turned round; its lots are dropped, not turned."""
    turned = tuple(Posting(each.account, each.asset, -each.atoms) for each in wrong.postings)
    return Draft(
        key=f"reversal of {wrong.key}",
        at_ns=wrong.at_ns,
        when_ns=wrong.when_ns,
        reason=Reason.REVERSAL,
        tag=TaxTag.NONE,
        counterparty=wrong.counterparty,
        text=why,
        postings=turned,
    )
