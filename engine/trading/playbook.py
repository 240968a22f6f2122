"""The playbook: what the desk does for every combination of answers, looked up in one table.

A cell of known answers takes the row of highest rank that matches it, or else the default. A cell
with unknown answers takes the least exposed row among all its completions by known answers, so not
to know is never the bolder choice. Where signal and market disagree (buy or strong buy while BTC is
weak or breaking support) the less exposed wins of the row at that signal and the row at neutral,
and the choice says so.
"""

import msgspec
import numpy as np

from engine.signals.outlook_params import OutlookParams
from engine.trading.hedge_params import HedgeParams
from engine.trading.playbook_grid import (
    NAMES,
    SHAPE,
    WHOLE,
    Grid,
    Row,
    by_care,
    careful_bits,
    completed,
    conflict_mask,
    matched,
    settled,
)
from engine.trading.posture import Answers, Posture
from engine.trading.rules import RulesParams

_STEPS = dict(zip(NAMES, (np.prod(SHAPE[i + 1 :], dtype=int) for i in range(8)), strict=True))
_AT = {name: {a: int(i * _STEPS[name]) for i, a in enumerate(WHOLE[name])} for name in NAMES}
"""What each answer adds to the place of its cell in the table."""
_SIGNAL, _INVENTORY, _BTC, _CORRELATION, _DEPTH, _VOLATILITY, _BOOK, _TURNOVER = _AT.values()


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The row taken. `conflict`: signal and market disagreed, so the less exposed row won.

    `careful` names the unknown questions that changed the choice: for each there is an answer that
    could have led to another row. Which the row is, and why, says `posture`.
    """

    posture: Posture
    conflict: bool
    careful: tuple[str, ...]


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of a playbook beside its rows, each made by the module that it is for."""

    outlook: OutlookParams
    rules: RulesParams
    hedge: HedgeParams


class Playbook:
    """Rows, default, and the table that they make. Immutable; build it with `playbook_file`.

    `digest` is the SHA-256 of the file's content: comments, order and spelling do not change it.
    """

    __slots__ = ("_cells", "default", "digest", "matched", "name", "numbers", "rows", "taken")

    def __init__(
        self, name: str, rows: tuple[Row, ...], default: Posture, numbers: Numbers, digest: str
    ) -> None:
        self.name = name
        self.rows = rows
        self.default = default
        self.numbers = numbers
        self.digest = digest
        self.matched: Grid = matched(rows)
        """The row of highest rank of each known cell, before the conflict rule."""
        order = np.array(by_care(self.postures), dtype=np.int64)
        known = settled(np.argsort(order)[self.matched])
        whole = completed(known)
        self.taken: Grid = order[whole]
        """The row that each cell of the whole grid takes, numbered as `postures`."""
        self._cells = _choices(self.postures, self.taken, careful_bits(known, whole))

    def __repr__(self) -> str:
        return f"<playbook {self.name}: {len(self.rows)} rows and a default>"

    @property
    def postures(self) -> tuple[Posture, ...]:
        """The rows' postures as in the file, the default last."""
        return (*(row.posture for row in self.rows), self.default)

    def choose(self, answers: Answers) -> Choice:
        """What to do. Eight look-ups and a sum: it stands in the decision path."""
        return self._cells[
            _SIGNAL[answers.signal]
            + _INVENTORY[answers.inventory]
            + _BTC[answers.btc]
            + _CORRELATION[answers.correlation]
            + _DEPTH[answers.depth]
            + _VOLATILITY[answers.volatility]
            + _BOOK[answers.book]
            + _TURNOVER[answers.turnover]
        ]


def _choices(postures: tuple[Posture, ...], taken: Grid, bits: Grid) -> tuple[Choice, ...]:
    """A choice for each cell, one object for all the cells that have the same."""
    codes = ((taken << 1 | conflict_mask()) << len(NAMES) | bits).ravel()
    distinct, places = np.unique(codes, return_inverse=True)
    made = [_choice(postures, code) for code in distinct.tolist()]
    return tuple(made[place] for place in places.ravel().tolist())


def _choice(postures: tuple[Posture, ...], code: int) -> Choice:
    number = code >> len(NAMES)
    return Choice(
        posture=postures[number >> 1],
        conflict=bool(number & 1),
        careful=tuple(name for axis, name in enumerate(NAMES) if code >> axis & 1),
    )
