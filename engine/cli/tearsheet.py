"""A back-test's tear sheets: made from what it left behind, and written as a page and as tables."""

from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from engine.cli.backtest_run import Ran
from engine.cli.tearsheet_cells import Table, csv_of, json_of
from engine.cli.tearsheet_tables import tables_of
from engine.runtime.config import Config, bands_of
from engine.sim.profit_parts import PARTS
from engine.sim.quoting import Obligation
from engine.sim.tearsheet import Params, Sheet, Span, sheet_of, step_for
from engine.values.errors import UserError
from engine.values.instrument import Instrument
from engine.values.units import NS_PER_S, decimal_text


def obligations_of(text: str, instruments: dict[str, Instrument]) -> dict[str, Obligation]:
    """`BPS,SIZE` for every market, in its own lots; none for "". Raises UserError."""
    if not text:
        return {}
    bps, _, size = text.partition(",")
    try:
        found = {
            market: Obligation(distance_bps=int(bps), lots_min=item.lots(size))
            for market, item in instruments.items()
        }
    except ValueError as error:
        raise UserError(f"--obligation {text!r} is not BPS,SIZE: {error}") from error
    if any(each.distance_bps <= 0 or each.lots_min <= 0 for each in found.values()):
        raise UserError(f"--obligation {text!r}: both are above 0")
    return found


def sheets_of(ran: Ran, config: Config, obliged: dict[str, Obligation]) -> list[Sheet]:
    """One for each market of the run. A back-test knows spot markets only: no funding."""
    span = Span(ran.result.began_ns, ran.result.ended_ns)
    markets = {market.market: market for market in config.markets}
    found = []
    for market, tally in ran.result.markets.items():
        item = ran.instruments[market]
        params = Params(step_ns=step_for(span), obligation=obliged.get(market))
        bands = bands_of(markets[market], item) if market in markets else None
        found.append(sheet_of(item, tally, ran.trails[market], span, (params, bands, ())))
    return found


def with_parts(answer: dict[str, Any], sheets: list[Sheet]) -> dict[str, Any]:
    """A back-test's answer, each market with the parts of its profit, also by bucket of time.

    The spread earned is the part: one number under one name, to the last digit.
    """
    told = {sheet.item.market: _parts(sheet) for sheet in sheets}
    markets = [
        {**market, **parts, "spread_earned": parts["parts"]["spread_earned"]}
        for market in answer["markets"]
        if (parts := told[market["market"]])
    ]
    return {**answer, "markets": markets}


def _parts(sheet: Sheet) -> dict[str, Any]:
    exponent = sheet.item.quote_exponent
    parts = msgspec.structs.asdict(sheet.parts)
    return {
        "parts": {name: decimal_text(atoms, exponent) for name, atoms in parts.items()},
        "buckets": {
            "step_s": sheet.step_ns // NS_PER_S,
            "quote": sheet.item.quote,
            "quote_exponent": exponent,
            "columns": ["bucket", *PARTS],
            "rows": [[b.number, *msgspec.structs.astuple(b.parts)] for b in sheet.buckets],
        },
    }


def write_sheets(ran: Ran, sheets: list[Sheet], report: Path | None, tables: Path | None) -> None:
    """Both forms hold the same cells. Raises UserError where one cannot be written."""
    if report is None and tables is None:
        return
    found = tables_of(ran, sheets)
    if report is not None:
        write_text("--report", report, _page(sheets, found))
    if tables is not None:
        write_tables(tables, found)


def _page(sheets: list[Sheet], tables: list[Table]) -> str:
    """Drawing takes a second to import, so only a page pays for it."""
    try:
        drawing = import_module("engine.cli.tearsheet_page")
    except ModuleNotFoundError as error:
        raise UserError(f'--report needs {error.name}: pip install "ballast[research]"') from error
    page: str = drawing.page_of(sheets, tables)
    return page


def write_tables(folder: Path, tables: list[Table]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--tables {folder}: cannot be made: {error.strerror}") from error
    for table in tables:
        write_text("--tables", folder / f"{table.name}.csv", csv_of(table))
        write_text("--tables", folder / f"{table.name}.json", json_of(table))


def write_text(flag: str, path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{flag} {path}: cannot be written: {error.strerror}") from error
