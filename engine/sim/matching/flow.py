"""What a venue asks of a market's other traders: their first book, their acts, their next time."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from engine.sim.matching.book import MatchingBook
from engine.sim.matching.terms import CancelOf, NewOrder
from engine.values.units import Ns

Act: TypeAlias = NewOrder | CancelOf


class Flow(Protocol):
    """Owners in a flow start with "~", so that no account of the venue is mistaken for one."""

    def opening(self) -> Sequence[Act]:
        """The orders that make the first book."""
        ...

    def step(self, now_ns: Ns, book: MatchingBook) -> Sequence[Act]:
        """What the traders do at this moment, given the book; the venue submits it in order."""
        ...

    def next_ns(self, now_ns: Ns) -> Ns:
        """When to call `step` next: always later than `now_ns`."""
        ...
