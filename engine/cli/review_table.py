"""A table of the review's page: numbers to the right, moments whole, long words with room."""

import re
from collections.abc import Iterable
from html import escape
from typing import Any

MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
NUMBER = re.compile(r"[+-]?[\d,]+(\.\d+)?")
WIDE_FROM = 40


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]], marks: Iterable[bool] = ()) -> str:
    """An element; rows with a mark are the costly ones. `heads` are our own words."""
    marked = list(marks)
    lines = ['<table class="small"><tr>' + "".join(f"<th>{each}</th>" for each in heads) + "</tr>"]
    for number, row in enumerate(rows):
        kind = ' class="costly"' if number < len(marked) and marked[number] else ""
        lines.append(f"<tr{kind}>{''.join(_cell(value) for value in row)}</tr>")
    return "\n".join([*lines, "</table>"])


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    kind = ' class="wide"' if len(text) > WIDE_FROM else ""
    kind = ' class="moment"' if MOMENT.fullmatch(text) else kind
    kind = ' class="number"' if NUMBER.fullmatch(text) else kind
    return f"<td{kind}>{escape(text)}</td>"
