"""Frames made from a template say exactly what the general way would say."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters.native.order_frames import OrderFrames, fixed_terms
from engine.values.commands import Cancel, Place
from engine.values.units import Side
from tests.trading_builders import BTT

MARKET = BTT.market
IDS = st.text(min_size=1, max_size=36)


def frames():
    return OrderFrames({MARKET: BTT}, 1000)


@given(
    st.sampled_from(Side), st.integers(1, 10**9), st.integers(1, 10**12), IDS, st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_a_place_says_what_the_ticket_says(side, tick, lots, client_id, post_only, is_ioc):
    command = Place(
        market=MARKET, client_id=client_id, side=side, tick=tick, lots=lots,
        post_only=post_only, is_ioc=is_ioc and not post_only, at_ns=0,
    )  # fmt: skip
    assert msgspec.json.decode(frames().place(command, 7, 1700000000000)) == {
        "id": 7,
        "method": "order.place",
        "params": {
            **fixed_terms(command, BTT),
            "price": BTT.price_text(tick),
            "quantity": BTT.size_text(lots),
            "newClientOrderId": client_id,
            "recvWindow": 1000,
            "timestamp": 1700000000000,
        },
    }


@given(IDS)
def test_a_cancel_names_the_order_whatever_its_name(client_id):
    command = Cancel(market=MARKET, client_id=client_id, at_ns=0)
    assert msgspec.json.decode(frames().cancel(command, 8, 5)) == {
        "id": 8,
        "method": "order.cancel",
        "params": {
            "symbol": BTT.venue_symbol,
            "recvWindow": 1000,
            "origClientOrderId": client_id,
            "timestamp": 5,
        },
    }


def test_kinds_of_orders_do_not_share_their_terms():
    made = frames()
    terms = set()
    for post_only, is_ioc in ((True, False), (False, False), (False, True)):
        command = Place(
            market=MARKET, client_id="b1-1", side=Side.BUY, tick=5, lots=5,
            post_only=post_only, is_ioc=is_ioc, at_ns=0,
        )  # fmt: skip
        params = msgspec.json.decode(made.place(command, 1, 1))["params"]
        terms.add((params["type"], params.get("timeInForce")))
    assert terms == {("LIMIT_MAKER", None), ("LIMIT", "GTC"), ("LIMIT", "IOC")}
