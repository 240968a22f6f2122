"""Finds the benchmarks beside it, runs each in a process of its own, and reads what they found.

A benchmark is a file `bench_NAME.py` that takes `--quick` and `--json` and ends with the object
that `harness.finish` writes. They run one after the other, so that none warms or burdens another.
"""

import ast
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.harness import WAITED, Ratio, Timing, machine

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
COMMITTED = HERE / "committed.json"
QUICK_S, QUICK_EACH_S, FULL_EACH_S = 27.0, 12.0, 900.0
"""A quick suite stays within 30 s: what does not fit is left out, and said to be."""
FIRST = ("wire", "startup", "storm", "kernels")
"""What people ask for first: a quick run on a slow machine leaves out the others."""
WORSE_MAX = 3.0
"""A ratio may be this many times worse than the committed one before it fails a build."""
WAITED_MAX = 0.3
"""Where a benchmark waited longer for a core than that, the host was measured: it fails nothing."""
OURS = ("ours", "ballast", "engine")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One benchmark's findings. `left_out` says why it did not run or end; `error` how it broke."""

    name: str
    about: str
    seconds: float = 0.0
    timings: list[Timing] = []
    ratios: list[Ratio] = []
    facts: dict[str, Any] = {}
    left_out: str = ""
    error: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the suite; everything that is shown is made from this."""

    taken: str
    is_quick: bool
    conditions: str
    machine: dict[str, Any]
    results: list[Result]


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """The report that stands in the repository: quick runs are compared with its quick half."""

    full: Report
    quick: Report


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One ratio now beside the committed one; `times` above 1 is worse."""

    bench: str
    ratio: Ratio
    before: float
    times: float
    is_starved: bool = False

    @property
    def is_outside(self) -> bool:
        return self.times > WORSE_MAX and not self.is_starved


def discover(here: Path = HERE) -> list[str]:
    """Names of the benchmarks in a folder, without their prefix, in the order of running."""
    names = sorted(path.stem.removeprefix("bench_") for path in here.glob("bench_*.py"))
    return [name for name in FIRST if name in names] + [n for n in names if n not in FIRST]


def about(name: str, here: Path = HERE) -> str:
    """The first line of a benchmark's docstring, without importing it."""
    tree = ast.parse((here / f"bench_{name}.py").read_text())
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def run_all(names: list[str], *, quick: bool, conditions: str = "") -> Report:
    """Run them in turn, telling what each found on standard output as it ends."""
    ends = time.monotonic() + (QUICK_S if quick else float("inf"))
    before = machine()
    results = []
    for name in names:
        left_s = ends - time.monotonic()
        print(f"\n# {name}: {about(name)}", flush=True)
        results.append(run_one(name, left_s, quick=quick))
        found = results[-1]
        print(found.left_out or found.error or f"({found.seconds:.1f} s)", flush=True)
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    return Report(
        taken=taken, is_quick=quick, conditions=conditions, machine=before, results=results
    )


def run_one(name: str, left_s: float = float("inf"), *, quick: bool) -> Result:
    """One benchmark in its own process."""
    told = about(name)
    if left_s <= 1.0:
        return Result(name=name, about=told, left_out="left out: the time of a quick run was over")
    allowed_s = min(left_s, QUICK_EACH_S) if quick else FULL_EACH_S
    command = [sys.executable, "-m", f"bench.bench_{name}", "--json", *["--quick"][: int(quick)]]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=allowed_s
        )
    except subprocess.TimeoutExpired:
        late = f"not done within {allowed_s:.0f} s"
        if quick:
            return Result(name=name, about=told, left_out=f"left out: {late}")
        return Result(name=name, about=told, error=late)
    lines = done.stdout.splitlines()
    print("\n".join(lines[:-1]))
    seconds = round(time.monotonic() - began, 1)
    if done.returncode or not lines:
        return Result(name=name, about=told, seconds=seconds, error=f"exit {done.returncode}")
    return read_answer(name, told, seconds, lines[-1])


def read_answer(name: str, told: str, seconds: float, line: str) -> Result:
    """The object of `harness.finish`. Facts called "a / b" are ratios too."""
    try:
        answer = json.loads(line)
    except ValueError:
        return Result(name=name, about=told, seconds=seconds, error="its last line is no JSON")
    answer.pop("machine", None)
    timings = msgspec.convert(answer.pop("timings_us", []), list[Timing])
    ratios = msgspec.convert(answer.pop("ratios", []), list[Ratio])
    found = {key: ratio_in(key, value) for key, value in answer.items()}
    ratios += [ratio for each in found.values() for ratio in each]
    facts = {key: value for key, value in answer.items() if not found[key]}
    return Result(
        name=name, about=told, seconds=seconds, timings=timings, ratios=ratios, facts=facts
    )


def ratio_in(name: str, value: object) -> list[Ratio]:
    """A number called "ours / theirs" as a ratio; turned round where ours stands below."""
    if not isinstance(value, int | float) or " / " not in name or value <= 0:
        return []
    above, _, below = name.partition(" / ")
    word = below.replace(",", " ").split()[0].lower()
    if word in OURS:
        head, colon, first = above.rpartition(": ")
        rest = below[len(word) :]
        return [Ratio(name=f"{head}{colon}{word} / {first}{rest}", value=round(1 / value, 3))]
    return [Ratio(name=name, value=round(float(value), 3))]


def changes(now: Report, committed: Report) -> list[Change]:
    """Every ratio that both reports have."""
    before = {(r.name, ratio.name): ratio.value for r in committed.results for ratio in r.ratios}
    return [
        Change(
            bench=result.name,
            ratio=ratio,
            before=before[result.name, ratio.name],
            times=times_worse(ratio.value, before[result.name, ratio.name]),
            is_starved=float(result.facts.get(WAITED, 0.0)) > WAITED_MAX,
        )
        for result in now.results
        for ratio in result.ratios
        if (result.name, ratio.name) in before
    ]


def times_worse(now: float, before: float) -> float:
    """How many times worse a ratio is; infinite where there was none before."""
    if now <= before:
        return 1.0 if now == before else now / before
    return now / before if before > 0 else float("inf")


def confirmed(outside: list[Change], again: Report, committed: Report) -> list[Change]:
    """Those that are outside in a second run as well: a busy moment fails no build."""
    second = {(c.bench, c.ratio.name) for c in changes(again, committed) if c.is_outside}
    return [change for change in outside if (change.bench, change.ratio.name) in second]


def committed_report(path: Path = COMMITTED) -> Committed | None:
    return msgspec.json.decode(path.read_bytes(), type=Committed) if path.exists() else None
