"""A policy is proved over its whole grid: no hole, no row that misleads, nothing too easy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.treasury.actions import Kind
from engine.treasury.authority import STRICTNESS, Authority, Sizes, fits
from engine.treasury.authority_check import Fault, cells, check, params_problems
from engine.treasury.authority_grid import HOLE, categories, taken_rows
from engine.values.action_records import Tier
from engine.values.action_words import Initiator
from engine.values.row_check import Problem
from tests.action_builders import (
    BTT,
    FUNCTIONS,
    MONEY,
    SIZED,
    authority,
    bounds,
    override_rows,
    params,
    policy_rows,
    row,
)


def found(*rows: dict[str, Any]) -> list[Problem]:
    return check(authority(rows=list(rows)))


def faults(*rows: dict[str, Any]) -> list[Fault]:
    return [Fault(problem.fault) for problem in found(*rows)]


REST = row("the rest", "executive")
LIMITS = row("limits", "two people", kind=["widen limit"])
SMALL = bounds("50", "200", "60", "240")
LARGE = bounds("500", "2000", "600", "2400")


def test_the_policy_of_the_builders_is_whole() -> None:
    assert check(authority()) == []
    assert cells(authority()) > 1000


def test_a_hole_is_named_by_an_example() -> None:
    others = row("others", "executive", kind=["emergency sale", "stop"])
    [problem] = found(row("sized", "executive", kind=SIZED), others)
    assert problem.fault is Fault.HOLE
    assert problem.text == (
        "no row is for: initiator engine, kind widen limit, function creator rewards"
    )


def test_a_size_that_no_row_takes_is_a_hole() -> None:
    others = row("others", "executive", kind=["emergency sale", "stop", "widen limit"])
    [problem] = found(row("small", "two people", kind=SIZED, **SMALL), others)
    assert problem.fault is Fault.HOLE
    assert problem.text == (
        "no row is for: initiator engine, kind convert, function creator rewards, "
        "each up to 50 USDT, window up to 50 USDT, each up to 50 money, window over 200 money"
    )


def test_a_row_behind_one_that_takes_all_is_never_reached() -> None:
    problems = found(LIMITS, REST, row("late", "two people", kind=["convert"], **SMALL))
    assert [problem.text for problem in problems if problem.fault is Fault.NEVER_REACHED] == [
        'row "late" is never reached; rows above take all that it is for: "the rest"'
    ]


def test_a_row_whose_window_is_below_anything_it_allows_is_still_reached() -> None:
    assert (
        faults(row("a", "two people", kind=["convert"], **bounds("50", "10", "5", "5")), REST) == []
    )


def test_a_larger_size_may_not_be_easier() -> None:
    problems = found(row("small", "executive", kind=["convert"], **SMALL),
                     row("large", "two people", kind=["convert"], **LARGE), REST)  # fmt: skip
    assert Fault.EASIER_WHEN_LARGER in {problem.fault for problem in problems}
    text = next(p.text for p in problems if p.fault is Fault.EASIER_WHEN_LARGER)
    assert text.startswith(
        'row "large" (two people) is easier than "small" (executive), and takes what is larger'
    )


def test_not_to_know_the_price_may_not_be_easier() -> None:
    """An unbounded row is what an unknown price meets, so it must be the strictest."""
    problems = found(row("small", "executive", kind=["convert"], **SMALL),
                     row("rest", "two people", kind=["convert"]), REST)  # fmt: skip
    assert Fault.EASIER_WHEN_LARGER in {problem.fault for problem in problems}


def test_two_rows_that_only_their_order_tells_apart_are_ambiguous() -> None:
    problems = found(
        row("by kind", "automatic", kind=["convert"], **SMALL),
        row("by function", "two people", function=["rebates"], kind=SIZED, **SMALL),
        LIMITS,
        REST,
    )
    [text] = [problem.text for problem in problems if problem.fault is Fault.AMBIGUOUS]
    assert text.startswith(
        'rows "by kind" (automatic) and "by function" (two people) are both for: initiator engine, '
        "kind convert, function rebates"
    )


def test_a_row_for_what_both_mean_settles_it() -> None:
    problems = found(
        row("both", "two people", kind=["convert"], function=["rebates"], **SMALL),
        row("by kind", "automatic", kind=["convert"], **SMALL),
        row("by function", "two people", function=["rebates"], kind=SIZED, **SMALL),
        LIMITS,
        REST,
    )
    assert problems == []


def test_a_special_case_before_the_general_is_clear() -> None:
    assert faults(row("small", "automatic", kind=["convert"], **SMALL), LIMITS, REST) == []


@pytest.mark.parametrize("tier", ["automatic"])
def test_a_limit_is_never_widened_by_one_alone(tier: str) -> None:
    problems = found(row("easy", tier, kind=["widen limit"]), REST)
    assert [problem.fault for problem in problems] == [Fault.TOO_EASY]
    assert "widen limit is two people at least" in problems[0].text


def test_an_emergency_sale_is_an_executives() -> None:
    problems = found(row("easy", "two people", kind=["emergency sale"]), REST)
    assert [problem.fault for problem in problems] == [Fault.TOO_EASY]


def test_automatic_without_a_bound_is_too_easy() -> None:
    problems = found(row("all", "automatic", kind=["convert"]), REST)
    assert [problem.fault for problem in problems] == [Fault.TOO_EASY]
    assert "automatic has no bound" in problems[0].text


def test_each_trigger_has_exactly_one_row() -> None:
    rows = override_rows()
    missing = check(authority(overrides=rows[1:]))
    assert [p.text for p in missing] == ['overrides: "exchange outage" has 0 rows, it needs one']
    twice = check(authority(overrides=[*rows, rows[0]]))
    assert [p.fault for p in twice] == [Fault.AMBIGUOUS]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"each_money_max": "fifty"}, "authority.rows[3].each_money_max: not a plain decimal"),
        ({"each_tokens_max": {"DOGE": "1"}}, 'authority.rows[3].each_tokens_max: "DOGE" is none'),
        ({"window_money_max": "-1"}, "authority.rows[3].window_money_max: must not be negative"),
        ({"function": ["lunch"]}, 'authority.rows[3].function: "lunch" is none of the functions'),
        ({"each_tokens_max": {"BTT": "1.123456789"}}, "authority.rows[3].each_tokens_max.BTT: "),
    ],
)
def test_a_mistake_in_a_row_is_named_by_its_path(changes: dict[str, Any], text: str) -> None:
    rows = policy_rows()
    rows[3] |= changes
    assert next(params_problems(params(rows=rows), MONEY, [BTT], FUNCTIONS)).startswith(text)


# --- the proof against a plain walk over every combination


SIZES = ["1", "2", "3"]


@st.composite
def random_row(draw: st.DrawFn, number: int) -> dict[str, Any]:
    rest: dict[str, Any] = {
        "initiator": draw(st.lists(st.sampled_from(["engine", "finance"]), max_size=1)),
        "kind": draw(st.lists(st.sampled_from(["convert", "stake", "stop"]), max_size=2)),
        "function": draw(st.lists(st.sampled_from(FUNCTIONS), max_size=1)),
    }
    if draw(st.booleans()):
        rest |= {
            "each_money_max": draw(st.sampled_from(SIZES)),
            "window_money_max": draw(st.sampled_from(SIZES)),
            "each_tokens_max": {"BTT": draw(st.sampled_from(SIZES))},
            "window_tokens_max": {"BTT": draw(st.sampled_from(SIZES))},
        }
    tier = draw(st.sampled_from(["automatic", "two people", "executive", "refused"]))
    return row(f"r{number}", tier, **rest)


def first(made: Authority, case: tuple[Any, Kind, str], sizes: Sizes) -> int:
    numbers = (n for n, one in enumerate(made.rows) if fits(one, case, sizes))
    return next(numbers, HOLE)


POINTS = [10**8, 2 * 10**8, 3 * 10**8, 4 * 10**8]


def walked(made: Authority) -> tuple[bool, set[int], bool]:
    """Whether there is a hole, which rows are reached, and whether larger is ever easier."""
    hole, reached, easier = False, set(), False
    tiers = [STRICTNESS[one.tier] for one in made.rows]
    for initiator in (Initiator.ENGINE, Initiator.FINANCE, Initiator.EXECUTIVE):
        for kind in (Kind.CONVERT, Kind.STAKE, Kind.TRANSFER):
            for function in FUNCTIONS:
                chosen = {}
                for e, w, m, n in np.ndindex(4, 4, 5, 5):
                    if w < e or n < m:
                        continue
                    sizes = Sizes(
                        each_tokens={"BTT": POINTS[e]}, window_tokens={"BTT": POINTS[w]},
                        each_money=POINTS[m] if m < 4 else None,
                        window_money=POINTS[n] if n < 4 else None,
                    )  # fmt: skip
                    chosen[e, w, m, n] = first(made, (initiator, kind, function), sizes)
                hole |= HOLE in chosen.values()
                reached |= set(chosen.values()) - {HOLE}
                for cell, number in chosen.items():
                    for axis in range(4):
                        up = list(cell)
                        up[axis] += 1
                        other = chosen.get(tuple(up), HOLE)
                        easier |= HOLE not in (number, other) and tiers[other] < tiers[number]
    return hole, reached, easier


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_proof_agrees_with_a_walk_over_every_combination(data: st.DataObject) -> None:
    rows = [data.draw(random_row(n)) for n in range(data.draw(st.integers(1, 4)))]
    made = authority(rows=rows)
    hole, reached, easier = walked(made)
    problems = check(made)
    named = {problem.rows[0] for problem in problems if problem.fault is Fault.NEVER_REACHED}
    rules = {problem.fault for problem in problems}
    assert (Fault.HOLE in rules) >= hole
    for number in reached:
        assert made.rows[number].name not in named
    assert (Fault.EASIER_WHEN_LARGER in rules) == easier


def test_every_cell_of_a_whole_policy_takes_a_row() -> None:
    made = authority()
    for cuts in categories(made):
        taken, _ = taken_rows(made, cuts)
        assert not (taken == HOLE).any()


def test_every_tier_has_its_place() -> None:
    assert list(STRICTNESS) == list(Tier)
