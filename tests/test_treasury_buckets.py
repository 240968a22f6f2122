"""Every unit is in exactly one bucket, whatever happens; and the market maker gets its float."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.treasury.bands import Bands
from engine.treasury.buckets import Split, split
from engine.treasury.dates import NS_PER_DAY, NS_PER_H, day_of, day_text
from engine.treasury.facts import Spent
from engine.treasury.holdings import Holdings, Traded
from engine.treasury.limit_measures import findings_of
from engine.treasury.locks import total_atoms
from engine.treasury.release import bands_of_release, release
from engine.values.treasury_words import Bucket, Holding, HoldingsSeen, Measure, ObligationPaid
from tests.holdings_builders import (
    NOW_NS,
    TODAY,
    book,
    bucket,
    facts,
    float_row,
    float_set,
    halt,
    holdings,
    limit,
    lock,
    locks,
    obligations,
    owed,
    price,
    scheme,
    seen,
    unhedged,
)


def buckets(found: Split) -> tuple[int, int, int, int]:
    """(float, reserved, discretionary, surplus)."""
    float_atoms, reserved, discretionary, surplus = (found.atoms(one) for one in Bucket)
    return float_atoms, reserved, discretionary, surplus


def test_the_waterfall_fills_reserve_then_float_then_discretionary_then_surplus() -> None:
    told = facts(seen("one", BTT=500), seen("cold", BTT=400), obligations(owed("a", 10, 350)))
    assert buckets(split(told, "BTT")) == (100, 350, 300, 150)


def test_what_falls_due_after_the_reserve_days_is_not_reserved_yet() -> None:
    told = facts(seen("one", BTT=500), obligations(owed("a", 45, 50), owed("b", 46, 70)))
    assert buckets(split(told, "BTT"))[1] == 50


def test_what_is_overdue_is_reserved() -> None:
    told = facts(seen("one", BTT=500), obligations(owed("a", -3, 50)))
    assert buckets(split(told, "BTT"))[1] == 50


def test_the_reserve_takes_from_the_float_only_what_nothing_else_can_pay() -> None:
    told = facts(seen("one", BTT=150), seen("cold", BTT=200), obligations(owed("a", 5, 300)))
    found = split(told, "BTT")
    assert buckets(found) == (50, 300, 0, 0)
    assert found.short_atoms == 0


def test_the_reserve_takes_what_is_cash_last_but_in_time() -> None:
    told = facts(seen("one", BTT=500), locks(lock("s", 100, 7)), obligations(owed("a", 10, 100)))
    (part,) = [one for one in split(told, "BTT").parts if one.bucket is Bucket.RESERVED]
    assert part.piece.how == "staked"


def test_a_stake_that_is_cash_too_late_reserves_nothing() -> None:
    told = facts(seen("one", BTT=60), locks(lock("s", 100, 11)), obligations(owed("a", 10, 100)))
    found = split(told, "BTT")
    assert (found.atoms(Bucket.RESERVED), found.short_atoms) == (60, 40)


def test_a_lock_that_may_not_be_asked_for_yet_unwinds_from_then_on() -> None:
    until_ns = NOW_NS + 5 * NS_PER_DAY
    told = facts(locks(lock("s", 100, 7, until_ns=until_ns)), obligations(owed("a", 12, 100)))
    assert split(told, "BTT").short_atoms == 100
    told = facts(locks(lock("s", 100, 7, until_ns=until_ns)), obligations(owed("a", 13, 100)))
    assert split(told, "BTT").short_atoms == 0


def test_a_lock_beyond_the_horizon_is_surplus_and_not_discretionary() -> None:
    told = facts(seen("one", BTT=100), locks(lock("near", 50, 30), lock("far", 70, 31)))
    assert buckets(split(told, "BTT")) == (100, 0, 50, 70)


def test_a_halted_venue_has_no_float() -> None:
    told = facts(seen("one", BTT=200), locks(halt("one", 3)))
    assert buckets(split(told, "BTT")) == (0, 0, 200, 0)


def test_a_withdrawal_from_a_halted_venue_waits_for_it() -> None:
    told = facts(locks(halt("one", 9), lock("w", 10, 1, place="one")), obligations(owed("a", 5, 9)))
    assert split(told, "BTT").short_atoms == 9


def test_an_asset_without_a_row_is_surplus() -> None:
    assert buckets(split(facts(seen("one", TRX=7)), "TRX")) == (0, 0, 0, 7)


# --- the float moves by trades and by words, never by itself ------------------------------------


def sold(atoms: int, money: int) -> Traded:
    flows = {"BTT": -atoms, "USDT": money}
    return Traded(
        at_ns=NOW_NS, venue="one", flows=flows, asset="BTT", atoms=atoms, money_atoms=money
    )


def test_a_sale_of_the_market_maker_is_not_refilled_from_what_was_not_released() -> None:
    keeper = holdings(seen("one", BTT=500, USDT=100))
    keeper.trade(sold(40, 80))
    assert buckets(split(keeper.facts(), "BTT"))[0] == 60
    assert buckets(split(keeper.facts(), "USDT"))[0] == 180


def test_a_deposit_is_no_float() -> None:
    keeper = holdings(seen("one", BTT=100), seen("one", BTT=700))
    assert buckets(split(keeper.facts(), "BTT")) == (100, 0, 300, 300)


def test_the_float_opens_at_its_target_or_at_what_is_there_and_says_so() -> None:
    keeper = Holdings(scheme())
    (opened,) = keeper.learn(seen("one", BTT=30))
    assert (opened.atoms, opened.venue, opened.reason) == (30, "one", "opening")
    assert keeper.learn(seen("one", BTT=90)) == []


def test_the_records_of_a_session_rebuild_the_same_buckets() -> None:
    first = Holdings(scheme())
    words: list[Any] = [seen("one", BTT=500), obligations(owed("a", 5, 80)), locks(lock("s", 9, 3))]
    records = [record for word in words for record in [*first.learn(word), word]]
    records = sorted(records, key=lambda one: isinstance(one, HoldingsSeen))
    again = holdings(*records)
    assert again.splits() == first.splits()


def test_what_is_paid_is_not_owed_again_by_an_older_file() -> None:
    rows = obligations(owed("a", 5, 80), owed("b", 6, 10))
    paid = ObligationPaid(at_ns=NOW_NS, who="ledger", name="a", reason="payout 7")
    told = facts(seen("one", BTT=500), rows, paid, rows)
    assert [row.name for row in told.obligations] == ["b"]


# --- release ------------------------------------------------------------------------------------

RICH = (seen("one", BTT=500, USDT=100_000), float_set("one", "USDT", 100_000), price(2))


def test_the_market_maker_may_sell_its_float_down_to_80_percent_of_the_target() -> None:
    found = release(facts(*RICH), [], "one", "BTT")
    assert (found.sell.atoms, found.sell.name) == (20, "lower band")


def test_the_market_maker_may_buy_up_to_the_cap_of_its_float() -> None:
    found = release(facts(*RICH), [], "one", "BTT")
    assert (found.buy.atoms, found.buy.name) == (50, "float cap")


def test_the_market_maker_buys_only_for_released_money() -> None:
    told = facts(seen("one", BTT=500, USDT=900), float_set("one", "USDT", 31), price(2))
    found = release(told, [], "one", "BTT")
    assert (found.buy.atoms, found.buy.name) == (15, "released money")


def test_without_a_price_nothing_may_be_bought() -> None:
    told = facts(seen("one", BTT=500, USDT=900))
    assert release(told, [], "one", "BTT").buy.atoms == 0


def test_a_limit_without_room_stops_the_buying_and_not_the_selling() -> None:
    told = facts(*RICH, obligations(owed("a", 20, 100)))
    found = release(told, findings_of(unhedged(), told, {}), "one", "BTT")
    assert (found.sell.atoms, found.buy.atoms) == (20, 0)
    assert found.buy.name == "unhedged exposure"


def test_our_own_open_buys_do_not_take_our_own_room_and_those_elsewhere_do() -> None:
    keeper = holdings(*RICH[:-1], price(1), obligations(owed("a", 20, 300)))
    row = unhedged(buckets=[Bucket.FLOAT], share_ppm=450_000)

    def room() -> int:
        told = keeper.facts()
        return release(told, findings_of(row, told, {}), "one", "BTT").buy.atoms

    assert room() == 35
    keeper.may_fill("one", "BTT", 30)
    assert room() == 35
    keeper.may_fill("two", "BTT", 10)
    assert room() == 25
    keeper.may_fill("two", "BTT", 60)
    assert room() == 0


def test_buying_leaves_room_for_the_float_that_a_payment_gives_back() -> None:
    # The wallet is cash in 12 hours, too late for what is due today: the float lies in the reserve
    # until people have paid from the wallet, and comes back when less is owed.
    row = unhedged(buckets=[Bucket.FLOAT], share_ppm=500_000)
    later = owed("later", 20, 220)
    told = facts(*RICH, seen("one", BTT=100, USDT=100_000), seen("cold", BTT=400),
                 obligations(owed("today", 0, 80), later))  # fmt: skip
    (one,) = findings_of(row, told, {})
    assert one.value.atoms == 20
    assert one.ceiling.atoms == 150
    assert one.ahead_atoms == 80 + 40
    assert release(told, [one], "one", "BTT").buy.atoms == 10
    paid = facts(*RICH, seen("one", BTT=100, USDT=100_000), seen("cold", BTT=320),
                 obligations(later))  # fmt: skip
    (after,) = findings_of(row, paid, {})
    assert (after.value.atoms, after.ceiling.atoms, after.ahead_atoms) == (100, 110, 0)
    assert release(paid, [after], "one", "BTT").buy.atoms == 10


def test_each_side_may_use_half_of_the_turnover_that_is_left() -> None:
    keeper = holdings(*RICH)
    keeper.turn("BTT", Spent(atoms=95, money_atoms=190), NOW_NS)
    told = keeper.facts()
    row = limit(Measure.TURNOVER, asset="BTT", tokens="100", money="1000")
    found = release(told, findings_of(row, told, {}), "one", "BTT")
    assert (found.sell.atoms, found.buy.atoms) == (2, 2)


def test_all_venues_together_may_use_what_is_left_of_the_turnover_and_no_more() -> None:
    two = bucket("BTT", float=[float_row("one", target="100"), float_row("two", target="100")])
    keeper = holdings(*RICH, seen("two", BTT=500, USDT=10**6), buckets={"BTT": two})
    keeper.turn("BTT", Spent(atoms=60, money_atoms=120), NOW_NS)
    told = keeper.facts()
    row = limit(Measure.TURNOVER, asset="BTT", tokens="100", money="1000")
    findings = findings_of(row, told, {})
    rooms = [release(told, findings, venue, "BTT") for venue in ("one", "two")]
    assert sum(each.sell.atoms + each.buy.atoms for each in rooms) <= 40
    assert all(each.sell.atoms == 10 for each in rooms)


def test_bands_keep_what_is_not_released_below_the_floor() -> None:
    bands = bands_of_release(release(facts(*RICH), [], "one", "BTT"), 1, None)
    assert bands == Bands(
        floor_lots=480, lower_lots=480, target_lots=500, upper_lots=520, cap_lots=550
    )


def test_bands_in_lots_release_less_and_never_more() -> None:
    bands = bands_of_release(release(facts(*RICH), [], "one", "BTT"), 7, None)
    assert bands is not None
    assert bands.floor_lots * 7 >= 480
    assert bands.cap_lots * 7 <= 550


def test_a_wish_narrows_the_bands_and_never_widens_them() -> None:
    wish = Bands(floor_lots=0, lower_lots=490, target_lots=495, upper_lots=525, cap_lots=530)
    bands = bands_of_release(release(facts(*RICH), [], "one", "BTT"), 1, wish)
    assert bands == Bands(
        floor_lots=480, lower_lots=490, target_lots=495, upper_lots=525, cap_lots=530
    )


def test_an_end_that_comes_close_to_the_target_becomes_it() -> None:
    """Else every position would be an extreme one, and the side that may trade could not."""
    wish = Bands(floor_lots=0, lower_lots=485, target_lots=489, upper_lots=525, cap_lots=700)
    bands = bands_of_release(release(facts(*RICH), [], "one", "BTT"), 1, wish)
    assert bands == Bands(
        floor_lots=480, lower_lots=480, target_lots=480, upper_lots=525, cap_lots=550
    )


def test_where_neither_side_may_trade_there_are_no_bands() -> None:
    told = facts(seen("one", BTT=500), locks(halt("one", 3)), price(2))
    assert bands_of_release(release(told, [], "one", "BTT"), 1, None) is None


def test_a_fill_moves_the_bands_at_once() -> None:
    keeper = holdings(*RICH)
    keeper.trade(sold(15, 30))
    bands = bands_of_release(release(keeper.facts(), [], "one", "BTT"), 1, None)
    assert bands is not None
    assert (bands.floor_lots, bands.target_lots, bands.cap_lots) == (480, 500, 550)


# --- turnover and dates -------------------------------------------------------------------------


def test_turnover_is_forgotten_after_24_hours_and_not_before() -> None:
    keeper = holdings(price(2))
    keeper.turn("BTT", Spent(atoms=10, money_atoms=20), NOW_NS)
    keeper.pass_time(NOW_NS + NS_PER_DAY)
    assert keeper.facts().spent["BTT"].atoms == 10
    keeper.pass_time(NOW_NS + NS_PER_DAY + NS_PER_H)
    assert "BTT" not in keeper.facts().spent


@pytest.mark.parametrize(
    ("day", "text"),
    [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_778, "2026-11-21")],
)
def test_a_day_has_its_date(day: int, text: str) -> None:
    assert day_text(day) == text


def test_the_calendar_agrees_with_python_for_a_whole_era() -> None:
    for day in range(-20_000, 80_000, 37):
        assert day_text(day) == (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def test_today_is_the_utc_day() -> None:
    assert day_of(TODAY * NS_PER_DAY) == TODAY
    assert day_of(TODAY * NS_PER_DAY - 1) == TODAY - 1


# --- any stream of facts ------------------------------------------------------------------------

atoms = st.integers(0, 600)
places = st.sampled_from(["one", "two", "cold"])
names = st.sampled_from(["BTT", "TRX", "USDT"])
days = st.integers(-5, 60)
a_balance = st.builds(lambda where, name, n: seen(where, **{name: n}), places, names, atoms)
a_debt = st.builds(
    lambda rows: obligations(*(owed(str(i), d, n, asset=a) for i, (d, n, a) in enumerate(rows))),
    st.lists(st.tuples(days, st.integers(1, 400), names), max_size=6),
)
a_lock = st.builds(
    lambda rows, halted: locks(
        *(lock(str(i), n, d, asset=a, place=p) for i, (n, d, a, p) in enumerate(rows)),
        *(halt(p, 4) for p in halted),
    ),
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 90), names, places), max_size=5),
    st.sets(places, max_size=2),
)
a_fill = st.builds(
    lambda n, m, sign: Traded(
        at_ns=NOW_NS,
        venue="one",
        flows={"BTT": sign * n, "USDT": -sign * m},
        asset="BTT",
        atoms=n,
        money_atoms=m,
    ),
    atoms,
    atoms,
    st.sampled_from([1, -1]),
)
a_float = st.builds(lambda name, n: float_set("one", name, n), names, atoms)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(a_balance, a_debt, a_lock, a_fill, a_float), max_size=25))
def test_every_unit_is_in_exactly_one_bucket_after_every_event(events: list[Any]) -> None:
    keeper = Holdings(scheme())
    keeper.pass_time(NOW_NS)
    keeper.book(book("one"))
    for event in events:
        if isinstance(event, Traded):
            keeper.trade(event)
        else:
            keeper.learn(event)
        told = keeper.facts()
        for found in keeper.splits():
            assert sum(buckets(found)) == total_atoms(told, found.asset)
            assert all(part.atoms > 0 for part in found.parts)
        given = release(told, [], "one", "BTT")
        given.check()
        bands = bands_of_release(given, 3, None)
        if bands is not None:
            assert (given.held_atoms // 3 - bands.floor_lots) * 3 <= given.sell.atoms


def test_holdings_of_a_strange_asset_are_left_alone() -> None:
    strange = HoldingsSeen(
        at_ns=NOW_NS, who="venue", place="one", holdings=[Holding(asset="DUST", atoms=5)]
    )
    assert facts(strange).held == {}
