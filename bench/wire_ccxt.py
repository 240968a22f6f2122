"""The loop that everybody starts with, as a client of the wire benchmark: bare ccxt.pro.

`python -m bench.wire_ccxt PATH`: PATH is JSON with the venue's urls under ccxt's own names. It
awaits `watch_order_book`, then `create_order_ws` below the best bid, as ccxt's manual shows it; no
book of its own, no risk, no journal, one order at a time and none cancelled.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import uvloop

from bench.wire_venue import BUY_BELOW

MARKET, LOTS, TICK = "BTC/USDT", 0.0001, 0.01


async def run(urls: dict[str, Any]) -> None:
    from ccxt.pro import binance

    options = {"fetchMarkets": {"types": ["spot"]}, "fetchMargins": False}
    exchange: Any = binance({"apiKey": "any", "secret": "any", "options": options})
    exchange.has["fetchCurrencies"] = False
    exchange.urls["api"] = urls  # and no other: whatever else it wanted to ask fails here
    exchange.enableRateLimit = False
    await exchange.load_markets()
    try:
        while True:
            book = await exchange.watch_order_book(MARKET)
            price = book["bids"][0][0] - BUY_BELOW * TICK
            await exchange.create_order_ws(MARKET, "limit", "buy", LOTS, price, {"postOnly": True})
    finally:
        await exchange.close()


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
