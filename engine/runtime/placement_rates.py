"""What platforms pay and how long their queues are, from a file that a script or a person keeps.

```json
{"rates": [{"option": "stake", "yield": "0.062", "unwind_h": 240, "at": "2026-11-21T12:00Z"}]}
```
"""

from datetime import datetime
from pathlib import Path

import msgspec

from engine.runtime.person_file import read_text
from engine.runtime.treasury_facts import moment_ns
from engine.treasury.params import HOURS_MAX
from engine.treasury.placement import Rate
from engine.treasury.placement_params import PlacementParams
from engine.values.errors import UserError
from engine.values.table_check import problems
from engine.values.units import PPM, scaled


class RateRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`yield` is a share a year: "0.062" is 6.2 %. At most six decimals."""

    option: str
    paid: str = msgspec.field(name="yield")
    unwind_h: int
    at: datetime


class RatesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rates: list[RateRow]


def rates_of(path: Path, params: PlacementParams) -> dict[str, Rate]:
    """The rates in a file, by option. Raises UserError with a line for each mistake."""
    try:
        table = msgspec.json.decode(read_text(path))
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(f"{path}: not JSON: {error}") from error
    found = problems(table, RatesFile, "")
    if found:
        raise UserError("\n".join(f"{path}: {problem}" for problem in found))
    known = {option.name for option in params.options}
    rates = {}
    for index, row in enumerate(msgspec.convert(table, RatesFile).rates):
        where = f"{path}: rates[{index}]"
        if row.option not in known:
            raise UserError(f'{where}.option: "{row.option[:40]}" is none of placement.options')
        rates[row.option] = _rate(row, where)
    return rates


def _rate(row: RateRow, where: str) -> Rate:
    try:
        paid_ppm = scaled(row.paid, 6)
    except ValueError as error:
        raise UserError(f"{where}.yield: {error}") from error
    if not -PPM <= paid_ppm <= 10 * PPM or not 0 <= row.unwind_h <= HOURS_MAX:
        raise UserError(f"{where}: yield must be -1 to 10, unwind_h 0 to {HOURS_MAX}")
    at_ns = moment_ns(row.at, f"{where}.at")
    return Rate(option=row.option, yield_ppm=paid_ppm, unwind_h=row.unwind_h, at_ns=at_ns)
