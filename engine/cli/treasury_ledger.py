"""`ballast treasury ledger` and `gains`: the books, made again from the journal and proved."""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.show import as_json, as_text
from engine.cli.treasury_books import Flags, rebuilt, wanted_of
from engine.cli.treasury_gains_view import GAIN_COLUMNS, gain_rows, gains_answer, gains_lines
from engine.cli.treasury_ledger_view import (
    POSTING_COLUMNS,
    entry_lines,
    ledger_answer,
    ledger_lines,
    posting_rows,
)
from engine.runtime.books_files import moment
from engine.treasury.lots import LotMethod
from engine.treasury.tax import Period
from engine.values.errors import UserError
from engine.values.units import Ns

FOUND_SOMETHING = 1
FAR_NS = 2**62

Place = Annotated[Path, typer.Argument(help="A data directory, a journal or a config (.toml).")]
Policy = Annotated[Path | None, typer.Option(help="A treasury file: its [money] and [books].")]
Money = Annotated[str, typer.Option(help="What everything is valued in; the quote asset.")]
Method = Annotated[LotMethod | None, typer.Option(help="Which lots go first; fifo.")]
Lots = Annotated[Path | None, typer.Option(help="CSV of what the openings cost.")]
Prices = Annotated[Path | None, typer.Option(help="CSV of prices, for what money did not pay.")]
PriceAge = Annotated[int, typer.Option(min=0, help="Older prices say nothing, in s; 3600.")]
Csv = Annotated[bool, typer.Option("--csv", help="Rows as CSV.")]
Json = Annotated[bool, typer.Option("--json", help="One object on the last line.")]


def ledger(
    place: Place,
    policy: Policy = None,
    money: Money = "",
    method: Method = None,
    lots: Lots = None,
    prices: Prices = None,
    price_age: PriceAge = 0,
    entries: Annotated[bool, typer.Option(help="Every entry too.")] = False,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Rebuild the double-entry ledger and prove it. Exit code 1 where that fails."""
    flags = Flags(money=money, method=method, lots=lots, prices=prices, price_age_s=price_age)
    made = rebuilt(wanted_of(place, policy, flags))
    if json:
        as_json(ledger_answer(made, with_entries=entries))
    elif csv:
        _as_csv(POSTING_COLUMNS, posting_rows(made))
    else:
        as_text(*ledger_lines(made))
        if entries:
            as_text(*entry_lines(made))
    if made.faults:
        raise typer.Exit(FOUND_SOMETHING)


def gains(
    place: Place,
    policy: Policy = None,
    money: Money = "",
    method: Method = None,
    lots: Lots = None,
    prices: Prices = None,
    price_age: PriceAge = 0,
    since: Annotated[str, typer.Option("--from", help="From this UTC day on.")] = "",
    until: Annotated[str, typer.Option("--to", help="Up to this UTC day, without it.")] = "",
    csv: Csv = False,
    json: Json = False,
) -> None:
    """What was realised and earned, lot by lot. What is not known is said, and never 0."""
    period = _period(since, until)
    flags = Flags(money=money, method=method, lots=lots, prices=prices, price_age_s=price_age)
    made = rebuilt(wanted_of(place, policy, flags))
    if json:
        as_json(gains_answer(made, period))
    elif csv:
        _as_csv(GAIN_COLUMNS, gain_rows(made, period))
    else:
        as_text(*gains_lines(made, period))
    if made.faults:
        raise typer.Exit(FOUND_SOMETHING)


def _period(since: str, until: str) -> Period:
    from_ns: Ns = moment("--from", since) if since else 0
    to_ns: Ns = moment("--to", until) if until else FAR_NS
    if from_ns >= to_ns:
        raise UserError("--to: must be after --from")
    return Period(from_ns, to_ns)


def _as_csv(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    sys.stdout.flush()
