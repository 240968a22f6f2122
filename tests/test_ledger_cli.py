"""`ballast treasury ledger` and `gains`: over a real demo session, and over journals that lie."""

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import tomlkit

from engine.cli.main import main
from engine.runtime.books_files import load_lots, load_prices
from engine.runtime.journal import JournalParams, open_journal
from engine.values.errors import UserError
from engine.values.ledger_words import Paid, People
from engine.values.records import Listed
from tests.ledger_builders import BTT, MEASURES, ONE, VENUE, buy, opening, sell, state

ROOT = Path(__file__).resolve().parent.parent
SECONDS = "9"


def run(capsys, *words):
    """(exit code, standard output, standard error) of one verb."""
    before = sys.argv
    sys.argv = ["ballast", *map(str, words)]
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code or 0
    finally:
        sys.argv = before
    said = capsys.readouterr()
    return code, said.out, said.err


def answer(capsys, *words):
    code, out, err = run(capsys, *words, "--json")
    assert not err
    return code, json.loads(out.splitlines()[-1])


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A real demo: (its data directory, what it said of itself and of its venue)."""
    home = tmp_path_factory.mktemp("demo")
    table = tomlkit.parse((ROOT / "configs" / "demo.toml").read_text())
    table["data_dir"] = str(home / "data")
    table["markets"][0]["features"]["volatility_warm_up_s"] = 0.5
    (home / "demo.toml").write_text(tomlkit.dumps(table))
    command = [sys.executable, "-m", "engine.cli", "demo", "--config", str(home / "demo.toml")]
    done = subprocess.run(
        [*command, "--seconds", SECONDS, "--json"], cwd=ROOT, capture_output=True, text=True,
        timeout=120, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return home / "data", json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def journal(tmp_path):
    async def write(*records):
        async with await open_journal(tmp_path / "journal.db", JournalParams()) as writing:
            writing.append(records)
            await writing.commit()
        return tmp_path

    return write


LISTED = Listed(market=BTT.market, at_ns=0, instrument=BTT)


def test_the_books_of_a_real_session_balance_and_equal_the_venue(session, capsys):
    home, demo = session
    code, found = answer(capsys, "treasury", "ledger", home, "--entries")
    assert (code, found["ok"], found["faults"], found["differences"]) == (0, True, [], 0)
    assert found["readings"] >= 2
    by_asset = {row["asset"]: row for row in found["venues"]}
    assert set(by_asset) == {"BTT", "USDT"}
    for row in by_asset.values():
        assert row["ours"] == row["theirs"]
        assert row["suspense"] == "0"
    assert by_asset["BTT"]["ours"].partition(".")[0] == demo["inventory"]
    fills = [row for row in found["rows"] if row["reason"] == "fill"]
    assert len(fills) == demo["fills"]
    for row in found["rows"]:
        sums = {}
        for posting in row["postings"]:
            sums[posting["asset"]] = sums.get(posting["asset"], 0) + posting["atoms"]
        assert not any(sums.values())


def test_every_entry_names_the_row_of_the_journal_that_it_came_from(session, capsys):
    home, _ = session
    _, found = answer(capsys, "treasury", "ledger", home, "--entries")
    with sqlite3.connect(home / "journal.db") as connection:
        hashes = {seq: digest.hex() for seq, digest in connection.execute(
            "SELECT seq, hash FROM records")}  # fmt: skip
    assert found["rows"]
    assert all(hashes[row["source"]["seq"]] == row["source"]["hash"] for row in found["rows"])
    _, again = answer(capsys, "treasury", "ledger", home)
    assert again["hash"] == found["hash"]


def test_the_csv_of_a_session_has_the_same_sums(session, capsys):
    home, _ = session
    _, found = answer(capsys, "treasury", "ledger", home)
    _, out, _ = run(capsys, "treasury", "ledger", home, "--csv")
    sums = {}
    for row in csv.DictReader(io.StringIO(out)):
        place = (row["account"], row["asset"])
        sums[place] = sums.get(place, 0) + int(row["atoms"])
    assert {place for place, atoms in sums.items() if atoms} == {
        (row["account"], row["asset"]) for row in found["accounts"]
    }


def test_gains_of_a_session_are_known_once_the_cost_of_its_opening_is(session, capsys, tmp_path):
    home, _ = session
    lots = tmp_path / "lots.csv"
    lots.write_text("venue,asset,amount,cost,acquired\nloopback,BTT,200000000,100,2025-01-02\n")
    _, unknown = answer(capsys, "treasury", "gains", home)
    code, known = answer(capsys, "treasury", "gains", home, "--lots", lots)
    assert code == 0
    for row in unknown["totals"]:
        assert (row["unknown"], row["gain"]) == (row["disposals"], "unknown")
    assert all(row["unknown"] == 0 for row in known["totals"])
    left = sum(float(lot["amount"]) for lot in known["lots"])
    _, found = answer(capsys, "treasury", "ledger", home)
    assert left == float({row["asset"]: row for row in found["venues"]}["BTT"]["ours"])


async def test_a_difference_is_shown_and_ends_with_exit_code_1(journal, capsys):
    home = await journal(LISTED, opening(0, BTT=100 * ONE, USDT=0), state(50, BTT=130 * ONE))
    code, found = answer(capsys, "treasury", "ledger", home)
    assert (code, found["ok"]) == (1, False)
    assert "30 BTT more at the venue" in found["faults"][0]
    assert {"account": "suspense v", "asset": "BTT", "amount": "-30"} in found["accounts"]


async def test_a_journal_without_readings_proves_nothing(journal, capsys):
    home = await journal(LISTED, opening(0, BTT=100 * ONE, USDT=0))
    code, found = answer(capsys, "treasury", "ledger", home)
    assert code == 1
    assert found["faults"] == ["the journal holds no reading of a venue to compare with"]


async def test_a_broken_chain_is_said_before_anything_else(journal, capsys):
    home = await journal(LISTED, opening(0, BTT=100 * ONE), state(50, BTT=100 * ONE))
    with sqlite3.connect(home / "journal.db") as connection:
        connection.execute("DROP TRIGGER records_stay")
        connection.execute("UPDATE records SET at_ns = at_ns + 1 WHERE seq = 2")
    code, out, err = run(capsys, "treasury", "ledger", home, "--money", "USDT")
    assert code == 1
    assert "NOT PROVED" in out
    assert "the journal is broken: record 2" in out
    assert not err


async def test_gains_by_method_and_by_period(journal, capsys):
    day = 86_400 * 10**9
    fills = [buy(1, 10, 10), buy(2, 10, 30), sell(3, 10, 50), sell(4, 5, 50, at_ns=3 * day)]
    records = [LISTED, opening(0, BTT=0, USDT=10_000), *fills]
    home = await journal(*records, state(4 * day, BTT=5 * ONE, USDT=10_350))
    costs = {"fifo": "0.000004", "lifo": "0.000002", "hifo": "0.000002"}
    for method, gain in costs.items():
        words = ("treasury", "gains", home, "--method", method, "--to", "1970-01-03")
        _, found = answer(capsys, *words)
        assert (found["totals"][0]["gain"], found["totals"][0]["disposals"]) == (gain, 1)
    _, out, _ = run(capsys, "treasury", "gains", home, "--from", "1970-01-02", "--csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["amount"], row["gain"]) == ("5", "0.000001")


async def test_words_about_money_in_the_journal_are_in_the_books(journal, capsys):
    people = People(requester="ann", approvers=("bob",), proposal="ab" * 32)
    word = Paid(
        venue=VENUE, at_ns=20, ref="7", asset="BTT", atoms=40 * ONE, fee_atoms=ONE,
        counterparty="creators", function="creator rewards", people=people,
    )  # fmt: skip
    home = await journal(LISTED, opening(0, BTT=100 * ONE), word, state(50, BTT=59 * ONE))
    code, found = answer(capsys, "treasury", "ledger", home, "--entries")
    assert (code, found["ok"]) == (0, True)
    assert {"account": "paid creator rewards", "asset": "BTT", "amount": "40"} in found["accounts"]
    row = next(row for row in found["rows"] if row["reason"] == "payment")
    assert row["people"] == {"requester": "ann", "approvers": ["bob"], "proposal": "ab" * 32}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("venue,asset\n", ":1: the first line must be"),
        ("", ":1: the first line must be"),
        ("venue,asset,amount,cost,acquired\nv,BTT,1,2\n", ":2: "),
        ("venue,asset,amount,cost,acquired\nv,BTT,0,2,unknown\n", ":2: amount must be more"),
        ("venue,asset,amount,cost,acquired\nv,BTT,1,-2,unknown\n", ":2: cost must not be neg"),
        ("venue,asset,amount,cost,acquired\nv,BTT,1,,unknown\n", ":2: cost: not a plain"),
        ("venue,asset,amount,cost,acquired\n\nv,BTT,1,0,soon\n", ":3: 'soon' is no day"),
        ("venue,asset,amount,cost,acquired\n,BTT,1,0,unknown\n", ":2: venue and asset"),
        ("venue,asset,amount,cost,acquired\nv,BTT,1,0,1960-01-01\n", "before 1970"),
        ('venue,asset,amount,cost,acquired\nv,"BTT,1,0,x\n', "not CSV"),
    ],
)
def test_a_fault_in_a_file_of_lots_names_file_and_line(tmp_path, text, fault):
    path = tmp_path / "lots.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=str(path)) as told:
        load_lots(path, MEASURES)
    assert fault in str(told.value)
    assert "\n" not in str(told.value)


def test_lots_and_prices_are_read_exactly(tmp_path):
    lots, prices = tmp_path / "lots.csv", tmp_path / "prices.csv"
    lots.write_text(f"venue,asset,amount,cost,acquired\n{VENUE},BTT,1.5,unknown,unknown\n")
    prices.write_text("at,asset,price\n1970-01-02,BTT,0.00000062\n1970-01-02T00:01:00Z,BTT,2\n")
    (lot,) = load_lots(lots, MEASURES)[VENUE, "BTT"]
    assert (lot.atoms, lot.cost_atoms, lot.acquired_ns) == (150_000_000, None, None)
    history = load_prices(prices, MEASURES, 3_600 * 10**9)
    second = 10**9
    assert history.worth("BTT", 10**8, 86_400 * second) == 62
    assert history.worth("BTT", 10**8, 86_461 * second) == 2 * 10**8
    assert history.worth("BTT", 10**8, 86_399 * second) is None
    assert history.worth("BTT", 10**8, 95_000 * second) is None


def test_a_period_that_ends_before_it_begins_is_one_line(capsys, tmp_path):
    words = ("treasury", "gains", tmp_path, "--from", "2026-01-02", "--to", "2026-01-01")
    code, _, err = run(capsys, *words)
    assert code == 2
    assert err == "ballast: --to: must be after --from\n"


def policy(tmp_path, method):
    """The shipped treasury file, with books that are kept by `method`."""
    table = tomlkit.parse((ROOT / "configs" / "treasury.toml").read_text())
    table["books"] = {"lot_method": method, "lots": "", "prices": "", "price_age_max_s": 60}
    path = tmp_path / "treasury.toml"
    path.write_text(tomlkit.dumps(table))
    return path


async def test_the_books_section_of_a_treasury_file_says_how_they_are_kept(
    journal, capsys, tmp_path
):
    path = policy(tmp_path, "lifo")
    fills = [buy(1, 10, 10), buy(2, 10, 30), sell(3, 10, 50)]
    home = await journal(LISTED, opening(0, BTT=0, USDT=10_000), *fills)
    _, found = answer(capsys, "treasury", "gains", home, "--policy", path)
    assert (found["method"], found["totals"][0]["gain"]) == ("lifo", "0.000002")
    _, found = answer(capsys, "treasury", "gains", home, "--policy", path, "--method", "fifo")
    assert found["totals"][0]["gain"] == "0.000004"


def test_a_books_section_without_sense_names_its_key(capsys, tmp_path):
    path = policy(tmp_path, "average")
    code, _, err = run(capsys, "treasury", "gains", tmp_path, "--policy", path)
    assert code == 2
    assert "books.lot_method" in err
