"""What the treasury may be asked to do, and the words by which people ask, approve and refuse.

An amount carries its exponent, so that the bytes of an action say by themselves how much it is.
Nothing here is checked: `engine.treasury.actions` says what an action that makes sense is.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from engine.values.units import Atoms, Ns


class Coins(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much of one asset: `atoms` in units of 10**-exponent."""

    asset: str
    atoms: Atoms
    exponent: int


class Scope(StrEnum):
    """What a kill switch stops."""

    ACTION = "action"
    VENUE = "venue"
    ASSET = "asset"
    ALL = "all"


class Trigger(StrEnum):
    """What an override may be called for by. There is no other reason."""

    EXCHANGE_OUTAGE = "exchange outage"
    WITHDRAWAL_HALT = "withdrawal halt"
    DEPEG = "depeg"
    REGULATORY_NOTICE = "regulatory notice"
    WALLET_COMPROMISE = "wallet compromise"
    SUDDEN_IMPACT = "sudden impact"


# --- actions ------------------------------------------------------------------------------------


class Convert(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="convert"):
    """Sell `sell` for at least `least`, on these venues only, before `until_ns`."""

    sell: Coins
    least: Coins
    venues: list[str]
    until_ns: Ns


class Rebalance(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="rebalance"
):
    """A conversion that brings `bucket` back inside its bands."""

    bucket: str
    sell: Coins
    least: Coins
    venues: list[str]
    until_ns: Ns


class HedgeAction(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hedge"
):
    """Cover `cover` of the token in `market`, with at most `margin` at risk, until `until_ns`."""

    market: str
    cover: Coins
    margin: Coins
    until_ns: Ns


class Stake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stake"):
    """Lock `coins`; getting them back takes `notice_ns` from the day one asks."""

    coins: Coins
    platform: str
    address: str
    notice_ns: Ns


class Unstake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="unstake"):
    """Ask for staked `coins` back."""

    coins: Coins
    platform: str
    address: str


class AddToPool(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="add to pool"
):
    """Put both sides of a pair into a liquidity pool."""

    pool: str
    address: str
    coins: list[Coins]


class TakeFromPool(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="take from pool"
):
    """Take back what is worth at least these sides."""

    pool: str
    address: str
    coins: list[Coins]


class Transfer(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="transfer"
):
    """Move between two places of ours. `memo` is "" where the network has none."""

    coins: Coins
    from_place: str
    to_place: str
    network: str
    address: str
    memo: str


class WidenLimit(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="widen limit"
):
    """Let limit `limit` be `becomes` instead of `was`, both as the limits' file spells them."""

    limit: str
    was: str
    becomes: str


class EmergencySale(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="emergency sale"
):
    """Sell because `shortfall` is missing by `until_ns`."""

    shortfall: Coins
    sell: Coins
    least: Coins
    venues: list[str]
    until_ns: Ns


class StopActions(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stop"
):
    """The kill switch. `name` is of the action, venue or asset; "" where the scope is all."""

    scope: Scope
    name: str


Emergency: TypeAlias = StopActions | Convert | HedgeAction | Transfer | Unstake | TakeFromPool
"""What an override may do. It never locks anything up and never widens a limit."""


class Override(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="override"
):
    """Do `does` now, because of what was seen at `seen_ns` and hit `target`."""

    trigger: Trigger
    seen_ns: Ns
    target: str
    does: Emergency


Action: TypeAlias = (
    Convert
    | Rebalance
    | HedgeAction
    | Stake
    | Unstake
    | AddToPool
    | TakeFromPool
    | Transfer
    | WidenLimit
    | EmergencySale
    | StopActions
    | Override
)


class Initiator(StrEnum):
    """Who asks: the engine's own policy loop, or a person by role."""

    ENGINE = "engine"
    FINANCE = "finance"
    OPERATIONS = "operations"
    EXECUTIVE = "executive"


class Role(StrEnum):
    """What a person on the roster may sign as."""

    FINANCE = "finance"
    OPERATIONS = "operations"
    EXECUTIVE = "executive"


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that an approval covers. `desk` names the treasury, so that a drill's is never another's.

    `name` is unique for ever. `code` is one of the reason codes of the policy, `why` is for people.
    """

    desk: str
    name: str
    at_ns: Ns
    expires_ns: Ns
    who: str
    initiator: Initiator
    function: str
    code: str
    why: str
    action: Action


class Answer(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an approver signs: `digest` is SHA-256, in hex, of the request's canonical bytes."""

    digest: str
    name: str
    answer: Answer
    who: str
    role: Role
    at_ns: Ns
    expires_ns: Ns
    why: str
