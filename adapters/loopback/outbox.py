"""What the exchange wants to tell: public messages by stream, private ones by account."""

import msgspec

Json = dict[str, object]


class Public(msgspec.Struct, frozen=True):
    symbol: str
    stream: str
    message: Json


class Private(msgspec.Struct, frozen=True):
    account: str
    message: Json


class Outbox:
    """Filled by the exchange, emptied by the server. Unwanted public messages are not kept."""

    def __init__(self) -> None:
        self.wanted: set[str] = set()
        self._events: list[Public | Private] = []

    def publish(self, symbol: str, stream: str, message: Json) -> None:
        if stream in self.wanted:
            self._events.append(Public(symbol, stream, message))

    def tell(self, account: str, message: Json) -> None:
        self._events.append(Private(account, message))

    def take(self) -> list[Public | Private]:
        events, self._events = self._events, []
        return events
