"""`ballast treasury report`: the daily checklist, the weekly pack and the monthly pack."""

import csv
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_report_data import Wanted, input_of
from engine.cli.treasury_report_files import answer_of, write_csv
from engine.cli.treasury_text import table as text_table
from engine.runtime.person_file import read_text
from engine.treasury.report import TreasuryReport, report_of
from engine.treasury.report_input import DAYS_OF, Assumption, Period
from engine.values.errors import UserError

COLUMNS = ("name", "value", "since", "who", "basis", "revisit")
SHORT = ("exceptions", "figures")
"""What is told on a terminal; the files have all of it."""
EXTRA = "needs what is not installed ({}): pip install 'ballast[treasury]'"

Which = Annotated[Period, typer.Argument(help="daily, weekly or monthly.")]
File = Annotated[Path, typer.Argument(help="A treasury file, as configs/treasury.toml.")]
At = Annotated[
    Path | None,
    typer.Option("--at", help="A config or data directory: its engine, if one runs; its journal."),
]
DeskAt = Annotated[
    Path | None, typer.Option("--desk", help="A desk's directory; else the one in --at.")
]
FactsFiles = Annotated[
    list[Path] | None,
    typer.Option("--facts", help="Balances, prices and books as JSON; repeatable."),
]
Log = Annotated[
    Path | None, typer.Option("--assumptions", help=f"CSV of people's own: {','.join(COLUMNS)}.")
]
Html = Annotated[Path | None, typer.Option("--html", help="Write one page that prints.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Write a file a table into a directory.")]
Xlsx = Annotated[Path | None, typer.Option("--xlsx", help="Write a workbook, a sheet a table.")]


def report(
    period: Which,
    file: File,
    at: At = None,
    desk: DeskAt = None,
    facts: FactsFiles = None,
    assumptions: Log = None,
    html: Html = None,
    csv: Csv = None,
    xlsx: Xlsx = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """The report of a day, a week or a month, exceptions first. Exit code 1 where any item of the
    checklist is failing."""
    log = tuple(assumptions_of(assumptions)) if assumptions is not None else ()
    wanted = Wanted(
        period=period,
        days=DAYS_OF[period],
        file=file,
        at=at,
        desk=desk,
        facts=tuple(facts or ()),
        assumptions=log,
    )
    made = report_of(input_of(wanted))
    write(made, html, csv, xlsx)
    if json:
        as_json(answer_of(made))
    else:
        as_text(*lines_of(made))
    raise typer.Exit(1 if made.failing else 0)


def write(made: TreasuryReport, html: Path | None, csv: Path | None, xlsx: Path | None) -> None:
    """The forms that were asked for, of the same tables. Raises UserError."""
    if csv is not None:
        write_csv(made, csv)
    if xlsx is not None:
        _loaded("engine.cli.treasury_report_xlsx").write_xlsx(made, xlsx)
    if html is not None:
        page = _loaded("engine.cli.treasury_report_page").page_of(made)
        try:
            html.write_text(page, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{html}: cannot be written: {error.strerror}") from error


def lines_of(made: TreasuryReport) -> list[str]:
    lines = [made.title, *made.notes]
    for name in SHORT:
        found = made.table(name)
        lines += ["", found.title, *([found.note] if found.note else [])]
        rows = [["-" if cell is None else str(cell) for cell in row] for row in found.rows]
        if rows:
            lines += text_table(list(found.columns), rows, left=len(found.columns))
    return lines


def assumptions_of(path: Path) -> list[Assumption]:
    """People's own, a row each. Raises UserError naming file, line and fault."""
    lines = csv.reader(read_text(path).splitlines(), strict=True)
    found = []
    try:
        if tuple(cell.strip() for cell in next(lines, [])) != COLUMNS:
            raise UserError(f"{path}:1: the first line must be {','.join(COLUMNS)}")
        for cells in lines:
            if len(cells) not in (0, len(COLUMNS)):
                raise UserError(
                    f"{path}:{lines.line_num}: {len(cells)} cells, wanted {len(COLUMNS)}"
                )
            if cells:
                found.append(_assumption(f"{path}:{lines.line_num}", cells))
    except csv.Error as error:
        raise UserError(f"{path}:{lines.line_num}: not CSV: {error}") from error
    return found


def _assumption(where: str, cells: list[str]) -> Assumption:
    name, value, since, who, basis, revisit = (cell.strip() for cell in cells)
    if not (name and value and who and revisit):
        raise UserError(f"{where}: name, value, who and revisit must not be empty")
    told = f"{who}, {since}" if since else who
    return Assumption(name=name, value=value, where=told, basis=basis, revisit=revisit)


def _loaded(name: str) -> Any:
    """Only who wants pictures or a workbook pays for their libraries. Raises UserError."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(f"this form {EXTRA.format(error.name)}") from error
