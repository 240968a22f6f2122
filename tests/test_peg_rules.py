"""`ballast peg rules`: every number is told, in sentences, for a config or a table of params."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomlkit
from typer.testing import CliRunner

from engine.cli.peg_rules import page_of, rules_of, text_of
from engine.cli.verbs import app_of
from engine.values.errors import UserError
from strategies.peg import PegParams
from tests.test_peg import A, B, params

ROOT = Path(__file__).resolve().parent.parent
OTHER: dict[str, Any] = {
    "units": {A: 0.7},
    "breadth": [B],
    "blocks": 11,
    "breadth_min": 0.6,
    "loose_share": 2.5,
    "release_share": 0.4,
    "tight_share": 0.3,
    "pull": 0.3,
    "intervening_pull": 0.7,
    "drifting_size": 0.3,
}


def told(known: PegParams) -> str:
    return text_of("COIN", rules_of(known))


def run(*words: object):
    return CliRunner().invoke(app_of(["peg"]), ["peg", "rules", *map(str, words)])


@pytest.mark.parametrize("name", PegParams.__struct_fields__)
def test_every_number_is_told(name):
    known = params()
    value = getattr(known, name)
    other = OTHER[name] if name in OTHER else type(value)(value * 1.25)
    changed = msgspec.structs.replace(known, **{name: other})
    assert told(changed) != told(known)


@pytest.mark.parametrize("name", ["fixed", "injection_cap_lots", "mean_min_bps", "pull"])
def test_a_rule_that_is_off_reads_as_one(name):
    known = params(**{name: 0, "units": {A: 1.0}})
    assert told(known) != told(params(units={A: 1.0}))
    assert "nan" not in told(known)


def test_people_read_sentences():
    text = told(params())
    assert "One token is held to be worth 1 of the quote currency: this is the reference." in text
    assert "more than 0.5 % (by logarithm) off the reference for 10 s without a break" in text
    assert "over the last 10 whole blocks of 1 min" in text


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "coin.toml"
    path.write_text(tomlkit.dumps(msgspec.to_builtins(params())))
    return path


def test_a_table_of_params_is_read_shown_and_written_as_a_page(file, tmp_path):
    page = tmp_path / "rules.html"
    found = run(file, "--html", page)
    assert found.exit_code == 0
    assert found.stdout.startswith("coin\n")
    assert page.read_text() == page_of([("coin", rules_of(params()))])
    answer = json.loads(run(file, "--json").stdout.splitlines()[-1])
    assert answer["pegs"][0]["rules"] == dict(rules_of(params()))


def test_names_in_a_page_are_text_and_nothing_else():
    assert "<script>" not in page_of([("<script>", rules_of(params(units={"<script>": 1.0})))])


def test_a_config_tells_each_of_its_pegs(tmp_path):
    table = tomlkit.parse((ROOT / "configs" / "demo.toml").read_text()).unwrap()
    table["markets"][0] |= {
        "strategy": "strategies.peg:PegStrategy",
        "params": msgspec.to_builtins(params()),
    }
    path = tmp_path / "config.toml"
    path.write_text(tomlkit.dumps(table))
    assert run(path).stdout.startswith("BTT/USDT\n")


def test_the_example_of_the_page_on_pegs_is_a_peg(tmp_path):
    text = (ROOT / "docs" / "peg.md").read_text()
    table = text.partition("[markets.params]\n")[2].partition("```")[0]
    path = tmp_path / "coin.toml"
    path.write_text(table)
    assert run(path).exit_code == 0


def test_mistakes_are_told_by_their_path(file, tmp_path):
    with pytest.raises(UserError, match="no market's strategy is a peg"):
        raise run(ROOT / "configs" / "demo.toml").exception
    with pytest.raises(UserError, match=r"gone\.toml: cannot be read"):
        raise run(tmp_path / "gone.toml").exception
    file.write_text(file.read_text().replace("t_from", "t_form"))
    with pytest.raises(UserError, match='t_form: unknown key; did you mean "t_from"'):
        raise run(file).exception
    file.write_text("= 3")
    with pytest.raises(UserError, match="not TOML"):
        raise run(file).exception
    file.write_bytes(b"\xff")
    with pytest.raises(UserError, match="byte 0 is not UTF-8"):
        raise run(file).exception
