"""Who listens to which public stream, and the SUBSCRIBE protocol of one connection."""

import asyncio
import re
from typing import Any

import msgspec

from adapters.loopback.config import Limits
from engine.values.units import NS_PER_S, Ns

Json = dict[str, object]
_STREAM = re.compile(r"^[a-z0-9_!]+@[A-Za-z0-9_@]+$")


class MessageRule:
    """No more than so many messages a second from one connection; pings and pongs count too."""

    def __init__(self, per_s: int) -> None:
        self._per_s = per_s
        self._seen_ns: list[Ns] = []

    def allows(self, now_ns: Ns) -> bool:
        self._seen_ns = [at for at in self._seen_ns if now_ns - at < NS_PER_S]
        self._seen_ns.append(now_ns)
        return len(self._seen_ns) <= self._per_s


class StreamSession:
    """One market-data connection: its streams, and whether frames come wrapped by stream name."""

    def __init__(self, hub: "Hub", *, is_combined: bool) -> None:
        self._hub = hub
        self.is_combined = is_combined
        self.streams: dict[str, None] = {}

    def handle(self, text: bytes, limits: Limits) -> Json:
        """The reply to one message of the client."""
        try:
            request = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _error(3, f"Invalid JSON: {str(error)[:100]}")
        if not isinstance(request, dict):
            return _error(2, "Invalid request: request must be an object")
        return self._obey(request, limits)

    def close(self) -> None:
        self._remove(list(self.streams))

    def _obey(self, request: dict[str, Any], limits: Limits) -> Json:
        number = request.get("id")
        if not (number is None or isinstance(number, int | str)):
            return _error(2, "Invalid request: request ID must be an unsigned integer", None)
        match request.get("method"):
            case "SUBSCRIBE" | "UNSUBSCRIBE" as method:
                names = request.get("params")
                if not isinstance(names, list) or not all(_is_stream(name) for name in names):
                    return _error(2, "Invalid request: invalid stream", number)
                if method == "SUBSCRIBE":
                    if len(self.streams | dict.fromkeys(names)) > limits.streams_per_connection:
                        return _error(2, "Invalid request: too many streams", number)
                    self.subscribe(names)
                else:
                    self._remove(names)
                return {"result": None, "id": number}
            case "LIST_SUBSCRIPTIONS":
                return {"result": list(self.streams), "id": number}
            case "SET_PROPERTY":
                self.is_combined = request.get("params") == ["combined", True]
                return {"result": None, "id": number}
            case "GET_PROPERTY":
                return {"result": self.is_combined, "id": number}
            case other:
                return _error(2, f"Invalid request: unknown variant {str(other)[:40]}", number)

    def subscribe(self, streams: list[str]) -> None:
        for stream in streams:
            self.streams[stream] = None
            self._hub.add(stream, self)

    def _remove(self, streams: list[str]) -> None:
        for stream in streams:
            if stream in self.streams:
                del self.streams[stream]
                self._hub.remove(stream, self)


class Hub:
    """Sessions by stream. `wanted` is shared with the exchange, which makes nothing unwanted."""

    def __init__(self, wanted: set[str]) -> None:
        self._wanted = wanted
        self._sessions: dict[str, dict[StreamSession, None]] = {}
        self._heard: dict[str, asyncio.Event] = {}

    def add(self, stream: str, session: StreamSession) -> None:
        self._sessions.setdefault(stream, {})[session] = None
        self._wanted.add(stream)
        name, _, kind = stream.partition("@")
        if kind.startswith("depth"):
            self.depth_heard(name).set()

    def remove(self, stream: str, session: StreamSession) -> None:
        sessions = self._sessions[stream]
        sessions.pop(session, None)
        if not sessions:
            del self._sessions[stream]
            self._wanted.discard(stream)

    def streams(self) -> set[str]:
        """All that somebody listens to."""
        return set(self._sessions)

    def sessions(self, stream: str) -> list[StreamSession]:
        return list(self._sessions.get(stream, ()))

    def depth_heard(self, symbol: str) -> asyncio.Event:
        """Set once somebody listens to the depth of this symbol."""
        return self._heard.setdefault(f"{symbol.lower()}@depth", asyncio.Event())


def wrapped(stream: str, frame: bytes) -> bytes:
    """A frame as a combined connection gets it, its own bytes unchanged."""
    return b'{"stream":"%s","data":%s}' % (stream.encode(), frame)


def _is_stream(name: object) -> bool:
    return isinstance(name, str) and bool(_STREAM.match(name))


def _error(code: int, text: str, number: object = None) -> Json:
    return {"error": {"code": code, "msg": text}, "id": number}
