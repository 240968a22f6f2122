"""Orders and cancels as the bytes that leave: everything that never changes is encoded once.

For a session that has logged on: nothing of these frames is signed one by one.
"""

from collections.abc import Mapping

import msgspec

from adapters.native.calls import CANCEL, PLACE
from engine.values.commands import Cancel, Place
from engine.values.instrument import Instrument
from engine.values.units import Lot, Side, Tick

SIDES = {Side.BUY: "BUY", Side.SELL: "SELL"}
TEXTS_MAX = 20_000
_PLACE = b'%b"price":"%b","quantity":"%b","newClientOrderId":%b,"timestamp":%d},"id":%d}'
_CANCEL = b'%b"origClientOrderId":%b,"timestamp":%d},"id":%d}'

_Head = tuple[str, Side, bool, bool]


class OrderFrames:
    """`instruments` by market may grow; a market's own terms stay as they are."""

    def __init__(self, instruments: Mapping[str, Instrument], recv_window_ms: int) -> None:
        self._instruments = instruments
        self._recv_window_ms = recv_window_ms
        self._encode = msgspec.json.Encoder().encode
        self._places: dict[_Head, bytes] = {}
        self._cancels: dict[str, bytes] = {}
        self._prices: dict[tuple[str, Tick], bytes] = {}
        self._sizes: dict[tuple[str, Lot], bytes] = {}

    def place(self, command: Place, number: int, at_ms: int) -> bytes:
        key = command.market, command.side, command.post_only, command.is_ioc
        head = self._places.get(key)
        if head is None:
            head = self._places[key] = self._place_head(command)
        return _PLACE % (
            head,
            self._price(command.market, command.tick),
            self._size(command.market, command.lots),
            self._encode(command.client_id),
            at_ms,
            number,
        )

    def cancel(self, command: Cancel, number: int, at_ms: int) -> bytes:
        head = self._cancels.get(command.market)
        if head is None:
            symbol = self._instruments[command.market].venue_symbol
            head = self._cancels[command.market] = self._head(CANCEL.method, {"symbol": symbol})
        return _CANCEL % (head, self._encode(command.client_id), at_ms, number)

    def _price(self, market: str, tick: Tick) -> bytes:
        """A market's orders stand at few prices and in few sizes: each is written out once."""
        text = self._prices.get((market, tick))
        if text is None:
            text = self._instruments[market].price_text(tick).encode()
            _keep(self._prices, (market, tick), text)
        return text

    def _size(self, market: str, lots: Lot) -> bytes:
        text = self._sizes.get((market, lots))
        if text is None:
            text = self._instruments[market].size_text(lots).encode()
            _keep(self._sizes, (market, lots), text)
        return text

    def _place_head(self, command: Place) -> bytes:
        return self._head(PLACE.method, fixed_terms(command, self._instruments[command.market]))

    def _head(self, method: str, params: Mapping[str, str | int]) -> bytes:
        """A request without its end, so that more parameters may follow."""
        params = {**params, "recvWindow": self._recv_window_ms}
        whole = self._encode({"method": method, "params": params})
        return whole.removesuffix(b"}}") + b","


def _keep(known: dict[tuple[str, int], bytes], key: tuple[str, int], text: bytes) -> None:
    if len(known) >= TEXTS_MAX:
        known.clear()
    known[key] = text


def fixed_terms(command: Place, item: Instrument) -> dict[str, str | int]:
    """What all orders of this kind in this market have in common."""
    terms: dict[str, str | int] = {
        "symbol": item.venue_symbol,
        "side": SIDES[command.side],
        "type": "LIMIT_MAKER" if command.post_only else "LIMIT",
        "newOrderRespType": "RESULT",
    }
    if not command.post_only:
        terms["timeInForce"] = "IOC" if command.is_ioc else "GTC"
    return terms
