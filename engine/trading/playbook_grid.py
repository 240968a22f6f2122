"""The whole finite grid of answers, and which row each of its cells takes.

Arrays hold one number a cell. The *known* grid has the answers that say something; the *whole*
grid (69,120 cells) has UNKNOWN as the last answer to every question. Rows are numbered as in the
file, the default last.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

from engine.signals.outlook import Regime
from engine.trading.posture import QUESTIONS, Answers, Posture, Signal

Grid = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

UNKNOWN = "unknown"
NAMES = tuple(QUESTIONS)
KNOWN = {name: tuple(a for a in answers if a != UNKNOWN) for name, answers in QUESTIONS.items()}
"""The answers to each question that say something, in the order of the axis."""
WHOLE = {name: (*KNOWN[name], answers(UNKNOWN)) for name, answers in QUESTIONS.items()}
KNOWN_SHAPE = tuple(len(answers) for answers in KNOWN.values())
SHAPE = tuple(len(answers) for answers in WHOLE.values())
BUYS = (Signal.BUY, Signal.STRONG_BUY)
BAD_MARKETS = (Regime.WEAK, Regime.BREAKING_SUPPORT)
NEVER = np.iinfo(np.int64).max


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Where `when` holds, `posture` is taken, unless a row of higher `rank` holds there too.

    `when` maps a question to the known answers that the row is for; a question that it leaves out
    may have any known answer.
    """

    rank: int
    when: dict[str, tuple[StrEnum, ...]]
    posture: Posture

    @property
    def name(self) -> str:
        return self.posture.row

    def takes(self, question: str) -> tuple[StrEnum, ...]:
        return self.when.get(question, KNOWN[question])


def match_mask(row: Row) -> Mask:
    """Where `row` matches, over the known grid."""
    mask = np.ones(KNOWN_SHAPE, dtype=np.bool_)
    for axis, (name, answers) in enumerate(KNOWN.items()):
        line = np.array([answer in row.takes(name) for answer in answers], dtype=np.bool_)
        mask &= line.reshape([-1 if i == axis else 1 for i in range(len(NAMES))])
    return mask


def matched(rows: Sequence[Row]) -> Grid:
    """The row of highest rank in each known cell, len(rows) for the default.

    Of two of one rank the first in the file, so that even a playbook that the checker refuses has
    one meaning.
    """
    found = np.full(KNOWN_SHAPE, len(rows), dtype=np.int64)
    for number in sorted(range(len(rows)), key=lambda n: (rows[n].rank, -n)):
        found[match_mask(rows[number])] = number
    return found


def by_care(postures: Sequence[Posture]) -> list[int]:
    """The numbers of the rows, least exposed first.

    Where the rows form one order of exposure, as the checker asks, this is that order. Among equals
    the first in the file comes first.
    """
    return sorted(range(len(postures)), key=lambda n: (postures[n].exposure, n))


def is_conflict(signal: StrEnum, btc: StrEnum) -> bool:
    """Signal and market disagree: buy or strong buy while BTC is weak or breaking support.

    A sell in a strong market is none: it lowers exposure by itself. Nor is an unknown signal or an
    unknown market: what is not known cannot disagree, and unknown is careful on its own.
    """
    return signal in BUYS and btc in BAD_MARKETS


def settled(places: Grid) -> Grid:
    """The known grid after the conflict rule; `places` are places in the order of care.

    In a conflict the less exposed wins of the row at this signal and the row at neutral, all other
    answers being the same.
    """
    neutral: Grid = places[KNOWN["signal"].index(Signal.NEUTRAL)]
    result = places.copy()
    for s, signal in enumerate(KNOWN["signal"]):
        for b, btc in enumerate(KNOWN["btc"]):
            if is_conflict(signal, btc):
                cells = (s, slice(None), b)
                result[cells] = np.minimum(places[cells], neutral[:, b])
    return result


def completed(known: Grid) -> Grid:
    """The whole grid: a cell with unknown answers has the least of all its completions.

    One question after the other: the last entry of an axis is the least along it, and the least of
    leasts is the least over every combination.
    """
    whole = known
    for axis in range(known.ndim):
        whole = np.concatenate([whole, whole.min(axis=axis, keepdims=True)], axis=axis)
    return whole


def careful_bits(known: Grid, whole: Grid) -> Grid:
    """For each cell of the whole grid, a bit for every unknown question that changed the choice.

    A question changed it where some completion takes the chosen row, and another answer to this one
    question alone leads to another row. So bits are set exactly where completions differ at all.
    """
    bits = np.zeros(SHAPE, dtype=np.int64)
    for axis in range(len(NAMES)):
        differs = known.min(axis=axis, keepdims=True) != known.max(axis=axis, keepdims=True)
        least = completed(np.where(differs, known, NEVER))
        asked = [slice(None)] * len(NAMES)
        asked[axis] = slice(SHAPE[axis] - 1, None)
        cells = tuple(asked)
        bits[cells] |= (least[cells] == whole[cells]).astype(np.int64) << axis
    return bits


def conflict_mask() -> Mask:
    """Where signal and market disagree, over the whole grid."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    for s, signal in enumerate(WHOLE["signal"]):
        for b, btc in enumerate(WHOLE["btc"]):
            mask[s, :, b] = is_conflict(signal, btc)
    return mask


def known_part(whole: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The cells of a whole grid that have no unknown answer."""
    return whole[tuple(slice(0, size) for size in KNOWN_SHAPE)]


def answers_at(cell: Sequence[int]) -> Answers:
    """The answers of a cell, from its place on every axis."""
    named = {name: WHOLE[name][place] for name, place in zip(NAMES, cell, strict=True)}
    return msgspec.convert(named, Answers)


def first_of(mask: Mask) -> Answers:
    """The first cell of a mask over either grid; asserts that there is one."""
    return answers_at(np.argwhere(mask)[0].tolist())


def in_words(answers: Answers) -> str:
    """`signal buy, inventory inside, btc weak, ...`, for people."""
    return ", ".join(f"{name} {getattr(answers, name)}" for name in NAMES)


def listed(row: Row) -> Iterator[str]:
    """What a row asks for, question by question: `btc weak or breaking support`."""
    for name in NAMES:
        if len(row.takes(name)) < len(KNOWN[name]):
            yield f"{name} {' or '.join(row.takes(name))}"
