"""The flags of a back-test, read and checked: queue models and delays in words."""

import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path

import msgspec

from engine.runtime.plugins import AUTHOR_ERRORS, load_class
from engine.sim.latency import Constant, Delay, Latency, LogNormal, Table
from engine.sim.matching.queue import Log, Power, QueueModel, RiskAverse
from engine.sim.venue_terms import OrderLimit, Terms, Tier
from engine.values.errors import UserError
from engine.values.units import NS_PER_MS, NS_PER_S, PPM, Ns

SPAN = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s)")
UNITS = {"ns": 1, "us": 1_000, "ms": NS_PER_MS, "s": NS_PER_S}
CUT = 100
"""A drawn delay is at most this many medians."""
DELAY_NS_MAX = 3600 * NS_PER_S
LIMIT = re.compile(r"(\d+)/(\d+)(s|m|h|d)")
LIMIT_UNITS = {"s": NS_PER_S, "m": 60 * NS_PER_S, "h": 3600 * NS_PER_S, "d": 86_400 * NS_PER_S}
POWER_MAX = 100.0
TRIED = ((0.0, 0.0), (30.0, 70.0), (0.0, 5.0), (5.0, 0.0), (1e12, 1e-3))
RECORDED, NO_LIMITS = "recorded", "none"
Ways = Callable[[str], tuple[Delay, Delay]]
"""The recorded delays, up and down, of a session's orders; "" is the one that is run on."""


def queue_of(text: str) -> QueueModel:
    """Raises UserError."""
    name, _, power = text.partition(":")
    try:
        if name == "power" and 0 < (n := float(power or "1")) <= POWER_MAX:
            return Power(n)
    except ValueError:
        pass
    if text == "log":
        return Log()
    if text == "risk-averse":
        return RiskAverse()
    if is_plugged(text):
        return _plugged(text)
    raise UserError(f"--queue {text!r} is none of power:N, log, risk-averse, FILE.py:Class")


def is_plugged(text: str) -> bool:
    """A model of somebody's own, `FILE.py:Class` or `module:Class`."""
    return ":" in text and not text.startswith("power:")


def plugged_hash(text: str) -> str:
    """The SHA-256 of the file that a model of somebody's own is in, "" for ours."""
    return load_class(text, f"--queue {text!r}")[1] if is_plugged(text) else ""


def _plugged(text: str) -> QueueModel:
    """Tried on some queues: a chance is between 0 and 1. Raises UserError."""
    maker, _ = load_class(text, f"--queue {text!r}")
    try:
        model: QueueModel = maker()
        chances = [model.prob(front, back) for front, back in TRIED]
    except AUTHOR_ERRORS as error:
        raise UserError(f"--queue {text!r}: {type(error).__name__}: {error}") from error
    if not all(isinstance(each, int | float) and 0 <= each <= 1 for each in chances):
        raise UserError(f"--queue {text!r}: prob(front, back) is not between 0 and 1: {chances}")
    return model


def latency_of(text: str, feed: str, ways: Ways | None = None) -> Latency:
    """`UP,DOWN`, one for both, or `recorded[:SESSION]`, which `ways` reads. Raises UserError."""
    feed_ns = _span(feed, f"--feed {feed!r}")
    if is_recorded(text):
        assert ways is not None
        up, down = ways(text.partition(":")[2])
        return Latency(up=up, down=down, feed_ns=feed_ns)
    there, _, back = text.partition(",")
    return Latency(up=_delay(there, text), down=_delay(back or there, text), feed_ns=feed_ns)


def is_recorded(text: str) -> bool:
    return text.partition(":")[0] == RECORDED


def terms_of(fees: str, turnover: str, limits: str) -> Terms:
    """What the venue holds the account to. Raises UserError.

    `fees` is `MAKER,TAKER` in ppm, or tiers as `0:MAKER,TAKER/50000:MAKER,TAKER`; "" leaves them to
    the instruments. `limits` are `ORDERS/WINDOW` after each other, or `none`.
    """
    try:
        before = int(turnover)
    except ValueError as error:
        raise UserError(f"--turnover {turnover!r} is no whole amount") from error
    tiers = tuple(_tier(part, fees) for part in fees.split("/")) if fees else ()
    rows = [] if limits == NO_LIMITS else [_limit(part, limits) for part in limits.split(",")]
    try:
        return Terms(tiers=tiers, turnover=before, limits=tuple(rows))
    except ValueError as error:
        raise UserError(f"--fees, --turnover, --limits: {error}") from error


def _tier(text: str, whole: str) -> Tier:
    floor, colon, rates = text.rpartition(":")
    try:
        maker, taker = (int(part) for part in rates.split(","))
        found = Tier(turnover_from=int(floor) if colon else 0, maker_ppm=maker, taker_ppm=taker)
    except ValueError as error:
        told = "is not MAKER,TAKER in ppm, nor tiers like 0:1000,1000/50000:900,1000"
        raise UserError(f"--fees {whole!r} {told}") from error
    if max(abs(maker), abs(taker)) > PPM:
        raise UserError(f"--fees {whole!r}: more than the whole price")
    return found


def _limit(text: str, whole: str) -> OrderLimit:
    found = LIMIT.fullmatch(text)
    if found is None:
        raise UserError(f"--limits {whole!r} is not ORDERS/WINDOW like 100/10s,200000/1d, nor none")
    return OrderLimit(orders_max=int(found[1]), window_ns=int(found[2]) * LIMIT_UNITS[found[3]])


def _delay(text: str, whole: str) -> Delay:
    kind, _, rest = text.partition(":")
    flag = f"--latency {whole!r}"
    if kind == "table":
        return _table(Path(rest))
    if kind == "lognormal":
        median, _, sigma = rest.partition(":")
        return _drawn(_span(median, flag), sigma, flag)
    return Constant(_span(text, flag))


def _drawn(median_ns: Ns, sigma: str, flag: str) -> LogNormal:
    try:
        if not isfinite(float(sigma)):
            raise ValueError(sigma)
        return LogNormal(median_ns=median_ns, sigma=float(sigma), ns_max=CUT * median_ns)
    except ValueError as error:
        raise UserError(f"{flag}: lognormal:MEDIAN:SIGMA, both above 0") from error


def _table(path: Path) -> Table:
    """JSON rows of [moment in ns, delay in ns]."""
    try:
        return Table(msgspec.json.decode(path.read_bytes(), type=tuple[tuple[Ns, Ns], ...]))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise UserError(f"{path}: rows of [moment_ns, delay_ns] are wanted: {error}") from error


def _span(text: str, flag: str) -> Ns:
    found = SPAN.fullmatch(text)
    if found is None:
        raise UserError(f"{flag}: a time like 5ms, 250us or 0.1s is wanted")
    delay_ns = float(found[1]) * UNITS[found[2]]
    if delay_ns > DELAY_NS_MAX:
        raise UserError(f"{flag}: more than an hour")
    return round(delay_ns)
