"""Candles from a file's text: JSON rows or CSV with a header, every mistake named by row."""

import csv
from collections.abc import Iterator, Sequence

import msgspec

from engine.signals.candles import Candle
from engine.values.errors import UserError
from engine.values.units import NS_PER_MS

FIELDS = ("open", "high", "low", "close", "volume")
TIME_NAMES = ("ms", "time", "timestamp", "open_time")
CANDLES_MAX = 1_000_000


def candles_of(text: str, name: str) -> list[Candle]:
    """Bars oldest first. `name` is what mistakes are reported under. Raises UserError."""
    rows = _json_rows(text, name) if text.lstrip().startswith("[") else _csv_rows(text, name)
    candles: list[Candle] = []
    for where, row in rows:
        candle = _candle(row, f"{name}: {where}")
        if candles and candle.at_ns <= candles[-1].at_ns:
            raise UserError(f"{name}: {where}: not later than the row before it")
        if len(candles) >= CANDLES_MAX:
            raise UserError(f"{name}: more than {CANDLES_MAX} candles")
        candles.append(candle)
    if not candles:
        raise UserError(f"{name}: no candles")
    return candles


def _candle(row: Sequence[float], where: str) -> Candle:
    made = Candle(
        at_ns=int(row[0]) * NS_PER_MS,
        open=row[1],
        high=row[2],
        low=row[3],
        close=row[4],
        volume=row[5],
    )
    if problem := made.problem():
        raise UserError(f"{where}: {problem}")
    return made


def _json_rows(text: str, name: str) -> Iterator[tuple[str, Sequence[float]]]:
    try:
        rows = msgspec.json.decode(text, type=list[tuple[float, float, float, float, float, float]])
    except msgspec.DecodeError as error:
        raise UserError(f"{name}: not rows of [ms, open, high, low, close, volume]: {error}") from (
            error
        )
    for index, row in enumerate(rows):
        yield f"row {index}", row


def _csv_rows(text: str, name: str) -> Iterator[tuple[str, Sequence[float]]]:
    reader = csv.DictReader(text.splitlines())
    header = {field.strip().lower(): field for field in reader.fieldnames or []}
    time = next((header[alias] for alias in TIME_NAMES if alias in header), None)
    missing = [field for field in FIELDS if field not in header]
    if time is None or missing:
        wanted = ", ".join(([] if time else ["ms"]) + missing)
        raise UserError(f"{name}: line 1: the header lacks {wanted}")
    columns = [time, *(header[field] for field in FIELDS)]
    for row in reader:
        where = f"line {reader.line_num}"
        try:
            yield where, [float(row[column]) for column in columns]
        except (TypeError, ValueError) as error:
            raise UserError(f"{name}: {where}: {error}") from error
