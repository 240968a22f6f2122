"""Binance's market streams: what is subscribed for a market, and what the venue says to that."""

from collections.abc import Iterable
from enum import Enum, auto

import msgspec

from adapters.common.budget import Cost
from engine.values.instrument import Instrument

CHANNELS = ("depth@100ms", "trade", "bookTicker")
SUBSCRIBED_S_MAX = 5.0
LOOK_EVERY_S = 0.02
"""How soon after it is due a snapshot is asked for."""
SNAPSHOT_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))


class Heard(Enum):
    """What a frame says about a SUBSCRIBE."""

    NOTHING = auto()
    ACCEPTED = auto()
    REFUSED = auto()


class _Reply(msgspec.Struct, frozen=True):
    """The venue's answer to our SUBSCRIBE, among market messages that have no `id`."""

    id: int | str | None = None
    error: msgspec.Raw = msgspec.Raw()
    code: msgspec.Raw = msgspec.Raw()


def stream_names(instruments: Iterable[Instrument]) -> list[str]:
    return [
        f"{item.venue_symbol.lower()}@{channel}" for item in instruments for channel in CHANNELS
    ]


def subscribe_request(names: list[str], number: int) -> dict[str, object]:
    return {"method": "SUBSCRIBE", "params": names, "id": number}


def hear_reply(frame: bytes, number: int) -> Heard:
    """Is this the answer to request `number`, or an error that names none?"""
    try:
        reply = msgspec.json.decode(frame, type=_Reply)
    except msgspec.DecodeError:
        return Heard.NOTHING
    if reply.id != number and not bytes(reply.code):
        return Heard.NOTHING
    is_refused = bytes(reply.error) or bytes(reply.code)
    return Heard.REFUSED if is_refused else Heard.ACCEPTED


def snapshot_cost(limit: int) -> Cost:
    return Cost(weight=next(weight for most, weight in SNAPSHOT_WEIGHTS if limit <= most))
