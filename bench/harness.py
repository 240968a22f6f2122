"""What every benchmark needs: percentiles, ratios, a table, one JSON object at the end.

Spans go into an HdrHistogram of three digits, so that percentiles are those of the histogram and a
reader of the JSON can unpack it (`hdr`) and look for himself.
"""

import argparse
import gc
import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
from hdrh.histogram import HdrHistogram

WAITED = "waited for a core, share of the time it could run"
MISSED = "missed measurements"
LOWEST_NS, HIGHEST_NS, DIGITS = 1, 3_600 * 10**9, 3


class Missed(Exception):
    """The host was too busy for this to be measured: nobody's fault, and told as a fact."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long one kind of act took, in microseconds. `hdr` is the whole histogram, in ns."""

    name: str
    count: int
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    hdr: str = ""


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison from one run: lower is better. `at_most` is what we want, 0 for no wish."""

    name: str
    value: float
    at_most: float = 0.0

    @property
    def is_kept(self) -> bool:
        return not self.at_most or self.value <= self.at_most


def timing(name: str, spans_ns: Iterable[int]) -> Timing:
    """Percentiles within 0.1 %. Raises ValueError where nothing was measured."""
    histogram = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    highest = 0
    for span_ns, times in Counter(spans_ns).items():
        histogram.record_value(min(max(LOWEST_NS, span_ns), HIGHEST_NS), times)
        highest = max(highest, span_ns)
    count = histogram.get_total_count()
    if not count:
        raise ValueError(f"nothing measured for {name}")
    shares = (50.0, 90.0, 99.0, 99.9)
    p50, p90, p99, p999 = (
        min(histogram.get_value_at_percentile(share), max(highest, LOWEST_NS)) / 1e3
        for share in shares
    )
    return Timing(
        name=name, count=count, p50=p50, p90=p90, p99=p99, p999=p999, max=highest / 1e3,
        hdr=histogram.encode().decode(),
    )  # fmt: skip


def ratio(name: str, ours: Timing, theirs: Timing, at_most: float = 0.0) -> Ratio:
    """Our median over theirs, both from this run. The name says whose: "ours / theirs"."""
    return Ratio(name=name, value=round(ours.p50 / theirs.p50, 3), at_most=at_most)


def table(timings: Sequence[Timing]) -> str:
    names = ("p50", "p90", "p99", "p99.9", "max", "count")
    head = f"{'microseconds':38}" + "".join(f"{name:>10}" for name in names)
    rows = [
        f"{t.name:38}{t.p50:10.1f}{t.p90:10.1f}{t.p99:10.1f}{t.p999:10.1f}{t.max:10.1f}{t.count:10,}"
        for t in timings
    ]
    return "\n".join([head, *rows])


def ratio_line(found: Ratio) -> str:
    wish = ""
    if found.at_most:
        wish = f"   (wanted at most {found.at_most:g}{'' if found.is_kept else ': MISSED'})"
    return f"{found.name:58}{found.value:9.3f}{wish}"


def machine() -> dict[str, object]:
    """What the numbers depend on."""
    return {
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": os.cpu_count() or 0,
        "load": round(os.getloadavg()[0], 2),
        "ccxt": version("ccxt"),
        "msgspec": version("msgspec"),
    }


def arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    parser.add_argument("--quick", action="store_true", help="less of everything, for CI")
    return parser.parse_args()


def finish(
    timings: Sequence[Timing],
    facts: dict[str, object],
    *,
    as_json: bool,
    ratios: Sequence[Ratio] = (),
) -> None:
    """Print the table, the ratios and what else was found; with --json an object as last line."""
    facts = facts | {WAITED: round(waited_share(), 3)}
    print(table(timings))
    for found in ratios:
        print(ratio_line(found))
    for name, value in facts.items():
        print(f"{name:58}{value:9.2f}" if isinstance(value, float) else f"{name:58}{value}")
    if as_json:
        answer = {
            "timings_us": [msgspec.structs.asdict(each) for each in timings],
            "ratios": [msgspec.structs.asdict(each) for each in ratios],
            **facts,
            "machine": machine(),
        }
        sys.stdout.write(json.dumps(answer) + "\n")


def waited_share() -> float:
    """Of the time in which this process could run, the share in which no core was free for it.

    The host's fault, and the first thing to look at where a tail is long. 0 where Linux does not
    tell.
    """
    path = Path("/proc/self/schedstat")
    if not path.exists():
        return 0.0
    ran_ns, waited_ns = (int(word) for word in path.read_text().split()[:2])
    return waited_ns / max(1, ran_ns + waited_ns)


def settle() -> None:
    """Before a measured block: collect what the last one left, so that nobody pays for another."""
    gc.collect()
