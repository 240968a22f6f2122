"""What each word about money comes to in the books: postings, lots, income."""

from typing import assert_never

from engine.treasury.chart import Account, AccountKind, Draft, Reason, TaxTag, moved
from engine.treasury.made import (
    Made,
    holdings_of,
    income_of,
    locked_in,
    moves_of,
    spent,
    unpriced,
    worth_of,
)
from engine.treasury.pricing import PriceHistory
from engine.treasury.trade_postings import draft_trade, of_conversion
from engine.values.ledger_words import (
    Converted,
    Funded,
    LockMoved,
    Paid,
    Received,
    Rewarded,
    RewardKind,
    TransferArrived,
    TransferSent,
)

Word = Converted | Funded | Rewarded | LockMoved | TransferSent | TransferArrived | Paid | Received
REWARDS = {
    RewardKind.STAKING: (Reason.STAKING_REWARD, TaxTag.STAKING_REWARD, AccountKind.REWARDS),
    RewardKind.POOL: (Reason.POOL_YIELD, TaxTag.POOL_YIELD, AccountKind.YIELDS),
}


def draft(word: Word, prices: PriceHistory) -> Draft:
    """The entry of one word. It balances."""
    match word:
        case Converted():
            return draft_trade(of_conversion(word), prices)
        case Funded():
            return _funding(word, prices)
        case Rewarded():
            return _reward(word, prices)
        case LockMoved():
            return _lock(word)
        case TransferSent():
            return _sent(word, prices)
        case TransferArrived():
            return _arrived(word)
        case Paid():
            return _payment(word, prices)
        case Received():
            return _receipt(word, prices)
        case _:
            assert_never(word)


# --- earned -------------------------------------------------------------------------------------


def _funding(word: Funded, prices: PriceHistory) -> Draft:
    key = f"funding {word.market} {word.ref}"
    worth = worth_of(prices, word.asset, word.atoms, word.at_ns)
    made = Made(
        key=key, at_ns=word.at_ns, asset=word.asset, atoms=word.atoms, worth_atoms=worth,
        tag=TaxTag.FUNDING,
    )  # fmt: skip
    source = Account(AccountKind.FUNDING, word.market)
    return Draft(
        key=key,
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=Reason.FUNDING,
        tag=TaxTag.FUNDING,
        counterparty=word.venue,
        postings=moved(holdings_of(word.venue), source, word.asset, word.atoms),
        moves=moves_of(made, prices),
        incomes=(income_of(made),),
        notes=unpriced(made, prices),
    )


def _reward(word: Rewarded, prices: PriceHistory) -> Draft:
    reason, tag, kind = REWARDS[word.kind]
    key = f"{word.kind} {word.venue} {word.place} {word.ref}"
    worth = worth_of(prices, word.asset, word.atoms, word.at_ns)
    made = Made(
        key=key, at_ns=word.at_ns, asset=word.asset, atoms=word.atoms, worth_atoms=worth, tag=tag
    )
    own = locked_in(word.venue, word.place) if word.place else holdings_of(word.venue)
    return Draft(
        key=key,
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=reason,
        tag=tag,
        counterparty=word.counterparty,
        postings=moved(own, Account(kind, word.place or word.venue), word.asset, word.atoms),
        moves=moves_of(made, prices),
        incomes=(income_of(made),),
        notes=unpriced(made, prices),
    )


# --- moved among our own places -------------------------------------------------------------------


def _lock(word: LockMoved) -> Draft:
    """Staked or pooled is still ours: no lot moves."""
    place, holdings = locked_in(word.venue, word.place), holdings_of(word.venue)
    return Draft(
        key=f"lock {word.venue} {word.place} {word.ref}",
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=Reason.LOCK if word.atoms > 0 else Reason.UNLOCK,
        tag=TaxTag.NONE,
        counterparty=word.place,
        people=word.people,
        postings=moved(place, holdings, word.asset, word.atoms),
    )


def _sent(word: TransferSent, prices: PriceHistory) -> Draft:
    """What is under way is in transit until the other end has it; only the fee is gone."""
    key, holdings = f"transfer {word.ref}", holdings_of(word.venue)
    transit = Account(AccountKind.TRANSIT, word.ref)
    fee = spent(key, word.at_ns, (word.asset, word.fee_atoms), prices)
    return Draft(
        key=key,
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=Reason.TRANSFER_OUT,
        tag=TaxTag.NONE,
        counterparty=word.to_venue,
        people=word.people,
        postings=moved(transit, holdings, word.asset, word.atoms)
        + moved(Account(AccountKind.FEES, word.venue), holdings, word.asset, word.fee_atoms),
        moves=moves_of(fee, prices),
        notes=unpriced(fee, prices),
    )


def _arrived(word: TransferArrived) -> Draft:
    return Draft(
        key=f"transfer {word.ref} arrival {word.part}",
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=Reason.TRANSFER_IN,
        tag=TaxTag.NONE,
        counterparty=word.venue,
        postings=moved(
            holdings_of(word.venue), Account(AccountKind.TRANSIT, word.ref), word.asset, word.atoms
        ),
    )


# --- from and to others ---------------------------------------------------------------------------


def _payment(word: Paid, prices: PriceHistory) -> Draft:
    """A payment in a token disposes of it at what it is worth then; so does its network fee."""
    key, holdings = f"payment {word.venue} {word.ref}", holdings_of(word.venue)
    worth = worth_of(prices, word.asset, -word.atoms, word.at_ns)
    paid = Made(
        key=key, at_ns=word.at_ns, asset=word.asset, atoms=-word.atoms, worth_atoms=worth,
        tag=TaxTag.PAYMENT,
    )  # fmt: skip
    fee = spent(key, word.at_ns, (word.asset, word.fee_atoms), prices)
    return Draft(
        key=key,
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=Reason.PAYMENT,
        tag=TaxTag.PAYMENT,
        counterparty=word.counterparty,
        people=word.people,
        text=word.function,
        postings=moved(Account(AccountKind.PAID, word.function), holdings, word.asset, word.atoms)
        + moved(Account(AccountKind.FEES, word.venue), holdings, word.asset, word.fee_atoms),
        moves=moves_of(paid, prices) + moves_of(fee, prices, part=1),
        notes=unpriced(paid, prices),
    )


def _receipt(word: Received, prices: PriceHistory) -> Draft:
    key = f"receipt {word.venue} {word.ref}"
    made = Made(
        key=key, at_ns=word.at_ns, asset=word.asset, atoms=word.atoms,
        worth_atoms=word.cost_atoms, tag=TaxTag.RECEIPT,
    )  # fmt: skip
    source = Account(AccountKind.RECEIVED, word.counterparty)
    return Draft(
        key=key,
        at_ns=word.at_ns,
        when_ns=word.at_ns,
        reason=Reason.RECEIPT,
        tag=TaxTag.RECEIPT,
        counterparty=word.counterparty,
        postings=moved(holdings_of(word.venue), source, word.asset, word.atoms),
        moves=moves_of(made, prices),
        notes=() if word.cost_atoms is not None else (f"cost of {word.asset} is not known",),
    )
