"""`ballast doctor`: is this host fit to quote from?"""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.show import as_json
from engine.runtime.doctor import Finding, Grade, Host, examine

MARKS = {Grade.OK: "ok  ", Grade.WARN: "warn", Grade.FAIL: "FAIL"}


def doctor(
    data_dir: Annotated[Path, typer.Option(help="Where the journal will lie.")] = Path("."),
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Examine this host; exit code 1 where something would stop the engine."""
    findings = examine(Host(data_path=data_dir))
    is_fit = all(finding.grade is not Grade.FAIL for finding in findings)
    if json:
        as_json({"ok": is_fit, "findings": findings})
    else:
        for finding in findings:
            typer.echo(_text(finding))
    if not is_fit:
        raise typer.Exit(1)


def _text(finding: Finding) -> str:
    line = f"{MARKS[finding.grade]}  {finding.name}: {finding.found}"
    return f"{line}\n        {finding.remedy}" if finding.remedy else line
