"""A playbook file: TOML to a `Playbook`, or every mistake in it named by its path.

```toml
name = "BTT/USDT, calm hands"

[[rows]]
name = "buy, deep book, BTC stable"
rank = 10                                   # of the rows that match, the highest rank wins
when = { signal = ["buy", "strong buy"], btc = ["stable"] }
quotes = { bid_size = 1.1, ask_size = 1.0, ... }    # see QuoteStance
hedge = "staged"                                    # see HedgeStance
limits = { cap_share = 1.0, ... }                   # see LimitStance
reason = "why, for people"

[default]                                   # as a row, without rank and when
[outlook]
[rules]
[hedge]
```

A question that `when` leaves out may have any known answer. An empty list would match nothing, and
"unknown" is no answer to ask for: a cell with unknown answers takes the least exposed row that the
known answers could lead to. Both are refused.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from engine.signals.outlook import (
    Correlation,
    DepthTrend,
    Regime,
    Thickness,
    Turnover,
    VolatilityTrend,
)
from engine.signals.outlook_params import OutlookParams
from engine.trading.hedge_params import HedgeParams
from engine.trading.playbook import Numbers, Playbook
from engine.trading.playbook_check import check
from engine.trading.playbook_grid import KNOWN, UNKNOWN, Row
from engine.trading.posture import HedgeStance, Inventory, LimitStance, Posture, QuoteStance, Signal
from engine.trading.rules import RulesParams
from engine.values.errors import UserError
from engine.values.table_check import problems, toml_table

ROWS_MAX = 100
"""More rows than this nobody reads."""
RANK_MAX = 1_000_000
NAME = re.compile(r"\S(.{0,62}\S)?")
REASON = re.compile(r"\S(.{0,398}\S)?")
PLACE = re.compile(r"rows\[(\d+)\]")


class WhenTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which answers a row is for. None: any that is known."""

    signal: list[Signal] = []
    inventory: list[Inventory] = []
    btc: list[Regime] = []
    correlation: list[Correlation] = []
    depth: list[DepthTrend] = []
    volatility: list[VolatilityTrend] = []
    book: list[Thickness] = []
    turnover: list[Turnover] = []


class DefaultTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[default]`: what is done where no row matches."""

    name: str
    quotes: QuoteStance
    hedge: HedgeStance
    limits: LimitStance
    reason: str


class RowTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `[[rows]]`."""

    name: str
    rank: int
    when: WhenTable
    quotes: QuoteStance
    hedge: HedgeStance
    limits: LimitStance
    reason: str


class PlaybookTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    name: str
    rows: list[RowTable]
    default: DefaultTable
    outlook: OutlookParams
    rules: RulesParams
    hedge: HedgeParams


def load_playbook(text: str, name: str) -> Playbook:
    """The playbook in `text`, proved whole over the grid: what an engine may run.

    `name` is the file's, for messages. Raises UserError with a line for each mistake.
    """
    playbook = parse(text, name)
    if found := check(playbook):
        raise UserError("\n".join(f"{name}: {problem.text}" for problem in found))
    return playbook


def parse(text: str, name: str) -> Playbook:
    """The playbook in `text`, which only `check` proves. Raises UserError, a line a mistake."""
    content = toml_table(text, name)
    found = problems(content, PlaybookTable, "")
    if not found:
        table = msgspec.convert(content, PlaybookTable)
        found = list(_disagreements(table, content["rows"]))
    if found:
        raise UserError("\n".join(f"{name}: {_with_name(line, content)}" for line in found))
    return _playbook(table)


def _playbook(table: PlaybookTable) -> Playbook:
    rows = tuple(
        Row(rank=row.rank, when=_narrowed(row.when), posture=_posture(row)) for row in table.rows
    )
    numbers = Numbers(outlook=table.outlook, rules=table.rules, hedge=table.hedge)
    digest = hashlib.sha256(msgspec.json.encode(table, order="sorted")).hexdigest()
    return Playbook(table.name, rows, _posture(table.default), numbers, digest)


def _narrowed(when: WhenTable) -> dict[str, tuple[StrEnum, ...]]:
    return {name: tuple(getattr(when, name)) for name in KNOWN if getattr(when, name)}


def _posture(table: RowTable | DefaultTable) -> Posture:
    return Posture(
        row=table.name,
        reason=table.reason,
        quotes=table.quotes,
        hedge=table.hedge,
        limits=table.limits,
    )


def _disagreements(table: PlaybookTable, rows: list[dict[str, object]]) -> Iterator[str]:
    """What is wrong although every part is right by itself."""
    if not NAME.fullmatch(table.name):
        yield "name: one line of 1 to 64 characters"
    if not 0 < len(table.rows) <= ROWS_MAX:
        yield f"rows: 1 to {ROWS_MAX} of them"
    for index, row in enumerate(table.rows):
        yield from _row_problems(row, rows[index]["when"], f"rows[{index}]")
    names = Counter([table.default.name, *(row.name for row in table.rows)])
    yield from _text_problems(table.default, names, "default")
    for index, row in enumerate(table.rows):
        yield from _text_problems(row, names, f"rows[{index}]")


def _text_problems(row: RowTable | DefaultTable, names: Counter[str], path: str) -> Iterator[str]:
    if not NAME.fullmatch(row.name):
        yield f"{path}.name: one line of 1 to 64 characters"
    if names[row.name] > 1:
        yield f"{path}.name: another row has this name"
    if not REASON.fullmatch(row.reason):
        yield f"{path}.reason: one line of 1 to 400 characters, for people"


def _row_problems(row: RowTable, written: object, path: str) -> Iterator[str]:
    if abs(row.rank) > RANK_MAX:
        yield f"{path}.rank: at most {RANK_MAX}"
    for name in KNOWN:
        answers = getattr(row.when, name)
        if isinstance(written, dict) and name in written and not answers:
            yield f"{path}.when.{name}: an empty list matches nothing; leave it out to match any"
        if UNKNOWN in answers:
            yield f"{path}.when.{name}: {_NOT_ASKED}"
        if len(set(answers)) < len(answers):
            yield f"{path}.when.{name}: an answer is there twice"


_NOT_ASKED = (
    '"unknown" cannot be asked for; it takes the least exposed row that known answers lead to'
)


def _with_name(line: str, content: dict[str, object]) -> str:
    """Rows are named beside their number, since people count them badly."""
    match, rows = PLACE.match(line), content.get("rows")
    if not match or not isinstance(rows, list):
        return line
    row = rows[int(match[1])]
    name = row.get("name") if isinstance(row, dict) else None
    path, _, what = line.partition(": ")
    return f'{path} ("{name[:64]}"): {what}' if isinstance(name, str) else line
