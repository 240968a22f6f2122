"""An action is canonical bytes: one encoding for each value, and a text made of nothing else."""

import datetime
import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.treasury.action_bytes import NotCanonical, decoded, digest_of, encoded
from engine.treasury.action_text import moment_text, text_of
from engine.treasury.actions import FAMILY, Kind, coins_of, family_of, kind_of, problem
from engine.values.action_words import (
    Action,
    AddToPool,
    Coins,
    EmergencySale,
    HedgeAction,
    Override,
    Rebalance,
    Request,
    Scope,
    Stake,
    StopActions,
    TakeFromPool,
    Trigger,
    Unstake,
    WidenLimit,
)
from engine.values.units import NS_PER_S
from tests.action_builders import NOW, H, btt, convert, request, stop, transfer, usdt

EACH: list[Action] = [
    convert(),
    Rebalance(
        bucket="float", sell=btt(5), least=usdt(1), venues=["gate", "mexc"], until_ns=NOW + H
    ),
    HedgeAction(market="BTC/USDT:USDT", cover=btt(7), margin=usdt(3), until_ns=NOW + H),
    Stake(coins=btt(8), platform="bttc", address="0xabc", notice_ns=14 * 24 * H),
    Unstake(coins=btt(8), platform="bttc", address="0xabc"),
    AddToPool(pool="BTT-USDT", address="0xdef", coins=[btt(9), usdt(2)]),
    TakeFromPool(pool="BTT-USDT", address="0xdef", coins=[btt(9), usdt(2)]),
    transfer(),
    WidenLimit(limit="venue share", was='{"share_ppm":400000}', becomes='{"share_ppm":500000}'),
    EmergencySale(
        shortfall=usdt(50), sell=btt(99), least=usdt(40), venues=["gate"], until_ns=NOW + H
    ),
    stop(),
    Override(trigger=Trigger.DEPEG, seen_ns=NOW, target="USDT", does=convert()),
]


def test_there_is_an_example_of_each_kind() -> None:
    assert [kind_of(action) for action in EACH] == list(Kind)
    assert set(FAMILY) == set(Kind)


@pytest.mark.parametrize("action", EACH, ids=lambda action: str(kind_of(action)))
def test_an_action_makes_sense_and_comes_back_from_its_bytes(action: Action) -> None:
    assert problem(action) == ""
    body = encoded(request(action=action))
    assert decoded(body, Request).action == action


@pytest.mark.parametrize("action", EACH, ids=lambda action: str(kind_of(action)))
def test_anybody_can_make_the_same_bytes_and_digest_with_json_alone(action: Action) -> None:
    body = encoded(request(action=action))
    again = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()
    assert again == body
    assert digest_of(body) == hashlib.sha256(again).hexdigest()


@pytest.mark.parametrize("action", EACH, ids=lambda action: str(kind_of(action)))
def test_every_value_of_the_bytes_is_in_the_text(action: Action) -> None:
    body = encoded(request(action=action))
    text = text_of(body)

    def shown(value: object) -> None:
        if isinstance(value, dict):
            for item in value.values():
                shown(item)
        elif isinstance(value, list):
            for item in value:
                shown(item)
        else:
            assert str(value) in text or f"{value // NS_PER_S} s" in text

    shown(json.loads(body))
    assert digest_of(body) in text


def test_the_text_says_how_much_in_whole_tokens() -> None:
    text = text_of(encoded(request(action=transfer(address="TXpeople"))))
    assert text.startswith("p1: transfer 100000000 BTT for rebates, asked by anna\n")
    assert "action.coins           100000000 BTT (10000000000000000 of 10^-8)" in text
    assert 'action.address         "TXpeople"' in text


@given(st.integers(0, 10**33), st.integers(0, 30))
def test_amounts_beyond_64_bits_stay_exact(atoms: int, exponent: int) -> None:
    coins = Coins(asset="BTT", atoms=atoms, exponent=exponent)
    action = msgspec.structs.replace(transfer(), coins=coins)
    body = encoded(request(action=action))
    assert coins_of(decoded(body, Request).action) == (coins,)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: b" " + body,
        lambda body: body + b"\n",
        lambda body: body.replace(b'"atoms":', b'"atoms": '),
        lambda body: body.replace(b'"BTT"', b'"\\u0042TT"'),
        lambda body: body.replace(b'"exponent":8', b'"exponent":8.0', 1),
        lambda body: body.replace(b'"exponent":8', b'"exponent":8e0', 1),
        lambda body: body.replace(b'"exponent":8', b'"exponent":8,"exponent":8', 1),
        lambda body: body.replace(b'"exponent":8', b'"exponent":"8"', 1),
        lambda body: body.replace(b'"why":', b'"extra":1,"why":'),
        lambda body: body[:-1],
        lambda body: json.dumps(dict(reversed(json.loads(body).items()))).encode(),
        lambda body: b"\xff" + body,
        lambda body: b"",
        lambda body: b"[" * 100_000,
    ],
)
def test_a_second_encoding_of_the_same_content_is_refused(change) -> None:
    body = encoded(request())
    with pytest.raises(NotCanonical):
        decoded(change(body), Request)


@pytest.mark.parametrize("text", ["Аnna says", "right‮to left", "tab\there", "zero\0"])
def test_a_text_that_could_look_like_another_cannot_be_signed(text: str) -> None:
    with pytest.raises(NotCanonical, match=r"printable ASCII|canonical"):
        decoded(encoded(request(why=text)), Request)


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        (transfer(0), "coins.atoms: must be more than 0"),
        (transfer(-5), "coins.atoms: must be more than 0"),
        (transfer(address="with blank"), "address: letters"),
        (msgspec.structs.replace(transfer(), to_place="binance"), "to_place: is where it comes"),
        (msgspec.structs.replace(convert(), least=btt(1)), "least: is of the asset"),
        (msgspec.structs.replace(convert(), venues=[]), "venues: 1 to 20"),
        (msgspec.structs.replace(convert(), venues=["a", "a"]), "venues: 1 to 20 different"),
        (msgspec.structs.replace(convert(), until_ns=0), "until_ns: must be more than 0"),
        (AddToPool(pool="p", address="0x1", coins=[btt(1)]), "coins: a pool takes two"),
        (AddToPool(pool="p", address="0x1", coins=[btt(1), usdt(0)]), "coins[1].atoms"),
        (WidenLimit(limit="x", was="1", becomes="1"), "becomes: changes nothing"),
        (StopActions(scope=Scope.ALL, name="gate"), "name: "),
        (StopActions(scope=Scope.VENUE, name=""), "name: "),
        (
            Override(trigger=Trigger.DEPEG, seen_ns=NOW, target="USDT", does=transfer(0)),
            "does.coins.atoms",
        ),
        (Unstake(coins=Coins(asset="btt", atoms=1, exponent=8), platform="b", address="0x"),
         "coins.asset: capital"),
    ],
)  # fmt: skip
def test_nonsense_is_named_by_its_field(action: Action, fault: str) -> None:
    assert problem(action).startswith(fault)


def test_an_override_counts_in_the_family_of_what_it_does() -> None:
    action = Override(trigger=Trigger.DEPEG, seen_ns=NOW, target="USDT", does=convert())
    assert family_of(action) is family_of(convert())


@given(st.integers(0, 10**19))
def test_moments_read_as_the_calendar_has_them(at_ns: int) -> None:
    at_ns = min(at_ns, 253_402_300_799 * NS_PER_S)
    expected = datetime.datetime.fromtimestamp(at_ns // NS_PER_S, datetime.UTC)
    assert moment_text(at_ns) == expected.strftime("%Y-%m-%d %H:%M:%S UTC")
