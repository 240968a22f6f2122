"""The treasury joined: facts in, records out, bands live, and the same again after a restart."""

from typing import Any

import pytest

from engine.treasury.facts import Spent
from engine.treasury.holdings import Traded
from engine.treasury.liquid import LiquidParams
from engine.treasury.treasury import Treasury
from engine.values.treasury_words import (
    FloatSet,
    LimitMoved,
    LimitRow,
    LimitsSet,
    LimitWidened,
    Measure,
    PriceReviewed,
)
from engine.values.units import NS_PER_S
from tests.holdings_builders import (
    NOW_NS,
    book,
    float_set,
    limit,
    obligations,
    owed,
    scheme,
    seen,
    unhedged,
)
from tests.test_treasury_liquid import SCORE

RICH = (seen("one", BTT=500, USDT=100_000), float_set("one", "USDT", 100_000))


def treasury() -> Treasury:
    return Treasury(scheme(), LiquidParams(token="BTT", within_h=24), [SCORE])


def policy(*rows: LimitRow) -> LimitsSet:
    return LimitsSet(at_ns=NOW_NS, who="file", name="t.toml", digest="", rows=list(rows))


def told(made: Treasury, *facts: Any) -> list[Any]:
    """All records, in order."""
    return [record for fact in facts for record in made.learn(fact, type(fact).__name__)]


def fill(sign: int, atoms: int, money: int) -> Traded:
    flows = {"BTT": sign * atoms, "USDT": -sign * money}
    return Traded(
        at_ns=NOW_NS, venue="one", flows=flows, asset="BTT", atoms=atoms, money_atoms=money
    )


def bands(made: Treasury) -> tuple[int, int] | None:
    found = made.bands("one", "BTT", 1, None)
    return None if found is None else (found.floor_lots, found.cap_lots)


def test_the_bands_follow_every_fact_at_once() -> None:
    made = treasury()
    made.see(book("one"))
    told(made, *RICH)
    assert bands(made) == (480, 550)
    made.trade(fill(-1, 20, 40), "fill")
    assert bands(made) == (480, 550)
    told(made, obligations(owed("a", 5, 440)))
    # The reserve takes 40 of the float, and the float may be bought back up to its cap.
    assert bands(made) == (480, 590)
    told(made, policy(limit(Measure.TURNOVER, asset="BTT", tokens="25", money="999")))
    assert bands(made) == (480, 482)


def test_an_obligation_that_only_the_float_can_pay_stops_the_selling() -> None:
    made = treasury()
    made.see(book("one"))
    told(made, *RICH, obligations(owed("a", 5, 490)))
    found = made.release("one", "BTT")
    assert found is not None
    assert found.sell.atoms == 0


def test_a_breach_is_a_record_that_names_the_fact() -> None:
    made = treasury()
    made.see(book("one"))
    found = told(
        made, policy(unhedged()), obligations(owed("a", 5, 1_000)), seen("one", BTT=1_200, USDT=0)
    )
    moved = [record for record in found if isinstance(record, LimitMoved)]
    assert [(one.limit, one.breached, one.fact) for one in moved] == [
        ("unhedged exposure", True, "HoldingsSeen")
    ]


def test_a_small_move_of_the_book_does_not_wake_the_limits_and_a_halved_price_does() -> None:
    made = treasury()
    told(made, policy(unhedged()), *RICH)
    made.see(book("one", bids=[(1_000, 9)], asks=[(1_002, 9)]))
    before = made.limits.standings
    made.see(book("one", bids=[(1_001, 9)], asks=[(1_003, 9)]))
    assert made.limits.standings[0] is before[0]
    (record,) = made.see(book("one", bids=[(499, 9)], asks=[(501, 9)]))
    assert isinstance(record, PriceReviewed)


def test_time_alone_takes_the_room_away_when_the_price_grows_old() -> None:
    made = treasury()
    told(made, *RICH)
    made.see(book("one"))
    assert bands(made) == (480, 550)
    made.pass_time(NOW_NS + 61 * NS_PER_S)
    assert bands(made) == (480, 500)


def test_balances_are_no_records_and_the_float_that_they_open_is() -> None:
    made = treasury()
    (record,) = told(made, seen("one", BTT=500))
    assert isinstance(record, FloatSet)


def test_the_same_records_rebuild_the_same_state() -> None:
    first = treasury()
    records = first.see(book("one", bids=[(4, 99)], asks=[(6, 99)]))
    records += told(
        first,
        policy(unhedged(), limit(Measure.STAKED, asset="BTT", days=45)),
        *RICH,
        obligations(owed("a", 5, 300), owed("b", 50, 70)),
        policy(unhedged(share_ppm=100_000)),
    )
    first.trade(fill(-1, 30, 60), "fill")
    records += first.see(book("one", bids=[(2, 99)], asks=[(3, 99)]))
    again = treasury()
    for record in records:
        again.remember(record)
    again.holdings.trade(fill(-1, 30, 60))
    again.see(book("one", bids=[(2, 99)], asks=[(3, 99)]))
    news = told(again, seen("one", BTT=470, USDT=100_060))
    assert news == []
    assert again.buckets() == first.buckets()
    assert again.limits.findings == first.limits.findings
    assert (again.limits.rows, again.waiting) == (first.limits.rows, first.waiting)
    assert bands(again) == bands(first)


def test_an_illegal_word_changes_nothing_and_leaves_no_record() -> None:
    made = treasury()
    told(made, policy(unhedged()))
    with pytest.raises(KeyError):
        made.learn(LimitWidened(at_ns=NOW_NS, action="d", name="x", row=None), "action")
    assert made.limits.rows == [unhedged()]


def test_nothing_is_released_or_judged_before_the_balances_are_seen() -> None:
    made = treasury()
    made.see(book("one"))
    assert told(made, policy(unhedged()), obligations(owed("a", 5, 9))) != []
    told(made, seen("one", USDT=100))
    assert (made.release("one", "BTT"), bands(made)) == (None, None)
    assert made.limits.findings == []


def test_conversions_count_towards_the_same_turnover() -> None:
    made = treasury()
    made.see(book("one"))
    told(made, *RICH, policy(limit(Measure.TURNOVER, asset="BTT", tokens="25", money="999")))
    made.holdings.turn("BTT", Spent(atoms=25, money_atoms=50), NOW_NS)
    made.pass_time(NOW_NS + NS_PER_S)
    assert bands(made) is None


def test_a_score_is_there_or_not() -> None:
    made = treasury()
    assert made.score("BTT") is None
    made.see(book("one"))
    assert made.score("BTT") is not None
    assert made.score("TRX") is None


def test_the_report_answers_at_any_moment() -> None:
    made = treasury()
    assert made.report().liquid.money_atoms == 0
    made.see(book("one"))
    told(made, *RICH)
    assert made.report().liquid.money_atoms == 101_000
