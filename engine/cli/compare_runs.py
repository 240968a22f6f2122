"""Two finished back-tests as `ballast compare` reads them: tables in a directory, or an answer."""

from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from engine.cli.tearsheet_cells import words
from engine.sim.profit_parts import PARTS
from engine.values.errors import UserError
from engine.values.units import NS_PER_S

Number: TypeAlias = Decimal | None
TABLES = ("profit_over_time", "summary", "profit", "assumed")


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One market of a run. `buckets` are the parts of the profit, in `quote`, by number of step."""

    quote: str
    step_s: int
    buckets: dict[int, dict[str, Decimal]]
    measures: dict[str, Decimal]

    def coarser(self, step_s: int) -> "Series":
        """The same in longer steps, of which each holds whole ones of these."""
        found: dict[int, dict[str, Decimal]] = {}
        for number, parts in self.buckets.items():
            sums = found.setdefault(number * self.step_s // step_s, dict.fromkeys(PARTS, Decimal()))
            for name in PARTS:
                sums[name] += parts[name]
        return msgspec.structs.replace(self, step_s=step_s, buckets=found)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Where it was read from, its markets by name, and what it assumed, as text."""

    name: str
    markets: dict[str, Series]
    assumed: dict[str, str]


def read_run(path: Path) -> Run:
    """A directory that `backtest --tables` wrote, or a file whose last line is `backtest --json`'s.

    Raises UserError.
    """
    try:
        return _of_tables(path) if path.is_dir() else _of_answer(path)
    except OSError as error:
        where = error.filename or path
        raise UserError(
            f"{where}: cannot be read: {error.strerror}; wanted is a directory of backtest "
            "--tables, or what backtest --json printed"
        ) from error
    except (msgspec.DecodeError, ArithmeticError, KeyError, TypeError, IndexError) as error:
        raise UserError(f"{path}: holds no back-test's tables or answer: {error}") from error


# --- tables -------------------------------------------------------------------------------------


def _of_tables(path: Path) -> Run:
    over_time, summary, profit, assumed = (_rows(path / f"{name}.json") for name in TABLES)
    quotes = {row["market"]: row["asset"] for row in profit}
    markets = {}
    for market, quote in quotes.items():
        mine = [row for row in over_time if row["market"] == market]
        step_s = int(mine[0]["step_s"])
        markets[market] = Series(
            quote=quote,
            step_s=step_s,
            buckets={
                row["from_ns"] // (step_s * NS_PER_S): {n: Decimal(row[n]) for n in PARTS}
                for row in mine
            },
            measures=_numbers({r["measure"]: r["value"] for r in summary if r["market"] == market}),
        )
    told = {row["what"]: str(row["value"]) for row in assumed}
    return Run(name=str(path), markets=markets, assumed=told)


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = msgspec.json.decode(path.read_bytes())["rows"]
    return rows


# --- an answer ----------------------------------------------------------------------------------


def _of_answer(path: Path) -> Run:
    answer: dict[str, Any] = msgspec.json.decode(path.read_bytes().splitlines()[-1])
    told = {name.replace("_", " "): words(name, v) for name, v in answer["assumed"].items()}
    return Run(
        name=str(path),
        markets={market["market"]: _series(market) for market in answer["markets"]},
        assumed={**told, "decisions digest": str(answer["digest"])},
    )


def _series(market: dict[str, Any]) -> Series:
    told = market["buckets"]
    unit = Decimal(10) ** -told["quote_exponent"]
    places = {name: told["columns"].index(name) for name in PARTS}
    return Series(
        quote=told["quote"],
        step_s=told["step_s"],
        buckets={
            row[0]: {name: row[place] * unit for name, place in places.items()}
            for row in told["rows"]
        },
        measures=_numbers({name.replace("_", " "): value for name, value in market.items()}),
    )


def _numbers(values: dict[str, Any]) -> dict[str, Decimal]:
    """Those that are numbers, whether written as one or as decimal text."""
    found = {}
    for name, value in values.items():
        if isinstance(value, str | int | float) and _is_number(str(value)):
            found[name] = Decimal(str(value))
    return found


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except ArithmeticError:
        return False
