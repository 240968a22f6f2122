"""The floor of the wire benchmark: uvloop, picows, msgspec and nothing else.

`python -m bench.wire_floor STREAM_URL API_URL`: no book, no risk, no journal. It decodes each depth
frame and places one post-only order BUY_BELOW ticks below the best bid that it names.
"""

import asyncio
import sys
import time
from itertools import count
from typing import Any

import msgspec
import picows
import uvloop

from bench.wire_venue import BUY_BELOW, SYMBOL

TEXT = picows.WSMsgType.TEXT


class Depth(msgspec.Struct):
    b: list[tuple[str, str]] = []


class Orders(picows.WSListener):
    """Answers are taken off the wire and left at that."""

    def on_ws_connected(self, transport: Any) -> None:
        self.transport = transport
        self.send = transport.send


class Market(picows.WSListener):
    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._decode = msgspec.json.Decoder(Depth).decode
        self._encode = msgspec.json.Encoder().encode
        self._ids = count(1)

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if frame.msg_type != TEXT:
            return
        depth = self._decode(frame.get_payload_as_memoryview())
        if not depth.b:
            return
        whole, _, cents = depth.b[0][0].partition(".")
        tick = int(whole) * 100 + int(cents) - BUY_BELOW
        number = next(self._ids)
        params = {
            "symbol": SYMBOL, "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.0001",
            "price": f"{tick // 100}.{tick % 100:02d}", "newClientOrderId": str(number),
            "timestamp": int(time.time() * 1000),
        }  # fmt: skip
        request = {"id": number, "method": "order.place", "params": params}
        self._orders.send(TEXT, self._encode(request))


async def run(stream_url: str, api_url: str) -> None:
    _, orders = await picows.ws_connect(Orders, api_url)
    transport, _ = await picows.ws_connect(lambda: Market(orders), stream_url)
    subscribe = {"method": "SUBSCRIBE", "params": [f"{SYMBOL.lower()}@depth@100ms"], "id": 1}
    transport.send(TEXT, msgspec.json.encode(subscribe))
    await asyncio.sleep(3600)


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))
