"""Our own orders and money, read from the venue's private messages."""

import json

import pytest

from adapters.codec.binance_user import BinanceUserCodec
from engine.values.events import Balances, Fill, OrderReport, OrderState, Quarantined
from engine.values.instrument import Instrument
from engine.values.units import Side
from tests.market_data import recorded

ETH = {"base": "ETH", "price_exponent": 8, "tick": 1, "size_exponent": 8, "lot": 1}
BTT = Instrument(
    symbol="BTT/USDT", venue="binance", venue_symbol="BTTUSDT", base="BTT", quote="USDT",
    price_exponent=8, tick=1, size_exponent=0, lot=1, maker_fee_ppm=1_000, taker_fee_ppm=1_000,
)  # fmt: skip


def instrument(quote: str) -> Instrument:
    return Instrument(
        symbol=f"ETH/{quote}", venue="binance", venue_symbol=f"ETH{quote}", quote=quote,
        maker_fee_ppm=1_000, taker_fee_ppm=1_000, **ETH,
    )  # fmt: skip


def decoded(name: str) -> list:
    (path,) = recorded(f"private_messages/binance_spot/{name}.json")
    codec = BinanceUserCodec([instrument("USDT"), instrument("BTC")])
    return codec.decode(path.read_bytes(), 7)


def a_report(**changes: object) -> dict[str, object]:
    report: dict[str, object] = {
        "e": "executionReport", "E": 5, "s": "BTTUSDT", "c": "us-1", "S": "SELL", "o": "LIMIT",
        "q": "4000000.00", "p": "0.00000064", "C": "", "x": "NEW", "X": "NEW", "r": "NONE",
        "i": 9, "l": "0.00", "z": "0.00", "L": "0.00000000", "n": "0", "N": None, "T": 4, "t": -1,
        "m": False,
    }  # fmt: skip
    return report | changes


def read(report: dict[str, object]) -> list:
    return BinanceUserCodec([BTT]).decode(json.dumps(report).encode(), 7)


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("execution_report_new", OrderState.OPEN),
        ("execution_report_canceled", OrderState.CANCELED),
        ("execution_report_expired", OrderState.EXPIRED),
        ("execution_report_stop_loss", OrderState.OPEN),
        ("execution_report_wrapped", OrderState.OPEN),
    ],
)
def test_a_recorded_report_gives_the_state_of_its_order(name, state):
    (report,) = decoded(name)
    assert isinstance(report, OrderReport)
    assert report.state is state
    assert report.filled_lots == 0
    assert report.lots == 10**8


def test_a_recorded_trade_gives_its_fill_before_the_report():
    fill, report = decoded("execution_report_trade")
    assert isinstance(fill, Fill)
    assert (fill.trade_id, fill.side, fill.is_maker) == (98765432, Side.BUY, True)
    assert (fill.tick, fill.lots) == (2500 * 10**8, 10**8)
    assert (fill.fee_atoms, fill.fee_asset) == (100_000, "ETH")
    assert fill.venue_ns == 1709654401000 * 1_000_000
    assert (report.state, report.filled_lots) == (OrderState.FILLED, 10**8)


def test_the_reason_of_an_end_is_kept():
    (report,) = decoded("execution_report_expired")
    assert report.reason == "INSUFFICIENT_LIQUIDITY"
    (refused,) = read(a_report(x="REJECTED", X="REJECTED", r="PRICE_FILTER"))
    assert (refused.state, refused.reason) == (OrderState.REJECTED, "PRICE_FILTER")


@pytest.mark.parametrize("name", ["account_position", "account_position_wrapped"])
def test_balances_are_whole_atoms_wrapped_or_bare(name):
    (balances,) = decoded(name)
    assert isinstance(balances, Balances)
    by_asset = {row.asset: row for row in balances.balances}
    eth = 5 if name == "account_position" else 10_000
    assert by_asset["ETH"].free_atoms == eth * 10**8
    # Quotes hold tick x lot exactly, which is 16 decimals for this instrument.
    if "USDT" in by_asset:
        assert by_asset["USDT"].locked_atoms == 2_500 * 10**16


@pytest.mark.parametrize(
    "name", ["balance_update", "balance_update_wrapped", "list_status_wrapped"]
)
def test_messages_that_change_no_order_make_no_fact(name):
    assert decoded(name) == []


def test_a_cancel_names_the_order_that_it_ended():
    (report,) = read(a_report(c="cancel-77", C="us-1", x="CANCELED", X="CANCELED"))
    assert (report.client_id, report.state) == ("us-1", OrderState.CANCELED)


def test_a_fee_in_the_quote_is_exact_in_its_own_atoms():
    trade = a_report(
        x="TRADE", X="PARTIALLY_FILLED", l="1000000.00", z="1000000.00", L="0.00000064",
        n="0.00064000", N="USDT", t=3, m=True,
    )  # fmt: skip
    fill, report = read(trade)
    assert (fill.fee_atoms, fill.fee_asset) == (64_000, "USDT")
    assert (report.state, report.filled_lots) == (OrderState.PARTIAL, 1_000_000)


def test_an_order_of_another_market_is_counted_and_makes_no_fact():
    codec = BinanceUserCodec([BTT])
    assert codec.decode(json.dumps(a_report(s="XRPUSDT")).encode(), 7) == []
    assert codec.counts["foreign"] == 1


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"7",
        b'{"a":1}',
        b'{"subscriptionId":0,"event":7}',
        b'{"e":"executionReport"}',
        b"{" + b" " * 1_000_001 + b"}",
        json.dumps(a_report(X="MELTED")).encode(),
        json.dumps(a_report(p="NaN")).encode(),
        json.dumps(a_report(q="-1")).encode(),
        json.dumps(a_report(x="TRADE", X="FILLED")).encode(),
    ],
)
def test_what_cannot_be_read_is_quarantined_and_raises_nothing(frame):
    (fact,) = BinanceUserCodec([BTT]).decode(frame, 7)
    assert isinstance(fact, Quarantined)
    assert len(fact.excerpt) <= 80
