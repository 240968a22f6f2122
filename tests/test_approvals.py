"""An approval is of exact bytes, by a listed person, in time, once; anything else is refused."""

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.treasury.action_bytes import SIGNED_REQUEST, digest_of, encoded
from engine.treasury.action_desk import ActionDesk
from engine.treasury.proposals import Status
from engine.values.action_records import Answered, Asked, Endorsed, WordRefused
from engine.values.action_words import Role
from tests.action_builders import (
    ANNA,
    EVA,
    EVERYBODY,
    FAY,
    NOW,
    OLGA,
    OTTO,
    H,
    Signer,
    btt,
    convert,
    desk,
    request,
    transfer,
)

ASKED = ANNA.asks(request(action=transfer()))
BOTH = [OTTO.answers(ASKED), FAY.answers(ASKED)]
MUTATIONS = 10_000
STRANGER = Signer("mallory", Role.OPERATIONS)


def taken() -> ActionDesk:
    made = desk()
    made.take(ASKED)
    return made


def refusal(made: ActionDesk, word: Asked | Answered) -> str:
    [record] = made.take(word).records
    assert isinstance(record, WordRefused), record
    return record.why


def test_an_approval_counts_and_the_second_one_allows_it() -> None:
    made = taken()
    [first] = made.take(OTTO.answers(ASKED)).records
    assert isinstance(first, Endorsed)
    assert made.proposals["p1"].status is Status.PROPOSED
    made.take(FAY.answers(ASKED))
    assert made.proposals["p1"].status is Status.APPROVED


def test_who_asks_cannot_approve() -> None:
    assert "who asks cannot approve" in refusal(taken(), ANNA.answers(ASKED))


def test_an_approval_is_used_once() -> None:
    made = taken()
    word = OTTO.answers(ASKED)
    made.take(word)
    assert "otto has approved it already" in refusal(made, word)
    made.take(FAY.answers(ASKED))
    assert "p1 is approved" in refusal(made, word)
    made.begin(NOW)
    assert "p1 is executing" in refusal(made, word)


def test_two_of_one_role_are_not_two_roles() -> None:
    made = taken()
    made.take(OTTO.answers(ASKED))
    assert "needs nobody from operations" in refusal(made, OLGA.answers(ASKED))
    assert made.proposals["p1"].status is Status.PROPOSED


def test_an_approval_of_one_request_is_nothing_to_another_of_the_same_content() -> None:
    made = taken()
    other = ANNA.asks(request("p2", transfer()))
    made.take(other)
    word = OTTO.statement(ASKED)
    moved = msgspec.structs.replace(word, name="p2")
    assert "other bytes" in refusal(made, OTTO.signs(moved))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expires_ns": NOW}, "has expired"),
        ({"expires_ns": NOW + 25 * H}, "is valid for longer"),
        ({"at_ns": NOW + H}, "in the future"),
        ({"at_ns": NOW - H}, "before the request"),
        ({"role": Role.FINANCE}, "otto is operations, not finance"),
        ({"who": "olga"}, "is not signed by olga"),
        ({"who": "nobody"}, "is not on the roster"),
        ({"name": "p9"}, "there is no such proposal"),
        ({"digest": "0" * 64}, "other bytes"),
        ({"why": "x" * 500}, "why: more than"),
    ],
)
def test_an_answer_that_does_not_count_says_why(changes: dict[str, Any], why: str) -> None:
    statement = msgspec.structs.replace(OTTO.statement(ASKED), **changes)
    assert why in refusal(taken(), OTTO.signs(statement))


def test_a_rejection_says_why() -> None:
    assert "says why" in refusal(taken(), OTTO.answers(ASKED, answer="reject"))


def test_an_absent_person_cannot_sign_and_can_when_back() -> None:
    made = desk(ANNA.person(), FAY.person(), OTTO.person((NOW, NOW + H)))
    made.take(ASKED)
    assert "otto is absent" in refusal(made, OTTO.answers(ASKED))
    [record] = made.take(OTTO.answers(ASKED, NOW + H)).records
    assert isinstance(record, Endorsed)


def test_who_is_not_on_the_roster_cannot_sign() -> None:
    assert "is not on the roster" in refusal(taken(), STRANGER.answers(ASKED))


def test_a_signature_for_another_purpose_is_no_approval() -> None:
    body = encoded(OTTO.statement(ASKED))
    signature = OTTO._key.sign(SIGNED_REQUEST + body)
    word = Answered(at_ns=NOW, body=body, signature=signature)
    assert "is not signed by otto" in refusal(taken(), word)


def test_a_refused_word_leaves_its_digest_and_reason_and_nothing_else() -> None:
    made = taken()
    word = STRANGER.answers(ASKED)
    step = made.take(word)
    [record] = step.records
    assert record.digest == digest_of(msgspec.json.encode(word))
    assert made.proposals["p1"].signatures == ()
    assert [alert.level for alert in step.alerts] == ["warning"]


# --- ten thousand mutations, none of which executes


Pair = tuple[list[Asked], list[Answered]]


def other_body(draw: random.Random, **changes: Any) -> bytes:
    return encoded(msgspec.structs.replace(request(action=transfer()), **changes))


def forged(word: Any, body: bytes) -> Any:
    return msgspec.structs.replace(word, body=body)


def amount(draw: random.Random) -> Pair:
    """Another amount under the signatures of the first."""
    coins = msgspec.structs.replace(btt(1), atoms=draw.randrange(1, 10**17))
    action = msgspec.structs.replace(transfer(), coins=coins)
    return [forged(ASKED, other_body(draw, action=action))], approvals()


def address(draw: random.Random) -> Pair:
    text = list("TXabc123")
    text[draw.randrange(8)] = draw.choice("qwvQWV789")
    action = transfer(address="".join(text))
    return [forged(ASKED, other_body(draw, action=action))], approvals()


def address_of_a_new_request(draw: random.Random) -> Pair:
    """The requester's own change after the others signed: signed anew, approvals of the old."""
    asked = ANNA.asks(request(action=transfer(address=f"TX{draw.randrange(10)}")))
    return [asked], approvals()


def asset(draw: random.Random) -> Pair:
    coins = msgspec.structs.replace(btt(100_000_000), asset=draw.choice(["USDT", "BTC", "BTTX"]))
    action = msgspec.structs.replace(transfer(), coins=coins)
    asked = ANNA.asks(request(action=action))
    return [draw.choice([asked, forged(ASKED, asked.body)])], approvals()


def expiry(draw: random.Random) -> Pair:
    """Longer lives for the request, or for an approval that has ended."""
    if draw.random() < 0.5:
        later = NOW + draw.randrange(1, 71) * H + 1
        return [forged(ASKED, other_body(draw, expires_ns=later))], approvals()
    old = OTTO.answers(ASKED, expires_ns=NOW - draw.randrange(10**12))
    body = encoded(msgspec.structs.replace(OTTO.statement(ASKED), expires_ns=NOW + H))
    return [ASKED], [draw.choice([old, forged(old, body)]), FAY.answers(ASKED)]


def signer(draw: random.Random) -> Pair:
    """One person for another: a stranger, the requester, the same twice, a borrowed name."""
    signers = [
        STRANGER.answers(ASKED),
        ANNA.answers(ASKED),
        STRANGER.answers(ASKED, who=draw.choice(EVERYBODY).name),
        FAY.answers(ASKED, role=Role.OPERATIONS),
        FAY.answers(ASKED, who="otto", role=Role.OPERATIONS),
        OTTO.answers(ASKED, who="fay", role=Role.FINANCE),
        EVA.answers(ASKED),
    ]
    one = draw.choice(signers)
    return [ASKED], [draw.choice([OTTO, FAY]).answers(ASKED), one, one]


def replay(draw: random.Random) -> Pair:
    """Answers to another request, again and again, some with a changed name in them."""
    name = f"old{draw.randrange(10**6)}"
    old = ANNA.asks(request(name, transfer()))
    words = [OTTO.answers(old), FAY.answers(old), OTTO.answers(ASKED), OTTO.answers(ASKED)]
    moved = [forged(word, word.body.replace(name.encode(), b"p1")) for word in words[:2]]
    renamed = [OTTO.answers(old, name="p1"), FAY.answers(old, name="p1")]
    many = [*words, *moved, *renamed, *words]
    draw.shuffle(many)
    return [ASKED, ASKED], many


def order_of_bytes(draw: random.Random) -> Pair:
    """The same content in another order or spelling."""
    which = draw.randrange(4)
    body = bytearray(ASKED.body)
    if which == 0:
        one, two = draw.sample(range(len(body)), 2)
        body[one], body[two] = body[two], body[one]
    elif which == 1:
        fields = list(msgspec.json.decode(ASKED.body).items())
        before = list(fields)
        while fields == before:
            draw.shuffle(fields)
        body = bytearray(msgspec.json.encode(dict(fields)))
    elif which == 2:
        body.insert(draw.choice([i for i, c in enumerate(body) if c in b",:{"]) + 1, 0x20)
    else:
        body.reverse()
    if bytes(body) == ASKED.body:
        return order_of_bytes(draw)
    signature = draw.choice([ASKED.signature, ANNA._key.sign(SIGNED_REQUEST + bytes(body))])
    return [Asked(at_ns=NOW, body=bytes(body), signature=signature)], approvals()


def bits_of_an_approval(draw: random.Random) -> Pair:
    """One bit of one signature, or of one signed statement."""
    words = approvals()
    which = draw.randrange(2)
    field = draw.choice(["body", "signature"])
    content = bytearray(getattr(words[which], field))
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    words[which] = msgspec.structs.replace(words[which], **{field: bytes(content)})
    return [ASKED], words


def bits_of_a_request(draw: random.Random) -> Pair:
    content = bytearray(draw.choice([ASKED.body, ASKED.signature]))
    field = "body" if bytes(content) == ASKED.body else "signature"
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return [msgspec.structs.replace(ASKED, **{field: bytes(content)})], approvals()


def approvals() -> list[Answered]:
    return list(BOTH)


WAYS: list[Callable[[random.Random], Pair]] = [
    amount, address, address_of_a_new_request, asset, expiry, signer, replay, order_of_bytes,
    bits_of_an_approval, bits_of_a_request,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_of_ten_thousand_mutated_approvals_none_executes(way: Callable[..., Pair]) -> None:
    draw = random.Random(way.__name__)
    for _ in range(MUTATIONS // len(WAYS)):
        made = desk()
        asked, answers = way(draw)
        for word in [*asked, *answers]:
            made.take(word)
        assert made.begin(NOW).begins == []
        assert all(one.status is not Status.APPROVED for one in made.proposals.all())


def test_the_unmutated_words_do_execute() -> None:
    """Or the test above could not fail."""
    made = desk()
    for word in [ASKED, *approvals()]:
        made.take(word)
    assert [begin.action for begin in made.begin(NOW).begins] == [transfer()]
    assert made.proposals["p1"].request.action != convert()
