"""`python -m bench`: the whole suite, or the named parts, beside the committed report.

The exit code is 1 where a benchmark breaks, or where a ratio is far outside the committed one in
two runs. No absolute time ever fails anything. With --json the last line is one object.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from bench.report import changes_text, into_page, markdown, svg
from bench.suite import (
    COMMITTED,
    ROOT,
    Committed,
    Report,
    changes,
    committed_report,
    confirmed,
    discover,
    run_all,
)

PAGE, PICTURE = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.svg"


def main() -> int:
    chosen = _arguments()
    names = _wanted(chosen.only)
    if chosen.commit:
        return _commit(names, chosen.commit)
    report = run_all(names, quick=chosen.quick)
    failed = _broken(report) + _compare(report)
    if chosen.out:
        _write(report, chosen.out)
    for line in failed:
        print(f"FAILED {line}")
    if chosen.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, within 30 s")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this one")
    parser.add_argument("--json", action="store_true", help="one object on the last line")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write JSON, Markdown and SVG")
    parser.add_argument(
        "--commit", metavar="CONDITIONS", help="write the report that the repository keeps"
    )
    return parser.parse_args()


def _wanted(only: list[str]) -> list[str]:
    names = discover()
    unknown = [name for name in only if name.removeprefix("bench_") not in names]
    if unknown:
        sys.stderr.write(f"no benchmark {unknown[0]!r}; there are: {', '.join(names)}\n")
        sys.exit(2)
    chosen = {name.removeprefix("bench_") for name in only}
    return [name for name in names if not chosen or name in chosen]


def _broken(report: Report) -> list[str]:
    return [f"{result.name}: {result.error}" for result in report.results if result.error]


def _compare(report: Report) -> list[str]:
    """Print the ratios beside the committed ones; what is outside is run a second time."""
    stored = committed_report()
    if stored is None:
        print("\nno committed report to compare with")
        return []
    committed = stored.quick if report.is_quick else stored.full
    found = changes(report, committed)
    print("\n" + changes_text(found))
    outside = [change for change in found if change.is_outside]
    if not outside:
        return []
    again = run_all(sorted({change.bench for change in outside}), quick=report.is_quick)
    return [
        f"{change.bench}: {change.ratio.name} is {change.times:.1f} times the committed ratio"
        for change in confirmed(outside, again, committed)
    ]


def _write(report: Report, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "benchmarks.json").write_bytes(_pretty(report))
    (directory / "benchmarks.md").write_text(markdown(report))
    (directory / "benchmarks.svg").write_text(svg(report))


def _commit(names: list[str], conditions: str) -> int:
    """Run all in full and once quickly, and write what the repository keeps."""
    stored = committed_report()
    full = run_all(names, quick=False, conditions=conditions)
    quick = run_all(names, quick=True, conditions=conditions)
    if stored is not None:
        full, quick = _joined(stored.full, full), _joined(stored.quick, quick)
    COMMITTED.write_bytes(_pretty(Committed(full=full, quick=quick)))
    PICTURE.write_text(svg(full))
    PAGE.write_text(into_page(PAGE.read_text(), markdown(full)))
    return 1 if _broken(full) else 0


def _joined(old: Report, new: Report) -> Report:
    """`new` with those results of `old` that it did not take again and that still exist."""
    taken = {result.name for result in new.results}
    kept = [r for r in old.results if r.name not in taken and r.name in discover()]
    results = sorted([*new.results, *kept], key=lambda result: discover().index(result.name))
    return msgspec.structs.replace(new, results=results)


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


if __name__ == "__main__":
    sys.exit(main())
