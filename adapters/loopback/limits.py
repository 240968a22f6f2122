"""Request weights and order counts of fixed windows, as the venue counts them, and its bans."""

from adapters.loopback import refusals
from adapters.loopback.config import Limits
from engine.values.units import NS_PER_S, Ns

_MINUTE_NS = 60 * NS_PER_S
_TEN_S_NS = 10 * NS_PER_S
_DAY_NS = 86_400 * NS_PER_S


class Window:
    """A count that starts again at every multiple of its span."""

    def __init__(self, span_ns: Ns) -> None:
        self.span_ns = span_ns
        self._index = 0
        self._used = 0

    def used(self, now_ns: Ns) -> int:
        return self._used if now_ns // self.span_ns == self._index else 0

    def add(self, count: int, now_ns: Ns) -> int:
        self._used = self.used(now_ns) + count
        self._index = now_ns // self.span_ns
        return self._used

    def rest_s(self, now_ns: Ns) -> int:
        """Seconds until the window starts again, rounded up."""
        return -((now_ns % self.span_ns - self.span_ns) // NS_PER_S)


class Limiter:
    """One for the whole venue: everybody on the loopback interface is the same IP."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._weight = Window(_MINUTE_NS)
        self._orders: dict[str, tuple[Window, Window]] = {}
        self._refused_until_ns: Ns = 0
        self._banned_until_ns: Ns = 0
        self._refusals = 0
        self._refusals_before_ban = limits.refusals_before_ban
        self._ban_s = limits.ban_s
        self.counters = {"429": 0, "418": 0}

    def charge(self, weight: int, now_ns: Ns) -> None:
        """Count a request, or raise the Refusal that the venue would answer with."""
        self._refuse_while_limited(now_ns)
        used = self._weight.add(weight, now_ns)
        if used > self._limits.weight_per_minute:
            rest_s = self._weight.rest_s(now_ns)
            self._start_refusing(now_ns, rest_s)
            self.counters["429"] += 1
            raise refusals.too_much_weight(self._limits.weight_per_minute, rest_s)

    def charge_order(self, account: str, now_ns: Ns) -> None:
        """Raises -1015 where the account sent too many orders."""
        ten_s, day = self._windows(account)
        for window, limit, name in (
            (ten_s, self._limits.orders_per_10_s, "10 SECOND"),
            (day, self._limits.orders_per_day, "1 DAY"),
        ):
            if window.used(now_ns) >= limit:
                raise refusals.too_many_orders(limit, name, window.rest_s(now_ns))
        ten_s.add(1, now_ns)
        day.add(1, now_ns)

    def refuse(self, now_ns: Ns, *, retry_s: int, refusals_before_ban: int, ban_s: int) -> None:
        """From now on answer 429, and 418 to whoever goes on asking: for fault scripts."""
        self._refusals_before_ban, self._ban_s = refusals_before_ban, ban_s
        self._start_refusing(now_ns, retry_s)

    def headers(self, account: str, now_ns: Ns) -> dict[str, str]:
        used = str(self._weight.used(now_ns))
        headers = {"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        if account:
            ten_s, day = self._windows(account)
            headers["X-MBX-ORDER-COUNT-10S"] = str(ten_s.used(now_ns))
            headers["X-MBX-ORDER-COUNT-1D"] = str(day.used(now_ns))
        return headers

    def described(self) -> list[dict[str, object]]:
        """The limits as exchangeInfo lists them."""
        return [
            _row("REQUEST_WEIGHT", "MINUTE", 1, self._limits.weight_per_minute),
            _row("ORDERS", "SECOND", 10, self._limits.orders_per_10_s),
            _row("ORDERS", "DAY", 1, self._limits.orders_per_day),
        ]

    def used(self, account: str, now_ns: Ns) -> list[dict[str, object]]:
        """The limits with their counts, as each WS-API answer carries them."""
        counts = [self._weight.used(now_ns)]
        counts += [window.used(now_ns) for window in self._windows(account)] if account else []
        rows = self.described()[: len(counts)]
        return [{**row, "count": count} for row, count in zip(rows, counts, strict=True)]

    def _windows(self, account: str) -> tuple[Window, Window]:
        return self._orders.setdefault(account, (Window(_TEN_S_NS), Window(_DAY_NS)))

    def _start_refusing(self, now_ns: Ns, rest_s: int) -> None:
        self._refused_until_ns = now_ns + rest_s * NS_PER_S
        self._refusals = 0

    def _refuse_while_limited(self, now_ns: Ns) -> None:
        if now_ns < self._banned_until_ns:
            raise self._ban(now_ns)
        if now_ns >= self._refused_until_ns:
            return
        self._refusals += 1
        if self._refusals > self._refusals_before_ban:
            self._banned_until_ns = now_ns + self._ban_s * NS_PER_S
            raise self._ban(now_ns)
        rest_s = -((now_ns - self._refused_until_ns) // NS_PER_S)
        self.counters["429"] += 1
        raise refusals.too_much_weight(self._limits.weight_per_minute, rest_s)

    def _ban(self, now_ns: Ns) -> refusals.Refusal:
        self.counters["418"] += 1
        rest_s = -((now_ns - self._banned_until_ns) // NS_PER_S)
        return refusals.banned(self._banned_until_ns // 1_000_000, rest_s)


def _row(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
