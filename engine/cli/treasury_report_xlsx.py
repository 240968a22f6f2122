"""A report as a workbook: a sheet for each table, numbers as numbers where a double keeps them."""

from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from engine.treasury.report import TreasuryReport
from engine.treasury.report_tables import Cell, ReportTable
from engine.values.errors import UserError

DIGITS_MAX = 15
"""A spreadsheet's numbers are doubles: what has more digits stays text, so that none is lost."""
SHEET_NAME_MAX = 31
WIDTH_MAX = 60


def write_xlsx(report: TreasuryReport, path: Path) -> None:
    """A sheet for each table. Raises UserError."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for table in report.tables:
        _sheet(book.create_sheet(table.name[:SHEET_NAME_MAX]), table)
    try:
        book.save(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def _sheet(sheet: Any, table: ReportTable) -> None:
    """Title, note, head and rows; the head stays in sight."""
    heads: tuple[tuple[Cell, ...], ...] = ((table.title,), (table.note,), table.columns)
    for place, head in enumerate(heads, start=1):
        for column, cell in enumerate(head, start=1):
            _set(sheet.cell(row=place, column=column), cell)
            sheet.cell(row=place, column=column).font = Font(bold=place != 2)
    for place, cells in enumerate(table.rows, start=4):
        for column, cell in enumerate(cells, start=1):
            _set(sheet.cell(row=place, column=column), cell)
    for column, name in enumerate(table.columns, start=1):
        longest = max([len(name), *(len(str(row[column - 1])) for row in table.rows)])
        sheet.column_dimensions[get_column_letter(column)].width = min(longest + 2, WIDTH_MAX)
    sheet.freeze_panes = "A4"


def _set(there: Any, cell: Cell) -> None:
    """Numbers as numbers; all else as text, so that nothing that people wrote is a formula."""
    number = number_of(cell)
    if number is not None:
        there.value = number
    elif isinstance(cell, str):
        there.value = cell
        there.data_type = "s"


def number_of(cell: Cell) -> int | float | None:
    """None for what is no number, or has more digits than a double keeps."""
    if isinstance(cell, int):
        return cell if abs(cell) < 10**DIGITS_MAX else None
    bare = (cell or "").removeprefix("-")
    whole, dot, fraction = bare.partition(".")
    is_plain = bare.isascii() and whole.isdigit() and (fraction.isdigit() or not dot)
    if not is_plain or len((whole + fraction).lstrip("0")) > DIGITS_MAX:
        return None
    return float(cell or "") if dot else int(cell or "")
