"""One venue's limits as its requests meet them: ask first, heed refusals, learn what it tells."""

from collections.abc import Iterable, Mapping

import msgspec

from adapters.common.budget import Cost, Counted, RateBudget, Rule, Window
from engine.values.errors import Transient, VenueError
from engine.values.ports import Clock
from engine.values.units import NS_PER_S, Ns

CONNECTS = Rule(counted=Counted.CONNECTS, limit=300, window_ns=300 * NS_PER_S)
FIRST_BUDGET_PER_MINUTE = 3000
"""Before the venue has told its limits: enough to ask for them and for a few books."""
_UNITS_NS = {
    "S": NS_PER_S,
    "M": 60 * NS_PER_S,
    "H": 3600 * NS_PER_S,
    "D": 86_400 * NS_PER_S,
}
_HEADERS = {
    "x-mbx-used-weight-": Counted.WEIGHT,
    "x-mbx-order-count-": Counted.ORDERS,
}
_RULE_KINDS = {"REQUEST_WEIGHT": Counted.WEIGHT, "ORDERS": Counted.ORDERS}


class LimitRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of Binance's `rateLimits`; `count` stands in answers of the WS-API only."""

    kind: str = msgspec.field(name="rateLimitType")
    interval: str
    number: int = msgspec.field(name="intervalNum")
    limit: int
    count: int = 0


class Limits:
    """Shared by all that talk to one venue from this host."""

    def __init__(self, clock: Clock, weight_per_minute: int = FIRST_BUDGET_PER_MINUTE) -> None:
        first = Rule(counted=Counted.WEIGHT, limit=weight_per_minute, window_ns=60 * NS_PER_S)
        self._clock = clock
        self.budget = RateBudget([first])
        self.connects = Window(CONNECTS)
        self._is_learned = False

    def take(self, cost: Cost) -> None:
        """Count a request that is about to leave. Raises Transient where it must not."""
        wait_ns = self.budget.take(self._clock.now_ns(), cost)
        if wait_ns:
            raise Transient("rate budget", code="budget", retry_after_ns=wait_ns)

    def heed(self, failure: VenueError, status: int) -> None:
        """What an answer of `status` that failed asks of the requests to come."""
        until_ns = self._clock.now_ns() + failure.retry_after_ns
        if status == 418:
            self.budget.ban(until_ns)
        elif failure.retry_after_ns and failure.code != "-1015":
            # The limit of orders (-1015) leaves queries free; all others are about requests.
            self.budget.hold(until_ns)

    def learn(self, rows: Iterable[LimitRow]) -> None:
        """Take the venue's own limits from its exchange information, where it gives them."""
        rules = [_rule(row) for row in rows if row.kind in _RULE_KINDS]
        if rules:
            self.budget.learn(rules)
            self._is_learned = True

    def observe(self, rows: Iterable[LimitRow]) -> None:
        """The counts in an answer of the WS-API."""
        if not self._is_learned:
            return
        now_ns = self._clock.now_ns()
        for row in rows:
            if row.kind in _RULE_KINDS:
                self.budget.observe(now_ns, _rule(row), row.count)

    def observe_headers(self, headers: Mapping[str, str]) -> None:
        """The counts in an answer over REST; they mean nothing against a limit that is a guess."""
        if not self._is_learned:
            return
        now_ns = self._clock.now_ns()
        for name, value in headers.items():
            for prefix, counted in _HEADERS.items():
                if name.lower().startswith(prefix) and value.isdigit():
                    window_ns = _interval_ns(name[len(prefix) :])
                    rule = Rule(counted=counted, limit=0, window_ns=window_ns)
                    self.budget.observe(now_ns, rule, int(value))


def _rule(row: LimitRow) -> Rule:
    return Rule(
        counted=_RULE_KINDS[row.kind],
        limit=row.limit,
        window_ns=row.number * _UNITS_NS[row.interval[0]],
    )


def _interval_ns(name: str) -> Ns:
    """`1M` and `10S` in the names of Binance's headers."""
    number, unit = name[:-1], name[-1:].upper()
    return int(number) * _UNITS_NS.get(unit, 0) if number.isdigit() else 0
