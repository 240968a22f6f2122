"""What every benchmark needs: percentiles, a table, one JSON object at the end."""

import argparse
import gc
import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version

import msgspec

PERCENTILES = (10, 50, 90, 99)


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How long one kind of act took, in microseconds."""

    name: str
    count: int
    p10: float
    p50: float
    p90: float
    p99: float
    max: float


def timing(name: str, spans_ns: Sequence[int]) -> Timing:
    """Percentiles by nearest rank. Raises ValueError where nothing was measured."""
    if not spans_ns:
        raise ValueError(f"nothing measured for {name}")
    ordered = sorted(spans_ns)
    last = len(ordered) - 1
    p10, p50, p90, p99 = (ordered[round(last * share / 100)] / 1e3 for share in PERCENTILES)
    top = ordered[-1] / 1e3
    return Timing(name=name, count=len(ordered), p10=p10, p50=p50, p90=p90, p99=p99, max=top)


def table(timings: Sequence[Timing]) -> str:
    head = f"{'microseconds':34}{'count':>9}{'p10':>9}{'median':>9}{'p90':>9}{'p99':>9}{'max':>10}"
    rows = [
        f"{t.name:34}{t.count:9,}{t.p10:9.2f}{t.p50:9.2f}{t.p90:9.2f}{t.p99:9.2f}{t.max:10.1f}"
        for t in timings
    ]
    return "\n".join([head, *rows])


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


def finish(timings: Sequence[Timing], facts: dict[str, object], *, as_json: bool) -> None:
    """Print the table and what else was found out; with --json one object on the last line."""
    print(table(timings))
    for name, value in facts.items():
        print(f"{name:34}{value:9.2f}" if isinstance(value, float) else f"{name:34}{value}")
    if as_json:
        rows = [msgspec.structs.asdict(each) for each in timings]
        sys.stdout.write(json.dumps({"timings_us": rows, **facts, "machine": machine()}) + "\n")


def settle() -> None:
    """Before a measured block: collect what the last one left, so that nobody pays for another."""
    gc.collect()
