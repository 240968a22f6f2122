"""What people and `ballast treasury` are told of a treasury that runs in an engine."""

from collections.abc import Callable
from typing import Any, assert_never, get_args

import msgspec

from engine.treasury.amounts import Price
from engine.treasury.facts import Facts
from engine.treasury.limit_measures import PASSED, UNKNOWN
from engine.treasury.release import Release
from engine.treasury.treasury import Treasury
from engine.values.treasury_words import (
    FloatSet,
    HoldingsSeen,
    LimitMoved,
    LimitsSet,
    LimitWidened,
    Lock,
    LockSet,
    ObligationPaid,
    ObligationSet,
    PriceReviewed,
    TreasuryFact,
    VolumeSeen,
)
from engine.values.units import DECIMALS_MAX, NS_PER_S, Atoms, Ns, decimal_text

WORDS = frozenset(get_args(TreasuryFact))
REMEMBERED = (
    ObligationSet, ObligationPaid, LockSet, FloatSet, LimitsSet, LimitWidened, PriceReviewed,
    LimitMoved,
    Lock,
)  # fmt: skip
"""What of the treasury's own records a start tells it again; balances are seen anew."""
PRICE_DECIMALS = DECIMALS_MAX - 6


def name_of(fact: TreasuryFact) -> str:
    """What people read as the fact that moved a limit; a start waits for facts by it."""
    match fact:
        case ObligationSet() | LockSet() | LimitsSet():
            return fact.name
        case HoldingsSeen():
            return f"balances of {fact.place}"
        case VolumeSeen():
            return f"volume of {fact.asset} on {fact.venue}"
        case ObligationPaid():
            return f"payment of {fact.name}"
        case FloatSet():
            return f"float of {fact.asset} at {fact.venue}: {fact.reason}"
        case LimitWidened():
            return f"widening of {fact.name}"
        case PriceReviewed():
            return f"review of the price of {fact.asset}"
        case _:
            assert_never(fact)


def released_told(found: Release | None, unready: str, treasury: Treasury) -> dict[str, Any]:
    """What one market may use, which limit binds either side, and the limits that are passed."""
    states = {
        f"{each.limit} {each.subject}".rstrip(): each.state for each in treasury.limits.findings
    }
    words: dict[str, Any] = {
        "unready": unready,
        "passed": [name for name, state in states.items() if state == PASSED],
        "unknown": [name for name, state in states.items() if state == UNKNOWN],
        "waiting": [each.name for each in treasury.waiting],
    }
    if found is None:
        return words

    def text(atoms: Atoms) -> str:
        return decimal_text(atoms, treasury.holdings.scheme.asset(found.asset).exponent)

    return words | {
        "asset": found.asset,
        "venue": found.venue,
        "held": text(found.held_atoms),
        "float": text(found.float_atoms),
        "sell": text(found.sell.atoms),
        "sell_bound_by": found.sell.name,
        "buy": text(found.buy.atoms),
        "buy_bound_by": found.buy.name,
    }


def why_nothing(found: Release) -> str:
    return f"nothing released of {found.asset}: sells {found.sell.name}, buys {found.buy.name}"


def account_told(
    picture: dict[str, Any], treasury: Treasury, at: Callable[[Ns], str]
) -> dict[str, Any]:
    """The account's picture with floats, custody, cover, turnover, and the limits in force with
    the prices that they were made at."""
    facts = treasury.holdings.facts()
    shown = {row["place"] for row in picture["balances"]}
    rows = [_with_float(row, facts) for row in picture["balances"]]
    rows += [
        {"place": place, "asset": asset, "amount": _text(facts, asset, atoms)}
        for (place, asset), atoms in facts.held.items()
        if place not in shown
    ]
    covered = {name: _text(facts, name, atoms) for name, atoms in facts.covered.items() if atoms}
    spent = [
        {
            "asset": name,
            "tokens": _text(facts, name, each.atoms),
            "money": decimal_text(each.money_atoms, facts.scheme.money.exponent),
        }
        for name, each in facts.spent.items()
        if name in facts.scheme.names()
    ]
    reviewed = [
        {"asset": name, "price": _price_text(price, facts), "at": at(price.at_ns)}
        for name, price in treasury.limits.references.items()
    ]
    mids = [
        {"venue": venue, "asset": asset, "price": _price_text(mid, facts), "at": at(mid.at_ns)}
        for venue, asset in facts.mids
        if facts.book(venue, asset) is None and (mid := facts.mid(venue, asset)) is not None
    ]
    volumes = [
        {"venue": venue, "asset": asset, "tokens": _text(facts, asset, told.atoms),
         "at": at(told.at_ns), "heard_s": told.heard_ns // NS_PER_S}
        for (venue, asset), told in facts.volumes.items()
    ]  # fmt: skip
    return picture | {
        "balances": rows,
        "mids": mids,
        "volumes": volumes,
        "locks": [lock_told(row, facts, at) for row in facts.locks],
        "covered": covered,
        "spent": spent,
        "reviewed": reviewed,
        "limits": msgspec.to_builtins(treasury.limits.rows),
    }


def _with_float(row: dict[str, Any], facts: Facts) -> dict[str, Any]:
    working = facts.working.get((row["place"], row["asset"]))
    return row if working is None else row | {"working": _text(facts, row["asset"], working)}


def _text(facts: Facts, asset: str, atoms: Atoms) -> str:
    return decimal_text(atoms, facts.scheme.asset(asset).exponent)


def _price_text(price: Price, facts: Facts) -> str:
    """Money for one whole token, rounded down where it has too many digits."""
    tokens = price.base_atoms * 10**facts.scheme.money.exponent
    money = price.money_atoms * 10 ** (facts.scheme.asset(price.asset).exponent + PRICE_DECIMALS)
    return decimal_text(money // tokens, PRICE_DECIMALS)


def lock_told(row: Lock, facts: Facts, at: Callable[[Ns], str]) -> dict[str, Any]:
    """As `engine.runtime.locks_told` reads it; a notice is rounded up to a whole second."""
    return {
        "name": row.name,
        "kind": row.kind.value,
        "place": row.place,
        "asset": row.asset,
        "amount": _text(facts, row.asset, row.atoms) if row.asset else "0",
        "unwind_s": -(-row.unwind_ns // NS_PER_S),
        "until": at(row.until_ns) if row.until_ns else None,
    }
