"""ccxt's structures become integers exactly, or are refused."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ccxt_pro import unified
from engine.values.errors import UserError
from engine.values.events import OrderState
from engine.values.instrument import Instrument
from engine.values.units import Side


def market(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "BTTUSDT",
        "symbol": "BTT/USDT",
        "base": "BTT",
        "quote": "USDT",
        "spot": True,
        "maker": Decimal("0.001"),
        "taker": Decimal("0.0010001"),
        "precision": {"price": Decimal("0.00000001"), "amount": Decimal("1.00")},
        "limits": {
            "price": {"min": Decimal("0.00000001"), "max": Decimal("0.1")},
            "amount": {"min": Decimal(1), "max": Decimal("46116860414.00")},
            "cost": {"min": Decimal("5.0")},
        },
    }
    return row | changes


def btt() -> Instrument:
    return unified.instrument_of("binance", market(), unified.TICK_SIZE)


def order(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "77",
        "clientOrderId": "b1-7",
        "side": "buy",
        "price": Decimal("6.2E-7"),
        "amount": Decimal("4000000.00"),
        "filled": Decimal(0),
        "status": "open",
        "timestamp": 5,
        "lastUpdateTimestamp": 9,
        "info": {},
    }
    return row | changes


def trade(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "28457",
        "order": "77",
        "side": "sell",
        "price": Decimal("0.00000064"),
        "amount": Decimal(500),
        "timestamp": 12,
        "takerOrMaker": "maker",
        "fee": {"cost": Decimal("0.00000032"), "currency": "USDT"},
    }
    return row | changes


def test_a_market_of_one_tick_being_160_bp_is_described_exactly() -> None:
    item = btt()
    assert (item.price_exponent, item.tick, item.size_exponent, item.lot) == (8, 1, 0, 1)
    assert (item.tick_min, item.tick_max) == (1, 10_000_000)
    assert (item.lots_min, item.lots_max) == (1, 46_116_860_414)
    assert item.notional_min == 500_000_000
    assert item.market == "BTT/USDT@binance"


def test_fees_are_rounded_against_us() -> None:
    assert (btt().maker_fee_ppm, btt().taker_fee_ppm) == (1000, 1001)


def test_a_tick_that_is_no_power_of_ten_is_kept() -> None:
    precision = {"price": Decimal("0.0005"), "amount": Decimal("0.25")}
    item = unified.instrument_of("x", market(precision=precision), unified.TICK_SIZE)
    assert (item.price_exponent, item.tick) == (4, 5)
    assert (item.size_exponent, item.lot) == (2, 25)
    assert item.ticks("1.2345") == 2469


def test_digits_after_the_point_are_a_tick_too() -> None:
    precision = {"price": 8, "amount": 0}
    item = unified.instrument_of("x", market(precision=precision), unified.DECIMAL_PLACES)
    assert (item.price_exponent, item.tick, item.size_exponent) == (8, 1, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"spot": False},
        {"maker": None},
        {"precision": {"price": None, "amount": Decimal(1)}},
    ],
)
def test_a_market_that_cannot_be_described_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="BTT/USDT on binance"):
        unified.instrument_of("binance", market(**changes), unified.TICK_SIZE)


def test_significant_digits_are_no_tick() -> None:
    with pytest.raises(UserError, match="significant digits"):
        unified.instrument_of("binance", market(), 3)


def test_an_order_is_reported_in_ticks_and_lots() -> None:
    report = unified.order_report(btt(), order(), 1)
    assert (report.tick, report.lots, report.filled_lots) == (62, 4_000_000, 0)
    assert (report.client_id, report.venue_id, report.side) == ("b1-7", "77", Side.BUY)
    assert (report.state, report.update_ns) == (OrderState.OPEN, 9_000_000)


def test_an_open_order_with_a_fill_is_partial() -> None:
    report = unified.order_report(btt(), order(filled=Decimal(3)), 1)
    assert (report.state, report.filled_lots) == (OrderState.PARTIAL, 3)


def test_a_canceled_row_is_known_by_the_id_of_the_order_not_of_the_cancel() -> None:
    row = order(clientOrderId="cancel-1", status="canceled", info={"origClientOrderId": "b1-7"})
    assert unified.order_report(btt(), row, 1).client_id == "b1-7"


@pytest.mark.parametrize(
    "changes", [{"price": None}, {"price": Decimal("6.25E-7")}, {"status": "odd"}, {"side": None}]
)
def test_an_unreadable_order_raises(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, ArithmeticError)):
        unified.order_report(btt(), order(**changes), 1)


def test_a_trade_of_ours_is_a_fill_with_its_exact_fee() -> None:
    fill = unified.fill(btt(), trade(), 1, "b1-7")
    assert (fill.trade_id, fill.tick, fill.lots, fill.is_maker) == (28457, 64, 500, True)
    assert (fill.fee_atoms, fill.fee_asset, fill.client_id) == (32, "USDT", "b1-7")


def test_a_trade_without_a_number_gets_the_same_one_each_time() -> None:
    first, again = trade(id=None), trade(id=None)
    assert unified.trade_number(first) == unified.trade_number(again)
    assert unified.trade_number(first) != unified.trade_number(trade(id=None, timestamp=13))
    assert unified.trade_number(trade(id="a-b")) != unified.trade_number(trade(id="a-c"))


def test_balances_name_our_assets_and_whatever_is_not_empty() -> None:
    structure = {
        "info": {},
        "free": {"BTT": Decimal(1)},
        "BTT": {"free": Decimal("123456789012.00000001"), "used": Decimal(0)},
        "USDT": {"free": Decimal(0), "used": Decimal(0)},
        "BNB": {"free": Decimal("0.5"), "used": Decimal("0.25")},
        "XRP": {"free": Decimal(0), "used": None},
    }
    found = {row.asset: row for row in unified.balances(structure, [btt()])}
    assert set(found) == {"BTT", "USDT", "BNB"}
    assert found["BTT"].free_atoms == 12_345_678_901_200_000_001
    assert found["BNB"].locked_atoms == 25_000_000


@given(st.integers(1, 10**15))
def test_the_float_of_a_price_gives_its_tick_back(tick: int) -> None:
    item = btt()
    assert unified.price_level(item, float(item.price_text(tick)), float(tick)) == (tick, tick)


@given(st.integers(0, 10**25), st.integers(0, 18))
def test_plain_text_never_uses_an_exponent(digits: int, places: int) -> None:
    text = unified.plain_text(Decimal(digits).scaleb(-places))
    assert "E" not in text
    assert Decimal(text) == Decimal(digits).scaleb(-places)
