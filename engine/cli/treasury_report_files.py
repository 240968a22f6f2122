"""A report's tables as files: the cells are made once, and every form only sets them."""

from pathlib import Path
from typing import Any

from engine.cli.tearsheet_cells import Table, csv_of
from engine.treasury.report import TreasuryReport
from engine.treasury.report_tables import ReportTable
from engine.values.errors import UserError


def cells_of(table: ReportTable) -> Table:
    """As the page and CSV set it: every row, on the page too."""
    return Table(
        name=table.name,
        title=table.title,
        columns=list(table.columns),
        rows=[list(row) for row in table.rows],
        note=table.note,
        on_page=max(1, len(table.rows)),
    )


def answer_of(report: TreasuryReport) -> dict[str, Any]:
    """The whole report as one object; rows are objects by column, amounts decimal text."""
    return {
        "ok": not report.failing,
        "title": report.title,
        "notes": list(report.notes),
        "failing": report.failing,
        "tables": {
            table.name: {
                "title": table.title,
                "note": table.note,
                "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows],
            }
            for table in report.tables
        },
    }


def write_csv(report: TreasuryReport, directory: Path) -> list[Path]:
    """A file for each table. Raises UserError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        found = []
        for table in report.tables:
            found.append(directory / f"{table.name}.csv")
            found[-1].write_text(csv_of(cells_of(table)), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{directory}: cannot be written: {error.strerror}") from error
    return found
