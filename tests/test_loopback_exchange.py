"""The venue's rules, asked without a wire."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.loopback.api import Request
from adapters.loopback.config import Limits, SymbolSpec, atoms, btt_usdt
from engine.values.units import NS_PER_S, Side
from tests.loopback_builders import NOW_NS, SYMBOL, Desk, hmac_of, refusal

BROKE = "Account has insufficient balance for requested action."


def test_an_order_rests_and_locks_exactly_what_it_may_cost():
    desk = Desk()
    answer = desk.limit("BUY", "0.00000060", 10_000_000, newClientOrderId="mine")
    assert answer.status == 200
    assert (answer.body["clientOrderId"], answer.body["status"]) == ("mine", "NEW")
    assert desk.balance("USDT") == (atoms("994"), atoms("6"))
    desk.exchange.check()


def test_a_buy_pays_its_commission_in_base_and_a_sale_in_quote():
    desk = Desk()
    bought = desk.call("place", symbol=SYMBOL, side="BUY", type="MARKET", quantity=10_000_000)
    sold = desk.call("place", symbol=SYMBOL, side="SELL", type="MARKET", quantity=10_000_000)
    assert [f["commission"] for f in bought.body["fills"]] == ["10000.00000000"]
    assert bought.body["fills"][0]["commissionAsset"] == "BTT"
    assert [f["commission"] for f in sold.body["fills"]] == ["0.00610000"]
    assert sold.body["fills"][0]["commissionAsset"] == "USDT"
    assert desk.balance("USDT")[0] == atoms("1000") - atoms("6.3") + atoms("6.1") - 610_000
    desk.exchange.check()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"price": "0.0000006"}, None),
        ({"price": "0.000000601"}, (-1111, "Parameter 'price' has too much precision.")),
        ({"price": "0"}, (-1013, "Filter failure: PRICE_FILTER")),
        ({"price": "2000"}, (-1013, "Filter failure: PRICE_FILTER")),
        ({"price": "0.00000400"}, (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")),
        ({"price": "0.00000010"}, (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")),
        ({"quantity": "0.5"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "0"}, (-1013, "Filter failure: LOT_SIZE")),
        ({"quantity": "100"}, (-1013, "Filter failure: NOTIONAL")),
        ({"quantity": "-5"}, (-1100, None)),
        ({"quantity": "1e5"}, (-1100, None)),
        ({"symbol": "NONESUCH"}, (-1121, "Invalid symbol.")),
        ({"side": "LONG"}, (-1117, "Invalid side.")),
        ({"type": "STOP"}, (-1116, "Invalid orderType.")),
        ({"timeInForce": "DAY"}, (-1115, "Invalid timeInForce.")),
        ({"timeInForce": None}, (-1102, None)),
        ({"newClientOrderId": "bad id"}, (-1100, None)),
        ({"newClientOrderId": "x" * 37}, (-1100, None)),
        ({"nonsense": "1"}, (-1104, None)),
        ({"quantity": "5000000000"}, (-2010, BROKE)),
        ({"type": "LIMIT_MAKER", "timeInForce": None, "price": "0.00000063"},
         (-2010, "Order would immediately match and take.")),
    ],
)  # fmt: skip
def test_each_rule_has_its_own_code(values, expected):
    desk = Desk()
    ticket = {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
        "price": "0.00000060", "quantity": "10000000",
    } | values  # fmt: skip
    answer = desk.call("place", **{k: v for k, v in ticket.items() if v is not None})
    if expected is None:
        assert answer.status == 200
        return
    code, text = refusal(answer)
    assert code == expected[0]
    assert expected[1] is None or text == expected[1]
    assert desk.balance("USDT") == (atoms("1000"), 0)
    assert desk.told() == []


def test_no_more_open_orders_than_the_filter_allows():
    desk = Desk()
    spec = msgspec.structs.replace(desk.exchange.market(SYMBOL).spec, orders_max=2)
    desk.exchange.market(SYMBOL).spec = spec
    assert desk.limit("BUY", "0.00000060", 2_000_000).status == 200
    assert desk.limit("BUY", "0.00000059", 2_000_000).status == 200
    answer = desk.limit("BUY", "0.00000058", 2_000_000)
    assert refusal(answer) == (-1013, "Filter failure: MAX_NUM_ORDERS")


def test_a_client_id_is_refused_while_open_and_accepted_again_after_the_end():
    desk = Desk()
    assert desk.limit("BUY", "0.00000060", 2_000_000, newClientOrderId="a").status == 200
    again = desk.limit("BUY", "0.00000060", 2_000_000, newClientOrderId="a")
    assert refusal(again) == (-2010, "Duplicate order sent.")
    desk.call("cancel", symbol=SYMBOL, origClientOrderId="a")
    assert desk.limit("BUY", "0.00000060", 2_000_000, newClientOrderId="a").status == 200


def test_a_cancel_of_what_is_not_open_is_an_unknown_order():
    desk = Desk()
    placed = desk.limit("BUY", "0.00000063", 2_000_000, newClientOrderId="a")
    assert placed.body["status"] == "FILLED"
    answer = desk.call("cancel", symbol=SYMBOL, origClientOrderId="a")
    assert refusal(answer) == (-2011, "Unknown order sent.")
    assert refusal(desk.call("order", symbol=SYMBOL, origClientOrderId="b"))[0] == -2013
    assert refusal(desk.call("cancelAll", symbol=SYMBOL))[0] == -2011
    assert refusal(desk.call("cancel", symbol=SYMBOL))[0] == -1102


def test_cancel_all_ends_every_order_of_the_symbol_and_unlocks_the_money():
    desk = Desk()
    for price in ("0.00000060", "0.00000059"):
        desk.limit("BUY", price, 2_000_000)
    answer = desk.call("cancelAll", symbol=SYMBOL)
    assert [row["status"] for row in answer.body] == ["CANCELED", "CANCELED"]
    assert desk.balance("USDT") == (atoms("1000"), 0)
    assert desk.call("openOrders").body == []


def test_a_private_report_comes_before_the_balance_that_it_changed():
    desk = Desk()
    desk.limit("BUY", "0.00000063", 10_000_000, newClientOrderId="a")
    told = desk.told()
    assert [(m["e"], m.get("x"), m.get("X")) for m in told] == [
        ("executionReport", "NEW", "NEW"),
        ("outboundAccountPosition", None, None),
        ("executionReport", "TRADE", "FILLED"),
        ("outboundAccountPosition", None, None),
    ]
    trade = told[2]
    assert (trade["c"], trade["l"], trade["z"], trade["L"]) == (
        "a", "10000000.00000000", "10000000.00000000", "0.00000063",
    )  # fmt: skip
    assert (trade["n"], trade["N"], trade["m"], trade["w"]) == (
        "10000.00000000",
        "BTT",
        False,
        False,
    )
    assert told[3]["B"][1] == {"a": "USDT", "f": "993.70000000", "l": "0.00000000"}


def test_a_cancel_report_names_the_order_in_its_old_field():
    desk = Desk()
    desk.limit("BUY", "0.00000060", 2_000_000, newClientOrderId="a")
    desk.told()
    desk.call("cancel", symbol=SYMBOL, origClientOrderId="a", newClientOrderId="c")
    report = desk.told("executionReport")[0]
    assert (report["x"], report["X"], report["C"], report["c"]) == (
        "CANCELED",
        "CANCELED",
        "a",
        "c",
    )


def test_an_ioc_order_expires_with_what_it_did_not_get():
    desk = Desk()
    answer = desk.limit("BUY", "0.00000063", 60_000_000, timeInForce="IOC")
    assert (answer.body["status"], answer.body["executedQty"]) == ("EXPIRED", "50000000.00000000")
    assert [m["x"] for m in desk.told("executionReport")] == ["NEW", "TRADE", "EXPIRED"]
    assert desk.balance("USDT")[1] == 0
    desk.exchange.check()


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        ("NONE", "FILLED", "FILLED"),
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "NEW"),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
        ("DECREMENT", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ],
)
def test_the_takers_mode_decides_what_becomes_of_a_self_trade(mode, maker, taker):
    desk = Desk()
    desk.limit("BUY", "0.00000062", 5_000_000, newClientOrderId="maker")
    desk.limit("SELL", "0.00000062", 5_000_000, newClientOrderId="taker",
               selfTradePreventionMode=mode)  # fmt: skip
    states = [
        desk.call("order", symbol=SYMBOL, origClientOrderId=name).body["status"]
        for name in ("maker", "taker")
    ]
    assert states == [maker, taker]
    assert desk.exchange.settlement.self_trades == (mode == "NONE")
    desk.exchange.check()


def test_my_trades_go_on_from_an_id():
    desk = Desk()
    for _ in range(3):
        desk.limit("BUY", "0.00000063", 2_000_000)
    ids = [row["id"] for row in desk.call("myTrades", symbol=SYMBOL).body]
    rest = desk.call("myTrades", symbol=SYMBOL, fromId=ids[1], limit=1).body
    assert [row["id"] for row in rest] == ids[1:2]


def test_cancel_replace_says_which_half_failed():
    desk = Desk()
    desk.limit("BUY", "0.00000060", 2_000_000, newClientOrderId="a")
    ticket = {
        "symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "price": "0.00000063",
        "quantity": 2_000_000, "cancelReplaceMode": "STOP_ON_FAILURE",
    }  # fmt: skip
    half = desk.call("replace", **ticket, cancelOrigClientOrderId="a")
    assert (half.status, half.body["code"]) == (409, -2021)
    assert half.body["data"]["cancelResult"] == "SUCCESS"
    assert half.body["data"]["newOrderResponse"]["code"] == -2010
    none = desk.call("replace", **ticket, cancelOrigClientOrderId="a")
    assert (none.status, none.body["code"]) == (400, -2022)
    assert none.body["data"]["newOrderResult"] == "NOT_ATTEMPTED"


def test_an_order_test_checks_and_changes_nothing():
    desk = Desk()
    values = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "quantity": 2_000_000}
    assert desk.call("test", price="0.00000060", **values).body == {}
    assert refusal(desk.call("test", price="0.00000064", **values))[0] == -2010
    assert desk.call("openOrders", symbol=SYMBOL).body == []


def ask(desk, *, api_key=None, age_ms=0, secret=None, **more):
    pair = desk.pairs["alice"]
    values = {"timestamp": str(NOW_NS // 1_000_000 - age_ms)} | more
    payload = "&".join(f"{k}={v}" for k, v in values.items())
    request = Request(
        call="account",
        values=values,
        payload=payload,
        signature=hmac_of(secret or pair.secret, payload),
        api_key=pair.key.api_key if api_key is None else api_key,
    )
    return desk.api.answer(request, NOW_NS)


def test_keys_signatures_and_times_are_checked():
    desk = Desk()
    assert ask(desk).status == 200
    assert refusal(ask(desk, api_key=""))[0] == -2014
    assert refusal(ask(desk, api_key="a" * 64))[0] == -2015
    assert refusal(ask(desk, secret="wrong"))[0] == -1022
    assert refusal(ask(desk, age_ms=5_001))[0] == -1021
    assert ask(desk, age_ms=5_001, recvWindow="6000").status == 200
    assert refusal(ask(desk, age_ms=-1_000))[0] == -1021
    assert refusal(ask(desk, recvWindow="60001"))[0] == -1131
    assert refusal(ask(desk, timestamp=""))[0] == -1102


def test_too_much_weight_is_refused_then_banned_and_forgiven_in_time():
    desk = Desk(limits=Limits(weight_per_minute=12, refusals_before_ban=2, ban_s=100))
    answers = [desk.public("depth", symbol=SYMBOL) for _ in range(6)]
    assert [a.status for a in answers] == [200, 200, 429, 429, 429, 418]
    assert answers[2].retry_after_s == 60
    assert refusal(answers[5])[0] == -1003
    desk.now_ns += 99 * NS_PER_S
    assert desk.public("ping").status == 418
    desk.now_ns += 2 * NS_PER_S
    assert desk.public("ping").status == 200


def test_orders_are_counted_in_windows_of_ten_seconds():
    desk = Desk(limits=Limits(orders_per_10_s=2))
    answers = [desk.limit("BUY", "0.00000060", 2_000_000) for _ in range(3)]
    assert [a.status for a in answers] == [200, 200, 429]
    assert refusal(answers[2])[0] == -1015
    assert desk.call("cancelAll", symbol=SYMBOL).status == 200
    desk.now_ns += 10 * NS_PER_S
    assert desk.limit("BUY", "0.00000060", 2_000_000).status == 200


def test_depth_costs_more_the_deeper_it_is():
    desk = Desk()
    for limit, weight in ((100, 5), (101, 25), (1_000, 50), (5_000, 250)):
        before = int(desk.api.limiter.headers("", NOW_NS)["X-MBX-USED-WEIGHT-1M"])
        desk.public("depth", symbol=SYMBOL, limit=limit)
        after = int(desk.api.limiter.headers("", NOW_NS)["X-MBX-USED-WEIGHT-1M"])
        assert after - before == weight


def test_candles_add_up_and_quiet_minutes_are_flat():
    desk = Desk()
    desk.call("place", symbol=SYMBOL, side="BUY", type="MARKET", quantity=60_000_000)
    desk.now_ns += 120 * NS_PER_S
    rows = desk.public("klines", symbol=SYMBOL, interval="1m").body
    assert [row[8] for row in rows] == [2, 0, 0]
    assert rows[0][1:6] == ["0.00000063", "0.00000064", "0.00000063", "0.00000064",
                            "60000000.00000000"]  # fmt: skip
    assert rows[2][1:6] == ["0.00000064"] * 4 + ["0.00000000"]
    assert refusal(desk.public("klines", symbol=SYMBOL, interval="7m"))[0] == -1120


def test_a_symbol_finer_than_the_money_is_refused():
    with pytest.raises(ValueError, match="finer"):
        msgspec.structs.replace(btt_usdt(), size_exponent=1)
    assert isinstance(btt_usdt(), SymbolSpec)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["limit", "maker", "market", "quote", "ioc", "cancel", "other"]),
        st.sampled_from(["alice", "bob"]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(57, 67),
        st.integers(2_000_000, 90_000_000),
        st.sampled_from(["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT"]),
    ),
    max_size=40,
)


def act(desk, what, who, side, tick, lots, mode):
    price, more = f"0.{tick:08d}", {"selfTradePreventionMode": mode}
    match what:
        case "limit":
            return desk.limit(side, price, lots, who, **more)
        case "maker":
            return desk.limit(side, price, lots, who, type="LIMIT_MAKER", **more)
        case "ioc":
            return desk.limit(side, price, lots, who, timeInForce="IOC", **more)
        case "market":
            return desk.call("place", who, symbol=SYMBOL, side=side, type="MARKET",
                             quantity=lots, **more)  # fmt: skip
        case "quote":
            return desk.call("place", who, symbol=SYMBOL, side=side, type="MARKET",
                             quoteOrderQty=lots // 1_000_000, **more)  # fmt: skip
        case "cancel":
            return desk.call("cancelAll", who, symbol=SYMBOL)
        case _:
            desk.flow.acts = [desk.flow.order(Side(side.lower()), tick, lots)]
            desk.now_ns += NS_PER_S
            desk.exchange.advance(desk.now_ns)
            return None


@settings(max_examples=150, deadline=None)
@given(ACTS)
def test_no_order_of_acts_makes_or_loses_money(acts):
    desk = Desk("alice", "bob", limits=Limits(weight_per_minute=10**9))
    for one in acts:
        act(desk, *one)
        desk.exchange.check()
        desk.exchange.market(SYMBOL).book.check()
    for order in desk.exchange.store.by_id.values():
        fills = [f for f in desk.exchange.store.fills_of(order.account) if
                 f.order_id == order.order_id]  # fmt: skip
        assert sum(f.lots for f in fills) == order.filled_lots <= order.lots
