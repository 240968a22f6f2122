"""How much we may ask of a venue: its own counters, kept by us, with a reserve for cancels.

A pure structure: the caller brings the time. Counts are kept over sliding windows in slots rather
than in a bucket that refills, because the rule to hold (I11) is about any window of the venue's
length, and a bucket with the full limit lets nearly twice that through.
"""

from collections import deque
from enum import StrEnum

import msgspec

from engine.values.units import PPM, Ns, Ppm

SLOTS = 20
RESERVE_PPM: Ppm = 200_000


class Counted(StrEnum):
    """What a venue counts: the weight of requests, new orders, or new connections."""

    WEIGHT = "weight"
    ORDERS = "orders"
    CONNECTS = "connects"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """No more than `limit` of `counted` in any window of `window_ns`."""

    counted: Counted
    limit: int
    window_ns: Ns


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """`is_urgent` may use the reserve, `is_cancel` may also go out while the venue holds us off."""

    weight: int = 1
    orders: int = 0
    is_urgent: bool = False
    is_cancel: bool = False


class Window:
    """A count over the last `window_ns`, in slots; at most one slot longer than the window."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.is_of_weight = rule.counted is Counted.WEIGHT
        self.limit_unreserved = rule.limit * (PPM - RESERVE_PPM) // PPM
        self._slot_ns = max(1, rule.window_ns // SLOTS)
        self._slots: deque[tuple[int, int]] = deque()
        self._used = 0

    def used(self, now_ns: Ns) -> int:
        oldest = now_ns // self._slot_ns - SLOTS - 1
        slots = self._slots
        while slots and slots[0][0] < oldest:
            self._used -= slots.popleft()[1]
        return self._used

    def add(self, now_ns: Ns, count: int) -> None:
        """Time does not go back: a moment before the last one counts as that."""
        slot, slots = now_ns // self._slot_ns, self._slots
        self._used += count
        if slots and slots[-1][0] >= slot:
            slot, before = slots.pop()
            count += before
        slots.append((slot, count))

    def wait_ns(self, now_ns: Ns, count: int, limit: int) -> Ns:
        """How long until `count` more fit below `limit`; 0 is now."""
        excess = self.used(now_ns) + count - limit
        if excess <= 0:
            return 0
        for slot, held in self._slots:
            excess -= held
            wait_ns = (slot + SLOTS + 2) * self._slot_ns - now_ns
            if excess <= 0:
                return max(1, wait_ns)
        return self.rule.window_ns


class RateBudget:
    """Every request asks here first. Refusal costs no byte."""

    def __init__(self, rules: list[Rule]) -> None:
        self._windows = [Window(rule) for rule in rules]
        self._limited_until_ns = 0
        self._banned_until_ns = 0

    def learn(self, rules: list[Rule]) -> None:
        """The venue's rules as they are now; what was spent under a rule that stays is kept."""
        known = {window.rule: window for window in self._windows}
        self._windows = [known.get(rule) or Window(rule) for rule in rules]

    def take(self, now_ns: Ns, cost: Cost) -> Ns:
        """Count `cost` and return 0, or count nothing and return how long to wait."""
        until_ns = self._banned_until_ns
        if self._limited_until_ns > until_ns and not cost.is_cancel:
            until_ns = self._limited_until_ns
        wait_ns = until_ns - now_ns if until_ns > now_ns else 0
        for window in self._windows:
            count = cost.weight if window.is_of_weight else cost.orders
            if count:
                limit = window.rule.limit if cost.is_urgent else window.limit_unreserved
                wait_ns = max(wait_ns, window.wait_ns(now_ns, count, limit))
        if wait_ns == 0:
            for window in self._windows:
                count = cost.weight if window.is_of_weight else cost.orders
                if count:
                    window.add(now_ns, count)
        return wait_ns

    def observe(self, now_ns: Ns, rule: Rule, used: int) -> None:
        """The venue's own count in its running window: where it is higher, it rules."""
        for window in self._windows:
            if (window.rule.counted, window.rule.window_ns) == (rule.counted, rule.window_ns):
                window.add(now_ns, max(0, used - window.used(now_ns)))

    def hold(self, until_ns: Ns) -> None:
        """The venue limits us: nothing but cancels until then."""
        self._limited_until_ns = max(self._limited_until_ns, until_ns)

    def ban(self, until_ns: Ns) -> None:
        """The venue has shut us out: nothing at all until then."""
        self._banned_until_ns = max(self._banned_until_ns, until_ns)
