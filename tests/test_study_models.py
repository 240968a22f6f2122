"""`ballast study as2008` and `study glft` as a reader of the papers would run them."""

import json
import math

import pytest
from typer.testing import CliRunner

from engine.cli.verbs import app_of
from engine.sim.as2008 import Market
from engine.values.errors import UserError

PATHS = 1_000


def study(*words):
    done = CliRunner().invoke(app_of(["study"]), ["study", *map(str, words)])
    if isinstance(done.exception, UserError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def answer(*words):
    return json.loads(study(*words, "--json").splitlines()[-1])


@pytest.mark.parametrize("seed", [1, 7, 42])
def test_the_verb_lands_in_the_tolerances_beside_the_papers_table(seed):
    told = answer("as2008", "--gamma", 0.1, "--paths", PATHS, "--seed", seed)
    ours, paper = told["ours"], told["paper"]
    for name, within in (
        ("inventory", {"spread": 0.01, "profit": 1.2, "profit_std": 0.84, "final_q_std": 0.4}),
        ("symmetric", {"spread": 0.01, "profit": 2.4, "profit_std": 2.5, "final_q_std": 1.1}),
    ):
        for column, most in within.items():
            assert abs(ours[name][column] - paper[name][column]) <= most, (name, column)


@pytest.mark.parametrize("gamma", [0.01, 0.1, 0.5, 1.0])
def test_at_every_gamma_the_symmetric_strategy_has_its_exact_moments(gamma):
    ours = answer("as2008", "--gamma", gamma, "--paths", PATHS, "--seed", 3)["ours"]
    exact, found = ours["symmetric, exact"], ours["symmetric"]
    error = exact["profit_std"] / math.sqrt(PATHS)
    assert abs(found["profit"] - exact["profit"]) < 4 * error
    for column in ("profit_std", "final_q_std"):
        assert found[column] == pytest.approx(exact[column], rel=4 / math.sqrt(2 * PATHS))


@pytest.mark.parametrize("gamma", [0.01, 0.5])
def test_where_no_row_of_the_paper_reproduces_none_is_shown(gamma):
    assert answer("as2008", "--gamma", gamma, "--paths", 50)["paper"] == {}


def test_leaning_costs_profit_and_saves_far_more_of_its_spread():
    ours = answer("as2008", "--gamma", 0.1, "--paths", PATHS, "--seed", 3)["ours"]
    assert ours["inventory"]["profit"] < ours["symmetric"]["profit"]
    assert ours["inventory"]["profit_std"] < 0.6 * ours["symmetric"]["profit_std"]
    assert ours["inventory"]["final_q_std"] < 0.5 * ours["symmetric"]["final_q_std"]


def test_one_seed_is_one_table():
    words = ("as2008", "--gamma", 0.1, "--paths", 100, "--seed")
    assert study(*words, 4) == study(*words, 4) != study(*words, 5)


def test_the_average_spread_is_that_of_the_formula_over_the_day():
    market, gamma = Market(), 0.1
    left = [market.horizon - n * market.step for n in range(market.steps)]
    each = [gamma * market.sigma**2 * t + 2 / gamma * math.log1p(gamma / market.k) for t in left]
    found = answer("as2008", "--gamma", gamma, "--paths", 10)["ours"]["inventory"]["spread"]
    assert found == pytest.approx(sum(each) / len(each), rel=1e-12)


def test_glft_prints_the_published_numbers():
    told = answer("glft")
    rows = {row["q"]: row for row in told["rows"]}
    assert told["base"] == pytest.approx(3.27898228, abs=5e-9)
    assert told["slope"] == pytest.approx(0.06786583, abs=5e-9)
    for q, bid, ask in ((0, 3.313045, 3.313045), (1, 3.381168, 3.244919), (5, 3.653480, 2.972522)):
        assert rows[q]["exact"] == [pytest.approx(bid, abs=1e-6), pytest.approx(ask, abs=1e-6)]
    text = study("glft")
    assert text.startswith("base 3.27898228, slope 0.06786583")
    assert "3.381168" in text


@pytest.mark.parametrize("inventory", [1, 10, 29])
def test_the_closed_form_is_near_the_exact_one_where_the_paper_says_so(inventory):
    for row in answer("glft", "--inventory", inventory, "--bound", 60)["rows"]:
        assert row["closed"] == pytest.approx(row["exact"], abs=0.03)


@pytest.mark.parametrize(
    "words",
    [
        ("as2008", "--gamma", "0"), ("as2008", "--gamma", "nan"), ("as2008", "--gamma", "1e9"),
        ("as2008", "--paths", "1"), ("as2008", "--paths", "9999999"), ("glft", "--sigma", "0"),
        ("glft", "--k", "inf"), ("glft", "--bound", "5"), ("glft", "--bound", "5000"),
    ],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_one_line(words):
    with pytest.raises(UserError) as told:
        study(*words)
    assert "\n" not in str(told.value)
