"""`ballast review` from the command line: what it says, writes and refuses, and its exit codes."""

import asyncio
import json
import tomllib
from pathlib import Path
from xml.dom import minidom

import msgspec
import pytest
import tomlkit
from typer.testing import CliRunner

from engine.cli.main import main
from engine.cli.verbs import app_of
from engine.runtime.journal import JournalParams, open_journal
from engine.trading.playbook_file import load_playbook
from engine.values.errors import UserError
from engine.values.records import Listed
from tests.review_builders import decision, ended, fill, halt, rating, ruled, started
from tests.review_truth import differences, rows_of
from tests.review_truth import main as truth_main
from tests.sim.venue import BTT, MARKET

ROOT = Path(__file__).resolve().parent.parent
PLAYBOOK = ROOT / "configs" / "playbook.toml"
BUY_ROW = "buy, depth improving, BTC stable"
DAY_S = 86_400


def records():
    name = load_playbook(PLAYBOOK.read_text(), "p")
    book = f"{name.name} {name.digest[:12]}"
    return [
        started(), rating(1), ruled(2, BUY_ROW, playbook=book, bid_size=1.1), decision(3),
        fill(4, "buy", 61, 10, 1), rating(5, "sell"), ruled(6, "<default>", "sell", playbook=book),
        decision(7, 60, 62), fill(8, "sell", 63, 4, 2), halt(9), ended(9 * DAY_S),
    ]  # fmt: skip


def written(directory, rows=None):
    """A data directory with a journal of those records."""

    async def write():
        async with await open_journal(directory / "journal.db", JournalParams()) as journal:
            journal.append(records() if rows is None else rows)
            await journal.commit()

    asyncio.run(write())
    return directory


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return written(tmp_path_factory.mktemp("review") / "data")


@pytest.fixture
def config(data, tmp_path):
    """The demo's config with this data directory and the shipped playbook."""
    table = tomllib.loads((ROOT / "configs" / "demo.toml").read_text())
    table["data_dir"] = str(data)
    table["markets"][0]["playbook"] = str(PLAYBOOK)
    path = tmp_path / "config.toml"
    path.write_text(tomlkit.dumps(table))
    return path


def run(*words):
    result = CliRunner().invoke(app_of(["review"]), ["review", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def asked(*words):
    return json.loads(run(*words, "--json").stdout.splitlines()[-1])


def test_a_journal_alone_is_reviewed_and_says_what_it_cannot_tell(data):
    answer = asked("--at", data, "--since", "all")
    market = answer["markets"][0]
    assert market["totals"]["fills"] == 2
    assert [row["row"] for row in market["rows"]] == ["", BUY_ROW, "<default>"]
    assert market["unit"] == "ticks x lots"
    assert any("not recorded" in note for note in answer["notes"])
    assert any("nothing says the tick" in note for note in answer["notes"])


def test_the_answer_is_true_by_arithmetic_of_its_own(data, tmp_path, capsys):
    file = tmp_path / "review.json"
    file.write_text(run("--at", data, "--since", "all", "--json").stdout)
    assert truth_main(data, file) == 0
    assert "the review is true" in capsys.readouterr().out
    assert differences(rows_of(data), asked("--at", data)) == []


def test_the_journal_says_what_a_tick_is_worth_where_nothing_was_recorded(tmp_path, capsys):
    listed = Listed(market=MARKET, at_ns=1, instrument=BTT)
    home = written(tmp_path / "data", [records()[0], listed, *records()[1:]])
    file = tmp_path / "review.json"
    file.write_text(run("--at", home, "--since", "all", "--json").stdout)
    told = json.loads(file.read_text())["markets"][0]
    assert (told["unit"], told["tick_lot_atoms"]) == ("atoms of USDT", BTT.tick_lot_atoms)
    assert truth_main(home, file) == 0
    assert "the review is true" in capsys.readouterr().out


def test_a_tick_that_changed_on_the_way_is_said(tmp_path):
    coarse = msgspec.structs.replace(BTT, tick=10)
    both = [Listed(market=MARKET, at_ns=n, instrument=item) for n, item in ((1, BTT), (2, coarse))]
    answer = asked("--at", written(tmp_path / "data", [records()[0], *both, *records()[1:]]))
    assert any("its tick or lot changed" in note for note in answer["notes"])
    assert answer["markets"][0]["tick_lot_atoms"] == coarse.tick_lot_atoms


def test_since_leaves_out_what_ended_before_it(data):
    epochs = asked("--at", data)["markets"][0]["epochs"]
    assert [epoch["row"] for epoch in epochs] == ["<default>"]
    assert asked("--at", data)["overrides"]["count"] == 0
    assert asked("--at", data, "--since", "1970-01-01")["overrides"]["count"] == 1


def test_people_read_rows_markouts_and_words(data):
    text = run("--at", data, "--since", "2w").stdout
    assert f'row "{BUY_ROW}": 1 decisions' in text
    assert "overrides: 1; by day: 1970-01-01 1" in text
    assert "2 fills, 10 lots bought, 4 sold" in text


def test_the_page_is_whole_and_escapes_what_came_from_outside(data, tmp_path):
    page = tmp_path / "review.html"
    run("--at", data, "--since", "all", "--html", page)
    text = page.read_text()
    assert "&lt;default&gt;" in text
    assert "<default>" not in text
    assert "<svg" in text
    body = text.replace("<!doctype html>", "").replace('<meta charset="utf-8">', "")
    minidom.parseString(body.replace('<meta name="viewport" content="width=device-width">', ""))


def test_a_draft_stands_beside_the_playbook_and_may_run(config, tmp_path):
    file, before = tmp_path / "draft.toml", PLAYBOOK.read_bytes()
    answer = asked("--at", config, "--since", "all", "--draft", file)
    load_playbook(file.read_text(), "the draft")
    assert PLAYBOOK.read_bytes() == before
    proposed = answer["proposals"][MARKET]
    assert proposed["changes"] == []
    assert any("too little evidence" in note for note in proposed["notes"])
    assert answer["draft"] == {"file": str(file), "market": MARKET}


def test_a_draft_never_overwrites_the_playbook_itself(config):
    with pytest.raises(UserError, match="that is the playbook itself"):
        run("--at", config, "--since", "all", "--draft", PLAYBOOK)


def test_a_draft_needs_a_playbook_that_can_be_found(data, tmp_path):
    with pytest.raises(UserError, match="name its config"):
        run("--at", data, "--since", "all", "--draft", tmp_path / "d.toml")
    with pytest.raises(UserError, match="no playbook ruled it"):
        run("--at", data, "--draft", tmp_path / "d.toml", "--market", "X/Y@z")
    assert not (tmp_path / "d.toml").exists()


@pytest.mark.parametrize("words", [["--since", "7x"], ["--since", "-1d"], ["--since", ""]])
def test_a_since_that_means_nothing_is_one_line(data, words):
    with pytest.raises(UserError, match="--since"):
        run("--at", data, *words)


def test_a_missing_journal_is_a_mistake_and_no_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["ballast", "review", "--at", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("ballast: ")
    assert len(told.splitlines()) == 1


def test_an_empty_journal_has_nothing_to_review(tmp_path):
    result = run("--at", written(tmp_path / "data", []))
    assert result.exit_code == 0
    assert "the journal holds nothing to review yet" in result.stdout
    assert MARKET not in result.stdout
