"""`ballast run` on a recorded market: its own book is the recorded one wherever ids are equal."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import tomlkit

from engine.runtime.control import call
from engine.values.errors import UserError
from tests.market_data import spot_wire
from tests.patience import RanOut, ends

ROOT = Path(__file__).resolve().parent.parent
COMPARED_WANTED = 100
PATIENCE_S = 150.0
SPEED = "5"


def ballast(*words: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine.cli", *words], cwd=ROOT, text=True, **options
    )


def write_config(path: Path, venue: dict) -> None:
    config = tomlkit.parse((ROOT / "configs" / "recorded.toml").read_text())
    urls = venue["urls"]
    config["data_dir"] = str(path.parent / "data")
    config["venues"][0]["urls"] = {
        "public": urls["public"],
        "private": urls["private"],
        "ws.spot": urls["ws"]["spot"],
        "ws.ws-api.spot": urls["ws"]["ws-api"]["spot"],
    }
    path.write_text(tomlkit.dumps(config))
    tomllib.loads(path.read_text())


def watched(socket: Path, engine: subprocess.Popen[str]) -> list[dict]:
    """Answers with orders standing, until enough tops were compared since the first of them."""
    seen: list[dict] = []
    deadline = time.monotonic() + PATIENCE_S
    while engine.poll() is None:
        if time.monotonic() > deadline:
            raise RanOut(f"tops were not compared: {seen[-1:]}")
        time.sleep(0.25)
        try:
            market = call(socket, "status", {}, 30.0)["markets"][0]
        except UserError:
            continue
        if market["state"] == "QUOTING" and market["orders"]:
            seen.append(market)
        if seen and market["compared"] - seen[0]["compared"] >= COMPARED_WANTED:
            break
    return seen


@pytest.mark.slow
def test_the_book_equals_the_recorded_best_bid_and_ask_while_it_quotes(tmp_path):
    files = [str(path) for path in spot_wire()]
    key = tmp_path / "key.json"
    venue = ballast(
        "venue", "--capture", *files, "--speed", SPEED, "--balance", "BTC=1,USDT=100000",
        "--key-file", str(key), "--json", stdout=subprocess.PIPE,
    )  # fmt: skip
    engine = None
    try:
        write_config(tmp_path / "c.toml", json.loads(venue.stdout.readline()))
        env = {**os.environ, "BALLAST_KEY_RECORDED": key.read_text()}
        engine = ballast("run", str(tmp_path / "c.toml"), "--json", env=env, stdout=subprocess.PIPE)
        seen = watched(tmp_path / "data" / "control.sock", engine)
        engine.send_signal(signal.SIGTERM)
        with ends("the engine"):
            answer, _ = engine.communicate(timeout=PATIENCE_S)
        assert json.loads(answer.splitlines()[-1])["open_orders"] == 0
    finally:
        for process in filter(None, (engine, venue)):
            process.kill()
            process.communicate()
    first, last = seen[0], seen[-1]
    assert last["compared"] - first["compared"] >= COMPARED_WANTED // 2
    assert last["matched"] == last["compared"]
    assert len(seen) >= 3
    assert {market["grade"] for market in seen} == {"verified"}
