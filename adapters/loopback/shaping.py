"""What faults do to public frames on their way out: dropped, doubled, swapped, silenced, broken."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import msgspec

from adapters.loopback.faults import Fault, Faults
from engine.values.errors import UserError

_HUGE_BYTES = 10_000_000
_LONG_ROWS = 50_000


class Frame(msgspec.Struct, frozen=True):
    """One message of a stream. Not every payload is text; a broken one may not even be that."""

    payload: bytes
    is_binary: bool = False


class Shaper:
    """Turns one frame of a stream into the frames that really leave. No fault: the same frame."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held: dict[str, Frame] = {}
        self._kinds = count()

    def shape(self, symbol: str, stream: str, payload: bytes) -> list[Frame]:
        frame = Frame(payload)
        if stream in self._held:
            return [frame, self._held.pop(stream)]
        is_depth = "@depth" in stream
        if is_depth and self._faults.is_on("F09", symbol):
            self._faults.strike("F09", symbol, stream)
            return []
        for fault_id in ("F01", "F02", "F03", "F08", "F13"):
            fault = self._fault_here(fault_id, symbol, stream)
            if fault is not None:
                return list(self._apply(fault, stream, frame))
        return [frame]

    def _fault_here(self, fault_id: str, symbol: str, stream: str) -> Fault | None:
        for fault in self._faults.active(fault_id):
            is_symbol = not fault.symbol or fault.symbol == symbol
            if is_symbol and f"@{fault.option('stream', 'depth')}" in stream:
                return self._faults.struck(fault, stream)
        return None

    def _apply(self, fault: Fault, stream: str, frame: Frame) -> Iterator[Frame]:
        match fault.fault_id:
            case "F01":
                return
            case "F02":
                yield from (frame, frame)
            case "F03":
                self._held[stream] = frame
            case "F08":
                yield Frame(_without_deletes(frame.payload))
            case _:
                yield self._broken(fault, frame)
                if fault.option("keep", "false") == "true":
                    yield frame

    def _broken(self, fault: Fault, frame: Frame) -> Frame:
        """The kind that was asked for, else every kind in turn."""
        names = list(KINDS)
        kind = fault.option("kind", "") or names[next(self._kinds) % len(names)]
        return broken(kind, frame)


def check_kind(kind: str) -> None:
    if kind and kind not in KINDS:
        raise UserError(f"--fault F13: kind={kind!r} is none of {', '.join(KINDS)}")


def broken(kind: str, frame: Frame) -> Frame:
    """The frame, malformed in the given way."""
    if kind == "binary":
        return Frame(frame.payload, is_binary=True)
    return Frame(KINDS[kind](frame.payload))


def _edited(payload: bytes, edit: Callable[[dict[str, Any]], object]) -> bytes:
    message = msgspec.json.decode(payload)
    edit(message)
    return msgspec.json.encode(message)


def _priced(price: str) -> Callable[[bytes], bytes]:
    """Puts a level with this price among the bids."""
    return lambda payload: _edited(
        payload, lambda message: message.setdefault("b", []).insert(0, [price, "1.00000000"])
    )


def _without_deletes(payload: bytes) -> bytes:
    def edit(message: dict[str, Any]) -> None:
        for side in ("b", "a"):
            message[side] = [row for row in message[side] if row[1].strip("0.")]

    return _edited(payload, edit)


KINDS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda payload: payload[: len(payload) // 2],
    "not_json": lambda payload: b"{]",
    "empty": lambda payload: b"",
    "utf8": lambda payload: payload[:-1] + b'\xff\xfe"}',
    "binary": lambda payload: payload,
    "wrong_type": lambda payload: _edited(payload, lambda m: m.update(b="none", u="x")),
    "no_id": lambda payload: _edited(payload, lambda m: (m.pop("u", None), m.pop("U", None))),
    "unknown_field": lambda payload: _edited(payload, lambda m: m.update(zz=[1, {"y": None}])),
    "nan": _priced("NaN"),
    "exponent": _priced("1e999"),
    "negative": _priced("-0.00000001"),
    "zero_price": _priced("0.00000000"),
    "off_tick": _priced("0.000000000001"),
    "wrong_symbol": lambda payload: _edited(payload, lambda m: m.update(s="NONESUCH")),
    "long": lambda payload: _edited(
        payload, lambda m: m.update(b=[["0.00000001", "1.00000000"]] * _LONG_ROWS)
    ),
    "huge": lambda payload: b'{"e":"' + b"x" * _HUGE_BYTES + b'"}',
}
