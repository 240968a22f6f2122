"""The life of a proposal is one table; what is illegal raises and changes nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.signing import verify
from engine.treasury.action_desk import ActionDesk
from engine.treasury.proposals import LIFE, OUT, IllegalMove, Move, Proposals, Status
from engine.values.action_records import (
    ActionRecord,
    Ending,
    Endorsed,
    Executed,
    Executing,
    Expired,
    Proposed,
    Rejected,
    WordRefused,
)
from engine.values.action_words import Answer, Initiator, Override, Stake, Trigger
from tests.action_builders import (
    ANNA,
    EVA,
    EVERYBODY,
    FAY,
    NOW,
    OLGA,
    OTTO,
    H,
    authority,
    btt,
    btt_price,
    convert,
    desk,
    engine_request,
    request,
    roster_set,
    transfer,
)

ASKED = ANNA.asks(request())
STAKE = Stake(coins=btt(1), platform="bttc", address="0x2", notice_ns=H)


def records_of_each() -> dict[str, ActionRecord]:
    """One record of each kind about p1, as a desk makes them."""
    made = desk()
    proposed = made.take(ASKED).records[0]
    endorsed = made.take(OTTO.answers(ASKED)).records[0]
    return {
        "proposed": proposed,
        "endorsed": endorsed,
        "rejected": Rejected(at_ns=NOW, name="p1", who="otto", why="no", body=b"", signature=b""),
        "expired": Expired(at_ns=NOW, name="p1", why="late"),
        "executing": Executing(at_ns=NOW, name="p1", reference="bt1", money_atoms=1),
        "done": executed(Ending.DONE),
        "failed": executed(Ending.FAILED),
        "unknown": executed(Ending.UNKNOWN),
    }


def executed(ending: Ending) -> Executed:
    return Executed(at_ns=NOW, name="p1", ending=ending, has_moved=False, why="")


MOVES = {
    "endorsed": Move.SIGN,
    "rejected": Move.REJECT,
    "expired": Move.EXPIRE,
    "executing": Move.BEGIN,
    "done": Move.FINISH,
    "failed": Move.FAIL,
    "unknown": Move.DOUBT,
}
RECORDS = records_of_each()


def at(status: Status) -> Proposals:
    """Proposals in which p1 has come to `status`."""
    path = {
        Status.PROPOSED: [],
        Status.APPROVED: ["endorsed", "endorsed by fay"],
        Status.EXECUTING: ["endorsed", "endorsed by fay", "executing"],
        Status.UNKNOWN: ["endorsed", "endorsed by fay", "executing", "unknown"],
        Status.DONE: ["endorsed", "endorsed by fay", "executing", "done"],
        Status.FAILED: ["endorsed", "endorsed by fay", "executing", "failed"],
        Status.REJECTED: ["rejected"],
        Status.EXPIRED: ["expired"],
    }[status]
    fay = msgspec.structs.replace(RECORDS["endorsed"], who="fay", role="finance")
    made = Proposals()
    made.apply(RECORDS["proposed"])
    for name in path:
        made.apply(fay if name == "endorsed by fay" else RECORDS[name])
    assert made["p1"].status is status
    return made


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", MOVES)
def test_every_pair_of_the_table_moves_and_every_other_raises_and_changes_nothing(
    status: Status, name: str
) -> None:
    made = at(status)
    before = made["p1"]
    target = LIFE.get((status, MOVES[name]))
    if target is None:
        with pytest.raises(IllegalMove):
            made.apply(RECORDS[name])
        assert made["p1"] is before
    else:
        made.apply(RECORDS[name])
        assert made["p1"].status is target
        made.check()


def test_nothing_leads_from_what_may_have_happened_back_to_what_may_begin() -> None:
    reached = {target for (status, _), target in LIFE.items() if status in OUT}
    assert reached == {Status.DONE, Status.FAILED, Status.UNKNOWN}
    assert [status for (status, move) in LIFE if move is Move.BEGIN] == [Status.APPROVED]


def test_an_end_is_an_end() -> None:
    ended = {Status.DONE, Status.FAILED, Status.REJECTED, Status.EXPIRED}
    assert not ended & {status for status, _ in LIFE}


def test_the_same_name_is_not_taken_up_twice() -> None:
    made = at(Status.PROPOSED)
    with pytest.raises(IllegalMove):
        made.apply(RECORDS["proposed"])


def test_what_is_told_of_no_proposal_raises() -> None:
    with pytest.raises(IllegalMove):
        Proposals().apply(RECORDS["executing"])
    with pytest.raises(IllegalMove):
        desk().tell("nothing", Ending.DONE, "", at_ns=NOW, has_moved=True)


def test_two_people_allow_it_and_it_begins_once() -> None:
    made = desk()
    made.take(ASKED)
    assert made.begin(NOW).begins == []
    made.take(OTTO.answers(ASKED))
    assert made.begin(NOW).begins == [], "one of two"
    made.take(FAY.answers(ASKED))
    step = made.begin(NOW)
    assert [begin.action for begin in step.begins] == [convert()]
    assert [type(record) for record in step.records] == [Executing]
    assert made.begin(NOW).begins == []
    assert made.begin(NOW + H).begins == []


def test_a_rejection_by_one_person_ends_it_and_says_why() -> None:
    made = desk()
    made.take(ASKED)
    made.take(OTTO.answers(ASKED))
    made.take(EVA.answers(ASKED, answer=Answer.REJECT, why="not now"))
    assert (made.proposals["p1"].status, made.proposals["p1"].why) == (Status.REJECTED, "not now")
    [refused] = made.take(FAY.answers(ASKED)).records
    assert isinstance(refused, WordRefused)


def test_who_asked_may_take_it_back() -> None:
    made = desk()
    made.take(ASKED)
    made.take(ANNA.answers(ASKED, answer=Answer.REJECT, why="a mistake"))
    assert made.proposals["p1"].status is Status.REJECTED


def test_what_nobody_takes_up_expires_with_a_record() -> None:
    made = desk()
    made.take(ASKED)
    assert made.tick(NOW + 24 * H - 1).records == []
    [record] = made.tick(NOW + 24 * H).records
    assert isinstance(record, Expired)
    assert made.proposals["p1"].status is Status.EXPIRED


def test_an_allowed_action_that_expired_before_it_began_does_not_begin() -> None:
    made = desk()
    made.ask(engine_request())
    step = made.begin(NOW + 24 * H)
    assert (step.begins, made.proposals["e1"].status) == ([], Status.EXPIRED)


def test_the_engine_asks_only_from_inside_the_process() -> None:
    made = desk()
    unsigned = msgspec.structs.replace(ANNA.asks(engine_request()), signature=b"")
    for word in (
        unsigned,
        ANNA.asks(engine_request()),
        ANNA.asks(request(initiator=Initiator.ENGINE)),
    ):
        [refused] = made.take(word).records
        assert isinstance(refused, WordRefused)
        assert "only the engine asks as the engine" in refused.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"desk": "real"}, "is for the desk 'real'"),
        ({"name": ""}, "name: "),
        ({"why": " "}, "why: must say something"),
        ({"function": "lunch"}, "function: "),
        ({"code": "because"}, "code: "),
        ({"at_ns": NOW + H}, "lies in the future"),
        ({"expires_ns": NOW}, "has expired"),
        ({"expires_ns": NOW + 73 * H}, "is valid for longer"),
        ({"who": "nobody"}, "is not on the roster"),
        ({"initiator": Initiator.EXECUTIVE}, "anna is finance"),
        ({"who": "fay"}, "is not signed by fay"),
        ({"action": transfer(0)}, "coins.atoms"),
        ({"action": msgspec.structs.replace(transfer(), coins=msgspec.structs.replace(
            transfer().coins, exponent=6))}, "BTT has 8 decimals, not 6"),
        ({"action": msgspec.structs.replace(transfer(), coins=msgspec.structs.replace(
            transfer().coins, asset="DOGE"))}, "none of this treasury's assets"),
        ({"action": transfer(address="TXthief")}, "TXthief is no address of cold wallet"),
        ({"action": msgspec.structs.replace(transfer(), network="bsc")}, "is no address of"),
        ({"action": msgspec.structs.replace(transfer(), memo="7")}, "is no address of"),
        ({"action": msgspec.structs.replace(transfer(), to_place="gate")}, 'no address of "gate"'),
        ({"action": STAKE}, "0x2 is no address of bttc"),
        ({"action": Override(trigger=Trigger.DEPEG, seen_ns=NOW, target="x",
                             does=transfer(address="TXthief"))}, "TXthief is no address of"),
    ],
)  # fmt: skip
def test_a_request_that_may_not_be_taken_up_says_why(changes: dict[str, Any], why: str) -> None:
    made = desk()
    [refused] = made.take(ANNA.asks(request(**changes))).records
    assert isinstance(refused, WordRefused)
    assert why in refused.why
    assert made.proposals.all() == []


def test_a_request_of_an_absent_person_is_refused() -> None:
    made = desk(ANNA.person((NOW - H, NOW + H)), OTTO.person())
    assert "anna is absent" in made.take(ASKED).records[0].why


def test_a_row_that_refuses_takes_nothing_up() -> None:
    rows = [{"name": "never", "tier": "refused", "why": "closed", "any_size": True}]
    made = desk(policy=authority(rows=rows))
    [refused] = made.take(ASKED).records
    assert refused.why == 'row "never" refuses it: closed'


# --- what changed between approval and beginning


def allowed() -> ActionDesk:
    made = desk()
    made.take(ASKED)
    made.take(OTTO.answers(ASKED))
    made.take(FAY.answers(ASKED))
    assert made.proposals["p1"].status is Status.APPROVED
    return made


def test_a_price_that_rose_asks_for_the_stricter_tier_before_it_begins() -> None:
    made = allowed()
    made.price(btt_price(NOW, money=620))
    assert made.begin(NOW).begins == []
    assert made.proposals["p1"].status is Status.PROPOSED
    made.take(EVA.answers(ASKED))
    assert [begin.name for begin in made.begin(NOW).begins] == ["p1"]


def test_an_allowed_action_waits_while_its_price_is_not_known() -> None:
    made = allowed()
    later = NOW + 2 * 60 * 10**9
    assert made.begin(later).begins == []
    assert made.proposals["p1"].status is Status.APPROVED
    made.price(btt_price(later))
    assert [begin.name for begin in made.begin(later).begins] == ["p1"]


def test_an_approval_that_expired_or_whose_key_is_gone_no_longer_counts() -> None:
    made = allowed()
    made.price(btt_price(NOW + 12 * H))
    made.begin(NOW + 12 * H)
    assert made.proposals["p1"].why == "the approval of otto expired"
    made = allowed()
    made.load(roster_set(ANNA.person(), FAY.person()))
    assert made.begin(NOW).begins == []
    assert "otto, who approved it, is no longer operations" in made.proposals["p1"].why
    made = allowed()
    other = msgspec.structs.replace(OTTO.person(), key=OLGA.public)
    made.remember(roster_set(ANNA.person(), FAY.person(), other))
    assert made.begin(NOW).begins == []
    assert "has another key" in made.proposals["p1"].why


# --- after it began


def begun() -> ActionDesk:
    made = desk()
    made.ask(engine_request())
    made.begin(NOW)
    return made


def test_what_is_not_known_to_the_place_proves_an_end_only_after_it_settled() -> None:
    made = begun()
    made.absent("e1", asked_ns=NOW + 59 * 10**9, at_ns=NOW + 61 * 10**9)
    assert made.proposals["e1"].status is Status.UNKNOWN
    made.absent("e1", asked_ns=NOW + 60 * 10**9, at_ns=NOW + 61 * 10**9)
    assert made.proposals["e1"].status is Status.FAILED
    assert made.begin(NOW).begins == [], "and it is not begun again"


def test_a_doubt_that_stays_makes_no_second_record_and_stays_an_alarm() -> None:
    made = begun()
    assert len(made.tell("e1", Ending.UNKNOWN, "x", at_ns=NOW, has_moved=False).records) == 1
    assert made.tell("e1", Ending.UNKNOWN, "x", at_ns=NOW, has_moved=False).records == []
    assert any("may be happening" in alert.text for alert in made.tick(NOW).alerts)
    assert [item.name for item in made.unresolved()] == ["e1"]


def test_the_same_bytes_have_the_same_reference_and_other_bytes_another() -> None:
    one, two = desk(), desk()
    one.ask(engine_request())
    two.ask(engine_request(why="other"))
    again = begun().proposals["e1"].reference
    assert one.begin(NOW).begins[0].reference == again
    assert two.begin(NOW).begins[0].reference != again


def test_proposals_that_ended_long_ago_are_let_go_of_and_cannot_come_back() -> None:
    made = desk()
    for number in range(5_010):
        made.proposals.apply(
            Proposed(at_ns=NOW, name=f"n{number}", body=body_of(number), signature=b"",
                     ruling=RECORDS["proposed"].ruling)
        )  # fmt: skip
        made.proposals.apply(Expired(at_ns=NOW, name=f"n{number}", why="x"))
    made.tick(NOW + 20 * H)
    assert len(made.proposals.all()) == 5_010, "its request could still arrive again"
    made.tick(NOW + 72 * H)
    assert made.proposals.all() == []


def body_of(number: int) -> bytes:
    return RECORDS["proposed"].body.replace(b'"p1"', b'"n%d"' % number)


# --- records make the same desk


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.integers(0, 3)), max_size=40))
def test_the_records_of_any_session_make_the_same_desk_again(
    acts: list[tuple[int, int, int]],
) -> None:
    made = desk()
    kept: list[ActionRecord] = [roster_set()]
    names = [f"p{n}" for n in range(4)]
    asked = {name: ANNA.asks(request(name, convert(10 ** (n + 7)))) for n, name in enumerate(names)}
    at_ns = NOW
    for what, who, which in acts:
        at_ns += H
        made.price(btt_price(at_ns))
        name, person = names[which], EVERYBODY[who]
        before = len(made.proposals.all())
        try:
            if what <= 1:
                step = made.take(msgspec.structs.replace(asked[name], at_ns=at_ns))
            elif what <= 5:
                step = made.take(person.answers(asked[name], at_ns))
            elif what == 6:
                step = made.take(person.answers(asked[name], at_ns, answer=Answer.REJECT, why="n"))
            elif what == 7:
                step = made.begin(at_ns)
            elif what == 8:
                step = made.tell(name, Ending.DONE, "", at_ns=at_ns, has_moved=True)
            else:
                step = made.tell(name, Ending.UNKNOWN, "", at_ns=at_ns, has_moved=False)
        except IllegalMove:
            assert len(made.proposals.all()) == before
            continue
        kept += step.records
        made.proposals.check()
    again = ActionDesk(authority(), verify, kept)
    assert again.proposals.all() == made.proposals.all()
    assert again.roster.people == made.roster.people
    begun_names = [record.name for record in kept if isinstance(record, Executing)]
    assert len(set(begun_names)) == len(begun_names), "each at most once"
    endorsed = [(r.name, r.who) for r in kept if isinstance(r, Endorsed)]
    assert len(set(endorsed)) == len(endorsed)
