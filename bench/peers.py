"""Other ways to the first order, each a program of its own: `python -m bench.peers NAME FILE`.

FILE is JSON with the venue's urls and a key. `minimal` is the floor: uvloop, picows, msgspec and
nothing else, no book, no risk, no journal. `ccxt` is a bare loop on ccxt.pro as its manual shows
it. Each places one post-only order far from the market on the first book it sees, and waits.
None of this is part of the engine, and the engine imports none of it. Each imports its own parts
when it runs, so that none pays for another's.
"""

import asyncio
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvloop

SYMBOL, VENUE_SYMBOL = "BTT/USDT", "BTTUSDT"
LOTS, BUY_AT = 10_000_000, "0.00000050"


def installed() -> list[str]:
    """The peers that can run here."""
    needs = {"minimal": "picows", "ccxt": "ccxt"}
    return [name for name, module in needs.items() if find_spec(module)]


async def minimal(told: dict[str, Any]) -> None:
    """Log on, stream the book, place when the first depth frame is there."""
    import base64
    import time
    from urllib.parse import urlencode

    import msgspec
    import picows
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key: Any = load_pem_private_key(told["secret"].encode(), None)
    ready, seen = asyncio.Event(), asyncio.Event()

    class Orders(picows.WSListener):
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            answer = msgspec.json.decode(frame.get_payload_as_bytes())
            assert answer["status"] == 200, answer
            ready.set()

    class Book(picows.WSListener):
        def on_ws_frame(self, transport: Any, frame: Any) -> None:
            if not seen.is_set() and b'"b"' in frame.get_payload_as_bytes():
                seen.set()

    def ask(method: str, **params: str) -> bytes:
        signed = params | {"apiKey": told["api_key"], "timestamp": str(int(time.time() * 1000))}
        payload = urlencode(sorted(signed.items())).encode()
        signed["signature"] = base64.b64encode(key.sign(payload)).decode()
        asked: bytes = msgspec.json.encode({"id": method, "method": method, "params": signed})
        return asked

    api, stream = told["ws_api"], f"{told['ws']}/{VENUE_SYMBOL.lower()}@depth@100ms"
    (orders, _), _ = await asyncio.gather(
        picows.ws_connect(Orders, api), picows.ws_connect(Book, stream)
    )
    orders.send(picows.WSMsgType.TEXT, ask("session.logon"))
    await ready.wait()
    await seen.wait()
    orders.send(
        picows.WSMsgType.TEXT,
        ask(
            "order.place", symbol=VENUE_SYMBOL, side="BUY", type="LIMIT_MAKER",
            quantity=str(LOTS), price=BUY_AT,
        ),
    )  # fmt: skip
    await asyncio.sleep(60)


async def ccxt(told: dict[str, Any]) -> None:
    """`watch_order_book`, then `create_order`: the loop that everybody starts with."""
    import ccxt.pro as manual

    exchange: Any = manual.binance({"apiKey": told["api_key"], "secret": told["secret"]})
    exchange.urls["api"] = exchange.deep_extend(exchange.urls["api"], told["urls"])
    try:
        await exchange.watch_order_book(SYMBOL)
        await exchange.create_order_ws(
            SYMBOL, "limit", "buy", LOTS, float(BUY_AT), {"postOnly": True}
        )
        await asyncio.sleep(60)
    finally:
        await exchange.close()


def main() -> None:
    told = json.loads(Path(sys.argv[2]).read_bytes())
    uvloop.run({"minimal": minimal, "ccxt": ccxt}[sys.argv[1]](told))


if __name__ == "__main__":
    main()
