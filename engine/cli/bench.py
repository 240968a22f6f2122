"""`ballast bench`: the benchmarks of a checkout, each in a process of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.values.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Less of all, within 30 s.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="One by its name; repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write JSON, Markdown and SVG there.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Measure this host beside the committed report; exit code 1 where something broke."""
    flags = [flag for flag, on in (("--quick", quick), ("--json", json)) if on]
    flags += [word for name in only or [] for word in ("--only", name)]
    flags += ["--out", str(out.resolve())] if out else []
    done = subprocess.run([sys.executable, "-m", "bench", *flags], cwd=checkout())  # noqa: S603
    raise typer.Exit(done.returncode)


def checkout(root: Path = ROOT) -> Path:
    """Where the benchmarks lie: beside the packages in a checkout, never in an installed wheel."""
    if not (root / "bench" / "__main__.py").is_file():
        raise UserError(
            "the benchmarks are not part of an installed package: run `ballast bench` from an"
            " editable install of a checkout (pip install -e .), or `python -m bench` inside one"
        )
    return root
