"""kill -9 twenty times, each followed by a restart; and the checker catches what it is to catch."""

import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.patience import ends
from tests.venue_truth import AT_REST, Journal, Venue

ROOT = Path(__file__).resolve().parent.parent
TIMES, SEED = 20, 11
PATIENCE_S = 600


@pytest.mark.slow
def test_twenty_kills_lose_no_fill_and_send_nothing_twice_or_early():
    command = [sys.executable, "-m", "tests.kill_nine", "--json"]
    with ends("the kills"):
        done = subprocess.run(
            [*command, "--times", str(TIMES), "--seed", str(SEED)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["ok"]
    assert summary["violations"] == []
    assert summary["kills"] == TIMES
    assert summary["open_orders"] == 0
    assert summary["orders"] > TIMES, "there was something to lose"
    assert summary["fills"] > 0
    assert summary["open_at_kill"] > 0, "orders stayed at the venue when the engine died"


# --- the checker, on a small truth and on every lie about it


def row(kind: str, **record: object) -> dict:
    return {"kind": kind, "record": record}


def truth() -> tuple[Journal, Venue]:
    """One session, one bid of 100 at 60 that half filled before it was cancelled."""
    order = {"client_id": "bal1x1", "side": "buy", "tick": 60, "lots": 100}
    fill = {
        "trade_id": 7,
        "client_id": "bal1x1",
        "side": "buy",
        "tick": 60,
        "lots": 50,
        "fee_asset": "BTT",
        "fee_atoms": 5_000_000,
    }
    funds = [
        {"asset": "BTT", "free_atoms": 1000 * 10**8, "locked_atoms": 0},
        {"asset": "USDT", "free_atoms": 10 * 10**8, "locked_atoms": 0},
    ]
    moved = {"reason": "asking the venue what is open"}
    rows = [
        row("SessionStarted", epoch=1),
        row("StateChanged", before="INIT", after="RECONCILING", **moved),
        row("Opening", balances=funds),
        row("StateChanged", before="RECONCILING", after="READY", reason=""),
        row("OrderIntent", order=order),
        row("Fill", **fill),
        row("Difference", what="fill", ours="none", theirs="50", explained="booked"),
        row("StateChanged", before="QUOTING", after="CANCEL_ONLY", reason="stopping, asked by me"),
        row("SessionEnded", open_orders=0),
    ]
    theirs = {
        "orderId": 3,
        "clientOrderId": "bal1x1",
        "side": "BUY",
        "price": "0.00000060",
        "origQty": "100",
        "executedQty": "50",
        "status": "CANCELED",
        "time": 1000,
        "updateTime": 3000,
    }
    trade = {
        "id": 7,
        "orderId": 3,
        "isBuyer": True,
        "price": "0.00000060",
        "qty": "50",
        "commission": "0.05000000",
        "commissionAsset": "BTT",
        "time": 2000,
    }
    venue = Venue(
        tick=Decimal("1e-8"),
        lot=Decimal(1),
        base="BTT",
        quote="USDT",
        opening={"BTT": Decimal(1000), "USDT": Decimal(10)},
        balances={"BTT": Decimal("1049.95"), "USDT": Decimal("9.99997")},
        orders=[theirs],
        trades=[trade],
        floor=Decimal(900),
        cap=Decimal(1100),
    )
    return Journal(rows), venue


def found(journal: Journal, venue: Venue) -> str:
    return "\n".join(text for check in AT_REST for text in check(journal, venue))


def edited(rows: list[dict], index: int, **changes: object) -> list[dict]:
    """The row at `index` with some of its record (or of an intent's order) told otherwise."""
    record = rows[index]["record"]
    changed = {"order": record["order"] | changes} if "order" in record else changes
    return [*rows[:index], {**rows[index], "record": record | changed}, *rows[index + 1 :]]


def test_the_checker_finds_nothing_in_the_truth():
    assert found(*truth()) == ""


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (lambda rows: rows[:4] + rows[5:], "never intended"),
        (lambda rows: edited(rows, 4, tick=61), "I6 order bal1x1 is"),
        (lambda rows: edited(rows, 4, lots=99), "I6 order bal1x1 is"),
        (lambda rows: edited(rows, 4, side="sell"), "I6 order bal1x1 is"),
        (lambda rows: [*rows[:5], rows[4], *rows[5:]], "I7 2 intents are called bal1x1"),
        (lambda rows: [rows[0], *rows], "I7 epoch 1 was used 2 times"),
        (lambda rows: [*rows[:6], rows[5], *rows[6:]], "I2 trade 7 is booked 2 times"),
        (lambda rows: edited(rows, 5, trade_id=8), "I1 trade 8 is in the journal and not"),
        (lambda rows: edited(rows, 5, lots=49), "I1 trade 7 was"),
        (lambda rows: edited(rows, 5, fee_atoms=4), "I1 trade 7 was"),
        (lambda rows: edited(rows, 5, client_id="bal1x2"), "I1 trade 7 was"),
        (lambda rows: rows[:5] + rows[6:], "I1 trade 7 at the venue is not in the journal"),
        (lambda rows: rows[:5] + rows[6:], "I3 BTT: journal 1000"),
        (lambda rows: [*rows[:3], rows[2], *rows[3:]], "I3 the journal has 2 openings"),
        (lambda rows: [*rows[:3], rows[4], rows[3], *rows[5:]], "I20 session 1 meant 1 orders"),
        (lambda rows: rows[:3] + rows[4:], "I20 session 1 meant 1 orders"),
        (lambda rows: edited(rows, 6, explained=""), "unexplained"),
        (lambda rows: edited(rows, 7, reason="a strange fill"), "the market went CANCEL_ONLY"),
        (lambda rows: edited(rows, 7, after="HALTED"), "the market went HALTED"),
        (lambda rows: edited(rows, 8, open_orders=1), "the last session ended as"),
        (lambda rows: rows[:8], "the last session ended as []"),
    ],
)
def test_the_checker_catches_a_lie_in_the_journal(lie, said):
    journal, venue = truth()
    assert said in found(Journal(lie(journal.rows)), venue)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clientOrderId": "web_1"}, "under no prefix of ours"),
        ({"status": "NEW"}, "order bal1x1 was left open"),
        ({"origQty": "101"}, "I6 order bal1x1 is"),
    ],
)
def test_the_checker_catches_an_order_that_should_not_be(changes, said):
    journal, venue = truth()
    assert said in found(journal, replace(venue, orders=[venue.orders[0] | changes]))


def test_the_checker_catches_an_order_that_was_sent_twice():
    journal, venue = truth()
    again = venue.orders[0] | {"orderId": 4, "executedQty": "0"}
    assert "I7 2 orders at the venue" in found(
        journal, replace(venue, orders=[*venue.orders, again])
    )


def test_the_checker_catches_a_balance_that_is_an_atom_off():
    journal, venue = truth()
    off = venue.balances | {"USDT": venue.balances["USDT"] + Decimal("1e-8")}
    assert "I3 USDT" in found(journal, replace(venue, balances=off))


@pytest.mark.parametrize("side", ["cap", "floor"])
def test_the_checker_catches_what_could_have_left_the_bands(side):
    journal, venue = truth()
    tight = {"cap": Decimal("1099.9"), "floor": Decimal("1000.1")}
    assert "I9 at" in found(journal, replace(venue, **{side: tight[side]}))
