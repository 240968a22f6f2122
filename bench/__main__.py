"""Runs every benchmark, each in a process of its own so that none warms or burdens another.

With --json the last line is one object: a benchmark's own object under its name, or its lines
where it prints no JSON.
"""

import json
import subprocess
import sys
from pathlib import Path

from bench.harness import arguments

HERE = Path(__file__).resolve().parent


def run(name: str, flags: list[str]) -> object:
    """The benchmark's object, or its lines. Exits as the benchmark does where it fails."""
    takes_json = "arguments(" in (HERE / f"{name}.py").read_text()
    given = [flag for flag in flags if takes_json or flag != "--json"]
    command = [sys.executable, "-m", f"bench.{name}", *given]
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    is_object = "--json" in given and lines
    print(f"\n# {name}")
    print("\n".join(lines[:-1] if is_object else lines))
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(lines[-1]) if is_object else lines


def main() -> None:
    chosen = arguments(__doc__ or "")
    flags = [name for name, on in (("--quick", chosen.quick), ("--json", chosen.json)) if on]
    names = sorted(path.stem for path in HERE.glob("bench_*.py"))
    found = {name: run(name, flags) for name in names}
    if chosen.json:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
