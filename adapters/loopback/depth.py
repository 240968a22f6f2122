"""Depth frames: everything that changed since the last frame, with an unbroken chain of ids."""

import msgspec

from engine.values.units import Levels, Lot, Ns, Tick

NS_PER_MS = 1_000_000


class DepthFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute sizes as of `last_id`; `first_id` follows the `last_id` of the frame before."""

    first_id: int
    last_id: int
    bids: Levels
    asks: Levels


class DepthWindow:
    """Gathers changes between two moments of a fixed grid of `every_ms`."""

    def __init__(self, every_ms: int, update_id: int) -> None:
        self._every_ns = every_ms * NS_PER_MS
        self._sent_id = update_id
        self._update_id = update_id
        self._bids: dict[Tick, Lot] = {}
        self._asks: dict[Tick, Lot] = {}
        self.due_ns: Ns = 0

    def add(self, changes: tuple[Levels, Levels], update_id: int, now_ns: Ns) -> None:
        self._bids.update(changes[0])
        self._asks.update(changes[1])
        self._update_id = update_id
        if not self.due_ns:
            self.due_ns = now_ns - now_ns % self._every_ns + self._every_ns

    def take(self, now_ns: Ns) -> DepthFrame | None:
        """The frame that is due, or None: nothing is sent when nothing changed."""
        if not self.due_ns or now_ns < self.due_ns:
            return None
        frame = DepthFrame(
            first_id=self._sent_id + 1,
            last_id=self._update_id,
            bids=sorted(self._bids.items(), reverse=True),
            asks=sorted(self._asks.items()),
        )
        self._sent_id, self.due_ns = self._update_id, 0
        self._bids, self._asks = {}, {}
        return frame
