"""Readings of the venue: orders found, fills lost, lists that lag, balances that do not add up."""

import pytest

from engine.trading.client_ids import ClientIds
from engine.trading.orders import Orders, Params, Status
from engine.trading.portfolio import Portfolio
from engine.trading.recovery import READ_AGAIN, open_account, recover
from engine.values.commands import Cancel, Place, QueryOrder
from engine.values.errors import Failure
from engine.values.events import (
    Balance,
    Fill,
    OrderAbsent,
    OrderFailed,
    OrderReport,
    OrderSent,
    OrderState,
    VenueState,
)
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, Side

BTT = Instrument(
    symbol="BTT/USDT",
    venue="loopback",
    venue_symbol="BTTUSDT",
    base="BTT",
    quote="USDT",
    price_exponent=8,
    tick=1,
    size_exponent=0,
    lot=1,
    maker_fee_ppm=1000,
    taker_fee_ppm=1000,
)
MARKET = BTT.market
T0 = 1_000 * NS_PER_S
USDT = 10**9
IS_OURS = ClientIds("bl", 1).is_ours


class Account:
    """A venue's account in a few numbers, and our view of it."""

    def __init__(self):
        self.now = T0
        self.base_lots, self.usdt = 1000, USDT
        self.open_orders, self.fills = [], []
        self.orders, self.portfolio = Orders(Params()), Portfolio([BTT])
        open_account(self.orders, self.portfolio, self.state())

    def state(self, at=None):
        at = self.now if at is None else at
        return VenueState(
            market=MARKET,
            asked_ns=at,
            at_ns=at + 1,
            open_orders=list(self.open_orders),
            fills=list(self.fills),
            balances=[
                Balance(asset="BTT", free_atoms=BTT.base_atoms(self.base_lots), locked_atoms=0),
                Balance(asset="USDT", free_atoms=self.usdt, locked_atoms=0),
            ],
        )

    def read(self, at=None):
        result = recover(self.orders, self.portfolio, self.state(at), IS_OURS)
        self.orders.check()
        self.portfolio.check()
        return result

    def send(self, client_id="bl1x1", side=Side.BUY, tick=62, lots=100):
        place = Place(
            market=MARKET,
            client_id=client_id,
            side=side,
            tick=tick,
            lots=lots,
            post_only=True,
            at_ns=self.now,
        )
        self.orders.intend(place)
        self.orders.apply(OrderSent(market=MARKET, client_id=client_id, at_ns=self.now))

    def row(self, client_id="bl1x1", state=OrderState.OPEN, filled=0, **more):
        fields = {"side": Side.BUY, "tick": 62, "lots": 100} | more
        return OrderReport(
            market=MARKET,
            client_id=client_id,
            venue_id=f"v{client_id}",
            at_ns=self.now,
            update_ns=self.now,
            state=state,
            filled_lots=filled,
            **fields,
        )

    def trade(self, trade_id=1, lots=100, client_id="bl1x1"):
        """The venue fills a bid of ours at 62; nothing has told us yet."""
        self.base_lots += lots
        self.usdt -= 62 * lots
        fill = Fill(
            market=MARKET,
            client_id=client_id,
            venue_id=f"v{client_id}",
            trade_id=trade_id,
            at_ns=self.now,
            venue_ns=self.now,
            side=Side.BUY,
            tick=62,
            lots=lots,
            fee_atoms=0,
            fee_asset="USDT",
            is_maker=True,
        )
        self.fills.append(fill)
        return fill

    def later(self, seconds):
        self.now += seconds * NS_PER_S


@pytest.fixture
def account():
    return Account()


def found(result):
    return [(difference.what, difference.explained) for difference in result.differences]


def test_a_reading_that_agrees_finds_nothing(account):
    account.send()
    account.orders.apply(account.row())
    account.open_orders = [account.row()]
    result = account.read()
    assert (result.commands, result.differences, result.changes) == ([], [], [])


def test_trades_of_before_the_opening_are_never_booked():
    account = Account()
    account.trade(7)
    orders, portfolio = Orders(Params()), Portfolio([BTT])
    open_account(orders, portfolio, account.state())
    account.orders, account.portfolio = orders, portfolio
    assert found(account.read()) == []
    assert portfolio.position_lots(MARKET) == 1100


def test_p01_a_fill_that_the_stream_lost_is_booked_from_the_reading(account):
    account.send()
    fill = account.trade()
    result = account.read()
    assert found(result) == [("fill", "booked")]
    assert [change.new_fill for change in result.changes] == [fill]
    assert account.orders.get("bl1x1").status is Status.FILLED
    assert account.portfolio.position_lots(MARKET) == 1100
    assert found(account.read()) == []


def test_an_order_of_an_earlier_session_is_adopted_and_cancelled(account):
    account.open_orders = [account.row("bl0x9")]
    result = account.read()
    assert found(result) == [("order bl0x9", "of an earlier session: cancelled")]
    assert [type(command) for command in result.commands] == [Cancel]
    assert account.orders.working_lots(MARKET) == (100, 0)
    assert account.read().commands == []


def test_p03_an_order_of_somebody_else_is_left_alone_and_explained_by_nothing(account):
    account.open_orders = [account.row("web_1")]
    result = account.read()
    assert found(result) == [("order web_1", "")]
    assert (result.commands, result.is_explained) == ([], False)
    assert found(account.read()) == []


def test_p03_a_fill_of_somebody_else_is_booked_and_explained_by_nothing(account):
    account.trade(client_id="web_1")
    result = account.read()
    assert found(result)[0] == ("fill", "")
    assert account.portfolio.position_lots(MARKET) == 1100


def test_p08_a_young_order_that_the_list_omits_is_not_missing(account):
    account.send()
    assert found(account.read()) == []


def test_p08_a_missing_order_is_asked_for_after_two_readings(account):
    account.send()
    account.orders.apply(account.row())
    account.later(10)
    first = account.read()
    assert (found(first), first.commands) == ([("order bl1x1", READ_AGAIN)], [])
    account.later(10)
    second = account.read()
    assert found(second) == [("order bl1x1", "asked for by its id")]
    assert [type(command) for command in second.commands] == [QueryOrder]
    assert account.orders.get("bl1x1").is_live
    absent = OrderAbsent(market=MARKET, client_id="bl1x1", at_ns=account.now, asked_ns=account.now)
    assert account.orders.apply(absent).after.status is Status.CANCELED


def test_p08_a_reading_that_lists_the_order_again_starts_the_count_anew(account):
    account.send()
    account.orders.apply(account.row())
    account.later(10)
    account.read()
    account.open_orders = [account.row()]
    account.read()
    account.open_orders = []
    account.later(10)
    assert found(account.read()) == [("order bl1x1", READ_AGAIN)]


def test_p07_an_older_reading_does_not_revive_what_the_stream_ended(account):
    account.send()
    old = account.row()
    account.later(1)
    account.orders.apply(account.row(state=OrderState.CANCELED))
    account.open_orders = [old]
    result = account.read()
    assert (found(result), result.commands) == ([], [])
    assert account.orders.get("bl1x1").status is Status.CANCELED


def test_p14_a_reading_from_before_an_ack_does_not_miss_the_order(account):
    account.send()
    account.later(10)
    account.orders.apply(account.row())
    assert found(account.read(at=account.now - NS_PER_S)) == []


def test_p15_an_order_that_was_given_up_and_is_found_open_is_cancelled(account):
    account.send()
    account.orders.apply(
        OrderFailed(
            market=MARKET,
            client_id="bl1x1",
            at_ns=account.now,
            failure=Failure.REJECTED,
            code="",
            text="",
        )
    )
    account.open_orders = [account.row()]
    result = account.read()
    assert found(result) == [("order bl1x1", "was given up: cancelled")]
    assert [type(command) for command in result.commands] == [Cancel]


def test_an_order_that_stands_otherwise_than_we_sent_it_is_explained_by_nothing(account):
    account.send()
    account.open_orders = [account.row(tick=63)]
    assert found(account.read()) == [("order bl1x1", "")]


def test_unknown_orders_are_asked_for_at_start_up(account):
    account.send()
    account.orders.doubt_unacknowledged(MARKET, account.now)
    assert [command.client_id for command in account.read().commands] == ["bl1x1"]


def test_p09_a_balance_that_nothing_can_explain_is_explained_by_nothing_at_once(account):
    account.usdt += 1
    assert found(account.read()) == [("balance USDT", "")]


def test_p09_a_balance_that_a_fill_on_its_way_could_explain_is_read_once_more(account):
    account.send()
    account.orders.apply(account.row())
    account.open_orders = [account.row()]
    account.trade()
    on_its_way, account.fills = account.fills, []
    assert found(account.read()) == [("balance BTT", READ_AGAIN), ("balance USDT", READ_AGAIN)]
    again = account.read(account.now + 2)
    assert found(again) == [("balance BTT", ""), ("balance USDT", "")]
    account.fills = on_its_way
    assert found(account.read()) == [("fill", "booked")]


def test_a_balance_gap_that_is_larger_than_our_orders_freezes_at_once(account):
    account.send()
    account.usdt -= 62 * 100 * 2
    assert found(account.read()) == [("balance USDT", "")]


def test_a_fill_during_the_reading_does_not_freeze_the_market(account):
    account.send()
    fill = account.trade()
    account.fills = []
    account.base_lots, account.usdt = 1000, USDT
    account.orders.apply(fill)
    account.portfolio.book_fill(BTT, fill)
    assert found(account.read()) == [("balance BTT", READ_AGAIN), ("balance USDT", READ_AGAIN)]
