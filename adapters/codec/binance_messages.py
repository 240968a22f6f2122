"""Binance's public messages as they stand on the wire; spot and futures share these fields."""

from typing import Annotated

import msgspec

Id = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Ms = Annotated[int, msgspec.Meta(ge=0, le=2**43)]
Pairs = list[tuple[str, str]]
NO_ID = -1


class DepthUpdate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Absolute sizes of changed levels. `previous_id` is sent by futures only."""

    event: str = msgspec.field(name="e")
    venue_ms: Ms = msgspec.field(name="E")
    symbol: str = msgspec.field(name="s")
    first_id: Id = msgspec.field(name="U")
    last_id: Id = msgspec.field(name="u")
    previous_id: int = msgspec.field(name="pu", default=NO_ID)
    bids: Pairs = msgspec.field(name="b")
    asks: Pairs = msgspec.field(name="a")


class DepthSnapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer of REST depth. Spot names neither symbol nor time."""

    last_id: Id = msgspec.field(name="lastUpdateId")
    venue_ms: Ms = msgspec.field(name="E", default=0)
    symbol: str = ""
    bids: Pairs
    asks: Pairs


class BookTicker(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    update_id: Id = msgspec.field(name="u")
    venue_ms: Ms = msgspec.field(name="E", default=0)
    symbol: str = msgspec.field(name="s")
    bid: str = msgspec.field(name="b")
    bid_size: str = msgspec.field(name="B")
    ask: str = msgspec.field(name="a")
    ask_size: str = msgspec.field(name="A")


class TradeMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    event: str = msgspec.field(name="e")
    venue_ms: Ms = msgspec.field(name="E")
    symbol: str = msgspec.field(name="s")
    trade_id: Id = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    size: str = msgspec.field(name="q")
    is_buyer_maker: bool = msgspec.field(name="m")


class AggregateTrade(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    event: str = msgspec.field(name="e")
    venue_ms: Ms = msgspec.field(name="E")
    symbol: str = msgspec.field(name="s")
    trade_id: Id = msgspec.field(name="a")
    price: str = msgspec.field(name="p")
    size: str = msgspec.field(name="q")
    is_buyer_maker: bool = msgspec.field(name="m")


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Any frame, read just far enough to know what it is."""

    stream: str = ""
    data: msgspec.Raw = msgspec.Raw()
    event: str = msgspec.field(name="e", default="")
    symbol: str = msgspec.field(name="s", default="")
    snapshot_id: msgspec.Raw = msgspec.field(name="lastUpdateId", default=msgspec.Raw())
    ticker_bid_size: msgspec.Raw = msgspec.field(name="B", default=msgspec.Raw())
    error: msgspec.Raw = msgspec.Raw()
    code: msgspec.Raw = msgspec.Raw()
    request_id: msgspec.Raw = msgspec.field(name="id", default=msgspec.Raw())
