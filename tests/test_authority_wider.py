"""What is tighter holds at once; what is wider needs people to agree to exactly that."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.runtime.action_driver import open_driver
from engine.runtime.authority_file import authority_word, roster_word
from engine.treasury.action_desk import ActionDesk
from engine.treasury.authority import Authority
from engine.treasury.authority_wider import widen_limit, wider, wider_roster
from engine.values.action_records import AuthoritySet, Ending, RosterSet, WordRefused
from engine.values.action_words import Role
from engine.values.errors import UserError
from tests.action_builders import (
    ANNA,
    EVERYBODY,
    FAY,
    NOW,
    OTTO,
    POLICY,
    Signer,
    addresses,
    authority,
    desk,
    override_rows,
    policy_rows,
    request,
)

MALLORY = Signer("mallory", Role.EXECUTIVE)
PEOPLE = [signer.person() for signer in EVERYBODY]


def with_row(number: int, **changes: Any) -> Authority:
    rows = policy_rows()
    rows[number] |= changes
    return authority(rows=rows)


def with_override(**changes: Any) -> Authority:
    rows = override_rows()
    rows[2] |= changes
    return authority(overrides=rows)


@pytest.mark.parametrize(
    "change",
    [
        {"each_money_max": "49"},
        {"each_tokens_max": {"BTT": "1"}},
        {"window_money_max": "50"},
        {"window_tokens_max": {"BTT": "1"}},
        {"kind": ["convert"]},
        {"function": ["rebates"]},
        {"tier": "two people"},
    ],
)
def test_a_tighter_row_is_not_wider_and_the_way_back_is(change: dict[str, Any]) -> None:
    tight = with_row(3, **change)
    assert wider(POLICY, tight) == ""
    assert wider(tight, POLICY).startswith("easier than before: initiator engine, kind ")


@pytest.mark.parametrize(
    ("name", "tight", "loose"),
    [
        ("window_h", 48, 24),
        ("settle_s", 90, 60),
        ("request_h_max", 10, 72),
        ("approval_h_max", 1, 24),
        ("review_h", 10, 72),
    ],
)
def test_a_number_that_gives_more_time_or_a_shorter_window_is_wider(
    name: str, tight: int, loose: int
) -> None:
    assert wider(authority(**{name: loose}), authority(**{name: tight})) == ""
    assert wider(authority(**{name: tight}), authority(**{name: loose})) != ""


@pytest.mark.parametrize(
    "change",
    [
        {"roles": ["executive"]},
        {"act_within_min": 10},
        {"does": ["stop"]},
        {"money_max": "1"},
        {"evidence": ["status page", "balances", "more"]},
        {"evidence_h": 1},
    ],
)
def test_an_override_that_allows_less_is_tighter(change: dict[str, Any]) -> None:
    assert wider(POLICY, with_override(**change)) == ""
    assert wider(with_override(**change), POLICY) == "the override for depeg allows more"


def test_to_act_alone_is_wider() -> None:
    assert wider(POLICY, with_override(alone=True)) == "the override for depeg allows more"


def test_the_same_rows_in_other_words_are_not_wider() -> None:
    rows = policy_rows()
    split = [rows[3] | {"kind": [kind], "name": kind} for kind in ("convert", "hedge")]
    other = authority(rows=[*rows[:3], *split, *rows[4:]])
    assert wider(POLICY, other) == wider(other, POLICY) == ""


def test_new_functions_assets_and_desks_are_wider() -> None:
    assert wider(POLICY, authority(desk="real")) != ""
    elsewhere = [*addresses(), addresses()[0] | {"address": "TXthief"}]
    found = wider(POLICY, authority(addresses=elsewhere))
    assert found == "the address TXthief of cold wallet is new"
    fewer = msgspec.structs.replace(POLICY, functions=POLICY.functions[:1])
    assert wider(fewer, POLICY) == "the function rebates is new"
    assert wider(POLICY, fewer) == ""
    fewer = msgspec.structs.replace(POLICY, assets=POLICY.assets[:1])
    assert wider(fewer, POLICY) == "the asset BTC is new"


def test_a_new_person_key_or_role_is_wider_and_a_leaver_is_not() -> None:
    assert wider_roster(PEOPLE, PEOPLE[1:]) == ""
    assert wider_roster(PEOPLE, [*PEOPLE, MALLORY.person()]) == "mallory is new"
    changed = msgspec.structs.replace(PEOPLE[0], key=MALLORY.public)
    assert wider_roster(PEOPLE, [changed]) == "anna has another key"
    changed = msgspec.structs.replace(PEOPLE[0], role=Role.EXECUTIVE)
    assert wider_roster(PEOPLE, [changed]) == "anna is executive instead of finance"


# --- at a desk


def policy_word(policy: Authority, at_ns: int = NOW) -> AuthoritySet:
    return authority_word(policy, "treasury.toml", "root", at_ns)


def people_word(*people: Signer, at_ns: int = NOW) -> RosterSet:
    return roster_word([one.person() for one in people], "roster.toml", "root", at_ns)


def agreed(made: ActionDesk, name: str, action: Any) -> None:
    """Three people see to it, by the row for limits."""
    asked = ANNA.asks(request(name, action))
    for word in (asked, OTTO.answers(asked), FAY.answers(asked)):
        made.take(word)
    assert [begin.name for begin in made.begin(NOW).begins] == [name]
    made.tell(name, Ending.DONE, "", at_ns=NOW, has_moved=False)


def test_a_tighter_policy_is_in_force_at_once() -> None:
    made = desk()
    made.load(policy_word(POLICY))
    made.load(policy_word(with_row(3, each_money_max="1")))
    assert made.authority == with_row(3, each_money_max="1")


def test_a_wider_policy_waits_until_two_people_agreed_to_exactly_it() -> None:
    made, new = desk(), policy_word(with_row(3, each_money_max="51"), NOW + 1)
    was = policy_word(POLICY)
    made.load(was)
    [refused] = made.load(new).records
    assert isinstance(refused, WordRefused)
    assert "it is wider than what is in force (easier than before: " in refused.why
    assert new.digest in refused.why
    assert made.authority == POLICY
    agreed(made, "other", widen_limit(was.digest, policy_word(with_row(3, each_money_max="99"))))
    assert isinstance(made.load(new).records[0], WordRefused), "that was for another policy"
    agreed(made, "this", widen_limit(was.digest, new))
    assert made.load(new).records == [new]
    assert made.authority == with_row(3, each_money_max="51")


def test_an_agreement_is_used_once() -> None:
    made, wide = desk(), policy_word(with_row(3, each_money_max="51"), NOW + 1)
    was = policy_word(POLICY)
    made.load(was)
    agreed(made, "this", widen_limit(was.digest, wide))
    made.load(wide)
    made.load(msgspec.structs.replace(was, at_ns=NOW + 2))
    assert isinstance(made.load(wide).records[0], WordRefused)


def test_nobody_puts_a_key_onto_the_roster_alone() -> None:
    made = desk()
    new = people_word(*EVERYBODY, MALLORY, at_ns=NOW + 1)
    assert isinstance(made.load(new).records[0], WordRefused)
    assert "mallory" not in made.roster.people
    was = made._in_force["RosterSet"].digest
    agreed(made, "hire", widen_limit(was, new))
    made.load(new)
    assert "mallory" in made.roster.people


def test_a_refused_file_stops_the_command_and_stays_in_the_journal(tmp_path: Path) -> None:
    async def session() -> None:
        async with open_driver(tmp_path / "t", POLICY, None, lambda: NOW) as driver:
            await driver.load([policy_word(POLICY)])
            with pytest.raises(UserError, match=r"treasury.toml: it is wider than what is in"):
                await driver.load([policy_word(authority(window_h=1))])
            assert driver.desk.authority == POLICY
        async with open_driver(tmp_path / "t", None, None, lambda: NOW) as driver:
            assert driver.desk.authority == POLICY

    asyncio.run(session())
