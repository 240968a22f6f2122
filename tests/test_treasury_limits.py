"""Limits as rows: each example of the spec, both units, and that only tightening acts at once."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.treasury.facts import Facts, Spent
from engine.treasury.limit_measures import Both, Finding, findings_of
from engine.treasury.limit_rows import (
    KINDS,
    changed,
    is_wider,
    row_problem,
    same_numbers,
    tightest,
)
from engine.treasury.limits import Limits
from engine.values.treasury_words import (
    Bucket,
    LimitMoved,
    LimitRow,
    LimitsSet,
    LimitWidened,
    LockKind,
    Measure,
    PriceReviewed,
)
from tests.holdings_builders import (
    ALL_BUCKETS,
    NOW_NS,
    asset,
    book,
    facts,
    float_set,
    halt,
    holdings,
    limit,
    lock,
    locks,
    obligations,
    owed,
    price,
    seen,
    unhedged,
)


def found(row: LimitRow, told: Facts, **references: Any) -> Finding:
    (one,) = findings_of(row, told, references)
    return one


def wanted(*rows: LimitRow, at_ns: int = NOW_NS) -> LimitsSet:
    return LimitsSet(at_ns=at_ns, who="file", name="t.toml", digest="", rows=list(rows))


def limits(*rows: LimitRow) -> Limits:
    made = Limits()
    made.remember(wanted(*rows))
    return made


# --- the examples of the spec -------------------------------------------------------------------


def test_net_unhedged_exposure_is_at_most_15_percent_of_the_obligations_of_the_next_30_days() -> (
    None
):
    debts = obligations(owed("in", 30, 1_000), owed("out", 31, 5_000))
    one = found(unhedged(), facts(seen("one", BTT=6_150), debts, price(1)))
    assert (one.ceiling.atoms, one.value.atoms, one.is_breached) == (150, 150, False)
    one = found(unhedged(), facts(seen("one", BTT=6_151), debts, price(1)))
    assert (one.value.atoms, one.is_breached, one.room.atoms) == (151, True, 0)


def test_a_hedge_makes_room_and_an_open_buy_takes_it() -> None:
    keeper = holdings(seen("one", BTT=250), obligations(owed("a", 9, 200)), price(1))
    keeper.cover("BTT", 45)
    assert found(unhedged(), keeper.facts()).value.atoms == 5
    keeper.may_fill("one", "BTT", 20)
    assert found(unhedged(), keeper.facts()).room.atoms == 5
    keeper.cover("BTT", 90)
    assert found(unhedged(), keeper.facts()).value.atoms == 40


def test_only_the_buckets_that_a_row_names_count() -> None:
    told = facts(seen("one", BTT=450), price(1))
    assert found(unhedged(buckets=[Bucket.FLOAT]), told).value.atoms == 100
    assert found(unhedged(buckets=[Bucket.SURPLUS]), told).value.atoms == 50


def test_staking_comes_only_from_what_exceeds_45_days_of_needs() -> None:
    debts = obligations(owed("in", 45, 300), owed("out", 46, 900))
    row = limit(Measure.STAKED, asset="BTT", days=45)
    told = (seen("one", BTT=400), debts, price(1))
    one = found(row, facts(*told, locks(lock("s", 100, 9))))
    assert (one.value.atoms, one.ceiling.atoms, one.is_breached) == (100, 200, False)
    one = found(row, facts(seen("one", BTT=250), debts, price(1), locks(lock("s", 100, 9))))
    assert (one.ceiling.atoms, one.is_breached) == (50, True)


def test_what_money_is_owed_lowers_what_may_be_staked_in_money() -> None:
    debts = obligations(owed("a", 9, 150, asset="USDT"))
    row = limit(Measure.STAKED, asset="BTT", days=45)
    told = (seen("one", BTT=100, USDT=20), debts, locks(lock("s", 100, 9)))
    one = found(row, facts(*told, price(1)))
    assert (one.value.money, one.ceiling.money, one.is_breached) == (100, 70, True)
    assert not found(row, facts(*told, price(2))).is_breached


def test_at_most_40_percent_of_liquid_holdings_lie_on_one_venue() -> None:
    row = limit(Measure.VENUE_SHARE, asset="BTT", share_ppm=400_000)
    told = facts(seen("one", BTT=41), seen("two", BTT=20), seen("cold", BTT=39), price(1))
    one, two = findings_of(row, told, {})
    assert (one.subject, one.ceiling.atoms, one.is_breached) == ("one", 40, True)
    assert (two.subject, two.room.atoms, two.is_breached) == ("two", 20, False)


def test_the_share_on_a_venue_counts_all_assets_in_money() -> None:
    row = limit(Measure.VENUE_SHARE, share_ppm=400_000)
    told = facts(seen("one", BTT=10, USDT=30), seen("cold", USDT=50), price(2))
    one, two = findings_of(row, told, {})
    assert (one.value, one.ceiling, one.is_breached) == (Both(None, 50), Both(None, 40), True)
    assert two.value.money == 0


def test_what_is_locked_is_no_liquid_holding() -> None:
    row = limit(Measure.VENUE_SHARE, asset="BTT", share_ppm=400_000)
    told = (seen("one", BTT=40), seen("two", BTT=60), price(1))
    one, two = findings_of(row, facts(*told, locks(lock("s", 900, 1), halt("two", 1))), {})
    assert (one.ceiling.atoms, one.is_breached, two.value.atoms) == (16, True, 0)


def test_the_buffer_of_days_of_outflows_is_held_in_stable_value() -> None:
    row = limit(Measure.STABLE_BUFFER, days=14)
    debts = obligations(owed("a", 14, 30), owed("b", 15, 500), owed("c", 1, 5, asset="USDT"))
    told = (seen("one", BTT=900, USDT=65), debts)
    one = found(row, facts(*told, price(2)))
    assert (one.is_floor, one.value.money, one.ceiling.money, one.room.money) == (True, 65, 65, 0)
    assert not one.is_breached
    assert found(row, facts(*told, price(3))).is_breached


def test_a_stable_that_lost_its_peg_counts_at_its_price_and_without_one_for_nothing() -> None:
    row = limit(Measure.STABLE_BUFFER, days=14)
    usdc = {"assets": {"USDC": asset("USDC", is_stable=True)}}
    told = (seen("one", USDC=100), obligations(owed("a", 1, 90, asset="USDT")))
    assert not found(row, facts(*told, price(1, name="USDC"), **usdc)).is_breached
    assert found(row, facts(*told, price(8, 10, name="USDC"), **usdc)).is_breached
    assert found(row, facts(*told, **usdc)).value.money == 0


def test_a_buffer_for_what_has_no_price_is_never_enough() -> None:
    told = facts(seen("one", USDT=10**9), obligations(owed("a", 1, 1)))
    one = found(limit(Measure.STABLE_BUFFER, days=14), told)
    assert (one.state, one.is_breached, one.room.money) == ("unknown", False, 0)


def test_a_price_that_is_lost_begins_no_breach_and_ends_none() -> None:
    made = limits(limit(Measure.STABLE_BUFFER, days=14))
    owes = obligations(owed("a", 1, 10))
    enough, short = seen("one", USDT=10**9), seen("one", USDT=1)
    assert made.look(facts(enough, owes, price(1)), "a") == []
    assert made.look(facts(enough, owes), "the price is lost") == []
    assert [(each.state, each.room.money) for each in made.findings] == [("unknown", 0)]
    assert made.look(facts(enough, owes, price(1)), "it is back") == []
    assert [row.breached for row in made.look(facts(short, owes, price(1)), "spent")] == [True]
    assert made.look(facts(short, owes), "lost again") == []
    assert [each.state for each in made.findings] == ["PASSED"]
    assert [row.breached for row in made.look(facts(enough, owes, price(1)), "b")] == [False]


def test_a_stake_is_not_beyond_the_needs_because_something_else_lost_its_price() -> None:
    made = limits(limit(Measure.STAKED, asset="BTT", days=45))
    held = (seen("cold", BTT=100), seen("one", TRX=1_000), price(1))
    owes, stake = obligations(owed("a", 1, 150, asset="USDT")), locks(lock("s", 40, 9))
    assert moves(made, facts(*held, owes, stake, price(1, name="TRX"))) == []
    assert [each.state for each in made.findings] == ["holds"]
    assert moves(made, facts(*held, owes, stake)) == []
    (one,) = made.findings
    assert (one.state, one.room, one.why) == ("unknown", Both(0, 0), "no price of TRX")
    less = facts(*held, obligations(owed("a", 1, 120)), stake)
    assert moves(made, less) == [True], "its own tokens prove it"


def moves(made: Limits, told: Facts) -> list[bool]:
    return [each.breached for each in made.look(told, "f") if isinstance(each, LimitMoved)]


def test_a_buffer_is_not_passed_because_a_stable_lost_its_price() -> None:
    usdc = {"assets": {"USDC": asset("USDC", is_stable=True)}}
    held = (seen("one", USDC=10), obligations(owed("a", 1, 10)), price(1))
    row = limit(Measure.STABLE_BUFFER, days=14)
    made = limits(row)
    assert moves(made, facts(*held, price(1, name="USDC"), **usdc)) == []
    assert moves(made, facts(*held, **usdc)) == []
    assert [(one.state, one.why) for one in made.findings] == [("unknown", "no price of USDC")]
    assert found(row, facts(*held, seen("two", USDT=10), **usdc)).state == "holds"


def test_a_limit_that_goes_while_it_is_not_known_was_never_passed() -> None:
    made = limits(limit(Measure.STABLE_BUFFER, days=14))
    told = facts(seen("one", USDT=10**9), obligations(owed("a", 1, 10)))
    assert made.look(told, "no price") == []
    waiting = made.remember(LimitsSet(at_ns=1, who="", name="f", digest="", rows=[
        limit(Measure.VENUE_LIST, venues=["one"])
    ]))  # fmt: skip
    gone = waiting[0]
    made.remember(LimitWidened(at_ns=2, action="d", name=gone.name, row=None))
    assert made.look(told, "gone") == []


def test_what_was_spent_is_known_without_a_price() -> None:
    keeper = holdings()
    keeper.turn("BTT", Spent(atoms=60, money_atoms=120), NOW_NS)
    one = found(limit(Measure.TURNOVER, asset="BTT", tokens="100", money="150"), keeper.facts())
    assert (one.state, one.room) == ("holds", Both(0, 0))


def test_tokens_beyond_their_ceiling_are_a_breach_without_any_price() -> None:
    made = limits(limit(Measure.VENUE_SHARE, asset="BTT", share_ppm=400_000))
    even = facts(seen("one", BTT=4), seen("two", BTT=6), price(1))
    made.look(even, "a")
    before = {each.subject for each in made.findings if each.is_breached}
    moved = made.look(facts(seen("one", BTT=9), seen("two", BTT=1)), "b")
    assert before == {"two"}
    assert [(row.subject, row.breached) for row in moved] == [("one", True)]
    made.look(facts(seen("one", BTT=4), seen("two", BTT=6)), "c")
    ended = made.look(facts(seen("one", BTT=4), seen("two", BTT=6), price(1)), "d")
    assert [(row.subject, row.breached) for row in ended] == [("one", False)]


def test_daily_turnover_has_a_cap_in_tokens_and_in_money() -> None:
    row = limit(Measure.TURNOVER, asset="BTT", tokens="100", money="150")
    keeper = holdings(price(2))
    keeper.turn("BTT", Spent(atoms=60, money_atoms=120), NOW_NS)
    one = found(row, keeper.facts())
    assert (one.room.atoms, one.why, one.is_breached) == (15, "bound by its money", False)
    keeper.turn("BTT", Spent(atoms=16, money_atoms=31), NOW_NS)
    assert found(row, keeper.facts()).is_breached


def test_anything_on_a_venue_off_the_list_is_a_breach() -> None:
    row = limit(Measure.VENUE_LIST, venues=["one"])
    assert not found(row, facts(seen("one", BTT=5), seen("cold", BTT=5))).is_breached
    one = found(row, facts(seen("two", BTT=1)))
    assert (one.subject, one.is_breached) == ("two", True)


def test_each_business_function_has_a_threshold_of_its_own() -> None:
    debts = obligations(owed("a", 5, 100), owed("b", 5, 900, function="rebates"))
    told = facts(seen("one", BTT=1_020), debts, price(1))
    creators = unhedged(name="creators", function="creator rewards")
    assert found(creators, told).is_breached
    assert not found(unhedged(name="rebates", function="rebates"), told).is_breached


# --- both units, and the price ------------------------------------------------------------------

DEBTS = obligations(owed("a", 5, 1_000))


def held_at(money: int, base: int = 1) -> Facts:
    return facts(seen("one", BTT=1_100), DEBTS, price(money, base))


def test_a_limit_holds_in_tokens_and_in_money_when_the_price_halves() -> None:
    made = limits(unhedged(tokens="120", money="1000"))
    made.look(held_at(8), "price 8")
    assert made.findings[0].room == Both(20, 160)
    assert made.findings[0].why == "bound by its tokens"
    made.look(held_at(4), "price 4")
    (after,) = made.findings
    assert after.ceiling == Both(120, 600)
    assert after.room == Both(20, 80)


def test_when_the_price_doubles_the_money_ceiling_binds_until_people_have_looked() -> None:
    made = limits(unhedged())
    made.look(held_at(4), "price 4")
    assert made.findings[0].ceiling == Both(150, 600)
    made.look(held_at(8), "price 8")
    (after,) = made.findings
    assert (after.ceiling, after.is_breached) == (Both(150, 600), True)
    assert made.reviews["BTT"].now == price(8)
    approved = PriceReviewed(
        at_ns=NOW_NS, action="digest", asset="BTT", money_atoms=8, base_atoms=1
    )
    made.remember(approved)
    made.look(held_at(8), "review")
    assert not made.findings[0].is_breached
    assert made.reviews == {}


def test_a_halved_price_moves_the_ceilings_at_once_and_a_lesser_fall_does_not() -> None:
    made = limits(unhedged())
    made.look(held_at(4), "price 4")
    assert made.look(held_at(21, 10), "price 2.1") == []
    assert made.findings[0].ceiling.money == 600
    (record,) = made.look(held_at(2), "price 2")
    assert record == PriceReviewed(
        at_ns=NOW_NS, action="", asset="BTT", money_atoms=2, base_atoms=1
    )
    assert made.findings[0].ceiling.money == 300


def test_a_price_that_recovers_gives_no_room_back() -> None:
    made = limits(unhedged())
    for money in (4, 2, 4):
        made.look(held_at(money), f"price {money}")
    assert made.findings[0].ceiling.money == 300
    assert made.findings[0].is_breached


def test_without_a_price_there_is_no_room() -> None:
    one = found(unhedged(), facts(seen("one", BTT=1_010), DEBTS))
    assert (one.value.atoms, one.ceiling.atoms, one.room) == (10, 150, Both(0, 0))
    assert one.why == "no price of BTT"


def test_a_higher_price_of_review_needs_an_approved_action() -> None:
    made = limits(unhedged())
    made.look(held_at(4), "price 4")
    higher = PriceReviewed(at_ns=NOW_NS, action="", asset="BTT", money_atoms=5, base_atoms=1)
    with pytest.raises(KeyError):
        made.remember(higher)
    assert made.references["BTT"] == price(4)


def test_where_venues_differ_what_is_held_counts_low_and_what_is_owed_high() -> None:
    books = book("one", bids=[(9, 9)], asks=[(11, 9)]), book("two", bids=[(19, 9)], asks=[(21, 9)])
    told = facts(*books)
    assert (told.worth("BTT", 5), told.cost("BTT", 5)) == (50, 100)


# --- what moved it ------------------------------------------------------------------------------


def test_a_limit_names_the_fact_that_moved_it_last() -> None:
    made = limits(unhedged())
    keeper = holdings(price(1), seen("one", BTT=100), float_set("one", "BTT", 100), DEBTS)
    made.look(keeper.facts(), "obligations.csv")
    keeper.learn(seen("one", USDT=5))
    made.look(keeper.facts(), "a balance of USDT")
    assert made.standings[0].moved_by == "obligations.csv"
    keeper.learn(seen("two", BTT=901))
    made.look(keeper.facts(), "a balance of BTT")
    assert made.standings[0].moved_by == "a balance of BTT"


def test_a_breach_and_its_end_are_told_once() -> None:
    made = limits(unhedged())
    keeper = holdings(price(1), seen("one", BTT=1_151), DEBTS)
    _, moved = made.look(keeper.facts(), "first")
    assert (moved.breached, moved.value) == (True, "151 BTT, 151 USDT")
    assert made.look(keeper.facts(), "again") == []
    keeper.learn(seen("one", BTT=1_150))
    (moved,) = made.look(keeper.facts(), "sold")
    assert (moved.breached, moved.fact) == (False, "sold")


# --- tightening acts, widening waits ------------------------------------------------------------


def test_a_tighter_limit_holds_at_once() -> None:
    made = limits(unhedged())
    assert made.remember(wanted(unhedged(share_ppm=100_000))) == []
    assert made.rows[0].share_ppm == 100_000


def test_a_wider_limit_waits_for_a_second_person() -> None:
    made = limits(unhedged())
    (waits,) = made.remember(wanted(unhedged(share_ppm=200_000)))
    assert (waits.was.share_ppm, made.rows[0].share_ppm) == (150_000, 150_000)
    assert waits.wanted is not None
    made.remember(LimitWidened(at_ns=NOW_NS, action="d", name=waits.name, row=waits.wanted))
    assert (made.rows[0].share_ppm, made.waiting) == (200_000, [])


def test_of_a_mixed_change_only_the_tighter_half_holds() -> None:
    made = limits(unhedged())
    (waits,) = made.remember(wanted(unhedged(share_ppm=100_000, days=60)))
    assert (made.rows[0].share_ppm, made.rows[0].days) == (100_000, 30)
    assert waits.wanted is not None
    assert waits.wanted.days == 60


def test_a_limit_that_is_gone_from_the_file_holds_until_that_is_agreed() -> None:
    made = limits(unhedged(), limit(Measure.STAKED, asset="BTT", days=45))
    (waits,) = made.remember(wanted(unhedged()))
    assert (waits.wanted, len(made.rows)) == (None, 2)
    made.remember(LimitWidened(at_ns=NOW_NS, action="d", name=waits.name, row=None))
    assert [row.measure for row in made.rows] == [Measure.UNHEDGED]


def test_a_rule_that_changes_what_it_looks_at_keeps_the_old_one_beside_it() -> None:
    made = limits(unhedged(name="x"))
    (waits,) = made.remember(wanted(unhedged(name="x", function="rebates")))
    assert [row.name for row in made.rows] == ["x (before)", "x"]
    assert waits.wanted is None


@pytest.mark.parametrize(
    "fact",
    [
        LimitWidened(at_ns=NOW_NS, action="d", name="nobody's", row=None),
        LimitWidened(at_ns=NOW_NS, action="d", name="unhedged exposure", row=None),
        LimitWidened(
            at_ns=NOW_NS, action="d", name="unhedged exposure", row=unhedged(share_ppm=900_000)
        ),
    ],
    ids=["no such limit", "another wish", "wider than was agreed"],
)
def test_a_widening_that_nobody_asked_for_changes_nothing(fact: LimitWidened) -> None:
    made = limits(unhedged())
    made.remember(wanted(unhedged(share_ppm=200_000)))
    rows, waiting = list(made.rows), list(made.waiting)
    with pytest.raises(KeyError):
        made.remember(fact)
    assert (made.rows, made.waiting) == (rows, waiting)


def test_the_records_rebuild_the_limits() -> None:
    made = limits(unhedged(), limit(Measure.STAKED, asset="BTT", days=45))
    records: list[Any] = [wanted(*made.rows)]
    for fact in (wanted(unhedged(share_ppm=200_000)), wanted(unhedged(share_ppm=120_000))):
        made.remember(fact)
        records.append(fact)
    for money in (4, 2, 8):
        records += [
            one for one in made.look(held_at(money), "price") if isinstance(one, PriceReviewed)
        ]
    again = Limits()
    for record in records:
        again.remember(record)
    assert (again.rows, again.waiting) == (made.rows, made.waiting)
    assert again.references == made.references


shares = st.integers(0, 1_000_000)
texts = st.one_of(st.none(), st.integers(0, 999).map(str))
some_buckets = st.lists(st.sampled_from(ALL_BUCKETS), min_size=1, unique=True)
an_unhedged = st.builds(
    lambda s, d, t, m, b: unhedged(share_ppm=s, days=d, tokens=t, money=m, buckets=b),
    shares, st.integers(0, 90), texts, texts, some_buckets,
)  # fmt: skip
a_stake = st.builds(
    lambda d, t: limit(Measure.STAKED, asset="BTT", days=d, tokens=t), st.integers(0, 90), texts
)
rows = st.one_of(st.tuples(an_unhedged, an_unhedged), st.tuples(a_stake, a_stake))


@settings(max_examples=200, deadline=None)
@given(rows, st.integers(0, 2_000), st.integers(1, 9))
def test_no_change_of_rows_gives_room_before_it_is_agreed(
    pair: tuple[LimitRow, LimitRow], held: int, money: int
) -> None:
    now, wish = pair
    told = facts(
        seen("one", BTT=held),
        obligations(owed("a", 10, 300), owed("b", 50, 500)),
        locks(lock("s", 40, 9)),
        price(money),
    )
    in_force, waiting = changed([now], [wish])
    before, after = found(now, told), found(in_force[0], told)
    assert before.room.atoms is not None
    assert after.room.atoms is not None
    assert after.room.atoms <= before.room.atoms
    assert after.is_breached or not before.is_breached
    assert bool(waiting) == is_wider(wish, now)
    assert not is_wider(in_force[0], now)
    assert same_numbers(tightest(in_force[0], now), in_force[0])


# --- rows that make no sense --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (unhedged(share_ppm=None), 'share_ppm: missing; "unhedged exposure" needs it'),
        (unhedged(days=-1), "days: must be 0 to 3660"),
        (unhedged(share_ppm=1_000_001), "share_ppm: must be 0 to 1000000"),
        (unhedged(tokens="1e3"), "tokens: not a plain decimal: '1e3'"),
        (unhedged(money="-1"), "money: must not be negative"),
        (unhedged(venues=["one"]), 'venues: "unhedged exposure" has none'),
        (unhedged(name=" "), "name: must not be empty"),
        (limit(Measure.VENUE_SHARE, share_ppm=1, tokens="5"), "tokens: needs an asset"),
        (limit(Measure.TURNOVER, asset="BTT", tokens="5"), "money: missing"),
        (limit(Measure.VENUE_LIST), "venues: missing"),
    ],
)
def test_a_row_that_makes_no_sense_is_named_by_its_key(row: LimitRow, fault: str) -> None:
    assert row_problem(row).startswith(fault)


def test_every_measure_has_its_row_in_the_table() -> None:
    assert set(KINDS) == set(Measure)
    assert all(kind.must.isdisjoint(kind.may) for kind in KINDS.values())
    names = {field.name for field in msgspec.structs.fields(LimitRow)}
    assert all((kind.must | kind.may) <= names for kind in KINDS.values())


def test_a_pool_is_no_stake() -> None:
    row = limit(Measure.STAKED, asset="BTT", days=45)
    told = facts(seen("one", BTT=9), locks(lock("p", 100, 9, kind=LockKind.POOL)), book("one"))
    assert found(row, told).value.atoms == 0
