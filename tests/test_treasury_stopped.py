"""`--at` an engine that does not run: its journal answers, never with more than there is."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from typer.testing import CliRunner

from engine.cli.treasury import app
from engine.cli.treasury_stopped import ago
from engine.cli.whereabouts import whereabouts
from engine.values.commands import Place
from engine.values.errors import UserError
from engine.values.ledger_words import HoldingsRead, Paid
from engine.values.records import Listed, Opening, OrderIntent, SessionEnded, SessionStarted
from engine.values.treasury_words import FloatSet
from engine.values.units import NS_PER_S, Side
from tests.live_world import demo_table
from tests.report_builders import BTT, ONE, POLICY, ROOT, H, balances, desk_records, fill, written

CUSTODY = "configs/treasury_custody.json"
NOTE = "NO ENGINE RUNS: as of "


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def intent(client_id: str, side: Side, lots: int, tick: int, at_ns: int) -> OrderIntent:
    place = Place(market=BTT.market, client_id=client_id, side=side, tick=tick, lots=lots,
                  post_only=True, at_ns=at_ns)  # fmt: skip
    return OrderIntent(order=place, decision=1, strategy="s", config_hash="c")


def session(*records: Any, is_ended: bool = False, age_ns: int = H) -> list[Any]:
    """200 million BTT and 1000 USDT at the venue, half of the money the market maker's."""
    at_ns = time.time_ns() - age_ns
    began: list[Any] = [
        SessionStarted(at_ns=at_ns, epoch=1, config_hash="c", code_version="0", mode="demo"),
        Listed(market=BTT.market, at_ns=at_ns, instrument=BTT),
        Opening(venue="loopback", market=BTT.market, at_ns=at_ns, trade_id=0,
                balances=balances(200_000_000, 1_000)),
        FloatSet(at_ns=at_ns, who="e", venue="loopback", asset="BTT",
                 atoms=200_000_000 * ONE, reason="opening"),
        FloatSet(at_ns=at_ns, who="e", venue="loopback", asset="USDT", atoms=500 * ONE,
                 reason="opening"),
    ]  # fmt: skip
    ended = [SessionEnded(at_ns=at_ns, reason="stopped", open_orders=0)] if is_ended else []
    return [*began, *records, *ended]


def ran(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, words)])
    if isinstance(result.exception, UserError):
        return result.exception.exit_code, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def answer(*words: object) -> tuple[int, Any]:
    code, text = ran(*words, "--json")
    return code, json.loads(text.splitlines()[-1])


def held(found: Any) -> dict[str, tuple[str, str]]:
    """(held, operational float) by asset."""
    floats = {row["asset"]: row["operational float"] for row in found["buckets"]}
    return {row["asset"]: (row["held"], floats[row["asset"]]) for row in found["assets"]}


def test_a_stopped_engine_is_answered_from_its_journal_with_its_age(tmp_path: Path) -> None:
    bought = fill(1, Side.BUY, 1_000_000, 60, "a", 1)
    written(tmp_path / "journal.db", session(bought, is_ended=True))
    code, found = answer("liquid", POLICY, "--at", tmp_path, "--facts", CUSTODY)
    told = held(found)
    assert told["BTT"] == ("2351000000", "201000000")
    assert (told["USDT"][0], told["USDT"][1]) == ("2499.4", "499.4")
    assert (code, found["liquid_money"], found["liquid_tokens"]) == (0, "2249.4", None)
    [note] = found["notes"]
    assert note.startswith(NOTE)
    assert "60 min ago" in note or "61 min ago" in note
    _, text = ran("liquid", POLICY, "--at", tmp_path, "--facts", CUSTODY)
    assert text.startswith(NOTE)


def test_an_order_that_may_stand_counts_where_it_leaves_less(tmp_path: Path) -> None:
    left = [intent("a", Side.BUY, 4_000_000, 50, 1), intent("b", Side.SELL, 3_000_000, 70, 1)]
    written(tmp_path / "journal.db", session(*left))
    _, found = answer("liquid", POLICY, "--at", tmp_path, "--facts", CUSTODY)
    told = held(found)
    # 4,000,000 bought at 50 cost 2 USDT, 3,000,000 sold; an atom a side for fees that round up.
    assert told["BTT"][0] == "2346999999.99999998"
    assert told["USDT"][0] == "2497.99999998"
    assert "2 orders may stand there" in found["notes"][0]


def test_a_check_without_a_price_says_what_cannot_be_known_and_does_not_call_it_fine(
    tmp_path: Path,
) -> None:
    written(tmp_path / "journal.db", session(is_ended=True))
    code, found = answer("check", POLICY, "--at", tmp_path, "--facts", CUSTODY)
    assert (code, found["ok"]) == (1, False)
    assert "stable for 14 days" in found["unknown"]
    states = {row["limit"]: row["state"] for row in found["limits"]}
    assert states["stable for 14 days"] == "unknown"
    assert states["stake beyond 45 days"] == "unknown", "passed by no part of the picture"


def test_what_people_moved_away_is_gone(tmp_path: Path) -> None:
    paid = Paid(venue="loopback", at_ns=time.time_ns(), ref="r1", asset="BTT", fee_atoms=ONE,
                atoms=5_000_000 * ONE, counterparty="creators", function="rebates")  # fmt: skip
    written(tmp_path / "journal.db", session(paid, is_ended=True))
    _, found = answer("liquid", POLICY, "--at", tmp_path, "--facts", CUSTODY)
    assert held(found)["BTT"][0] == str(2_350_000_000 - 5_000_001)


def test_what_a_chain_showed_of_a_wallet_is_newer_than_its_statement(tmp_path: Path) -> None:
    table = demo_table(tmp_path / "data", tmp_path / "key.json", {})
    table["treasury"] = {"file": "configs/treasury.toml", "statements": [CUSTODY]}
    config = tmp_path / "config.toml"
    config.write_text(tomlkit.dumps(table))
    at_ns = time.time_ns()
    read = HoldingsRead(venue="cold wallet", asked_ns=at_ns, at_ns=at_ns, who="chain",
                        atoms={"BTT": 900 * ONE, "USDT": 5 * ONE})  # fmt: skip
    paid = Paid(venue="cold wallet", at_ns=at_ns, ref="r1", asset="BTT", fee_atoms=0,
                atoms=100 * ONE, counterparty="creators", function="rebates")  # fmt: skip
    written(tmp_path / "data" / "journal.db", session(read, paid))
    _, found = answer("liquid", POLICY, "--at", config)
    stake, venue = 100_000_000, 200_000_000
    assert (held(found)["BTT"][0], held(found)["USDT"][0]) == (str(stake + venue + 800), "1005")


def test_exposure_counts_what_may_have_been_bought_and_nothing_as_sold(tmp_path: Path) -> None:
    left = [intent("a", Side.BUY, 4_000_000, 50, 1), intent("b", Side.SELL, 3_000_000, 70, 1)]
    written(tmp_path / "journal.db", session(*left))
    _, found = answer("check", POLICY, "--at", tmp_path, "--facts", CUSTODY)
    unhedged = found["limits"][0]
    assert unhedged["limit"] == "unhedged against 30 days"
    # the float of 200 million and 50 million of discretionary inventory, and 4 million bought.
    assert float(unhedged["value"]["tokens"]) == pytest.approx(254_000_000, abs=1)
    assert unhedged["room"] == {"tokens": "0", "money": "0"}


def test_what_a_file_says_of_a_place_stands_alone(tmp_path: Path) -> None:
    written(tmp_path / "journal.db", session())
    newer = tmp_path / "newer.json"
    rows = [{"place": "loopback", "asset": "BTT", "amount": "7"}]
    newer.write_text(json.dumps({"at": "2026-11-21T12:00:00Z", "balances": rows}))
    _, found = answer("liquid", POLICY, "--at", tmp_path, "--facts", newer)
    told = held(found)
    assert (told["BTT"][0], told["USDT"][0]) == ("100000007", "0")  # with the stake of the file


def test_a_config_adds_the_statements_that_it_names(tmp_path: Path) -> None:
    table = demo_table(tmp_path / "data", tmp_path / "key.json", {})
    table["treasury"] = {"file": "configs/treasury.toml", "statements": [CUSTODY]}
    config = tmp_path / "config.toml"
    config.write_text(tomlkit.dumps(table))
    written(tmp_path / "data" / "journal.db", session())
    code, found = answer("liquid", POLICY, "--at", config)
    assert (code, held(found)["BTT"][0]) == (0, "2350000000")
    code, found = answer("report", "daily", POLICY, "--at", config)
    assert any("no engine runs, as of 20" in note for note in found["notes"])


def test_a_report_of_an_engine_that_was_killed_is_made_all_the_same(tmp_path: Path) -> None:
    written(tmp_path / "journal.db", session(intent("a", Side.BUY, 1, 50, 1)))
    code, found = answer("report", "daily", POLICY, "--at", tmp_path)
    assert code == 1
    rows = {row["figure"]: row for row in found["tables"]["figures"]["rows"]}
    assert rows["obligations covered by liquid reserves"]["value"] is None


@pytest.mark.parametrize("verb", [["liquid"], ["check"], ["report", "daily"]])
def test_without_an_engine_and_a_journal_there_is_one_line(tmp_path: Path, verb: list[str]) -> None:
    code, text = ran(*verb, POLICY, "--at", tmp_path)
    assert (code, len(text.splitlines())) == (3, 1)
    assert "no engine is running" in text


def test_an_age_is_never_said_younger_than_it_is() -> None:
    ages = {1: "1 s", 119: "119 s", 120: "2 min", 121: "3 min", 7_199: "120 min", 7_200: "2 h",
            86_400 * 3 + 1: "4 d"}  # fmt: skip
    assert {s: ago(s * NS_PER_S) for s in ages} == {s: f"{said} ago" for s, said in ages.items()}


# --- one resolver ---------------------------------------------------------------------------------


def test_a_config_its_directory_and_its_journal_are_the_same_place(tmp_path: Path) -> None:
    home = tmp_path / "data"
    config = tmp_path / "config.toml"
    config.write_text(tomlkit.dumps(demo_table(home, tmp_path / "key.json", {})))
    written(home / "journal.db", session())
    homes = {whereabouts(at).home for at in (config, home, home / "journal.db")}
    assert homes == {home}


def test_the_inbox_of_a_stopped_engine_is_in_its_own_journal(tmp_path: Path) -> None:
    home = tmp_path / "data"
    records, _ = desk_records(is_widened=False)
    written(home / "journal.db", [*session(), *records])
    config = tmp_path / "config.toml"
    config.write_text(tomlkit.dumps(demo_table(home, tmp_path / "key.json", {})))
    for at in (config, home):
        code, found = answer("inbox", "--at", at, "--all")
        assert (code, [one["name"] for one in found["proposals"]]) == (0, ["e1"])
        assert found["note"].startswith(NOTE)


def test_a_word_is_not_left_beside_an_engine_that_would_never_read_it(tmp_path: Path) -> None:
    records, _ = desk_records(is_widened=False)
    written(tmp_path / "journal.db", [*session(), *records])
    roster = tmp_path / "roster.toml"
    roster.write_text("people = []\n")
    code, text = ran("roster", "load", roster, "--at", tmp_path, "--file", POLICY)
    assert (code, "does not run" in text, len(text.splitlines())) == (3, True, 1)
    assert not (tmp_path / "treasury.db").exists()


@pytest.mark.parametrize(
    ("at", "fault"),
    [
        ("README.md", "README.md: neither a config (.toml) nor a data directory"),
        ("none.toml", "none.toml: cannot be read"),
    ],
)
def test_a_place_that_is_none_is_the_same_line_for_every_verb(at: str, fault: str) -> None:
    for words in (["liquid", POLICY], ["check", POLICY], ["report", "daily", POLICY], ["inbox"]):
        code, text = ran(*words, "--at", at)
        assert (code, len(text.splitlines())) == (2, 1)
        assert text.startswith(fault)


def test_where_no_desk_ever_was_one_line_says_how_one_begins(tmp_path: Path) -> None:
    written(tmp_path / "journal.db", session())
    for words in (["inbox"], ["roster", "show"]):
        code, text = ran(*words, "--at", tmp_path)
        assert (code, len(text.splitlines())) == (2, 1)
        assert text.startswith(f"{tmp_path}: no desk of actions is here: ")
