"""The first row that an action fits says who must allow it; what is not known is largest."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.runtime.signing import verify
from engine.treasury.action_desk import ActionDesk
from engine.treasury.actions import coins_of
from engine.treasury.authority import REVIEW
from engine.values.action_records import Ending, Tier, WordRefused
from engine.values.action_words import (
    Action,
    AddToPool,
    EmergencySale,
    HedgeAction,
    Initiator,
    Override,
    Stake,
    Trigger,
    WidenLimit,
)
from tests.action_builders import (
    ANNA,
    EVA,
    FAY,
    MONEY,
    NOW,
    OTTO,
    H,
    authority,
    btt,
    btt_price,
    convert,
    desk,
    engine_request,
    request,
    stop,
    transfer,
    usdt,
)


def ruled(action: Action, initiator: Initiator = Initiator.FINANCE, **changes: Any) -> Tier:
    return desk().ruling(request(action=action, initiator=initiator, **changes), NOW).tier


def test_the_approval_tiers_of_the_spec() -> None:
    """Routine inside the bands automatic, medium two people, large and emergency an executive."""
    assert ruled(convert(50_000_000), Initiator.ENGINE) is Tier.AUTOMATIC
    assert ruled(convert(500_000_000), Initiator.ENGINE) is Tier.TWO_PEOPLE
    assert ruled(convert(5_000_000_000), Initiator.ENGINE) is Tier.EXECUTIVE
    hedge = HedgeAction(
        market="BTC/USDT", cover=btt(5_000_000_000), margin=usdt(9), until_ns=NOW + H
    )
    assert ruled(hedge) is Tier.EXECUTIVE
    sale = EmergencySale(
        shortfall=usdt(5), sell=btt(9), least=usdt(1), venues=["gate"], until_ns=NOW + H
    )
    assert ruled(sale) is Tier.EXECUTIVE
    assert ruled(WidenLimit(limit="x", was="1", becomes="2")) is Tier.TWO_PEOPLE
    assert ruled(stop()) is Tier.AUTOMATIC


def test_two_people_are_finance_and_operations() -> None:
    ruling = desk().ruling(request(), NOW)
    assert ruling.slots == [["finance"], ["operations"]]


def test_what_an_executive_allows_is_reviewed_afterwards() -> None:
    ruling = desk().ruling(request(action=convert(5_000_000_000)), NOW)
    assert (ruling.slots, ruling.duties) == ([["executive"]], [REVIEW])


def test_what_is_routine_for_the_engine_is_not_for_a_person() -> None:
    assert ruled(convert(50_000_000), Initiator.FINANCE) is Tier.TWO_PEOPLE


def test_a_bound_is_inclusive_and_one_atom_more_is_not() -> None:
    one_more = msgspec.structs.replace(btt(60_000_000), atoms=60_000_000 * 10**8 + 1)
    assert ruled(convert(60_000_000), Initiator.ENGINE) is Tier.AUTOMATIC
    more = msgspec.structs.replace(convert(), sell=one_more)
    assert ruled(more, Initiator.ENGINE) is Tier.TWO_PEOPLE


def test_a_limit_in_tokens_holds_when_the_price_halves_and_one_in_money_when_it_doubles() -> None:
    made = desk()
    asked = request(action=convert(80_000_000), initiator=Initiator.ENGINE)
    made.price(btt_price(money=62))
    assert made.ruling(asked, NOW).tier is Tier.TWO_PEOPLE, "49.60 USDT, but over 60M BTT"
    made.price(btt_price(money=31))
    assert made.ruling(asked, NOW).tier is Tier.TWO_PEOPLE, "24.80 USDT, and still over 60M BTT"
    asked = request(action=convert(60_000_000), initiator=Initiator.ENGINE)
    made.price(btt_price(money=62))
    assert made.ruling(asked, NOW).tier is Tier.AUTOMATIC, "37.20 USDT"
    made.price(btt_price(money=124))
    assert made.ruling(asked, NOW).tier is Tier.TWO_PEOPLE, "74.40 USDT, for as many tokens"


@pytest.mark.parametrize("at_ns", [NOW + 61 * 10**9, NOW - 1])
def test_a_price_that_is_old_or_of_the_future_is_unknown_and_unknown_is_strictest(
    at_ns: int,
) -> None:
    made = desk()
    asked = engine_request(action=convert(1))
    assert made.ruling(asked, NOW).tier is Tier.AUTOMATIC
    assert made.ruling(asked, at_ns).tier is Tier.EXECUTIVE
    assert made.ruling(asked, at_ns).money_atoms is None


def test_an_asset_that_a_row_does_not_name_does_not_fit_it() -> None:
    sell = msgspec.structs.replace(btt(1), asset="BTC")
    action = msgspec.structs.replace(convert(), sell=sell)
    assert ruled(action, Initiator.ENGINE) is Tier.EXECUTIVE


def test_money_itself_needs_no_price() -> None:
    made = ActionDesk(authority(), verify)
    action = msgspec.structs.replace(transfer(), coins=usdt(10))
    ruling = made.ruling(request(action=action), NOW)
    assert (ruling.tier, ruling.money_atoms) == (Tier.TWO_PEOPLE, 10 * 10**MONEY.exponent)


def test_what_is_owed_in_value_is_rounded_up() -> None:
    coins = msgspec.structs.replace(btt(1), atoms=1)
    made = desk()
    assert made.authority.money_atoms([coins], made.prices, NOW) == 1


def test_both_sides_of_a_pool_count() -> None:
    pool = AddToPool(pool="p", address="0x1", coins=[btt(100), usdt(499)])
    more = AddToPool(pool="p", address="0x1", coins=[btt(100), usdt(501)])
    assert (ruled(pool), ruled(more)) == (Tier.TWO_PEOPLE, Tier.EXECUTIVE)


# --- the rolling window


def automatic(made: Any, name: str, tokens: int, at_ns: int = NOW, **changes: Any) -> Tier | None:
    """Ask as the engine, carry it out at once, and say under which tier it was taken up."""
    made.price(btt_price(at_ns))
    made.ask(engine_request(name, convert(tokens, at_ns), at_ns=at_ns, **changes))
    for begin in made.begin(at_ns).begins:
        made.tell(begin.name, Ending.DONE, "", at_ns=at_ns, has_moved=True)
    found = made.proposals.get(name)
    return found and found.ruling.tier


def test_small_pieces_come_to_the_same_as_the_whole() -> None:
    made = desk()
    tiers = [automatic(made, f"e{n}", 60_000_000) for n in range(5)]
    assert tiers == [Tier.AUTOMATIC] * 4 + [Tier.TWO_PEOPLE]


def test_the_window_moves_on_and_lets_go_of_what_is_over() -> None:
    made = desk()
    for n in range(4):
        assert automatic(made, f"e{n}", 60_000_000) is Tier.AUTOMATIC
    assert automatic(made, "late", 60_000_000, NOW + 24 * H - 1) is Tier.TWO_PEOPLE
    assert automatic(made, "later", 1, NOW + 24 * H + 10**9) is Tier.AUTOMATIC


def test_another_kind_of_sale_is_in_the_same_window_and_a_hedge_is_not() -> None:
    made = desk()
    for n in range(4):
        automatic(made, f"e{n}", 60_000_000)
    hedge = HedgeAction(market="m", cover=btt(60_000_000), margin=usdt(9), until_ns=NOW + H)
    assert made.ruling(engine_request("h", hedge), NOW).tier is Tier.AUTOMATIC
    stake = Stake(coins=btt(60_000_000), platform="p", address="0x1", notice_ns=H)
    assert made.ruling(request("s", stake), NOW).tier is Tier.TWO_PEOPLE
    assert made.ruling(engine_request("x"), NOW).tier is Tier.TWO_PEOPLE


def test_each_business_function_has_its_own_window() -> None:
    made = desk()
    for n in range(4):
        automatic(made, f"e{n}", 60_000_000)
    assert automatic(made, "other", 60_000_000, function="creator rewards") is Tier.AUTOMATIC


def test_what_still_needs_a_signature_holds_nobody_up_and_counts_others_when_it_begins() -> None:
    made = desk()
    asked = ANNA.asks(request("large", convert(200_000_000)))
    made.take(asked)
    assert automatic(made, "e", 60_000_000) is Tier.AUTOMATIC
    made.take(OTTO.answers(asked))
    made.take(FAY.answers(asked))
    assert [begin.name for begin in made.begin(NOW).begins] == ["large"]


def test_requests_that_were_allowed_together_do_not_undo_each_other() -> None:
    made = desk()
    tiers = [made.ask(engine_request(f"e{n}", convert(60_000_000))).records for n in range(5)]
    assert [one[0].ruling.tier for one in tiers] == [Tier.AUTOMATIC] * 4 + [Tier.TWO_PEOPLE]
    assert [begin.name for begin in made.begin(NOW).begins] == ["e0", "e1", "e2", "e3"]


def test_what_is_out_counts_whatever_its_age_and_what_never_moved_does_not() -> None:
    made = desk()
    made.ask(engine_request("fails", convert(60_000_000)))
    [begin] = made.begin(NOW).begins
    made.tell(begin.name, Ending.UNKNOWN, "time-out", at_ns=NOW, has_moved=False)
    later = NOW + 100 * H
    made.price(btt_price(later))
    asked = engine_request("e", convert(60_000_000), at_ns=later)
    assert made.ruling(asked, later).money_atoms == 37_20000000
    wide = engine_request("e", convert(240_000_000), at_ns=later)
    assert made.ruling(wide, later).tier is Tier.TWO_PEOPLE
    made.tell("fails", Ending.FAILED, "never was", at_ns=later, has_moved=False)
    tiers = [automatic(made, f"e{n}", 60_000_000, later) for n in range(5)]
    assert tiers == [Tier.AUTOMATIC] * 4 + [Tier.TWO_PEOPLE]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 90), st.booleans(), st.integers(0, 12), st.booleans()),
        max_size=25,
    )
)
def test_what_began_automatically_never_passes_the_window_with_all_that_began_before(
    acts: list[tuple[int, bool, int, bool]],
) -> None:
    made, at_ns = desk(), NOW
    for number, (millions, is_engine, hours, begins) in enumerate(acts):
        at_ns += hours * H
        made.price(btt_price(at_ns))
        action = convert(millions * 10**6, at_ns)
        if is_engine:
            made.ask(engine_request(f"a{number}", action, at_ns=at_ns))
        else:
            asked = ANNA.asks(
                request(f"a{number}", action, at_ns=at_ns, expires_ns=at_ns + 24 * H), at_ns
            )
            for word in (asked, OTTO.answers(asked, at_ns), FAY.answers(asked, at_ns)):
                made.take(word)
        for begin in made.begin(at_ns).begins if begins else ():
            made.tell(begin.name, Ending.DONE, "", at_ns=at_ns, has_moved=True)
    begun = [one for one in made.proposals.all() if one.began_ns]
    order = sorted(range(len(begun)), key=lambda n: (begun[n].began_ns, n))
    for place, number in enumerate(order):
        one = begun[number]
        since_ns = one.began_ns - 24 * H
        before = [begun[n] for n in order[: place + 1] if begun[n].began_ns > since_ns]
        total = sum(coins_of(item.request.action)[0].atoms for item in before)
        if one.ruling.tier is Tier.AUTOMATIC:
            assert total <= 240_000_000 * 10**8


# --- overrides


def override(trigger: Trigger = Trigger.EXCHANGE_OUTAGE, does: Any = None) -> Override:
    return Override(trigger=trigger, seen_ns=NOW, target="binance", does=does or transfer())


@pytest.mark.parametrize("trigger", Trigger)
def test_each_named_trigger_has_who_how_fast_and_which_evidence(trigger: Trigger) -> None:
    asked = request(action=override(trigger), initiator=Initiator.ENGINE)
    ruling = desk().ruling(asked, NOW)
    assert ruling.tier is Tier.OVERRIDE
    assert ruling.slots == [["executive", "operations"]]
    assert ruling.duties == ["status page", "balances"]
    assert ruling.duties_ns == 24 * H


def test_who_is_named_for_a_trigger_may_act_alone_where_the_row_says_so() -> None:
    asked = request(
        action=override(), who="otto", initiator=Initiator.OPERATIONS, expires_ns=NOW + H
    )
    made = desk()
    step = made.take(OTTO.asks(asked))
    assert not isinstance(step.records[0], WordRefused)
    assert [begin.name for begin in made.begin(NOW).begins] == ["p1"]


def test_who_is_not_named_for_it_needs_one_who_is() -> None:
    asked = ANNA.asks(request(action=override(), expires_ns=NOW + H))
    made = desk()
    made.take(asked)
    assert made.begin(NOW).begins == []
    made.take(EVA.answers(asked))
    assert [begin.name for begin in made.begin(NOW).begins] == ["p1"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expires_ns": NOW + H + 1}, "is later than its trigger allows"),
        ({"action": msgspec.structs.replace(override(), seen_ns=NOW - H - 1)}, "too long ago"),
        ({"action": msgspec.structs.replace(override(), seen_ns=NOW + H)}, "lies in the future"),
        ({"action": override(does=transfer(9_000_000_000))}, "moves more than it may"),
        (
            {"action": override(does=HedgeAction(
                market="m", cover=btt(1), margin=usdt(1), until_ns=NOW + H))},
            "does not allow to hedge",
        ),
    ],
)  # fmt: skip
def test_an_override_beyond_its_row_is_refused(changes: dict[str, Any], why: str) -> None:
    asked = msgspec.structs.replace(request(action=override(), expires_ns=NOW + H), **changes)
    [record] = desk().take(ANNA.asks(asked)).records
    assert isinstance(record, WordRefused)
    assert why in record.why


@pytest.mark.parametrize(
    "action",
    [
        convert(),
        HedgeAction(market="m", cover=btt(1), margin=usdt(1), until_ns=NOW + 4 * H),
        override(does=convert()),
    ],
)
def test_what_is_wanted_until_a_moment_that_has_passed_is_refused_when_it_is_asked(
    action: Action,
) -> None:
    at_ns = NOW + 4 * H
    if isinstance(action, Override):
        action = msgspec.structs.replace(action, seen_ns=at_ns)
    for now_ns, is_late in ((at_ns - 1, False), (at_ns, True)):
        asked = request(action=action, at_ns=now_ns, expires_ns=now_ns + H)
        [record] = desk(at_ns=now_ns).take(ANNA.asks(asked, now_ns)).records
        why = record.why if isinstance(record, WordRefused) else ""
        assert ("until_ns: has passed already" in why) is is_late


def test_an_override_whose_size_is_not_known_is_refused() -> None:
    made = ActionDesk(authority(), verify)
    assert made.ruling(request(action=override()), NOW).tier is Tier.REFUSED
    assert made.ruling(request(action=override(does=stop())), NOW).tier is Tier.OVERRIDE


def test_evidence_that_is_missing_is_an_alarm_and_a_worse_one_when_it_is_late() -> None:
    made = desk()
    asked = request(
        action=override(), who="otto", initiator=Initiator.OPERATIONS, expires_ns=NOW + H
    )
    made.take(OTTO.asks(asked))
    made.begin(NOW)
    made.tell("p1", Ending.DONE, "", at_ns=NOW, has_moved=True)
    told = [(a.level, a.text) for a in made.tick(NOW + 1).alerts]
    assert [level for level, text in told if "is missing" in text] == ["warning"] * 2
    assert made.tick(NOW + 2).alerts == [], "once"
    made.take(OTTO.gives("p1", "balances", NOW + 3))
    late = [a.text for a in made.tick(NOW + 25 * H).alerts if a.level == "critical"]
    assert len(late) == 1
    assert '"status page" is missing' in late[0]
    made.take(OTTO.gives("p1", "status page", NOW + 26 * H))
    assert made.proposals["p1"].missing == []


def test_a_review_is_by_somebody_who_took_no_part() -> None:
    made = desk()
    asked = ANNA.asks(request(action=convert(5_000_000_000)))
    made.take(asked)
    made.take(EVA.answers(asked))
    made.begin(NOW)
    for one in (ANNA, EVA):
        [refused] = made.take(one.gives("p1", REVIEW)).records
        assert isinstance(refused, WordRefused)
        assert "a review is by somebody else" in refused.why
    made.take(OTTO.gives("p1", REVIEW))
    assert made.proposals["p1"].missing == []


def test_evidence_that_is_not_signed_or_not_wanted_is_refused() -> None:
    made = desk()
    asked = ANNA.asks(request(action=convert(5_000_000_000)))
    made.take(asked)
    made.take(EVA.answers(asked))
    made.begin(NOW)
    forged = msgspec.structs.replace(OTTO.gives("p1", REVIEW), digest="cd" * 32)
    for word in (forged, OTTO.gives("p1", "poem"), OTTO.gives("nothing", REVIEW)):
        assert isinstance(made.take(word).records[0], WordRefused)
