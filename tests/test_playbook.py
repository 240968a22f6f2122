"""A playbook file says what it means or is refused; the shipped one says what the desk wrote."""

import itertools
from typing import Any

import pytest
import tomlkit

from engine.trading.playbook import Playbook
from engine.trading.playbook_check import Fault, Problem, check
from engine.trading.playbook_file import load_playbook, parse
from engine.trading.playbook_grid import by_care
from engine.trading.posture import HedgeStance
from engine.values.errors import UserError
from tests.playbook_builders import (
    CONFIGS,
    SHIPPED,
    answers,
    content,
    parsed,
    playbook,
    row,
    shipped,
)

ACCUMULATE = "buy, depth improving, BTC stable"
RELATIVE = "buy, thin book, BTC weak"
RANGE = "neutral, range-bound, low turnover"
FALL = "sell, volatility rising, depth thinning"
RISK_OFF = "sell, risk-off, BTC breaking support"
DEFAULT = "default: keep the shape, carefully"


@pytest.fixture(scope="module")
def desk() -> Playbook:
    return load_playbook(SHIPPED.read_text(), "playbook.toml")


def mistakes(table: dict[str, Any]) -> list[str]:
    with pytest.raises(UserError) as caught:
        parsed(table)
    return str(caught.value).splitlines()


def problems_of(*rows: dict[str, Any], **default: Any) -> list[Problem]:
    return check(playbook(*rows, **default))


@pytest.mark.parametrize("name", ["playbook.toml", "demo_playbook.toml"])
def test_the_shipped_files_hold_the_five_rows_and_a_default(name: str) -> None:
    found = load_playbook((CONFIGS / name).read_text(), name)
    assert {r.name for r in found.rows} == {ACCUMULATE, RELATIVE, RANGE, FALL, RISK_OFF}
    assert found.default.row == DEFAULT


@pytest.mark.parametrize(
    ("taken", "cell"),
    [
        (ACCUMULATE, {"signal": "buy", "depth": "improving"}),
        (ACCUMULATE, {"signal": "strong buy", "depth": "improving"}),
        (RELATIVE, {"signal": "buy", "book": "thin", "btc": "weak"}),
        (RELATIVE, {"signal": "strong buy", "book": "thin", "btc": "breaking support"}),
        (RANGE, {"turnover": "low"}),
        (FALL, {"signal": "sell", "volatility": "rising", "depth": "thinning"}),
        (FALL, {"signal": "strong sell", "volatility": "rising", "depth": "thinning"}),
        (RISK_OFF, {"signal": "sell", "btc": "breaking support"}),
        (
            RISK_OFF,
            {
                "signal": "sell",
                "btc": "breaking support",
                "volatility": "rising",
                "depth": "thinning",
            },
        ),
        (DEFAULT, {}),
        (DEFAULT, {"signal": "buy"}),
        (DEFAULT, {"signal": "sell"}),
        (DEFAULT, {"signal": "buy", "depth": "improving", "btc": "weak"}),
        (DEFAULT, {"signal": "unknown"}),
        (FALL, {"signal": "unknown", "volatility": "rising", "depth": "thinning"}),
        (RISK_OFF, {"signal": "sell", "btc": "unknown"}),
        (RELATIVE, {"signal": "buy", "btc": "unknown", "book": "unknown", "depth": "improving"}),
    ],
)
def test_the_shipped_playbook_takes_the_row_of_the_matrix(
    desk: Playbook, taken: str, cell: dict[str, str]
) -> None:
    assert desk.choose(answers(**cell)).posture.row == taken


def test_the_shipped_rows_run_from_accumulating_to_defending(desk: Playbook) -> None:
    order = [desk.postures[n].row for n in by_care(desk.postures)]
    assert order == [RISK_OFF, FALL, RELATIVE, DEFAULT, RANGE, ACCUMULATE]


def test_strength_against_the_market_adds_no_size_and_covers_the_excess(desk: Playbook) -> None:
    taken = desk.choose(answers(signal="strong buy", btc="weak", book="thin"))
    assert taken.conflict
    assert taken.posture.limits.may_add is False
    assert taken.posture.hedge is HedgeStance.EXCESS


def test_a_buy_in_a_weak_market_takes_the_neutral_row_where_that_is_less_exposed() -> None:
    book = playbook(
        row("bold", 2, {"signal": ["buy"]}, bid_size=1.5),
        row("meek", 1, {"signal": ["neutral"]}, bid_size=0.5),
    )
    taken = book.choose(answers(signal="buy", btc="weak"))
    assert (taken.posture.row, taken.conflict) == ("meek", True)
    taken = book.choose(answers(signal="buy", btc="stable"))
    assert (taken.posture.row, taken.conflict) == ("bold", False)


def test_a_sell_while_btc_falls_and_an_unknown_market_are_no_conflict(desk: Playbook) -> None:
    assert not desk.choose(answers(signal="sell", btc="breaking support")).conflict
    assert not desk.choose(answers(signal="buy", btc="unknown")).conflict


def test_only_the_unknown_that_changed_the_choice_is_named(desk: Playbook) -> None:
    cell = {"signal": "buy", "btc": "weak", "book": "unknown", "turnover": "unknown"}
    assert desk.choose(answers(**cell)).careful == ("book",)
    assert desk.choose(answers(signal="buy", turnover="unknown")).careful == ()


def test_two_unknowns_of_which_each_would_do_are_both_named() -> None:
    book = playbook(row("good", 1, {"book": ["deep"], "volatility": ["falling"]}), bid_size=0.5)
    taken = book.choose(answers(book="unknown", volatility="unknown"))
    assert taken.posture.row == "default"
    assert taken.careful == ("volatility", "book")


def test_the_higher_rank_wins() -> None:
    rows = [row("low", 1, {}, bid_size=0.5), row("high", 2, {"btc": ["weak"]}, bid_size=0.6)]
    for order in (rows, rows[::-1]):
        book = playbook(*order)
        assert book.choose(answers(btc="weak")).posture.row == "high"
        assert book.choose(answers(btc="stable")).posture.row == "low"


def test_an_overlap_of_one_rank_names_both_rows_and_a_cell() -> None:
    (problem,) = problems_of(
        row("sells", 7, {"signal": ["sell", "strong sell"]}, bid_size=0.5),
        row("storms", 7, {"volatility": ["rising"], "signal": ["sell", "neutral"]}, bid_size=0.6),
    )
    assert problem.fault is Fault.AMBIGUOUS
    assert problem.rows == ("sells", "storms")
    assert "signal sell, inventory below, btc stable" in problem.text
    assert "volatility rising" in problem.text


def test_rows_of_one_rank_that_never_meet_are_fine() -> None:
    rows = [row(s, 7, {"signal": [s]}, bid_size=0.5) for s in ("sell", "buy")]
    assert problems_of(*rows) == []


def test_a_shadowed_row_is_found_with_what_hides_it() -> None:
    (problem,) = problems_of(
        row("all sells", 5, {"signal": ["sell", "strong sell"]}, bid_size=0.5),
        row("hidden", 4, {"signal": ["sell"], "book": ["thin"]}, bid_size=0.4),
    )
    assert (problem.fault, problem.rows) == (Fault.NEVER_REACHED, ("hidden",))
    assert 'so do "all sells" (rank 5)' in problem.text


def test_a_row_hidden_by_two_others_together_is_found() -> None:
    (problem,) = problems_of(
        row("thin", 5, {"book": ["thin"]}, bid_size=0.5),
        row("deep", 6, {"book": ["deep"]}, bid_size=0.6),
        row("hidden", 4, {"signal": ["sell"]}, bid_size=0.4),
    )
    assert '"thin" (rank 5), "deep" (rank 6)' in problem.text


def test_a_row_that_only_the_conflict_rule_hides_is_found_with_that_reason() -> None:
    (problem,) = problems_of(
        row("bold", 5, {"signal": ["buy"], "btc": ["weak"]}, bid_size=1.5), bid_size=0.9
    )
    assert (problem.fault, problem.rows) == (Fault.NEVER_REACHED, ("bold",))
    assert "conflict rule" in problem.text


def test_rows_in_no_order_of_exposure_are_named_with_the_parts_that_disagree() -> None:
    (problem,) = problems_of(
        row("large but tight", 5, {"btc": ["weak"]}, bid_size=1.5, stops_share=0.5)
    )
    assert problem.fault is Fault.NO_ORDER
    assert problem.rows == ("large but tight", "default")
    assert "the first is more exposed in quotes.bid_size, the second in limits.stops_share" in (
        problem.text
    )


def test_cover_and_caps_are_parts_of_the_order() -> None:
    more_cover = row("covered", 5, {"btc": ["weak"]}, bid_size=1.5, hedge="accelerate")
    assert "the second in hedge" in problems_of(more_cover)[0].text
    no_adding = row("closed", 5, {"btc": ["weak"]}, bid_size=1.5, may_add=False)
    assert "the second in limits.cap_share" in problems_of(no_adding)[0].text


def test_a_playbook_with_a_problem_is_not_loaded() -> None:
    rows = [row(name, 1, {}, bid_size=0.5) for name in ("one", "two")]
    with pytest.raises(UserError, match=r'^f.toml: rows "one" and "two" have rank 1'):
        load_playbook(tomlkit.dumps(content(*rows)), "f.toml")


def test_a_file_without_a_default_is_refused() -> None:
    table = content(row("one", 1, {}))
    del table["default"]
    assert mistakes(table) == ["test.toml: default: missing"]


@pytest.mark.parametrize("name", ["outlook", "rules", "hedge"])
def test_numbers_have_no_default(name: str) -> None:
    table = shipped()
    del table[name]
    assert mistakes(table) == [f"test.toml: {name}: missing"]


def test_every_mistake_is_named_by_its_path_and_its_row() -> None:
    table = content(row("one", 1, {}), row("two", 2, {"btc": ["weak"], "depht": ["thinning"]}))
    table["rows"][0]["quotes"]["bid_sise"] = 1.0
    table["rows"][1]["when"]["btc"] = ["week"]
    table["default"]["colour"] = 3
    table["hedge"]["stage_1"]["cover"] = 2.0
    assert mistakes(table) == [
        'test.toml: rows[0].quotes.bid_sise ("one"): unknown key; did you mean "bid_size"?',
        'test.toml: rows[1].when.depht ("two"): unknown key; did you mean "depth"?',
        "test.toml: rows[1].when.btc[0] (\"two\"): invalid enum value 'week'; it is one of: "
        "stable, weak, breaking support, unknown",
        "test.toml: default.colour: unknown key",
        "test.toml: hedge.stage_1: cover lies above 0 and up to 1",
    ]


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"btc": []}, "an empty list matches nothing"),
        ({"btc": ["weak", "unknown"]}, '"unknown" cannot be asked for'),
        ({"btc": ["weak", "weak"]}, "an answer is there twice"),
    ],
)
def test_a_list_of_answers_that_cannot_be_meant_is_refused(
    when: dict[str, list[str]], said: str
) -> None:
    (line,) = mistakes(content(row("one", 1, when)))
    assert line.startswith('test.toml: rows[0].when.btc ("one"): ')
    assert said in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quotes": {"bid_size": 0.0}}, "bid_size and ask_size lie between 0.1 and 2"),
        ({"quotes": {"bid_size": float("nan")}}, "bid_size and ask_size lie between 0.1 and 2"),
        ({"limits": {"stops_share": 1.5}}, "stops_share above 0 and up to 1"),
        ({"limits": {"may_add": "yes"}}, "expected bool"),
        ({"rank": 10**9}, "at most 1000000"),
        ({"rank": 1.5}, "expected int"),
        ({"name": " "}, "one line of 1 to 64 characters"),
        ({"name": "default"}, "another row has this name"),
        ({"reason": "a\nb"}, "one line of 1 to 400 characters"),
        ({"hedge": "hodl"}, "it is one of: hold, staged, excess, more, accelerate"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    one = row("one", 1, {})
    for key, value in changes.items():
        one[key] = {**one[key], **value} if isinstance(value, dict) else value
    assert said in "\n".join(mistakes(content(one)))


def test_the_digest_ignores_spelling_and_sees_every_number() -> None:
    text = SHIPPED.read_text()
    same = parse("# a comment\n" + text.replace("rank = 20\n", "rank   =   20\n"), "b")
    other = parse(text.replace("rank = 20\n", "rank = 21\n"), "c")
    assert parse(text, "a").digest == same.digest != other.digest


@pytest.mark.parametrize("text", ["name = ", "rows = 3", "", "a=" + "[" * 5000])
def test_what_is_no_playbook_is_refused_without_a_traceback(text: str) -> None:
    with pytest.raises(UserError, match=r"^f.toml: "):
        parse(text, "f.toml")


def test_every_cell_shows_both_sides(desk: Playbook) -> None:
    sizes = [(p.quotes.bid_size, p.quotes.ask_size) for p in desk.postures]
    assert min(itertools.chain(*sizes)) > 0
