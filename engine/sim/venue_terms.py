"""A simulated venue's terms: fees by what was traded in thirty days, and how many orders it takes.

Both go by the venue's clock: a tier holds for a day of UTC and is found from the thirty days before
it, and an order counts in the window that it arrives in, as on most spot venues.
"""

from collections.abc import Sequence

import msgspec

from engine.values.units import NS_PER_S, Atoms, Ns, Ppm

DAY_NS = 86_400 * NS_PER_S
TIER_DAYS = 30


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """Fees from a turnover on, in ppm; a rebate is below 0. `turnover_from` is whole money."""

    turnover_from: int
    maker_ppm: Ppm
    taker_ppm: Ppm


class OrderLimit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `orders_max` new orders in each window of `window_ns` since 1970."""

    orders_max: int
    window_ns: Ns


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is held to. No `tiers` are the instruments' own fees, whatever is traded.

    `turnover` is what it traded in the thirty days before the run, in whole money of the quote
    asset and evenly spread. `tiers` rise by turnover and begin at 0.
    """

    tiers: tuple[Tier, ...] = ()
    turnover: int = 0
    limits: tuple[OrderLimit, ...] = ()

    def __post_init__(self) -> None:
        floors = [tier.turnover_from for tier in self.tiers]
        if floors and (floors[0] or floors != sorted(set(floors))):
            raise ValueError("tiers rise by turnover and begin at 0")
        if self.turnover < 0 or any(min(x.orders_max, x.window_ns) < 1 for x in self.limits):
            raise ValueError("a turnover of at least 0, and limits of at least 1, are wanted")

    def tier(self, turnover: int) -> Tier:
        """The one that a turnover in whole money reaches."""
        assert self.tiers
        return [tier for tier in self.tiers if tier.turnover_from <= turnover][-1]


class Turnover:
    """What an account traded by day, in atoms of one quote asset, whose unit is `unit_atoms`."""

    def __init__(self, terms: Terms, unit_atoms: Atoms) -> None:
        self._terms = terms
        self._unit = unit_atoms
        self._days: dict[int, Atoms] = {}
        self._first = 0

    def tier(self, at_ns: Ns) -> Tier:
        """The tier of the day of this moment."""
        day = self._day(at_ns)
        traded = sum(self._days.get(each, 0) for each in range(day - TIER_DAYS, day))
        before = max(0, TIER_DAYS - (day - self._first))
        return self._terms.tier(traded // self._unit + self._terms.turnover * before // TIER_DAYS)

    def add(self, at_ns: Ns, atoms: Atoms) -> None:
        day = self._day(at_ns)
        self._days[day] = self._days.get(day, 0) + atoms

    def _day(self, at_ns: Ns) -> int:
        day = at_ns // DAY_NS
        self._first = self._first or day
        return day


class OrderWindows:
    """Counts new orders against each limit."""

    def __init__(self, limits: Sequence[OrderLimit]) -> None:
        self._limits = limits
        self._used = [(0, 0)] * len(limits)

    def rest_ns(self, at_ns: Ns) -> tuple[Ns, str]:
        """How long the venue takes no more orders, and by which limit; 0 where it takes one."""
        for limit, (number, count) in zip(self._limits, self._used, strict=True):
            if number == at_ns // limit.window_ns and count >= limit.orders_max:
                window_s = limit.window_ns / NS_PER_S
                rest_ns = limit.window_ns - at_ns % limit.window_ns
                return rest_ns, f"too many new orders: {limit.orders_max} in {window_s:g} s"
        return 0, ""

    def add(self, at_ns: Ns) -> None:
        """An order arrived."""
        for place, limit in enumerate(self._limits):
            number, count = at_ns // limit.window_ns, self._used[place][1]
            is_same = number == self._used[place][0]
            self._used[place] = number, count + 1 if is_same else 1
