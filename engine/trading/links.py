"""The wires to one venue: up or down, and when each last showed life."""

import msgspec

from engine.values.events import Stream
from engine.values.units import NS_PER_MS, NS_PER_S, Ns


class LinkParams(msgspec.Struct, frozen=True, kw_only=True):
    """How long a wire may be silent, in ns. A ping goes out each second."""

    silence_ns_max: Ns = 2_500 * NS_PER_MS


class Link:
    """One connection. Silence is judged by its own pings and frames, never by the book's age."""

    def __init__(self) -> None:
        self.is_up = False
        self.last_ns: Ns = 0
        self.why_down = "not connected"

    def connected(self, at_ns: Ns) -> None:
        self.is_up, self.last_ns, self.why_down = True, at_ns, ""

    def disconnected(self, reason: str) -> None:
        self.is_up, self.why_down = False, reason

    def alive(self, at_ns: Ns) -> None:
        if at_ns > self.last_ns:
            self.last_ns = at_ns

    def doubt(self, now_ns: Ns, silence_ns_max: Ns) -> str:
        """Why this wire cannot be trusted now; "" when it can."""
        if not self.is_up:
            return self.why_down
        silent_ns = now_ns - self.last_ns
        if silent_ns > silence_ns_max:
            return f"silent for {silent_ns / NS_PER_S:.1f} s"
        return ""


class VenueLinks:
    """Both connections of one venue, and what a message on one says of it."""

    def __init__(self) -> None:
        self.by_stream = {stream: Link() for stream in Stream}

    def __getitem__(self, stream: Stream) -> Link:
        return self.by_stream[stream]
