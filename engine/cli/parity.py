"""`ballast parity`: a live session held against simulations of the same market, fill by fill."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.parity_run import Sides, sides_of
from engine.cli.parity_tables import tables_of, unexplained
from engine.cli.show import as_json, as_text
from engine.cli.tearsheet import write_tables, write_text
from engine.cli.tearsheet_cells import Table, text_of
from engine.runtime.recording import sessions
from engine.values.errors import UserError

SHOWN_MAX = 12
IN_TEXT = ("totals", "why", "latency")


def parity(
    session: Annotated[Path, typer.Argument(help="A data directory, or a file of a session.")],
    epoch: Annotated[int, typer.Option(help="Which session of the directory; 0 for the last.")] = 0,
    queue: Annotated[
        str, typer.Option(help="Queue model: power:N, log or risk-averse.")
    ] = "power:1",
    report: Annotated[Path | None, typer.Option(help="Write the report here, as HTML.")] = None,
    tables: Annotated[
        Path | None, typer.Option(help="Write its tables into this directory, as CSV and JSON.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One object on the last line.")] = False,
) -> None:
    """Compare a recorded SESSION with the same orders in simulation and with its own back-test."""
    found = [each for each in sessions(session) if not epoch or each.header.epoch == epoch]
    if not found:
        raise UserError(f"{session}: no session {epoch} is here")
    sides = sides_of(found[-1], queue)
    made = tables_of(sides)
    if report is not None:
        write_text("--report", report, _page(sides, made))
    if tables is not None:
        write_tables(tables, made)
    if json:
        as_json(_answer(sides, made))
    else:
        as_text(*_lines(sides, made), sides.free.result.not_modelled)


def _page(sides: Sides, tables: list[Table]) -> str:
    """Drawing takes a second to import, so only a page pays for it."""
    try:
        drawing = import_module("engine.cli.parity_page")
    except ModuleNotFoundError as error:
        raise UserError(f'--report needs {error.name}: pip install "ballast[research]"') from error
    page: str = drawing.page_of(sides, tables)
    return page


def _answer(sides: Sides, tables: list[Table]) -> dict[str, Any]:
    """Each table as rows by column."""
    rows = {
        table.name: [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        for table in tables
    }
    return {"session": sides.epoch, "unexplained": len(list(unexplained(sides))), **rows}


def _lines(sides: Sides, tables: list[Table]) -> list[str]:
    lines = [f"session {sides.epoch}, queue model {sides.queue}"]
    for table in tables:
        if table.name in IN_TEXT:
            lines += ["", table.title, *_set(table)]
    differ = [row for row in sides.rows if row.real_lots != row.simulated_lots]
    lines += ["", f"{len(differ)} of {len(sides.rows)} fills differ with the same orders"]
    for row in differ[:SHOWN_MAX]:
        item = sides.instruments[row.key[0]]
        real, simulated = (item.size_text(lots) for lots in (row.real_lots, row.simulated_lots))
        lines.append(f"  {row.client_id} {row.side} {item.price_text(row.tick)}: real {real}, "
                     f"simulated {simulated}: {row.why}")  # fmt: skip
    if len(differ) > SHOWN_MAX:
        lines.append(f"  and {len(differ) - SHOWN_MAX} more: --tables writes them all")
    return lines


def _set(table: Table) -> list[str]:
    """Columns as wide as their widest cell."""
    rows = [[name.replace("_", " ") for name in table.columns]]
    rows += [[text_of(cell) for cell in row] for row in table.rows]
    widths = [max(len(row[place]) for row in rows) for place in range(len(table.columns))]
    pairs = ((row, zip(row, widths, strict=True)) for row in rows)
    return ["  " + "  ".join(f"{cell:<{width}}" for cell, width in cells).rstrip()
            for _, cells in pairs]  # fmt: skip
