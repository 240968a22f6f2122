"""Keeps what could not be read for a person to look at: its hash and its first bytes, no more."""

import hashlib

from engine.values.events import Quarantined
from engine.values.units import Ns

EXCERPT_BYTES = 80


def quarantined(venue: str, frame: bytes, reason: str, at_ns: Ns) -> Quarantined:
    """`reason` is shortened and both texts hold printable ASCII only."""
    return Quarantined(
        venue=venue,
        at_ns=at_ns,
        reason=_printable(reason.encode("utf-8", "replace")[:200]),
        digest=hashlib.sha256(frame).hexdigest(),
        excerpt=_printable(frame[:EXCERPT_BYTES]),
    )


def _printable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
