"""Proves that no depth message is missing: Binance's own rule, as a machine without I/O.

Source: "How to manage a local order book correctly" of Binance spot and futures, restated in the
venue rules of this project. Both rules ask one question of a message: which update came before it?
Spot says it by `U` (the one before is U-1), futures by `pu`.
"""

from collections import deque
from enum import StrEnum
from itertools import pairwise

import msgspec

from adapters.codec.binance_messages import DepthSnapshot, DepthUpdate
from adapters.codec.depth_kernel import DepthReader
from adapters.codec.grid import Grid
from engine.values.events import BookDelta, BookLost, BookSnapshot, Event
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_MS, NS_PER_S, Levels, Ns


class Dialect(StrEnum):
    SPOT = "spot"
    """Ids of one market are dense; messages may overlap what is known."""
    FUTURES = "futures"
    """Ids have holes; each message names its predecessor, which must be the one we hold."""


class ContinuityParams(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of waiting. None of them decides about money."""

    buffer_max: int = 5_000
    """Messages kept while no snapshot is there; the oldest fall out."""
    repeats_max: int = 20
    """So many old messages in a row are no replay: the venue's ids went back."""
    catch_up_max: int = 2_000
    """The same, while the stream has not yet reached a snapshot that was ahead of it."""
    backoff_ns_min: Ns = 500 * NS_PER_MS
    backoff_ns_max: Ns = 30 * NS_PER_S
    calm_ns: Ns = 60 * NS_PER_S
    """A book that lives this long has earned an immediate snapshot at its next loss."""


class _Held(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    before_id: int
    delta: BookDelta


class BinanceBook:
    """Continuity of one market: depth messages and snapshots in, proved book events out.

    `on_depth` and `on_snapshot` raise ValueError for a message that cannot be read; nothing has
    changed then, and the caller says `lose`. A snapshot that comes before the first message waits
    for it: only a message can show that the snapshot is not older than the stream.
    """

    def __init__(
        self,
        instrument: Instrument,
        dialect: Dialect = Dialect.SPOT,
        params: ContinuityParams = ContinuityParams(),  # noqa: B008 (a frozen value)
    ) -> None:
        self.instrument = instrument
        self.market = instrument.market
        self.grid = Grid(instrument)
        self.reader = DepthReader(instrument)
        self.is_synced = False
        self.snapshot_due_ns: Ns = 0
        self.sequence = 0
        self.losses = 0
        self.gaps = 0
        """Breaks of the chain, also of messages that only waited for a snapshot."""
        self._is_dense = dialect is Dialect.SPOT
        self._params = params
        self._held: deque[_Held] = deque(maxlen=params.buffer_max)
        self._waiting: BookSnapshot | None = None
        self._attempts = 0
        self._repeats = 0
        self._is_bridged = False
        self._synced_ns: Ns = 0

    @property
    def wants_snapshot(self) -> bool:
        """Ask for one at `snapshot_due_ns` (plus the runtime's jitter), then say so."""
        return not self.is_synced and self._waiting is None

    def snapshot_asked(self, at_ns: Ns) -> None:
        """A request has left; if nothing usable comes, ask again after a doubled wait."""
        wait_ns = self._params.backoff_ns_min << min(self._attempts, 20)
        self._attempts += 1
        self.snapshot_due_ns = at_ns + min(wait_ns, self._params.backoff_ns_max)

    def on_depth(self, message: DepthUpdate, at_ns: Ns) -> list[Event]:
        delta = BookDelta(
            market=self.market,
            at_ns=at_ns,
            venue_ns=message.venue_ms * NS_PER_MS,
            sequence=message.last_id,
            bids=self.grid.levels(message.bids),
            asks=self.grid.levels(message.asks),
        )
        return self.on_delta(message.first_id, message.previous_id, delta)

    def on_delta(self, first_id: int, previous_id: int, delta: BookDelta) -> list[Event]:
        """As `on_depth`, for a message whose levels are ticks and lots already."""
        before_id = first_id - 1 if self._is_dense else previous_id
        if not self._is_dense and before_id < 0:
            raise ValueError("a futures message without its predecessor")
        if delta.sequence < first_id or before_id > delta.sequence:
            raise ValueError("the message ends before it begins")
        if self.is_synced:
            return self._follow(before_id, delta)
        self._hold(before_id, delta)
        waiting = self._waiting
        return self._synchronise(waiting, delta.at_ns) if waiting is not None else []

    def on_snapshot(self, message: DepthSnapshot, at_ns: Ns) -> list[Event]:
        """The whole book over REST. Ignored while synchronised: the stream knows better."""
        if self.is_synced:
            return []
        snapshot = BookSnapshot(
            market=self.market,
            at_ns=at_ns,
            venue_ns=message.venue_ms * NS_PER_MS,
            sequence=message.last_id,
            bids=self.grid.levels(message.bids),
            asks=self.grid.levels(message.asks),
        )
        _check_order(snapshot.bids, snapshot.asks)
        if not self._held:
            self._waiting = snapshot
            return []
        return self._synchronise(snapshot, at_ns)

    def on_disconnect(self, at_ns: Ns) -> list[Event]:
        events = self.lose("disconnected", at_ns)
        self._held.clear()
        self._waiting = None
        return events

    def lose(self, reason: str, at_ns: Ns) -> list[Event]:
        """The book is in doubt from here on: start over. Says so once per loss."""
        self._held.clear()
        self._repeats = 0
        if not self.is_synced:
            return []
        self.is_synced = False
        self.losses += 1
        if at_ns - self._synced_ns >= self._params.calm_ns:
            self._attempts = 0
        if not self._attempts:
            self.snapshot_due_ns = at_ns
        return [BookLost(market=self.market, at_ns=at_ns, reason=reason)]

    def _follow(self, before_id: int, delta: BookDelta) -> list[Event]:
        if delta.sequence <= self.sequence:
            return self._repeat(before_id, delta)
        may_overlap = self._is_dense or not self._is_bridged
        if before_id != self.sequence and not (may_overlap and before_id < self.sequence):
            self.gaps += 1
            return self._lose_at(before_id, delta, f"gap: {before_id} after {self.sequence}")
        self._repeats = 0
        self._is_bridged = True
        self.sequence = delta.sequence
        return [delta]

    def _repeat(self, before_id: int, delta: BookDelta) -> list[Event]:
        """Old news changes nothing, unless there is nothing but old news."""
        self._repeats += 1
        params = self._params
        limit = params.repeats_max if self._is_bridged else params.catch_up_max
        if self._repeats <= limit:
            return []
        return self._lose_at(before_id, delta, f"ids went back to {delta.sequence}")

    def _lose_at(self, before_id: int, delta: BookDelta, reason: str) -> list[Event]:
        events = self.lose(reason, delta.at_ns)
        self._hold(before_id, delta)
        return events

    def _hold(self, before_id: int, delta: BookDelta) -> None:
        """The buffer is one unbroken chain: a break in it starts it afresh."""
        if self._held:
            last_id = self._held[-1].delta.sequence
            if delta.sequence <= last_id:
                return
            if before_id != last_id and (before_id > last_id or not self._is_dense):
                self._held.clear()
                self.gaps += 1
        self._held.append(_Held(before_id=before_id, delta=delta))

    def _synchronise(self, snapshot: BookSnapshot, at_ns: Ns) -> list[Event]:
        """Join snapshot and buffer where the first message not contained in it follows on it."""
        self._waiting = None
        if self._held[0].before_id > snapshot.sequence:
            return []  # older than the stream: the caller asks again when it is due
        self.is_synced = True
        self._synced_ns = at_ns
        events: list[Event] = [msgspec.structs.replace(snapshot, at_ns=at_ns)]
        newer = [held.delta for held in self._held if held.delta.sequence > snapshot.sequence]
        events += [msgspec.structs.replace(delta, at_ns=at_ns) for delta in newer]
        self.sequence = newer[-1].sequence if newer else snapshot.sequence
        self._is_bridged = self._held[-1].delta.sequence >= snapshot.sequence
        self._held.clear()
        return events


def _check_order(bids: Levels, asks: Levels) -> None:
    if any(left[0] <= right[0] for left, right in pairwise(bids)):
        raise ValueError("bids of the snapshot are out of order")
    if any(left[0] >= right[0] for left, right in pairwise(asks)):
        raise ValueError("asks of the snapshot are out of order")
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise ValueError("the snapshot is crossed")
    if not all(lots for _, lots in bids + asks):
        raise ValueError("the snapshot holds an empty level")
