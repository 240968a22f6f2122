"""The flags of a back-test, read and checked: queue models and delays in words."""

import re
from pathlib import Path

import msgspec

from engine.sim.latency import Constant, Delay, Latency, LogNormal, Table
from engine.sim.matching.queue import Log, Power, QueueModel, RiskAverse
from engine.values.errors import UserError
from engine.values.units import NS_PER_MS, NS_PER_S, Ns

SPAN = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s)")
UNITS = {"ns": 1, "us": 1_000, "ms": NS_PER_MS, "s": NS_PER_S}
CUT = 100
"""A drawn delay is at most this many medians."""


def queue_of(text: str) -> QueueModel:
    """Raises UserError."""
    name, _, power = text.partition(":")
    try:
        if name == "power" and (n := float(power or "1")) > 0:
            return Power(n)
    except ValueError:
        pass
    if text == "log":
        return Log()
    if text == "risk-averse":
        return RiskAverse()
    raise UserError(f"--queue {text!r} is none of power:N, log, risk-averse")


def latency_of(text: str, feed: str) -> Latency:
    """`UP,DOWN`, or one for both. Raises UserError."""
    up, _, down = text.partition(",")
    return Latency(
        up=_delay(up, text), down=_delay(down or up, text), feed_ns=_span(feed, f"--feed {feed!r}")
    )


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
    return round(float(found[1]) * UNITS[found[2]])
