"""An unmodified ccxt.pro.binance trades on the loopback venue with nothing but other URLs."""

import asyncio
import time

import ccxt
import pytest

from tests.loopback_builders import SYMBOL, Restless, live_venue, unmodified_ccxt
from tests.patience import in_time, until

MARKET = "BTT/USDT"


async def test_ccxt_loads_the_market_with_its_filters():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        markets = await client.load_markets()
        assert list(markets) == [MARKET]
        assert markets[MARKET]["precision"]["price"] == 1e-8
        assert markets[MARKET]["precision"]["amount"] == 1
        assert markets[MARKET]["limits"]["cost"]["min"] == 1


async def test_ccxt_watches_the_order_book():
    async with live_venue(Restless) as (venue, pair), unmodified_ccxt(venue, pair) as client:
        nonces = [(await client.watch_order_book(MARKET))["nonce"] for _ in range(4)]
        book = client.orderbooks[MARKET]
        assert nonces == sorted(set(nonces))
        assert (book["bids"][0][0], book["asks"][0][0]) == (6.1e-7, 6.3e-7)


async def test_ccxt_watches_trades_and_candles():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        await client.load_markets()
        trades = asyncio.create_task(client.watch_trades(MARKET))
        candles = asyncio.create_task(client.watch_ohlcv(MARKET, "1m"))
        await until(lambda: {"bttusdt@trade", "bttusdt@kline_1m"} <= venue.hub.streams())
        await client.create_order(MARKET, "market", "buy", 10_000_000)
        async with in_time("a trade and a candle"):
            trade, candle = (await trades)[-1], (await candles)[-1]
        assert (trade["price"], trade["amount"], trade["side"]) == (6.3e-7, 1e7, "buy")
        assert candle[4:] == [6.3e-7, 1e7]


async def test_ccxt_places_sees_and_cancels_an_order():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        placed = await client.create_order(
            MARKET, "limit", "buy", 10_000_000, 6e-7, {"postOnly": True, "newClientOrderId": "me"}
        )
        assert (placed["status"], placed["clientOrderId"]) == ("open", "me")
        assert [o["id"] for o in await client.fetch_open_orders(MARKET)] == [placed["id"]]
        assert (await client.fetch_balance())["USDT"] == {"free": 994, "used": 6, "total": 1000}
        assert (await client.cancel_order(placed["id"], MARKET))["status"] == "canceled"
        assert await client.fetch_open_orders(MARKET) == []
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(placed["id"], MARKET)


@pytest.mark.parametrize("is_ed25519", [False, True])
async def test_ccxt_trades_over_the_websocket_api(is_ed25519):
    async with (
        live_venue(ed25519=is_ed25519) as (venue, pair),
        unmodified_ccxt(venue, pair) as client,
    ):
        placed = await client.create_order_ws(
            MARKET, "limit", "sell", 10_000_000, 6.5e-7, {"postOnly": True}
        )
        assert (await client.cancel_order_ws(placed["id"], MARKET))["status"] == "canceled"
        await client.create_order_ws(MARKET, "limit", "sell", 10_000_000, 6.5e-7)
        canceled = await client.cancel_all_orders_ws(MARKET)
        assert [order["status"] for order in canceled] == ["canceled"]


async def test_ccxt_is_told_when_a_post_only_order_would_cross():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        with pytest.raises(ccxt.OrderImmediatelyFillable):
            await client.create_order(
                MARKET, "limit", "buy", 10_000_000, 6.3e-7, {"postOnly": True}
            )
        assert venue.state().orders == []


async def test_ccxt_sees_its_own_orders_fills_and_balances():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        await client.load_markets()
        watching = [
            asyncio.create_task(watch)
            for watch in (client.watch_my_trades(MARKET), client.watch_balance())
        ]
        first = asyncio.create_task(client.watch_orders(MARKET))
        await until(lambda: any(s.subscriptions for s in venue.delivery.api_wires))
        placed = await client.create_order(MARKET, "limit", "buy", 10_000_000, 6.2e-7)
        async with in_time("the order"):
            assert (await first)[-1]["id"] == placed["id"]
        second = asyncio.create_task(client.watch_orders(MARKET))
        await asyncio.sleep(0)
        order = venue.exchange.store.by_id[int(placed["id"])]
        venue.exchange.force_fill(order, order.lots, time.time_ns())
        async with in_time("the fill, the balance and the order"):
            trades, _ = await asyncio.gather(*watching)
            assert (await second)[-1]["status"] == "closed"
        assert (trades[-1]["order"], trades[-1]["takerOrMaker"]) == (placed["id"], "maker")
        assert [t["id"] for t in await client.fetch_my_trades(MARKET)] == [trades[-1]["id"]]
        await until(lambda: client.balance["spot"]["USDT"]["total"] == 993.8)


async def test_ccxt_is_refused_for_a_bad_signature():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        await client.load_markets()
        client.secret = "not the secret"
        with pytest.raises(ccxt.AuthenticationError, match="-1022"):
            await client.fetch_balance()


async def test_ccxt_is_refused_for_a_stale_timestamp():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        await client.load_markets()
        client.options["timeDifference"] = 60_000
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            await client.create_order(MARKET, "limit", "buy", 10_000_000, 6e-7)
        assert venue.state().orders == []


async def test_a_filled_order_is_the_same_on_every_path():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        placed = await client.create_order(MARKET, "market", "sell", 10_000_000)
        fetched = await client.fetch_order(placed["id"], MARKET)
        truth = venue.state()
        assert placed["status"] == fetched["status"] == "closed"
        assert [f.lots for f in truth.fills] == [10_000_000]
        assert truth.balances["alice"]["BTT"] == (99_000_000_000_000_000, 0)
        assert truth.orders[0].symbol == SYMBOL


async def test_ccxt_reads_tickers_fees_and_replaces_an_order():
    async with live_venue() as (venue, pair), unmodified_ccxt(venue, pair) as client:
        await client.create_order(MARKET, "market", "buy", 10_000_000)
        ticker = await client.fetch_ticker(MARKET)
        assert (ticker["bid"], ticker["ask"], ticker["last"]) == (6.1e-7, 6.3e-7, 6.3e-7)
        assert (await client.watch_ticker(MARKET))["last"] == 6.3e-7
        assert (await client.fetch_trading_fee(MARKET))["maker"] == 0.001
        assert (await client.fetch_ohlcv(MARKET, "1m"))[-1][5] == 1e7
        placed = await client.create_order(MARKET, "limit", "buy", 10_000_000, 6e-7)
        moved = await client.edit_order(placed["id"], MARKET, "limit", "buy", 10_000_000, 5.9e-7)
        assert [o["id"] for o in await client.fetch_open_orders(MARKET)] == [moved["id"]]
