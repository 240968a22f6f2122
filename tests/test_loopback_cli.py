"""`ballast venue`: its flags, its key, its one-line mistakes, its end."""

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.request

import pytest

from adapters.loopback.keys import new_hmac
from engine.cli.venue import Wanted, build_venue, read_balances, read_speed, write_key
from engine.values.errors import UserError
from tests.patience import ends

PROGRAM = (
    "import typer, sys\n"
    "from engine.cli.venue import venue\n"
    "app = typer.Typer(pretty_exceptions_enable=False)\n"
    "app.command()(venue)\n"
    "app()\n"
)


def wanted(**more):
    values = {"markets": ["btt-thin"], "symbols": [], "captures": [], "speed": 1.0, "seed": 1,
              "balances": {}, "script": []}  # fmt: skip
    return Wanted(**(values | more))


def test_it_says_where_it_is_serves_and_ends_on_sigterm(tmp_path):
    key_file = tmp_path / "key.json"
    command = [sys.executable, "-c", PROGRAM, "--json", "--seed", "7", "--key-file", str(key_file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(process.stdout.readline())
        assert said["event"] == "listening"
        assert "secret" not in said
        with urllib.request.urlopen(f"{said['urls']['public']}/depth?symbol=BTTUSDT") as answer:
            assert json.load(answer)["bids"]
        process.send_signal(signal.SIGTERM)
        last = process.stdout.read().splitlines()[-1]
        assert json.loads(last)["event"] == "stopped"
        with ends("the venue"):
            assert process.wait(60) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    assert stat.S_IMODE(os.stat(key_file).st_mode) == 0o600
    assert set(json.loads(key_file.read_text())) == {"api_key", "secret"}


def test_several_symbols_have_a_market_each():
    venue = build_venue(wanted(symbols=["BTTUSDT", "DENTUSDT"]), new_hmac("main"))
    assert list(venue.exchange.markets) == ["BTTUSDT", "DENTUSDT"]
    assert set(venue.exchange.accounts["main"].free) == {"BTT", "DENT", "USDT"}


def test_two_kinds_of_market_are_served_side_by_side():
    venue = build_venue(wanted(markets=["btt-thin", "liquid"]), new_hmac("main"))
    ticks = {name: market.scale.price_text(1) for name, market in venue.exchange.markets.items()}
    assert ticks == {"BTTUSDT": "0.00000001", "BTCUSDT": "0.01000000"}
    assert venue.exchange.accounts["main"].free["BTC"]


def test_the_same_seed_opens_the_same_book():
    def book(seed):
        venue = build_venue(wanted(seed=seed), new_hmac("main"))
        flow = venue._flows["BTTUSDT"]
        return [(act.side, act.tick, act.lots) for act in flow.opening()]

    assert book(3) == book(3)
    assert book(3) != book(4)


@pytest.mark.parametrize(
    "more",
    [
        {"markets": ["nonesuch"]},
        {"markets": ["btt-thin", "liquid"], "symbols": ["BTTUSDT"]},
        {"symbols": ["BTTUSDT", "BTTUSDT"]},
        {"symbols": ["USDT"]},
    ],
)
def test_a_market_that_cannot_be_is_refused(more):
    with pytest.raises(UserError, match="--"):
        build_venue(wanted(**more), new_hmac("main"))


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf"])
def test_a_speed_is_a_factor_or_max(text):
    assert read_speed("max") == 0
    assert read_speed("2.5") == 2.5
    with pytest.raises(UserError, match="--speed"):
        read_speed(text)


@pytest.mark.parametrize("text", ["BTT", "BTT=x", "=5", "BTT=-1", "BTT=1e9"])
def test_a_balance_names_an_asset_and_an_amount(text):
    assert read_balances("BTT=5,USDT=0.5") == {"BTT": "5", "USDT": "0.5"}
    with pytest.raises(UserError, match="--balance"):
        read_balances(text)


def test_a_key_file_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (tmp_path / "no" / "key", tmp_path / "link"):
        with pytest.raises(UserError, match="--key-file"):
            write_key(path, new_hmac("main"))


def test_a_capture_that_is_absent_is_a_users_mistake(tmp_path):
    with pytest.raises(UserError):
        build_venue(wanted(captures=[tmp_path / "none.gz"]), new_hmac("main"))
