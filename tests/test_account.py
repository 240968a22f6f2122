"""The simulated account tells a venue's truth: money, orders and answers that add up."""

from random import Random

import msgspec
import pytest

from engine.sim.account import Account
from engine.sim.matching.queue import Power
from engine.values.commands import (
    Amend,
    Cancel,
    CancelAll,
    Place,
    QueryOrder,
    Reconcile,
)
from engine.values.events import (
    AllCanceled,
    BookDelta,
    BookSnapshot,
    CancelFailed,
    Fill,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderState,
    Trade,
    VenueState,
)
from engine.values.units import Side
from tests.sim.venue import BTT, MARKET

LOTS = 4_000_000
DEEP = 100 * LOTS


def snapshot(bid=62, ask=64, lots=DEEP):
    return BookSnapshot(market=MARKET, at_ns=1, sequence=1, bids=[(bid, lots)], asks=[(ask, lots)])


def trade(tick, lots, aggressor, number=1):
    return Trade(market=MARKET, at_ns=2, trade_id=number, tick=tick, lots=lots, aggressor=aggressor)


def place(name="a", side=Side.BUY, tick=62, lots=LOTS, **kwargs):
    kwargs = {"post_only": True} | kwargs
    return Place(market=MARKET, client_id=name, side=side, tick=tick, lots=lots, at_ns=1, **kwargs)


@pytest.fixture
def account():
    made = Account([BTT], {"BTT": 10**17, "USDT": 10**12}, Power(1.0))
    made.public(snapshot(), 1)
    return made


def kinds(facts):
    return [type(fact) for fact in facts]


def test_an_order_that_rests_is_open_and_locks_its_money(account):
    (report,) = account.execute(place(), 5)
    assert (report.state, report.update_ns) == (OrderState.OPEN, 5)
    locked = {each.asset: each.locked_atoms for each in account.balances()}
    assert locked == {"BTT": 0, "USDT": 62 * LOTS}
    account.check()


def test_an_order_fills_only_after_what_stood_in_front_of_it(account):
    account.execute(place(), 5)
    assert account.public(trade(62, DEEP, Side.SELL), 6) == []
    report, fill = account.public(trade(62, LOTS // 4, Side.SELL, 2), 7)
    assert (report.state, report.filled_lots) == (OrderState.PARTIAL, LOTS // 4)
    assert (fill.lots, fill.tick, fill.is_maker) == (LOTS // 4, 62, True)
    account.check()


def test_a_fee_comes_from_what_is_received_and_is_rounded_up(account):
    account.execute(place(side=Side.SELL, tick=63, lots=1_600_001), 5)
    _, fill = account.public(trade(63, 1_600_001, Side.BUY), 6)
    assert fill.fee_asset == "USDT"
    assert fill.fee_atoms == -(-63 * 1_600_001 // 1000)
    assert account.atoms["USDT"] == 10**12 + 63 * 1_600_001 - fill.fee_atoms
    assert account.atoms["BTT"] == 10**17 - 1_600_001 * 10**8


def test_post_only_that_would_take_is_refused_and_leaves_nothing(account):
    (refused,) = account.execute(place(tick=64), 5)
    assert isinstance(refused, OrderFailed)
    assert (refused.failure, refused.code) == ("rejected", "-2010")
    assert account.open_orders() == []


def test_an_order_that_takes_pays_the_taker_s_fee_and_its_rest_expires(account):
    facts = account.execute(place(tick=64, lots=2 * DEEP, post_only=False, is_ioc=True), 5)
    assert kinds(facts) == [OrderReport, OrderReport, Fill, OrderReport]
    assert (facts[2].lots, facts[2].tick, facts[2].is_maker) == (DEEP, 64, False)
    assert facts[3].state is OrderState.EXPIRED
    account.check()


def test_what_was_taken_is_not_there_again(account):
    account.execute(place("a", tick=64, lots=DEEP, post_only=False, is_ioc=True), 5)
    facts = account.execute(place("b", tick=64, lots=LOTS, post_only=False, is_ioc=True), 6)
    assert Fill not in kinds(facts)


@pytest.mark.parametrize(
    ("order", "text"),
    [
        (place(lots=10**13), "LOT_SIZE"),
        (place(lots=10), "NOTIONAL"),
        (place(tick=60, lots=10**12 // 60 + 1), "insufficient balance"),
        (place(side=Side.SELL, tick=70, lots=10**9 + 1), "insufficient balance"),
    ],
)
def test_what_the_venue_would_not_take_is_refused(order, text):
    limited = Account([_limited()], {"BTT": 10**17, "USDT": 10**12}, Power(1.0))
    limited.public(snapshot(), 1)
    (refused,) = limited.execute(order, 5)
    assert text in refused.text
    limited.check()


def _limited():
    return msgspec.structs.replace(BTT, lots_max=10**12)


def test_a_cancel_ends_an_order_once(account):
    account.execute(place(), 5)
    (gone,) = account.execute(Cancel(market=MARKET, client_id="a", at_ns=6), 6)
    assert gone.state is OrderState.CANCELED
    (again,) = account.execute(Cancel(market=MARKET, client_id="a", at_ns=7), 7)
    assert isinstance(again, CancelFailed)


def test_cancel_all_counts_what_it_ended(account):
    account.execute(place("a"), 5)
    account.execute(place("b", side=Side.SELL, tick=64), 5)
    *reports, told = account.execute(CancelAll(market=MARKET, at_ns=6), 6)
    assert [r.client_id for r in reports] == ["a", "b"]
    assert told == AllCanceled(market=MARKET, at_ns=6, count=2)
    account.check()


def test_an_amend_is_a_cancel_and_a_new_order(account):
    account.execute(place("a"), 5)
    amend = Amend(market=MARKET, client_id="a", replacement=place("b", tick=61), at_ns=6)
    first, second = account.execute(amend, 6)
    assert (first.client_id, first.state) == ("a", OrderState.CANCELED)
    assert (second.client_id, second.state) == ("b", OrderState.OPEN)


def test_a_question_about_an_order_gets_its_state_or_its_absence(account):
    account.execute(place(), 5)
    query = QueryOrder(market=MARKET, client_id="a", at_ns=6)
    assert account.execute(query, 7)[0].state is OrderState.OPEN
    absent = account.execute(QueryOrder(market=MARKET, client_id="z", at_ns=6), 7)
    assert absent == [OrderAbsent(market=MARKET, client_id="z", at_ns=7, asked_ns=6)]


def test_a_reading_holds_open_orders_newer_fills_and_all_balances(account):
    account.execute(place("a", side=Side.SELL, tick=63), 5)
    account.execute(place("b", side=Side.SELL, tick=63), 5)
    account.public(trade(63, LOTS + 1, Side.BUY), 6)
    (state,) = account.execute(Reconcile(market=MARKET, trade_id_from=1, at_ns=8), 9)
    assert isinstance(state, VenueState)
    assert state.asked_ns == 8
    assert [order.client_id for order in state.open_orders] == ["b"]
    assert [fill.trade_id for fill in state.fills] == [2]
    assert {each.asset for each in state.balances} == {"BTT", "USDT"}


def test_a_market_that_crosses_our_price_fills_us_at_our_price(account):
    account.execute(place(), 5)
    crossed = BookDelta(market=MARKET, at_ns=6, sequence=2, bids=[(62, 0)], asks=[(61, LOTS)])
    facts = account.public(crossed, 6)
    assert [(f.tick, f.lots) for f in facts if isinstance(f, Fill)] == [(62, LOTS)]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_book_orders_and_money_agree(account, seed):
    dice = Random(seed)
    names = iter(range(10**6))
    for step in range(300):
        act = dice.randrange(5)
        side = dice.choice(list(Side))
        if act == 0:
            order = place(
                str(next(names)), side=side, tick=dice.randrange(58, 69),
                lots=dice.randrange(1, 6) * LOTS, post_only=dice.random() < 0.7,
                is_ioc=False,
            )  # fmt: skip
            account.execute(order, step)
        elif act == 1 and account.open_orders():
            mine = dice.choice(account.open_orders()).place.client_id
            account.execute(Cancel(market=MARKET, client_id=mine, at_ns=step), step)
        elif act == 2:
            account.public(trade(dice.randrange(60, 67), dice.randrange(1, 9) * LOTS, side), step)
        else:
            middle = dice.randrange(60, 67)
            bids = [(middle - 1 - n, dice.randrange(0, 9) * LOTS) for n in range(3)]
            asks = [(middle + n, dice.randrange(0, 9) * LOTS) for n in range(3)]
            rows = [[row for row in rows if row[1]] for rows in (bids, asks)]
            account.public(
                BookSnapshot(market=MARKET, at_ns=step, sequence=step, bids=rows[0], asks=rows[1]),
                step,
            )
        account.check()
    money = 10**12 + sum(
        -f.side.sign * f.tick * f.lots - (f.fee_atoms if f.fee_asset == "USDT" else 0)
        for f in account.fills[MARKET]
    )
    assert account.atoms["USDT"] == money
    assert account.fills[MARKET]
