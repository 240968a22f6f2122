"""What each kind of action is: what it moves, what makes no sense, and how people read it.

Texts in an action are printable ASCII only. What a person reads is then what is signed: no letter
that looks like another, no mark that turns the order of reading round.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import assert_never

from engine.values.action_words import (
    Action,
    AddToPool,
    Coins,
    Convert,
    EmergencySale,
    HedgeAction,
    Override,
    Rebalance,
    Scope,
    Stake,
    StopActions,
    TakeFromPool,
    Transfer,
    Unstake,
    WidenLimit,
)
from engine.values.units import DECIMALS_MAX

ASSET = re.compile(r"[A-Z0-9][A-Z0-9.]{0,19}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/@-]{0,63}")
ADDRESS = re.compile(r"[A-Za-z0-9:._-]{1,128}")
ROW = re.compile(r"[ -~]{1,1000}")
"""A limit's row before and after, as JSON."""
ATOMS_MAX = 10**40
VENUES_MAX = 20
NS_MAX = 2**63 - 1


class Kind(StrEnum):
    """The names by which rows of the policy choose actions."""

    CONVERT = "convert"
    REBALANCE = "rebalance"
    HEDGE = "hedge"
    STAKE = "stake"
    UNSTAKE = "unstake"
    ADD_TO_POOL = "add to pool"
    TAKE_FROM_POOL = "take from pool"
    TRANSFER = "transfer"
    WIDEN_LIMIT = "widen limit"
    EMERGENCY_SALE = "emergency sale"
    STOP = "stop"
    OVERRIDE = "override"


class Family(StrEnum):
    """What kinds do to the money. A window sums a family, so that no amount hides in two kinds."""

    SELL = "sell"
    HEDGE = "hedge"
    LOCK = "lock"
    UNLOCK = "unlock"
    MOVE = "move"
    RULE = "rule"


FAMILY = {
    Kind.CONVERT: Family.SELL,
    Kind.REBALANCE: Family.SELL,
    Kind.EMERGENCY_SALE: Family.SELL,
    Kind.HEDGE: Family.HEDGE,
    Kind.STAKE: Family.LOCK,
    Kind.ADD_TO_POOL: Family.LOCK,
    Kind.UNSTAKE: Family.UNLOCK,
    Kind.TAKE_FROM_POOL: Family.UNLOCK,
    Kind.TRANSFER: Family.MOVE,
    Kind.WIDEN_LIMIT: Family.RULE,
    Kind.STOP: Family.RULE,
    Kind.OVERRIDE: Family.RULE,
}


def kind_of(action: Action) -> Kind:
    """An action's kind is the tag that its bytes carry."""
    return Kind(str(type(action).__struct_config__.tag))


def family_of(action: Action) -> Family:
    """Of an override, that of what it does."""
    inner = action.does if isinstance(action, Override) else action
    return FAMILY[kind_of(inner)]


def coins_of(action: Action) -> tuple[Coins, ...]:
    """What it moves, sells, covers or locks; nothing for what only changes a rule."""
    match action:
        case Convert() | Rebalance() | EmergencySale():
            return (action.sell,)
        case HedgeAction():
            return (action.cover,)
        case Stake() | Unstake() | Transfer():
            return (action.coins,)
        case AddToPool() | TakeFromPool():
            return tuple(action.coins)
        case WidenLimit() | StopActions():
            return ()
        case Override():
            return coins_of(action.does)
        case _:
            assert_never(action)


def problem(action: Action) -> str:
    """Why `action` makes no sense whatever the policy says, as "field: fault"; "" where it does."""
    return next(_problems(action), "")


def _problems(action: Action) -> Iterator[str]:
    for name in action.__struct_fields__:
        yield from _field_problems(name, getattr(action, name))
    match action:
        case Convert() | Rebalance() | EmergencySale():
            if action.sell.asset == action.least.asset:
                yield "least: is of the asset that is sold"
        case AddToPool() | TakeFromPool():
            if len({coins.asset for coins in action.coins}) != 2 or len(action.coins) != 2:
                yield "coins: a pool takes two different assets"
        case Transfer():
            if action.from_place == action.to_place:
                yield "to_place: is where it comes from"
        case WidenLimit():
            if action.was == action.becomes:
                yield "becomes: changes nothing"
        case StopActions():
            if (action.scope is Scope.ALL) == bool(action.name):
                yield 'name: "" if the scope is all, and only then'
        case Override():
            yield from (f"does.{found}" for found in _problems(action.does))
        case HedgeAction() | Stake() | Unstake():
            pass
        case _:
            assert_never(action)


MAY_BE_EMPTY = {"memo"}


def _field_problems(name: str, value: object) -> Iterator[str]:
    """What is wrong with one field by itself: each type has one rule."""
    match value:
        case Coins():
            if fault := coins_problem(value):
                yield f"{name}.{fault}"
        case list() if name == "coins":
            for index, coins in enumerate(value):
                yield from _field_problems(f"coins[{index}]", coins)
        case list():
            if not 1 <= len(value) <= VENUES_MAX or len(set(value)) < len(value):
                yield f"{name}: 1 to {VENUES_MAX} different names"
            elif not all(NAME.fullmatch(item) for item in value):
                yield f"{name}: letters, digits and ._:/@- only"
        case int():
            if not 0 < value <= NS_MAX:
                yield f"{name}: must be more than 0 and fit 63 bits"
        case StrEnum():
            pass
        case str():
            yield from _text_problems(name, value)
        case _:
            pass  # an action inside an override is looked at by itself


def _text_problems(name: str, value: str) -> Iterator[str]:
    if not value and name in MAY_BE_EMPTY | {"name"}:
        return
    if name in ("address", "memo"):
        if not ADDRESS.fullmatch(value):
            yield f"{name}: letters, digits and :._- only, at most 128"
    elif name in ("was", "becomes"):
        if not ROW.fullmatch(value):
            yield f"{name}: printable ASCII only, at most 1000"
    elif not NAME.fullmatch(value):
        yield f"{name}: letters, digits, blanks and ._:/@- only, at most 64"


def coins_problem(coins: Coins) -> str:
    if not ASSET.fullmatch(coins.asset):
        return "asset: capital letters, digits and dots, at most 20"
    if not 0 < coins.atoms <= ATOMS_MAX:
        return "atoms: must be more than 0"
    if not 0 <= coins.exponent <= DECIMALS_MAX:
        return f"exponent: 0 to {DECIMALS_MAX}"
    return ""
