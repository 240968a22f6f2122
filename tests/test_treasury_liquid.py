"""How much is liquid today, after all locks and obligations; and when it is not enough."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.market.book import Book
from engine.treasury.amounts import Asset
from engine.treasury.coverage import Short, curve, first_uncovered
from engine.treasury.depth import depth_of, rescaled
from engine.treasury.facts import Facts, Volume
from engine.treasury.liquid import Liquid, LiquidParams, liquid, report
from engine.treasury.score import ScoreParams, score
from engine.values.instrument import Instrument
from engine.values.treasury_words import LockKind
from engine.values.units import NS_PER_S
from tests.holdings_builders import (
    NOW_NS,
    TODAY,
    asset,
    book,
    facts,
    halt,
    holdings,
    lock,
    locks,
    obligations,
    owed,
    price,
    seen,
)

PARAMS = LiquidParams(token="BTT", within_h=24)


def headline(*told: Any, **changes: Any) -> Liquid:
    return liquid(facts(*told, **changes), PARAMS)


def shorts(told: Facts) -> list[Short]:
    return list(curve(told)[-1].shorts)


# --- the headline -------------------------------------------------------------------------------


def test_the_headline_walks_the_live_book_for_the_size_in_question() -> None:
    found = headline(seen("one", BTT=30), book("one", bids=[(5, 10), (4, 10), (3, 100)]))
    assert found.money_atoms == 50 + 40 + 30


def test_what_the_book_does_not_reach_is_worth_nothing() -> None:
    assert headline(seen("one", BTT=30), book("one", bids=[(2, 10)])).money_atoms == 20


def test_the_fee_and_the_haircut_come_off() -> None:
    told = facts(
        seen("one", BTT=100),
        book("one", taker_fee_ppm=100_000),
        assets={"BTT": asset("BTT", haircut_ppm=500_000)},
    )
    assert liquid(told, PARAMS).money_atoms == 90


def test_each_unit_is_sold_where_it_lies() -> None:
    both = (book("one", bids=[(9, 10)], asks=[(10, 1)]), book("two", bids=[(4, 10)]))
    assert headline(seen("one", BTT=10), seen("two", BTT=10), *both).money_atoms == 130
    assert headline(seen("one", BTT=20), *both).money_atoms == 90


def test_a_wallet_is_sold_at_its_venue_once_it_is_there() -> None:
    told = (seen("cold", BTT=10), book("two"))
    assert headline(*told).money_atoms == 20
    assert liquid(facts(*told), LiquidParams(token="BTT", within_h=11)).money_atoms == 0


def test_what_is_locked_or_halted_is_not_liquid_today() -> None:
    found = headline(seen("one", BTT=10), locks(lock("s", 50, 7), halt("one", 2)), book("two"))
    assert found.money_atoms == 0
    assert found.lines[0].later_atoms == 60


def test_money_is_money_and_tokens_are_said_at_the_last_price() -> None:
    found = headline(seen("one", USDT=100, BTT=10), book("one"), price(2))
    assert (found.money_atoms, found.token_atoms) == (120, 60)


def test_all_obligations_of_any_date_come_off() -> None:
    found = headline(seen("one", BTT=100), book("one"), obligations(owed("a", 400, 30)))
    assert found.money_atoms == 140


def test_an_obligation_that_a_lock_pays_in_time_leaves_today_alone() -> None:
    told = (seen("one", BTT=100), book("one"), obligations(owed("a", 8, 30)))
    assert headline(*told, locks(lock("s", 30, 7))).money_atoms == 200
    assert headline(*told, locks(lock("s", 30, 9))).money_atoms == 140


def test_nothing_is_liquid_where_something_owed_is_not_covered() -> None:
    found = headline(
        seen("one", BTT=100, TRX=50), book("one", "TRX"), obligations(owed("a", 3, 101))
    )
    assert found.money_atoms == 0
    assert [(line.liquid_atoms, line.worth_atoms) for line in found.lines] == [(0, 0)] * 3
    assert found.shorts == (Short(due=TODAY + 3, asset="BTT", atoms=1),)


@pytest.mark.parametrize(
    "unknown",
    [
        (),
        (book("one", at_ns=NOW_NS - 61 * NS_PER_S),),
        (book("one", at_ns=NOW_NS + NS_PER_S),),
        (book("one", bids=[]),),
        (book("one", bids=[(3, 5)], asks=[(3, 5)]),),
    ],
    ids=["none", "stale", "of the future", "one-sided", "crossed"],
)
def test_an_unknown_price_is_worth_nothing(unknown: tuple[Any, ...]) -> None:
    keeper = holdings(seen("one", BTT=100, USDT=7))
    for one in unknown:
        keeper.book(one)
    keeper.at_ns = NOW_NS
    assert liquid(keeper.facts(), PARAMS).money_atoms == 7


def test_a_lost_book_is_worth_nothing() -> None:
    keeper = holdings(seen("one", BTT=100), book("one"))
    keeper.lose_book("one", "BTT")
    assert liquid(keeper.facts(), PARAMS).money_atoms == 0


# --- coverage -----------------------------------------------------------------------------------


def test_the_curve_has_a_point_for_each_due_date_and_the_first_that_is_not_covered() -> None:
    rows = obligations(owed("a", 10, 60), owed("b", 5, 30), owed("c", 20, 20))
    found = report(facts(seen("one", BTT=100), book("one", asks=[(3, 1)]), rows), PARAMS)
    assert [point.due - TODAY for point in found.points] == [5, 10, 20]
    assert [bool(point.shorts) for point in found.points] == [False, False, True]
    assert [point.left_money_atoms for point in found.points] == [140, 20, 0]
    assert found.uncovered == TODAY + 20


def test_the_curve_says_what_is_liquid_by_then() -> None:
    rows = obligations(owed("a", 5, 30), owed("b", 10, 60))
    told = facts(seen("one", BTT=100), locks(lock("s", 40, 9)), book("one"), rows)
    assert [point.left_money_atoms for point in curve(told)] == [140, 100]


def test_everything_covered_has_no_first_date() -> None:
    assert first_uncovered(curve(facts(seen("one", BTT=1), obligations(owed("a", 1, 1))))) is None


def test_a_shortfall_in_tokens_is_bought_with_money() -> None:
    rows = obligations(owed("a", 5, 40))
    told = facts(seen("one", BTT=10, USDT=100), book("one", asks=[(3, 20), (4, 100)]), rows)
    assert liquid(told, PARAMS).money_atoms == 100 - 60 - 40


def test_a_shortfall_in_money_is_raised_by_selling_the_dearest_level_first() -> None:
    rows = obligations(owed("a", 5, 65, asset="USDT"))
    cheap, dear = book("one", bids=[(2, 100)]), book("two", bids=[(5, 10)], asks=[(6, 1)])
    told = facts(seen("one", BTT=50), seen("two", BTT=50), cheap, dear, rows)
    assert shorts(told) == []
    # 8 BTT bring 16 for the last 15; what is over comes with the payment, and not today.
    assert liquid(told, PARAMS).money_atoms == (50 - 8) * 2


def test_tokens_that_are_owed_later_are_not_sold_to_buy_them_back() -> None:
    rows = obligations(owed("a", 5, 10, asset="USDT"), owed("b", 9, 100))
    told = facts(seen("one", BTT=100), book("one"), rows)
    assert shorts(told) == [Short(due=TODAY + 5, asset="USDT", atoms=10)]
    assert first_uncovered(curve(told)) == TODAY + 9


def test_an_earlier_date_is_paid_before_a_later_one() -> None:
    rows = obligations(owed("late", 9, 90), owed("early", 5, 90))
    assert shorts(facts(seen("one", BTT=100), rows)) == [
        Short(due=TODAY + 9, asset="BTT", atoms=80)
    ]


def test_what_is_overdue_is_due_now() -> None:
    rows = obligations(owed("a", -2, 10))
    assert shorts(facts(locks(lock("s", 10, 1)), rows)) == [
        Short(due=TODAY - 2, asset="BTT", atoms=10)
    ]


def test_money_that_comes_too_late_pays_nothing() -> None:
    rows = obligations(owed("a", 5, 10, asset="USDT"))
    late = lock("w", 10, 6, asset="USDT", kind=LockKind.WITHDRAWAL, place="one")
    assert shorts(facts(locks(late), rows)) == [Short(due=TODAY + 5, asset="USDT", atoms=10)]


def test_without_a_price_a_shortfall_is_not_bought_whatever_money_there_is() -> None:
    found = headline(seen("one", BTT=10, USDT=10**6), obligations(owed("a", 5, 11)))
    assert (found.money_atoms, found.shorts[0].atoms) == (0, 1)


# --- anything at all ----------------------------------------------------------------------------

amounts = st.integers(0, 300)
bids = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 100)), min_size=1, max_size=4)
venues = st.sampled_from(["one", "two"])
tokens = st.sampled_from(["BTT", "TRX"])


@st.composite
def a_book(draw: Any) -> Any:
    levels = sorted(draw(bids), reverse=True)
    top = levels[0][0]
    asks = sorted((top + gap, size) for gap, size in draw(bids))
    fee = draw(st.sampled_from([0, 1_000, 50_000]))
    return book(draw(venues), draw(tokens), levels, asks, taker_fee_ppm=fee)


@st.composite
def a_world(draw: Any) -> list[Any]:
    debts = draw(
        st.lists(
            st.tuples(st.integers(-1, 20), st.integers(1, 150), st.sampled_from(["BTT", "USDT"])),
            max_size=4,
        )
    )
    stakes = draw(st.lists(st.tuples(st.integers(1, 90), st.integers(0, 25), tokens), max_size=3))
    return [
        seen("one", BTT=draw(amounts), TRX=draw(amounts), USDT=draw(amounts)),
        seen("two", BTT=draw(amounts), TRX=draw(amounts)),
        obligations(*(owed(str(i), d, n, asset=a) for i, (d, n, a) in enumerate(debts))),
        locks(*(lock(str(i), n, d, asset=a) for i, (n, d, a) in enumerate(stakes))),
    ]


@settings(max_examples=250, deadline=None)
@given(a_world(), st.lists(a_book(), min_size=1, max_size=4), st.data())
def test_an_unknown_price_makes_it_smaller_and_never_larger(
    world: list[Any], books: list[Any], data: Any
) -> None:
    known = {(one.venue, one.asset): one for one in books}
    gone = data.draw(st.sampled_from(sorted(known)))
    left = [one for key, one in known.items() if key != gone]
    before = report(facts(*world, *known.values()), PARAMS)
    after = report(facts(*world, *left), PARAMS)
    # Each step of a walk is rounded down, so that another order of steps may differ by some atoms.
    assert after.liquid.money_atoms <= before.liquid.money_atoms + 6
    assert (after.uncovered or 10**9) <= (before.uncovered or 10**9)


@settings(max_examples=100, deadline=None)
@given(a_world(), st.lists(a_book(), max_size=4), st.integers(0, 20), st.integers(1, 50))
def test_one_more_obligation_never_makes_more_liquid(
    world: list[Any], books: list[Any], days: int, atoms: int
) -> None:
    debts = world[2].rows
    more = obligations(*debts, owed("more", days, atoms))
    before = headline(*world, *books)
    after = headline(*world[:2], more, *world[3:], *books)
    assert after.money_atoms <= before.money_atoms + 6


@settings(max_examples=100, deadline=None)
@given(a_world(), st.lists(a_book(), max_size=4))
def test_a_sale_brings_no_more_than_the_best_bid_and_no_unit_is_counted_twice(
    world: list[Any], books: list[Any]
) -> None:
    found = headline(*world, *books)
    for line in found.lines[:-1]:
        assert line.liquid_atoms + line.later_atoms <= line.held_atoms
        assert line.worth_atoms <= 9 * line.liquid_atoms
    assert not (found.shorts and found.money_atoms)


# --- the engine's own book ----------------------------------------------------------------------


def test_the_engines_book_is_read_in_the_treasurys_atoms() -> None:
    item = Instrument(
        symbol="BTT/USDT", venue="one", venue_symbol="BTTUSDT", base="BTT", quote="USDT",
        price_exponent=8, tick=1, size_exponent=0, lot=1, maker_fee_ppm=0, taker_fee_ppm=1_000,
    )  # fmt: skip
    market = Book()
    market.apply_snapshot([(62, 4_000_001)], [(63, 5)])
    found = depth_of(market, item, Asset("BTT", 2), Asset("USDT", 4), NOW_NS)
    assert [(one.atoms, one.money_atoms) for one in found.bids] == [(400_000_100, 24_800)]
    assert [(one.atoms, one.money_atoms) for one in found.asks] == [(500, 1)]
    assert found.taker_fee_ppm == 1_000


def test_a_coarser_exponent_rounds_holdings_down_and_costs_up() -> None:
    assert rescaled(199, 2, 0) == 1
    assert rescaled(101, 2, 0, is_up=True) == 2
    assert rescaled(5, 0, 3) == 5_000


# --- the score ----------------------------------------------------------------------------------

SCORE = ScoreParams(
    asset="BTT",
    own_size="100",
    spread_half_ppm=10_000,
    spread_weight=1.0,
    depth_half=("100", "100", "100"),
    depth_weights=(1.0, 1.0, 1.0),
    volume_half="1000",
    volume_weight=1.0,
    venues_half=1.0,
    venues_weight=1.0,
    slippage_half_ppm=10_000,
    slippage_weight=1.0,
    floor=40.0,
)


def test_the_score_has_its_parts_and_its_age() -> None:
    keeper = holdings(book("one", bids=[(100, 100)], asks=[(102, 100)], at_ns=NOW_NS - NS_PER_S))
    keeper.volume("one", "BTT", Volume(atoms=1_000, at_ns=NOW_NS))
    found = score(keeper.facts(), SCORE)
    assert found is not None
    parts = {part.name: round(part.part, 3) for part in found.parts}
    assert parts == {
        "spread, ppm": 0.336,
        "tokens within 1 %": 0.5,
        "tokens within 2 %": 0.5,
        "tokens within 5 %": 0.5,
        "tokens traded in 24 h": 0.5,
        "venues": 0.5,
        "slippage of own size, ppm": 0.502,
    }
    assert found.age_ns == NS_PER_S
    assert round(found.score, 1) == 47.7


def test_a_second_venue_and_a_deeper_book_never_lower_the_score() -> None:
    one, two = (
        book("one", bids=[(100, 90)], asks=[(102, 90)]),
        book("two", bids=[(99, 90)], asks=[(103, 9)]),
    )
    first, second = score(facts(one), SCORE), score(facts(one, two), SCORE)
    assert first is not None
    assert second is not None
    assert second.score > first.score


@pytest.mark.parametrize("told", [(), (book("one", at_ns=NOW_NS - 61 * NS_PER_S),)])
def test_without_a_usable_venue_there_is_no_score(told: tuple[Any, ...]) -> None:
    assert score(facts(*told), SCORE) is None


def test_a_halted_venue_is_not_usable() -> None:
    assert score(facts(book("one"), locks(halt("one", 1))), SCORE) is None


def test_a_book_too_thin_for_our_own_size_is_worth_nothing_there() -> None:
    found = score(facts(book("one", bids=[(100, 99)], asks=[(102, 99)])), SCORE)
    assert found is not None
    assert (found.parts[-1].found, found.parts[-1].part) == (None, 0.0)
