"""Frames of a Binance user data stream: facts of them, whose order it was, and when to give up."""

from collections.abc import Callable
from typing import Protocol

from adapters.common.client_ids import ClientIds
from engine.values.events import Event, OrderReport, Quarantined
from engine.values.ports import Inbox
from engine.values.units import Ns

_ENDED = b"eventStreamTerminated"
_ENDED_BYTES_MAX = 300


class UserCodec(Protocol):
    def decode(self, frame: bytes, at_ns: Ns) -> list[Event]: ...


class PrivateFrames:
    """`fail` ends the connection: a fresh one brings a reconciliation."""

    def __init__(
        self, codec: UserCodec, client_ids: ClientIds, inbox: Inbox, fail: Callable[[str], None]
    ) -> None:
        self._codec = codec
        self._client_ids = client_ids
        self._inbox = inbox
        self._fail = fail

    def take(self, frame: bytes, at_ns: Ns) -> None:
        for fact in self._codec.decode(frame, at_ns):
            if isinstance(fact, OrderReport):
                self._client_ids.learn(fact.market, fact.venue_id, fact.client_id)
            self._inbox.put(fact)
            if isinstance(fact, Quarantined):
                # It may have been a fill.
                self._fail("unreadable private frame")
        if len(frame) < _ENDED_BYTES_MAX and _ENDED in frame:
            self._fail("user data stream ended by the venue")
