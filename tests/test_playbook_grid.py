"""The table of a playbook against a resolver that works out each cell by hand, and slowly."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.trading.playbook import Playbook
from engine.trading.playbook_check import Fault, check
from engine.trading.posture import QUESTIONS, Answers, HedgeStance, Posture
from tests.playbook_builders import parsed, playbook, row, shipped

CELLS_LOOKED_AT = 60
KNOWN = {name: [a for a in kind if a != "unknown"] for name, kind in QUESTIONS.items()}


def by_hand(book: Playbook, known: Answers) -> Posture:
    """The posture of a cell of known answers, conflict rule and all."""
    taken = _matching(book, known)
    if known.signal in ("buy", "strong buy") and known.btc in ("weak", "breaking support"):
        neutral = _matching(book, _with(known, signal="neutral"))
        return min(taken, neutral, key=lambda posture: posture.exposure)
    return taken


def _matching(book: Playbook, known: Answers) -> Posture:
    best, rank = book.default, -(10**9)
    for one in book.rows:
        fits = all(getattr(known, name) in answers for name, answers in one.when.items())
        if fits and one.rank > rank:
            best, rank = one.posture, one.rank
    return best


def _with(cell: Answers, **changes: str) -> Answers:
    return msgspec.convert({**msgspec.structs.asdict(cell), **changes}, Answers)


def completions(cell: Answers) -> Iterator[Answers]:
    unknown = [name for name in QUESTIONS if getattr(cell, name) == "unknown"]
    for answers in itertools.product(*(KNOWN[name] for name in unknown)):
        yield _with(cell, **dict(zip(unknown, answers, strict=True)))


def careful_by_hand(book: Playbook, cell: Answers) -> set[str]:
    """Unknown questions for which another answer alone leads away from the chosen exposure."""
    made = {known: by_hand(book, known).exposure for known in completions(cell)}
    least = min(made.values())
    return {
        name
        for name in QUESTIONS
        if getattr(cell, name) == "unknown"
        for known, exposure in made.items()
        if exposure == least and any(made[_with(known, **{name: a})] != least for a in KNOWN[name])
    }


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Any]:
    """A row anywhere, of any exposure: the grid must have one meaning even before the checks."""
    asked = draw(st.lists(st.sampled_from(list(QUESTIONS)), max_size=4, unique=True))
    when = {
        name: draw(st.lists(st.sampled_from(KNOWN[name]), min_size=1, max_size=2, unique=True))
        for name in asked
    }
    return {"rank": draw(st.integers(-3, 3)), "when": when}


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    """Up to seven random rows. No two have one exposure, so that a row is told by it."""
    drawn = draw(st.lists(rows(), min_size=1, max_size=7))
    sizes = draw(st.permutations([0.2 + 0.1 * n for n in range(len(drawn) + 1)]))
    hedges = draw(st.lists(st.sampled_from([*HedgeStance]), min_size=8, max_size=8))
    adds = draw(st.lists(st.booleans(), min_size=8, max_size=8))
    made = [
        row(f"row {n}", one["rank"], one["when"], bid_size=sizes[n], hedge=hedges[n], may_add=add)
        for n, (one, add) in enumerate(zip(drawn, adds, strict=False))
    ]
    return playbook(*made, bid_size=sizes[-1], hedge=hedges[-1])


def some_cells(seed: int) -> Iterator[Answers]:
    """Cells with two or three unknown answers on average, at most five."""
    chance = random.Random(seed)
    while True:
        named = {
            name: "unknown" if chance.random() < 0.3 else chance.choice(KNOWN[name])
            for name in QUESTIONS
        }
        if list(named.values()).count("unknown") <= 5:
            yield msgspec.convert(named, Answers)


@settings(max_examples=15, deadline=None)
@given(playbooks(), st.integers(0, 10**6))
def test_random_playbooks_resolve_as_by_hand(book: Playbook, seed: int) -> None:
    for cell in itertools.islice(some_cells(seed), CELLS_LOOKED_AT):
        possible = [by_hand(book, known) for known in completions(cell)]
        least = min(possible, key=lambda posture: posture.exposure)
        assert book.choose(cell).posture == least, cell


@settings(max_examples=10, deadline=None)
@given(playbooks(), st.integers(0, 10**6))
def test_the_unknowns_that_mattered_are_named_as_by_hand(book: Playbook, seed: int) -> None:
    for cell in itertools.islice(some_cells(seed), 15):
        assert set(book.choose(cell).careful) == careful_by_hand(book, cell), cell


@settings(max_examples=15, deadline=None)
@given(playbooks())
def test_the_conflict_is_told_by_signal_and_market_alone(book: Playbook) -> None:
    for cell in itertools.islice(some_cells(7), CELLS_LOOKED_AT):
        buys, falls = "buy" in cell.signal, cell.btc in ("weak", "breaking support")
        assert book.choose(cell).conflict == (buys and falls)


@settings(max_examples=15, deadline=None)
@given(playbooks())
def test_overlaps_are_found_where_two_rows_of_a_rank_meet(book: Playbook) -> None:
    told = {problem.rows for problem in check(book) if problem.fault is Fault.AMBIGUOUS}
    meet = {
        (one.name, two.name)
        for one, two in itertools.combinations(book.rows, 2)
        if one.rank == two.rank
        and all(
            set(one.when.get(name, KNOWN[name])) & set(two.when.get(name, KNOWN[name]))
            for name in QUESTIONS
        )
    }
    assert told == meet


def test_the_whole_shipped_grid_is_as_careful_as_every_completion() -> None:
    """All 69,120 cells, each step from known to unknown, by exposure and not by the table's DP."""
    book = parsed(shipped())
    ranks = sorted({posture.exposure for posture in book.postures})
    place = {posture.row: ranks.index(posture.exposure) for posture in book.postures}
    cells = np.array(
        [
            place[book.choose(Answers(**dict(zip(QUESTIONS, answers, strict=True)))).posture.row]
            for answers in itertools.product(*QUESTIONS.values())
        ]
    ).reshape([len(kind) for kind in QUESTIONS.values()])
    assert cells.size == 69_120
    for axis, kind in enumerate(QUESTIONS.values()):
        unknown = list(kind).index(kind("unknown"))
        others = np.delete(cells, unknown, axis=axis)
        assert (cells.take([unknown], axis=axis) <= others).all()


def test_a_table_in_which_unknown_is_bold_is_caught() -> None:
    book = parsed(shipped())
    book.taken[-1, 0, 0, 0, 0, 0, 0, 0] = 0
    (problem,) = check(book)
    assert problem.fault is Fault.UNKNOWN_IS_BOLD
    assert "not to know signal is bolder than to know it: signal" in problem.text
