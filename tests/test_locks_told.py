"""What is locked is told by a running engine: a stake of its chain stands in no file."""

from typing import Any

import pytest

from engine.runtime.operating import moment_text
from engine.runtime.treasury_facts import parse_facts, told
from engine.trading.treasury_told import account_told
from engine.treasury.holdings import Holdings
from engine.treasury.liquid import LiquidParams
from engine.treasury.treasury import Treasury
from engine.values.errors import UserError
from engine.values.treasury_words import Lock, LockKind, LockSet
from engine.values.units import NS_PER_S
from tests.steward_builders import COLD, UNIT, VENUE, scheme

NOW = 1_795_000_000 * NS_PER_S
STAKE = Lock(
    name="validator", kind=LockKind.STAKED, place=COLD, asset="BTT", atoms=7 * UNIT,
    unwind_ns=168 * 3_600 * NS_PER_S, until_ns=NOW + NS_PER_S,
)  # fmt: skip
HALT = Lock(
    name="halt", kind=LockKind.HALTED, place=VENUE, asset="", atoms=0, unwind_ns=NS_PER_S,
    until_ns=0,
)  # fmt: skip


def picture(*rows: Lock) -> dict[str, Any]:
    """As a running engine answers, with the treasury's part of it."""
    treasury = Treasury(scheme(), LiquidParams(token="BTT", within_h=24), [])
    treasury.learn(LockSet(at_ns=NOW, who="chain", name="l", digest="", rows=list(rows)), "l")
    bare: dict[str, Any] = {"at": moment_text(NOW), "balances": [], "books": [], "may_fill": []}
    return account_told(bare, treasury, moment_text)


def seen(table: dict[str, Any], by_file: tuple[Lock, ...] = ()) -> tuple[Lock, ...]:
    """The locks of whoever reads the answer beside a file of their own."""
    holdings = Holdings(scheme())
    holdings.learn(LockSet(at_ns=0, who="", name="f", digest="", rows=list(by_file)))
    list(told(holdings, parse_facts(table, "engine"), "engine"))
    return holdings.facts().locks


def test_the_locks_of_a_running_engine_are_read_as_it_counts_them() -> None:
    assert seen(picture(STAKE, HALT)) == (STAKE, HALT)


def test_they_stand_in_place_of_those_of_the_file() -> None:
    assert seen(picture(), (STAKE,)) == ()


def test_who_tells_no_locks_leaves_those_of_the_file() -> None:
    table = picture(STAKE)
    del table["locks"]
    assert seen(table, (HALT,)) == (HALT,)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"place": "moon"}, 'locks[0].place: "moon" is none of [[places]]'),
        ({"asset": "DOGE"}, 'locks[0].asset: "DOGE" is none of this treasury\'s'),
        ({"amount": "1e6"}, "locks[0].amount: not a plain decimal"),
        ({"amount": "-1"}, "locks[0]: amount and unwind_s may not be below 0"),
        ({"until": "2026-11-21T12:00:00"}, "locks[0].until: has no offset"),
    ],
)
def test_a_lock_that_makes_no_sense_is_named(changes: dict[str, str], fault: str) -> None:
    table = picture(STAKE)
    table["locks"][0] |= changes
    with pytest.raises(UserError) as caught:
        seen(table)
    assert fault in str(caught.value)
