# cython: language_level=3, annotation_typing=False
"""How late a feed runs, without trusting that two clocks agree."""

import msgspec

from engine.values.units import Ns


class DelayParams(msgspec.Struct, frozen=True, kw_only=True):
    window_ns: Ns = 60_000_000_000
    """The fastest message of the last one to two windows is what "on time" means."""


class DelayMeter:
    """Receive time minus venue time, over the smallest such difference seen lately.

    The venue's clock may be seconds away from ours, so only the change of the difference counts. A
    feed that was late from its first message on looks punctual here: the clock offset measured
    over REST is the other witness.
    """

    def __init__(self, params: DelayParams) -> None:
        self._window_ns = params.window_ns
        self._turns_ns = 0
        self._floor_now = self._floor_before = 0
        self.delay_ns: Ns = 0

    def observe(self, at_ns: Ns, venue_ns: Ns) -> None:
        if not venue_ns:
            return
        difference = at_ns - venue_ns
        if at_ns >= self._turns_ns:
            is_first = not self._turns_ns
            self._floor_before = difference if is_first else self._floor_now
            self._floor_now = difference
            self._turns_ns = at_ns + self._window_ns
        self._floor_now = min(self._floor_now, difference)
        self.delay_ns = max(0, difference - min(self._floor_now, self._floor_before))

    def reset(self) -> None:
        """A new connection may come by another road: start over."""
        self._turns_ns = self.delay_ns = 0
