"""Brings what the exchange tells to the connections that asked for it, faults included."""

import msgspec

from adapters.loopback.connections import Wire
from adapters.loopback.faults import Faults
from adapters.loopback.outbox import Outbox, Private, Public
from adapters.loopback.shaping import Frame, Shaper
from adapters.loopback.streams import Hub, StreamSession, wrapped
from adapters.loopback.wsapi import ApiSession

_TIMES_DEFAULT = 3


class Delivery:
    """Which wire carries which session, and one encoder for all of them."""

    def __init__(self, outbox: Outbox, hub: Hub, faults: Faults) -> None:
        self._outbox = outbox
        self._hub = hub
        self._faults = faults
        self._shaper = Shaper(faults)
        self._encoder = msgspec.json.Encoder()
        self.market_wires: dict[StreamSession, Wire] = {}
        self.api_wires: dict[ApiSession, Wire] = {}

    def deliver(self) -> None:
        """Empty the outbox, in order."""
        for event in self._outbox.take():
            match event:
                case Public():
                    payload = self._encoder.encode(event.message)
                    self.broadcast(event.symbol, event.stream, payload)
                case Private():
                    self._tell(event)

    def broadcast(self, symbol: str, stream: str, payload: bytes) -> list[Wire]:
        """One frame to everybody who listens; returns the wires that got it."""
        sessions = self._hub.sessions(stream)
        if not sessions:
            return []
        wires = [self.market_wires[session] for session in sessions]
        for frame in self._shaper.shape(symbol, stream, payload):
            for session, wire in zip(sessions, wires, strict=True):
                shown = wrapped(stream, frame.payload) if session.is_combined else frame.payload
                wire.push(Frame(shown, frame.is_binary))
        return wires

    def wires(self) -> list[Wire]:
        return [*self.market_wires.values(), *self.api_wires.values()]

    def cut_private(self) -> None:
        """End every connection that carries user data; what happens next is not replayed."""
        for session, wire in list(self.api_wires.items()):
            if session.subscriptions:
                del self.api_wires[session]
                wire.cut()

    def _tell(self, event: Private) -> None:
        is_report = event.message["e"] == "executionReport"
        times = 1
        for session, wire in self.api_wires.items():
            for number, account in session.subscriptions.items():
                if account != event.account:
                    continue
                if is_report and times == 1:
                    fault = self._faults.strike("P02", "", str(event.message["i"]))
                    times = fault.number("times", _TIMES_DEFAULT) if fault else 1
                wrapper = {"subscriptionId": number, "event": event.message}
                frame = Frame(self._encoder.encode(wrapper))
                for _ in range(times):
                    wire.push(frame)
