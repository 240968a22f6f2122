"""What a simulated venue holds an account to: fees by turnover, new orders by window."""

import msgspec
import pytest

from engine.cli.backtest_flags import terms_of
from engine.sim.account import Account
from engine.sim.matching.queue import RiskAverse
from engine.sim.venue_terms import DAY_NS, OrderLimit, OrderWindows, Terms, Tier, Turnover
from engine.values.commands import Cancel, Place
from engine.values.errors import Failure, UserError
from engine.values.events import BookSnapshot, Fill, OrderFailed, OrderReport, OrderState
from engine.values.units import NS_PER_S, Side
from tests.sim.venue import BTT, MARKET

LOTS = 4_000_000
TEN_S = 10 * NS_PER_S
DAY = 19_943
TIERS = terms_of("0:1000,1000/10:-50,400", "0", "none").tiers
ONE = 10**8


def account(terms):
    opened = Account([BTT], {"BTT": 10**17, "USDT": 10**14}, RiskAverse(), terms)
    book = BookSnapshot(
        market=MARKET, at_ns=1, sequence=1, bids=[(62, 10 * LOTS)], asks=[(64, 900 * LOTS)]
    )
    opened.public(book, 1)
    return opened


def place(name, tick=62, side=Side.BUY, lots=LOTS, **rest):
    rest = {"post_only": True} | rest
    return Place(market=MARKET, client_id=name, at_ns=1, side=side, tick=tick, lots=lots, **rest)


def bought(mine, name, at_ns):
    """Take 4,000,000 at 64: 2.56 USDT of turnover."""
    facts = mine.execute(place(name, tick=64, post_only=False, is_ioc=True), at_ns)
    return next(fact for fact in facts if isinstance(fact, Fill))


# --- fees by turnover -----------------------------------------------------------------------------


def test_a_tier_is_found_from_the_thirty_days_before_and_not_from_today():
    traded = Turnover(Terms(tiers=TIERS), ONE)
    traded.add(DAY * DAY_NS, 12 * ONE)
    rates = [traded.tier((DAY + days) * DAY_NS + 5).maker_ppm for days in (0, 1, 30, 31)]
    assert rates == [1000, -50, -50, 1000]


def test_what_was_traded_before_the_run_leaves_the_window_day_by_day():
    traded = Turnover(Terms(tiers=TIERS, turnover=15), ONE)
    rates = [traded.tier((DAY + days) * DAY_NS).maker_ppm for days in (0, 10, 11)]
    assert rates == [-50, -50, 1000]


def test_a_fill_pays_the_fee_of_its_day_s_tier_and_counts_for_the_days_to_come():
    mine, now = account(Terms(tiers=TIERS)), DAY * DAY_NS
    first = bought(mine, "a", now)
    assert first.fee_atoms == LOTS * ONE // 1000
    for number in range(16):
        bought(mine, f"b{number}", now + number)
    assert bought(mine, "c", now + DAY_NS).fee_atoms == LOTS * ONE * 400 // 10**6


def test_a_maker_s_rebate_is_paid_to_us():
    mine = account(Terms(tiers=TIERS, turnover=10_000))
    mine.execute(place("a"), DAY * DAY_NS)
    through = BookSnapshot(
        market=MARKET, at_ns=2, sequence=2, bids=[], asks=[(61, LOTS)]
    )  # fmt: skip
    facts = mine.public(through, DAY * DAY_NS)
    fill = next(fact for fact in facts if isinstance(fact, Fill))
    assert fill.is_maker
    assert fill.fee_atoms == -LOTS * ONE * 50 // 10**6
    assert mine.atoms["BTT"] == 10**17 + LOTS * ONE - fill.fee_atoms


def test_without_tiers_the_instrument_s_own_fees_hold_whatever_is_traded():
    mine = account(Terms(turnover=10**9))
    assert bought(mine, "a", DAY * DAY_NS).fee_atoms == LOTS * ONE * BTT.taker_fee_ppm // 10**6


@pytest.mark.parametrize("floors", [(5,), (0, 9, 9), (0, 9, 5)])
def test_tiers_that_do_not_rise_from_nothing_are_refused(floors):
    with pytest.raises(ValueError, match="rise by turnover"):
        Terms(tiers=tuple(Tier(turnover_from=n, maker_ppm=1, taker_ppm=1) for n in floors))


# --- how many orders ------------------------------------------------------------------------------


def test_an_order_beyond_the_limit_is_refused_until_the_window_ends():
    mine = account(terms_of("", "0", "2/10s"))
    told = [mine.execute(place(name), at)[0] for name, at in (("a", 3), ("b", 4), ("c", 5))]
    assert [type(fact) for fact in told] == [OrderReport, OrderReport, OrderFailed]
    refused = told[2]
    assert (refused.failure, refused.code) == (Failure.TRANSIENT, "-1015")
    assert refused.retry_after_ns == TEN_S - 5
    assert "c" not in mine.orders
    assert isinstance(mine.execute(place("d"), TEN_S)[0], OrderReport)


def test_cancels_and_refused_orders_take_no_place_of_the_limit_that_is_used_up():
    mine = account(terms_of("", "0", "2/10s"))
    mine.execute(place("a"), 1)
    mine.execute(Cancel(market=MARKET, client_id="a", at_ns=1), 2)
    mine.execute(place("b"), 3)
    rests = [mine.execute(place(f"c{n}"), 4 + n)[0].retry_after_ns for n in range(3)]
    assert rests == [TEN_S - 4, TEN_S - 5, TEN_S - 6]
    cancelled = mine.execute(Cancel(market=MARKET, client_id="b", at_ns=9), 9)
    assert [fact.state for fact in cancelled] == [OrderState.CANCELED]


def test_each_limit_has_its_own_window():
    rules = [OrderLimit(orders_max=2, window_ns=10), OrderLimit(orders_max=3, window_ns=100)]
    windows, taken = OrderWindows(rules), []
    for at_ns in (0, 1, 2, 10, 11, 20, 99, 100):
        if not windows.rest_ns(at_ns)[0]:
            windows.add(at_ns)
            taken.append(at_ns)
    assert taken == [0, 1, 10, 100]


# --- our own orders meet --------------------------------------------------------------------------


def test_our_own_orders_never_trade_with_each_other():
    mine = account(Terms())
    mine.execute(place("bid", tick=63), 1)
    facts = mine.execute(place("ask", tick=63, side=Side.SELL, post_only=False), 2)
    assert [fact.state for fact in facts if isinstance(fact, OrderReport)][-1] is OrderState.EXPIRED
    assert not any(isinstance(fact, Fill) for fact in facts)
    assert [order.place.client_id for order in mine.open_orders()] == ["bid"]
    mine.check()


# --- the flags ------------------------------------------------------------------------------------


def test_the_flags_say_tiers_turnover_and_limits():
    found = terms_of("0:1000,1000/250000:900,1000", "300000", "100/10s,200000/1d")
    assert found.tier(found.turnover).maker_ppm == 900
    assert [msgspec.structs.astuple(each) for each in found.limits] == [
        (100, TEN_S), (200_000, DAY_NS)
    ]  # fmt: skip
    assert terms_of("-50,400", "0", "none").tier(0).maker_ppm == -50
    assert terms_of("", "0", "none") == Terms()


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        (("1", "0", "none"), "--fees '1'"),
        (("1,x", "0", "none"), "--fees"),
        (("2000000,1", "0", "none"), "more than the whole price"),
        (("5:1,1", "0", "none"), "begin at 0"),
        (("0:1,1/0:2,2", "0", "none"), "begin at 0"),
        (("", "much", "none"), "--turnover 'much'"),
        (("", "-1", "none"), "at least 0"),
        (("", "0", "100"), "--limits '100'"),
        (("", "0", "0/10s"), "at least 1"),
        (("", "0", ""), "--limits"),
    ],
)
def test_terms_that_make_no_sense_are_a_user_s_mistake(words, flag):
    with pytest.raises(UserError, match=flag):
        terms_of(*words)
