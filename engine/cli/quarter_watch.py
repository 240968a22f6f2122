"""A bystander of a live quarter: counts by itself what the engine promises never to do.

It sees every fact that goes in and every command that comes out, and believes no state of the
engine: a book is verified from a snapshot of it up to a loss of it or of its wire.
"""

from collections import Counter

from engine.runtime.live import Live
from engine.values.commands import Place
from engine.values.events import (
    Alive,
    BookDelta,
    BookLost,
    BookSnapshot,
    Disconnected,
    Event,
    Stream,
)
from engine.values.execution_records import ChildRefused
from engine.values.step import Step
from engine.values.units import NS_PER_MS, Ns

SILENCE_NS = 2_600 * NS_PER_MS
"""A wire that brought nothing for so long vouches for nothing; a ping goes out each second."""


class Watch:
    """`unverified` are orders that left on a book which nobody vouched for."""

    def __init__(self, live: Live) -> None:
        self.unverified: list[str] = []
        self.placed = self.refused = 0
        self.losses: Counter[str] = Counter()
        self._whole: set[str] = set()
        self._heard_ns: dict[str, Ns] = {}
        self._process = live.engine.process
        live.engine.process = self._seen  # type: ignore[method-assign]

    def _seen(self, event: Event) -> Step:
        match event:
            case BookSnapshot():
                self._whole.add(event.market)
                self._hear(event.market, event.at_ns)
            case BookDelta():
                self._hear(event.market, event.at_ns)
            case Alive() if event.stream is Stream.PUBLIC:
                self._hear(f"@{event.venue}", event.at_ns)
            case BookLost():
                self._whole.discard(event.market)
            case Disconnected():
                self.losses[f"{event.venue} {event.stream}"] += 1
                if event.stream is Stream.PUBLIC:
                    lost = {name for name in self._whole if name.endswith(f"@{event.venue}")}
                    self._whole -= lost
            case _:
                pass
        step = self._process(event)
        for command in step.commands:
            if isinstance(command, Place):
                self._place(command)
        self.refused += sum(isinstance(record, ChildRefused) for record in step.records)
        return step

    def _hear(self, market: str, at_ns: Ns) -> None:
        """One wire carries all markets of a venue."""
        self._heard_ns[market.partition("@")[2]] = at_ns

    def _place(self, order: Place) -> None:
        self.placed += 1
        silent_ns = order.at_ns - self._heard_ns.get(order.market.partition("@")[2], 0)
        if order.market not in self._whole or silent_ns > SILENCE_NS:
            self.unverified.append(f"{order.client_id} in {order.market}, {silent_ns} ns silent")
