"""`ballast treasury place` and `ladder` as people run them, on the shipped files."""

import json
from pathlib import Path

import pytest
import tomlkit
from typer.testing import CliRunner

from engine.cli.treasury import app
from engine.runtime.action_files import load_action
from engine.runtime.authority_file import load_authority
from engine.runtime.treasury_file import parse_treasury
from engine.values.action_words import Convert, EmergencySale
from engine.values.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
FILE, MOMENT = "configs/treasury.toml", "configs/treasury_moment.json"


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.chdir(ROOT)


def ran(*words):
    return CliRunner().invoke(app, list(words))


def answer(*words, code=0):
    found = ran(*words, "--json")
    assert found.exit_code == code, found.output
    return json.loads(found.output.splitlines()[-1])


def refused(*words):
    found = ran(*words)
    assert found.exit_code != 0
    assert isinstance(found.exception, UserError), found.output
    return str(found.exception)


def test_the_shipped_matrix_ranks_and_proposes_what_the_desk_can_read(tmp_path):
    out = tmp_path / "action.json"
    told = answer("place", FILE, "--facts", MOMENT, "--out", str(out))
    scores = [row["score"] for row in told["options"] if float(row["amount"])]
    assert scores == sorted(scores, reverse=True)
    assert told["options"][-1]["bound_by"].startswith("checklist: not yet")
    assert isinstance(load_action(out, load_authority(Path(FILE))), Convert)


def test_the_text_says_why_for_every_option():
    text = ran("place", FILE, "--facts", MOMENT).output
    for name in ("hold:", "stable:", "stake:", "pool:", "short:"):
        assert name in text
    assert "impermanent loss" in text


def test_rates_from_a_file_change_the_table(tmp_path):
    rates = tmp_path / "rates.json"
    rates.write_text(
        json.dumps(
            {
                "rates": [
                    {
                        "option": "stake",
                        "yield": "0.9",
                        "unwind_h": 1,
                        "at": "2026-11-21T11:00:00Z",
                    }
                ]
            }
        )
    )
    told = answer("place", FILE, "--facts", MOMENT, "--rates", str(rates))
    assert told["options"][0]["option"] == "stake"
    assert told["proposal"]["type"] == "stake"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"option": "nothing"}, 'rates[0].option: "nothing" is none of placement.options'),
        ({"yield": "1e9"}, "rates[0].yield: not a plain decimal"),
        ({"yield": "11"}, "yield must be -1 to 10"),
        ({"at": "2026-11-21T11:00:00"}, "needs its offset"),
        ({"more": 1}, "rates[0].more: unknown key"),
    ],
)
def test_a_mistake_in_the_rates_is_one_line_with_its_place(tmp_path, row, fault):
    known = {"option": "stake", "yield": "0.1", "unwind_h": 1, "at": "2026-11-21T11:00:00Z"}
    rates = tmp_path / "rates.json"
    rates.write_text(json.dumps({"rates": [{**known, **row}]}))
    told = refused("place", FILE, "--facts", MOMENT, "--rates", str(rates))
    assert fault in told
    assert str(rates) in told
    assert "\n" not in told


def test_the_ladder_says_what_to_do_in_order_and_what_stays():
    told = answer("ladder", FILE, "--facts", MOMENT, "--shortfall", "2200", "--deadline", "+24h")
    assert [step["rung"] for step in told["steps"]] == [
        "operational stables",
        "operational stables",
        "discretionary inventory",
    ]
    assert told["feasible"]
    kept = {(row["asset"], row["bucket"]): row["amount"] for row in told["untouched"]}
    assert kept["BTT", "reserved liabilities"] == "2100000000"


def test_what_cannot_be_done_ends_with_code_1_and_the_gap():
    words = ("ladder", FILE, "--facts", MOMENT, "--shortfall", "2500", "--deadline", "+96h")
    told = answer(*words, code=1)
    assert not told["feasible"]
    assert float(told["gap"]) == pytest.approx(2500 - float(told["raised"]))
    assert "IT CANNOT BE DONE" in ran(*words).output


def test_each_step_becomes_an_action_in_a_file(tmp_path):
    told = answer(
        "ladder", FILE, "--facts", MOMENT, "--shortfall", "2200", "--deadline", "2026-11-23",
        "--out", str(tmp_path / "plan"),
    )  # fmt: skip
    (path,) = told["out"]
    action = load_action(Path(path), load_authority(Path(FILE)))
    assert isinstance(action, EmergencySale)
    assert action.shortfall.atoms == 2_200 * 10**8


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--shortfall", "x", "--deadline", "+1h"), "--shortfall: not a plain decimal"),
        (("--shortfall", "0", "--deadline", "+1h"), "--shortfall: must be more than 0"),
        (("--shortfall", "5", "--deadline", "soon"), "--deadline: 'soon' is no day"),
        (("--shortfall", "5", "--deadline", "2026-11-21T12:00:00"), "needs its offset"),
    ],
)
def test_a_mistake_in_a_flag_is_one_line(words, fault):
    assert fault in refused("ladder", FILE, "--facts", MOMENT, *words)


def test_without_facts_there_is_nothing_to_plan():
    assert "name the facts" in refused("place", FILE)


@pytest.mark.parametrize(
    ("where", "key", "value", "fault"),
    [
        (("placement",), "asset", "XYZ", "placement.asset"),
        (("placement",), "least", "0.000000001", "placement.least: 0.000000001 is finer"),
        (("placement", "half"), "gain_ppm", 0, "placement.half"),
        (("emergency", "rungs", 0), "asset", "XYZ", "emergency.rungs[0].asset"),
        (("emergency", "rungs", 0), "how", "sell", "money is spent"),
        (("emergency", "rungs", 4), "least", "0.000000001", "emergency.rungs[4].least"),
        (("emergency", "rungs", 4), "step", 1, "share a step"),
    ],
)
def test_a_mistake_in_the_file_is_named_by_its_key(where, key, value, fault):
    table = tomlkit.parse((ROOT / FILE).read_text()).unwrap()
    place = table
    for name in where:
        place = place[name]
    place[key] = value
    with pytest.raises(UserError) as error:
        parse_treasury(tomlkit.dumps(table), "t.toml")
    assert fault in str(error.value)
    assert str(error.value).startswith("t.toml: ")
